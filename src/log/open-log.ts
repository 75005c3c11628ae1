/**
 * Opens a log = recovers it (L5), then makes the fresh segment of this start (L4). Called once per
 * start by the log's owner, on its thread: the journal first, then the WAL.
 */
import type { LogRules } from './log-rules.ts';
import { logRules, startJump } from './log-rules.ts';
import type { LogOptions, LogReplay, OpenedLog } from './log-types.ts';
import { Log } from './log.ts';
import { surveySegments, type SegmentSurvey } from './live-segments.ts';
import { Replay } from './replay.ts';
import { SegmentFiles } from './segment-files.ts';

/**
 * See `OpenLog` in log-types.ts. `rules` are the right ones unless a test composes wrong ones.
 * Durability: when it returns with state `open`, every record given to `onRecord` is on the device
 * and stays.
 */
export function openLog(
  options: LogOptions,
  replay: LogReplay,
  rules: LogRules = logRules,
): OpenedLog {
  const names = new SegmentFiles(options.files, options.directory, options.prefix, options.suffix);
  const survey = surveySegments(options, names);
  const lowWater = Math.max(replay.lowWater, snapshotFloor(options, names, rules, survey));
  const reader = new Replay(options, names, rules, survey, { ...replay, lowWater, copies: true });
  const replayed = reader.run();
  const highest = Math.max(replayed.highest, replay.floor());
  const next = rules.firstNumber(highest + survey.lostStarts * startJump);
  const { sequence } = survey;
  const log = new Log(options, names, rules, { ...replayed, next, sequence });
  log.retryFresh();
  const { records, bytes, lastNumber, tornRecords, carried, live } = replayed;
  const { ranges: rot, alarms } = reader.rot;
  return {
    log,
    report: {
      segments: live.length,
      bytes,
      records,
      lastNumber,
      carried: carried.length,
      tornRecords,
      rot,
      alarms,
      failure: log.failure,
    },
  };
}

/** Journal: the number before its newest valid snapshot, found by reading it once beforehand. */
function snapshotFloor(
  options: LogOptions,
  names: SegmentFiles,
  rules: LogRules,
  survey: SegmentSurvey,
): number {
  if (options.kind !== 'journal') return 0;
  const targets = { lowWater: 0, copies: false, onRecord: () => undefined };
  const { snapshot } = new Replay(options, names, rules, survey, targets).run();
  return snapshot === undefined ? 0 : snapshot - 1;
}
