/**
 * Reads a commit journal that nobody has open and changes nothing, for what must be known before a
 * start opens it.
 */
import type { Files } from '../../base/disk/files.ts';
import { systemClock } from '../../base/lib/clock.ts';
import { surveySegments } from '../live-segments.ts';
import { logRules } from '../log-rules.ts';
import type { LogOptions } from '../log-types.ts';
import { readOnly } from '../read-only.ts';
import { Replay } from '../replay.ts';
import { SegmentFiles } from '../segment-files.ts';
import { decodePayload } from './commit-record.ts';
import { journalNaming } from './journal-naming.ts';

/**
 * Highest low-water mark that a commit in `directory` names: the write-ahead log holds nothing at
 * or below it that is not filed. 0 if there is none.
 * @throws HF_FORMAT_NEWER, HF_JOURNAL_RECORD_BAD, HF_IO
 */
export function journalLowWater(files: Files, directory: string): number {
  const options: LogOptions = {
    ...journalNaming,
    files: readOnly(files),
    directory,
    quarantine: directory,
    segmentBytes: 0,
    segmentAgeMs: Infinity,
    syncMode: 'fdatasync',
    preallocate: false,
    clock: systemClock,
    randomSalt: () => 1,
  };
  const names = new SegmentFiles(options.files, directory, options.prefix, options.suffix);
  let lowWater = 0;
  new Replay(options, names, logRules, surveySegments(options, names), {
    lowWater: 0,
    copies: false,
    onRecord: ({ payload }) => {
      const said = decodePayload(payload);
      const mark = said.type === 'snapshot' ? said.state.lowWater : said.proposal.lowWater;
      lowWater = Math.max(lowWater, mark ?? 0);
    },
  }).run();
  return lowWater;
}
