/**
 * What the main thread (wal-client.ts) and the WAL thread (wal-worker.ts) say to each other.
 * Messages arrive in the order in which they were posted, so answers to appends come in LSN order.
 */
import type { WireError } from '../../base/errors/gateway-error.ts';
import type { LogAlarm, RotRange, SyncMode } from '../log-types.ts';

/** What the WAL thread is told of its log. Plain values. */
export interface WalSettings {
  readonly directory: string;
  readonly quarantine: string;
  readonly segmentBytes: number;
  readonly segmentAgeMs: number;
  readonly syncMode: SyncMode;
  /** Mode `async`: time between background syncs; 0 for none (`wal.enabled = false`). */
  readonly asyncIntervalMs: number;
  /** Mode `async`: bytes that may be written and not synced; more are synced at once. */
  readonly unsyncedBytesMax: number;
  /** Time between two attempts to write again after the log failed. */
  readonly retryMs: number;
  /** Entry of the thread that fills spares, as a URL's text. */
  readonly spareThread: string;
}

/**
 * Memory through which replay gives records to the main thread: `slots` take turns, one batch of
 * records each. A batch is acknowledged by raising `gate[acknowledged]`; the WAL thread waits
 * there before it fills a slot again. `gate[givenUp]` other than 0 ends the replay.
 */
export interface ReplayMemory {
  readonly slots: readonly SharedArrayBuffer[];
  readonly gate: Int32Array;
}

/** Numbers that a record takes in `places` of a message of records. */
export const placeNumbers = 6;

/** 0 until the sync has ended. */
export const syncOutcomes = { synced: 1, refused: 2 } as const;

export const gatePlaces = { acknowledged: 0, givenUp: 1 } as const;

export type ToWal =
  | {
      readonly kind: 'open';
      readonly settings: WalSettings;
      readonly lowWater: number;
      readonly floor: number;
      readonly memory: ReplayMemory;
    }
  /** Payloads are moved, not copied: their memory belongs to the WAL thread from here on. */
  | {
      readonly kind: 'append';
      readonly payloads: readonly Uint8Array[];
      readonly counts: readonly number[];
    }
  | { readonly kind: 'release'; readonly lowWater: number }
  | { readonly kind: 'sync' }
  /** As `sync`; the answer is `syncOutcomes` in `outcome[0]`, for a thread that waits there. */
  | { readonly kind: 'syncAtOnce'; readonly outcome: Int32Array }
  | { readonly kind: 'close' };

/** Where the log stands; comes with each answer. */
export interface WalPosition {
  readonly state: 'open' | 'failed';
  readonly syncedTo: number;
  readonly writtenTo: number;
  readonly mark: number;
  readonly segments: number;
  /** Bytes of all live segments. */
  readonly bytesLive: number;
  /** Writes and syncs that the device refused since the start. */
  readonly failures: number;
  /** Why the state is `failed`. */
  readonly failure: WireError | undefined;
}

/** What recovery found: plain values of the log's RecoveryReport. */
export interface WalRecovery {
  readonly segments: number;
  readonly bytes: number;
  readonly records: number;
  readonly lastNumber: number;
  readonly carried: number;
  readonly tornRecords: number;
  readonly rot: readonly RotRange[];
  readonly alarms: readonly LogAlarm[];
}

export type FromWal =
  | {
      readonly kind: 'records';
      readonly memory: SharedArrayBuffer;
      /**
       * Six numbers a record: first LSN, count of numbers, byte offset in `memory`, length; then
       * sequence of the segment that it was read from, and byte of the payload there.
       */
      readonly places: Float64Array;
      readonly bytes: number;
      readonly bytesTotal: number;
      /** LSN up to which records are known to be on the device. */
      readonly syncedTo: number;
    }
  | { readonly kind: 'opened'; readonly recovery: WalRecovery; readonly position: WalPosition }
  | { readonly kind: 'refused'; readonly error: WireError }
  /** Answers `messages` append messages with `requests` requests in all, as one group. */
  | {
      readonly kind: 'appended';
      readonly messages: number;
      readonly requests: number;
      /** First LSN of each request; empty if `error` is there. */
      readonly firsts: readonly number[];
      readonly error: WireError | undefined;
      readonly syncsMs: readonly number[];
      readonly position: WalPosition;
    }
  /** After a background sync, a release, a change of state; `answers` counts answered `sync`s. */
  | {
      readonly kind: 'moved';
      readonly answers: number;
      readonly error: WireError | undefined;
      readonly syncsMs: readonly number[];
      readonly position: WalPosition;
    }
  | { readonly kind: 'closed'; readonly position: WalPosition };
