/**
 * What a test's gateway process does differently from the product's, handed over in one
 * environment variable because its threads read it too.
 */
import process from 'node:process';
import type { FileCallKind } from '../intercept-files.ts';
import type { MarkPlace } from '../rig/device-marks.ts';

export type ThreadName = 'wal' | 'spare' | 'commit' | 'encoder';

/** Names of the mistakes in bugs.ts. */
export type BugName =
  | 'journal-not-synced'
  | 'wal-recycled-before-commit'
  | 'parquet-not-synced'
  | 'directory-not-synced'
  | 'acknowledged-before-sync'
  | 'flushes-out-of-order'
  | 'low-water-ahead'
  | 'journal-dropped-early'
  | 'snapshot-trusted-unread'
  | 'keys-forgotten';

/** SIGKILL of the whole process at the `nth` call (from 1) of a kind on a thread. */
export interface KillPlan {
  readonly thread: ThreadName;
  readonly kind: FileCallKind;
  readonly nth: number;
  /** `half`: a write leaves the first half of its bytes behind. */
  readonly moment: 'before' | 'half' | 'after';
}

export interface GatewayPlan {
  /** Phases are marked on this device. */
  readonly marks?: MarkPlace;
  /** File that gets the requests of each group, in the order in which the log takes them. */
  readonly orderFile?: string;
  /** File that gets every call of the file layer; see call-record.ts. */
  readonly callFile?: string;
  readonly kill?: KillPlan;
  readonly bug?: BugName;
  readonly journalSegmentBytes?: number;
  /** How far the wall clock of the main thread is off. */
  readonly wallShiftMs?: number;
}

const variable = 'RIG_PLAN';

export function planEnvironment(plan: GatewayPlan): Readonly<Record<string, string>> {
  return { [variable]: JSON.stringify(plan) };
}

export function readPlan(): GatewayPlan {
  return JSON.parse(process.env[variable] ?? '{}') as GatewayPlan;
}
