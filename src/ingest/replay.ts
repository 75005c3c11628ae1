/**
 * Where recovery's WAL records go: back into the buffers, as they were decided when they came in
 * (W8). Main thread, before writes open.
 *
 * I1. Rows that a commit has filed do not enter again: the buffers know each measurement's
 *     position and refuse them (P5, W3).
 * I2. Memory is bounded: before a batch of records enters, what is full is flushed (W11).
 * I3. A record that cannot be read ends nothing: it is set aside, and the ones behind it enter. If
 *     it could not be set aside, the log keeps it: no low-water mark reaches it (W6).
 */
import { asGatewayError, GatewayError } from '../base/errors/gateway-error.ts';
import type { ColumnBatch, RequestBatch } from '../base/model/column-batch.ts';
import { lastNumberOf } from '../log/log-types.ts';
import type { ReplayedRecord } from '../log/wal/replay-feed.ts';
import { requestNumbers } from '../log/wal/request-record.ts';
import type { EnterDone, EnteredRows } from './buffer/measurement-buffers.ts';

/** The buffers as replay sees them (MeasurementBuffers). */
export interface ReplaySinkBuffers {
  enter(batches: readonly ColumnBatch[], lsn: number, done: EnterDone): void;
  /** The numbers up to `lastLsn` are spent. */
  recordEntered(lastLsn: number): void;
  /** The log must keep the record at `lsn` and all behind it. */
  holdBack(lsn: number): void;
}

export interface ReplayDeps {
  decode(payload: Uint8Array): RequestBatch;
  /** Learns the names and columns of the record and gives its columns their ids. */
  adopt(request: RequestBatch): RequestBatch;
  readonly buffers: ReplaySinkBuffers;
  /** Sees every batch of the log, filed or not, in LSN order. */
  learn?(batch: ColumnBatch): void;
  /** Resolves when the buffers can take more. */
  room(): Promise<void>;
  /** Keeps what `record` holds where a person finds it; false if that is not possible. */
  setAside(record: ReplayedRecord, cause: unknown): boolean;
}

/** What replay has done so far. */
export interface ReplayCounts {
  /** WAL records read. */
  readonly records: number;
  /** Rows that entered the buffers. */
  readonly rows: number;
  /** Rows that did not enter, because a commit has filed them. */
  readonly skipped: number;
  /** WAL records that could not be read. */
  readonly unreadable: number;
}

export class Replay {
  readonly #deps: ReplayDeps;
  #records = 0;
  #rows = 0;
  #skipped = 0;
  #unreadable = 0;

  constructor(deps: ReplayDeps) {
    this.#deps = deps;
  }

  get counts(): ReplayCounts {
    return {
      records: this.#records,
      rows: this.#rows,
      skipped: this.#skipped,
      unreadable: this.#unreadable,
    };
  }

  /**
   * Takes the next records of the log, in LSN order.
   * @param syncedTo LSN up to which the log is on the device. Rows above it cannot be filed before
   * recovery has ended, so waiting for room would never end; they are few, at most what was queued
   * for the log when it stopped.
   * @throws HF_FORMAT_NEWER: a later version wrote the record, and reads it
   */
  async take(records: readonly ReplayedRecord[], syncedTo: number): Promise<void> {
    const last = records.at(-1);
    if (last !== undefined && lastLsn(last) <= syncedTo) await this.#deps.room();
    for (const record of records) {
      this.#records++;
      const request = this.#read(record);
      if (request === undefined) this.#pass(record);
      else await this.#enter(request, record.lsn);
    }
  }

  /** The request of a record, or undefined after the record was set aside. */
  #read(record: ReplayedRecord): RequestBatch | undefined {
    const { decode, adopt, setAside, buffers } = this.#deps;
    try {
      const request = adopt(decode(record.payload));
      // Rows beyond the record's numbers would take those of the next one.
      if (requestNumbers(request) === record.count) return request;
      throw new GatewayError('HF_WAL_RECORD_BAD', 'it has not the rows that its numbers say');
    } catch (error) {
      if (error instanceof GatewayError && error.code === 'HF_FORMAT_NEWER') throw error;
      this.#unreadable++;
      if (!setAside(record, error)) buffers.holdBack(record.lsn);
      return undefined;
    }
  }

  async #enter({ batches }: RequestBatch, lsn: number): Promise<void> {
    const { entered, skipped } = await new Promise<EnteredRows>((resolve, reject) => {
      this.#deps.buffers.enter(batches, lsn, (error, rows) => {
        if (error === undefined) resolve(rows);
        else reject(asGatewayError(error));
      });
    });
    for (const batch of batches) this.#deps.learn?.(batch);
    this.#rows += entered;
    this.#skipped += skipped;
  }

  /** Its numbers are spent: what is filed behind them does not wait for them. */
  #pass(record: ReplayedRecord): void {
    this.#deps.buffers.recordEntered(lastLsn(record));
  }
}

function lastLsn({ lsn, count }: ReplayedRecord): number {
  return lastNumberOf({ number: lsn, count });
}
