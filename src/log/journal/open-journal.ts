/**
 * Recovers the commit journal: replays it into a LiveState from its newest valid snapshot on.
 * Commit thread, at its start. @see docs/format/journal.md
 */
import type { Files } from '../../base/disk/files.ts';
import type { Clock } from '../../base/lib/clock.ts';
import type { AppendLog, LogOptions, OpenLog, RecoveryReport } from '../log-types.ts';
import { decodePayload } from './commit-record.ts';
import { journalNaming } from './journal-naming.ts';
import { LiveState } from './live-state.ts';
import { recordBytes, type JournalExtent } from './snapshot-rule.ts';

export interface JournalDeps {
  readonly files: Files;
  readonly clock: Clock;
  readonly openLog: OpenLog;
  /** Random u32 other than zero. */
  readonly randomSalt: () => number;
  /** What starts from a snapshot or from nothing; tests that plant bugs compose another. */
  readonly newState?: (state?: ConstructorParameters<typeof LiveState>[0]) => LiveState;
}

export interface JournalOptions {
  readonly directory: string;
  readonly quarantine: string;
  readonly segmentBytes: number;
  readonly syncMode: Exclude<LogOptions['syncMode'], 'async'>;
}

export interface OpenedJournal {
  readonly log: AppendLog;
  readonly state: LiveState;
  readonly extent: JournalExtent;
  readonly report: RecoveryReport;
}

/**
 * The journal as the last life left it, ready for commits.
 * @throws HF_FORMAT_NEWER, having changed nothing; HF_JOURNAL_RECORD_BAD; HF_IO
 */
export function openJournal(deps: JournalDeps, options: JournalOptions): OpenedJournal {
  const newState = deps.newState ?? ((state) => new LiveState(state));
  let state = newState();
  let extent: JournalExtent = { snapshotNumber: 0, snapshotBytes: 0, bytesSince: 0 };
  const { log, report } = deps.openLog(
    {
      ...options,
      ...journalNaming,
      files: deps.files,
      clock: deps.clock,
      randomSalt: deps.randomSalt,
      // Commits are few: a segment is left when it is full, whatever its age.
      segmentAgeMs: Infinity,
      preallocate: false,
    },
    {
      lowWater: 0,
      floor: () => state.commit,
      onRecord: ({ number, payload }) => {
        const said = decodePayload(payload);
        const bytes = recordBytes(payload.length);
        if (said.type === 'snapshot') {
          state = newState(said.state);
          extent = { snapshotNumber: number, snapshotBytes: bytes, bytesSince: 0 };
          return;
        }
        extent = { ...extent, bytesSince: extent.bytesSince + bytes };
        if (said.proposal.kind !== 'mark') state.apply({ ...said.proposal, number });
      },
    },
  );
  return { log, state, extent, report };
}
