/**
 * The contract of the log: what its owners (the WAL worker, the committer) give it and get back.
 * Both logs of Holdfast are this one (commit-protocol.md, L1-L6); it knows nothing of payloads.
 * Format: docs/format/wal.md, "Framing". Everything here runs synchronously on its owner's thread.
 */
import type { Files } from '../base/disk/files.ts';
import type { Clock } from '../base/lib/clock.ts';

export type LogKind = 'wal' | 'journal';

/** How a group reaches the device; `async` acknowledges before it and is synced by `Log.sync`. */
export type SyncMode = 'fdatasync' | 'fsync' | 'dsync' | 'async';

/** One log record to append. */
export interface RecordInput {
  /** Numbers it takes, at least 1: rows for a WAL record, 1 for a commit. */
  readonly count: number;
  /** Opaque bytes. In mode `async` they must not change before the next sync. */
  readonly payload: Uint8Array;
  /** True if replay may start here: the payload alone gives the whole state (journal). */
  readonly snapshot?: boolean;
}

/** One log record as replay gives it. It takes the numbers `number` .. `number + count - 1`. */
export interface LogRecord {
  readonly number: number;
  readonly count: number;
  /** View into the segment's SharedArrayBuffer; its byteOffset is a multiple of 8; stays valid. */
  readonly payload: Uint8Array;
  readonly snapshot: boolean;
}

/** Where a log record was found by replay. */
export interface RecordPlace {
  /** Sequence of its segment. */
  readonly sequence: number;
  /** Byte of the segment at which its payload begins. */
  readonly position: number;
}

/** Last number that `record` takes. */
export function lastNumberOf(record: { readonly number: number; readonly count: number }): number {
  return record.number + record.count - 1;
}

export interface LogOptions {
  readonly files: Files;
  /** Holds the segments; exists already. */
  readonly directory: string;
  /** Takes copies of bad byte ranges; exists already. */
  readonly quarantine: string;
  /** File names are prefix + sequence in 20 digits + suffix: `worker-1-`, `commits-`. */
  readonly prefix: string;
  /** `.wal`, `.journal`. */
  readonly suffix: string;
  readonly kind: LogKind;
  /** A segment is rotated when the next group would pass this; it grows to fit one group. */
  readonly segmentBytes: number;
  /** A segment older than this is rotated by the next append. */
  readonly segmentAgeMs: number;
  readonly syncMode: SyncMode;
  /** True: segments are zero-filled spares and recycled. False: they grow and are unlinked. */
  readonly preallocate: boolean;
  readonly clock: Clock;
  /** Gives a random u32 other than zero. */
  readonly randomSalt: () => number;
  /**
   * Mode `async`: unsynced payload bytes kept for carrying over; an append that passes this is
   * synced at once. Default 8 MiB.
   */
  readonly unsyncedBytesMax?: number;
  readonly observer?: LogObserver;
}

/** Told of what costs time or goes wrong; must not throw and must not call the log. */
export interface LogObserver {
  /** A group or a background sync is on the device; its sync alone took `milliseconds`. */
  synced(milliseconds: number, bytes: number): void;
  /** A write or sync failed; the log makes a fresh segment next. */
  failed(error: Error): void;
}

/** What the owner wants from recovery. */
export interface LogReplay {
  /** WAL: records whose last number is at or below it are filed and not given. Journal: 0. */
  readonly lowWater: number;
  /** Called after the last record: a number that every later number exceeds (L3). */
  readonly floor: () => number;
  /**
   * Every log record that counts, in log order: above `lowWater` (WAL), from the newest valid
   * snapshot on (journal).
   */
  onRecord(record: LogRecord, place: RecordPlace): void;
  /** True: no payload is used after `onRecord` has returned, so its memory serves the next ones. */
  readonly payloadsPass?: boolean;
  /**
   * Before the records that it speaks of are given: every one up to `number` is on the device.
   * What comes above it may be in the page cache only, until the fresh segment stands.
   */
  onSynced?(number: number): void;
  /** After each segment was read: bytes so far and in all. */
  onProgress?(bytes: number, bytesTotal: number): void;
}

/** Numbers and bytes that a later mark proves were synced, and that are not there any more (L5). */
export interface RotRange {
  readonly segment: string;
  /** Byte range in the segment; equal if the file is gone. */
  readonly from: number;
  readonly to: number;
  /** Missing numbers. They may lie partly in numbers that were never given to a record. */
  readonly firstNumber: number;
  readonly lastNumber: number;
  /** Path of the copy in `quarantine`, or undefined if there was nothing to copy or no space. */
  readonly copy: string | undefined;
}

