/**
 * Where recovery's WAL records go: back into the buffers, as they were decided when they came in
 * (W8). Main thread, before writes open.
 *
 * I1. Rows that a commit has filed do not enter again: the buffers know each measurement's
 *     position and refuse them (P5, W3).
 * I2. Memory is bounded: before a batch of records enters, what is full is flushed (W11).
 */
import type { RequestBatch } from '../base/model/column-batch.ts';
import type { ReplayedRecord } from '../log/wal/replay-feed.ts';
import { enter, type RowSink } from './door.ts';

export interface ReplayDeps {
  decode(payload: Uint8Array): RequestBatch;
  /** Learns the names and columns of the record and gives its columns their ids. */
  adopt(request: RequestBatch): RequestBatch;
  readonly buffers: RowSink;
  /** Resolves when the buffers can take more. */
  room(): Promise<void>;
}

export class Replay {
  readonly #deps: ReplayDeps;
  #records = 0;
  #rows = 0;

  constructor(deps: ReplayDeps) {
    this.#deps = deps;
  }

  /** WAL records and their rows so far, filed ones included. */
  get counts(): { readonly records: number; readonly rows: number } {
    return { records: this.#records, rows: this.#rows };
  }

  /**
   * Takes the next records of the log, in LSN order.
   * @param syncedTo LSN up to which the log is on the device. Rows above it cannot be filed before
   * recovery has ended, so waiting for room would never end; they are few, at most what was queued
   * for the log when it stopped.
   */
  async take(records: readonly ReplayedRecord[], syncedTo: number): Promise<void> {
    const last = records.at(-1);
    if (last !== undefined && last.lsn + last.count - 1 <= syncedTo) await this.#deps.room();
    for (const { lsn, count, payload } of records) {
      enter(this.#deps.buffers, this.#deps.adopt(this.#deps.decode(payload)), lsn);
      this.#records++;
      this.#rows += count;
    }
  }
}
