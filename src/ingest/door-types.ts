/**
 * The one way in for rows (commit-protocol P3), as those who bring rows see it: the write routes
 * now, imports and replays later. Implemented by door.ts.
 */
import type { Precision, Rejection } from './decode/types.ts';

/** How the routes of a dialect speak; kept with what they could not take. */
export type WriteDialect = 'v1' | 'v2' | 'v3' | 'arc';

/** What the bytes of a body are. */
export type WriteFormat = 'line' | 'msgpack';

export interface WriteRequest {
  readonly dialect: WriteDialect;
  /** Line protocol if it is not given. */
  readonly format?: WriteFormat;
  readonly database: string;
  readonly precision: Precision;
  /** Decompressed; true until `write` has resolved. */
  readonly body: Uint8Array;
  /** False: if a line is bad, nothing of the request is kept. */
  readonly acceptPartial: boolean;
  /** Address and user agent, for the dead letters. */
  readonly sender: string;
}

export interface WriteOutcome {
  /** Rows that are in the log, as durable as the sync mode says. */
  readonly rows: number;
  readonly rejected: readonly Rejection[];
  /** Lines rejected: the sum of the rejections' counts. */
  readonly rejectedLines: number;
}

export interface WriteDoor {
  /** @throws the reason, retryable, why no write may come in now; asked before a body is read. */
  admit(): void;
  /**
   * Resolves when every accepted row is in the log, synced as the mode says, and visible to
   * queries, and every rejected one is filed with the same sync.
   * @throws HF_DATABASE_UNKNOWN, or a retryable error; then nothing of the request was kept.
   */
  write(request: WriteRequest): Promise<WriteOutcome>;
}