export type LogAlarmKind =
  /** A segment with live records has a bad or zeroed header; replayed by the listed salt. */
  | 'segment-header-bad'
  /** A segment with live records is gone. */
  | 'segment-missing'
  /** The newest segment has a bad header and holds records beyond the last number; they count. */
  | 'segment-unlisted'
  /** A range of the log is rotten; see `rot`. */
  | 'rot'
  /** A copy to `quarantine` failed. */
  | 'quarantine-failed';

export interface LogAlarm {
  readonly kind: LogAlarmKind;
  readonly segment: string;
  readonly message: string;
}

export interface RecoveryReport {
  /** Live segments found, and their bytes. */
  readonly segments: number;
  readonly bytes: number;
  /** Log records given to `onRecord`. */
  readonly records: number;
  /** Last number that counts; 0 in an empty log. */
  readonly lastNumber: number;
  /** Records beyond the last mark: copied into the fresh segment by this start (L4). */
  readonly carried: number;
  /** Valid records behind the end of the log, and broken ones at it: cut for good. */
  readonly tornRecords: number;
  readonly rot: readonly RotRange[];
  readonly alarms: readonly LogAlarm[];
  /** Why no fresh segment could be made; the log then is in state `failed`. */
  readonly failure: Error | undefined;
}

export interface SegmentSummary {
  readonly name: string;
  readonly sequence: number;
  readonly bytes: number;
  /** Last number that counts in it, or undefined while it holds none. */
  readonly lastNumber: number | undefined;
  readonly active: boolean;
}

/** A spare that the log would like to find when it rotates; see `prepareSpare`. */
export interface SpareRequest {
  readonly directory: string;
  /** File name of the finished spare. */
  readonly name: string;
  readonly bytes: number;
}

/**
 * `open`: appends are taken. `failed`: no segment to write to (L6, read-only state); `retryFresh`
 * may open it again. `closed`: for good.
 */
export type LogState = 'open' | 'failed' | 'closed';

/** What `openLog` returns; implemented by `Log` in log.ts. */
export interface AppendLog {
  /**
   * Appends `group` as one group (L2) and returns the first number of each record, after the
   * device confirmed them (mode `async`: after the write). All or none of the group is appended.
   *
   * @throws HF_LOG_APPEND if write or sync failed or the log is in state `failed`: the numbers are
   * spent, nothing of the group will be replayed once a fresh segment stands. By then one stands,
   * or `state` is `failed`.
   */
  append(group: readonly RecordInput[]): readonly number[];
  /**
   * Returns after all appended groups are on the device, carried over into a fresh segment if the
   * sync failed. @throws HF_LOG_APPEND if none could be made: the state is `failed`, and the
   * unsynced groups are kept for `retryFresh`.
   */
  sync(): void;
  /**
   * Goes on in a fresh segment. With `first` it starts with that record, whose number is returned
   * (journal compaction: a snapshot). @throws HF_LOG_APPEND as `append`.
   */
  rotate(first?: RecordInput): number | undefined;
  /** The record `number` as the file of its segment now gives it, checksum verified, or undefined
   * (P13: a snapshot is read back before older segments go). @throws HF_IO */
  readBack(number: number): LogRecord | undefined;
  /**
   * Recycles or unlinks, oldest first, segments whose last number is at or below `lowWater`; never
   * the active one. Never throws for a disk that refuses: what stays is tried again next time.
   */
  release(lowWater: number): void;
  /** True if writing again: makes a fresh segment if the state is `failed`. */
  retryFresh(): boolean;
  /** A spare to prepare, once per missing spare, or undefined. Only with `preallocate`. */
  spareWanted(): SpareRequest | undefined;
  /** Closes the active segment; syncs first if anything is unsynced (errors ignored: the next
   * start decides by what it finds). */
  close(): void;
  readonly state: LogState;
  /** Why the state is `failed`. */
  readonly failure: Error | undefined;
  /** Every number up to this one is on the device or will never be replayed. */
  readonly syncedTo: number;
  /** Last number appended (mode `async`: written, maybe not synced). */
  readonly writtenTo: number;
  /** Highest `syncedTo` that stands in a durable record or header: rot up to here is noticed. */
  readonly mark: number;
  /** Number that the next record gets. */
  readonly nextNumber: number;
  /** Bytes of all live segments, the active one up to its end of data. */
  bytesLive(): number;
  /** Live segments, oldest first; the active one last. */
  segments(): readonly SegmentSummary[];
}

/** Opened log and what recovery found. */
export interface OpenedLog {
  readonly log: AppendLog;
  readonly report: RecoveryReport;
}

/**
 * Shape of `openLog` in open-log.ts: recovers the log, gives every record that counts to
 * `replay.onRecord`, and makes the fresh segment of this start. A refusing disk does not make it
 * throw: the log is then in state `failed`. @throws HF_FORMAT_NEWER, having changed nothing;
 * HF_IO if a segment cannot be read at all.
 */
export type OpenLog = (options: LogOptions, replay: LogReplay) => OpenedLog;
