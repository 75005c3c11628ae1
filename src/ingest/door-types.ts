/**
 * The one way in for rows (commit-protocol P3), as those who bring rows see it: the write routes
 * now, imports and replays later. Implemented by door.ts.
 */
import type { Precision, Rejection, TableTerms } from './decode/types.ts';

/** How the routes of a dialect speak; kept with what they could not take. */
export type WriteDialect = 'v1' | 'v2' | 'v3' | 'arc';

/** What the bytes of a body are. */
export type WriteFormat = 'line' | 'msgpack' | 'arrow';

export interface WriteRequest {
  readonly dialect: WriteDialect;
  /** Line protocol if it is not given. */
  readonly format?: WriteFormat;
  readonly database: string;
  readonly precision: Precision;
  /** Only for formats of tables. */
  readonly table?: TableTerms;
  /** Decompressed; true until `write` has resolved. */
  readonly body: Uint8Array;
  /** False: if a line is bad, nothing of the request is kept. */
  readonly acceptPartial: boolean;
  /** Address, for alarms and dead letters. */
  readonly sender: string;
  /** What the sender calls itself. */
  readonly agent?: string;
  /** `Idempotency-Key`: of requests with the same key and body one is written. */
  readonly key?: string;
  /** The dead letter that is sent once more; refused whole if no row of it can be kept. */
  readonly letter?: string;
}

/** Address and agent of a sender, for people. */
export function senderText({ sender, agent }: WriteRequest): string {
  return agent === undefined ? sender : `${sender} ${agent}`;
}

export interface WriteOutcome {
  /** Rows that are in the log, as durable as the sync mode says. */
  readonly rows: number;
  readonly rejected: readonly Rejection[];
  /** Lines rejected: the sum of the rejections' counts. */
  readonly rejectedLines: number;
  /** It is the answer to an earlier request with the same key; nothing was written now. */
  readonly isRepeat?: true;
}

export interface WriteDoor {
  /**
   * Asked before a body is read.
   * @throws the reason, retryable, why no write (or none with a key) may come in now
   */
  admit(hasKey?: boolean): void;
  /**
   * Resolves when every accepted row is in the log, synced as the mode says, and visible to
   * queries, and every rejected one is filed with the same sync.
   * @throws HF_DATABASE_UNKNOWN, or a retryable error; then nothing of the request was kept.
   */
  write(request: WriteRequest): Promise<WriteOutcome>;
}

/** The way in for what a person decides about dead letters. */
export interface LetterMarks {
  /**
   * Resolves when the log holds that these letters, at least one, are dropped, and queries see it.
   * A full disk does not hold it up: it makes room.
   * @throws a retryable error; then none is
   */
  dropLetters(ids: readonly string[]): Promise<void>;
}
