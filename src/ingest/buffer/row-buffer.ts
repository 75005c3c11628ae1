/**
 * Rows of one measurement, with or without identity, as growing columns. Rows are only ever
 * appended; a row set taken of it (`view`) stays true while more rows come.
 */
import type { ColumnBatch } from '../../base/model/column-batch.ts';
import { countHours } from '../../storage/parquet/hours.ts';
import type { RowSet } from '../../storage/parquet/types.ts';
import { ColumnBuffer, type CodeScratch } from './column-buffer.ts';
import { grownCapacity, sharedTimes } from './shared-arrays.ts';
import { RowMemory, type SharedMemory } from './shared-memory.ts';

/** Two numbers in an array that may be half empty. */
const seqRunBytes = 32;

export class RowBuffer {
  readonly hasIdentity: boolean;
  /** Of the measurement buffer that this is a part of; never given twice in one run. */
  readonly bufferId: number;
  #rowCount = 0;
  #bytes = 0;
  readonly #memory: RowMemory;
  #times: BigInt64Array = new BigInt64Array(0);
  /** By physical column id. */
  readonly #columns = new Map<number, ColumnBuffer>();
  readonly #seqRuns: number[] = [];
  #nextSeq = -1;
  readonly #hourRows = new Map<number, number>();
  readonly #seed: number;

  constructor(hasIdentity: boolean, bufferId: number, seed: number, shared: SharedMemory) {
    this.#memory = new RowMemory(shared);
    this.hasIdentity = hasIdentity;
    this.bufferId = bufferId;
    this.#seed = seed;
  }

  get rowCount(): number {
    return this.#rowCount;
  }

  /** Bytes of memory taken by columns, dictionaries and times. */
  get bytes(): number {
    return this.#bytes;
  }

  get columnCount(): number {
    return this.#columns.size;
  }

  /** Rows per UTC hour since 1970. */
  get hourRows(): ReadonlyMap<number, number> {
    return this.#hourRows;
  }

  /** Appends all rows of the batch; row i has `_seq` = `firstSeq` + i. */
  append(batch: ColumnBatch, firstSeq: number, scratch: CodeScratch): void {
    const firstRow = this.#rowCount;
    const { rowCount } = batch;
    this.#appendTimes(batch.times, rowCount);
    if (firstSeq !== this.#nextSeq) {
      this.#seqRuns.push(firstRow, firstSeq);
      this.#bytes += seqRunBytes;
    }
    this.#nextSeq = firstSeq + rowCount;
    for (const values of batch.columns) {
      const { id } = values.column.physical;
      let column = this.#columns.get(id);
      if (column === undefined) {
        column = new ColumnBuffer(values.column, firstRow, this.#seed, this.#memory);
        this.#columns.set(id, column);
        this.#bytes += column.bytes;
      }
      const before = column.bytes;
      column.append(values, firstRow, rowCount, scratch);
      this.#bytes += column.bytes - before;
    }
    this.#rowCount = firstRow + rowCount;
    countHours(this.#times, firstRow, this.#rowCount, this.#hourRows);
  }

  /**
   * Views stay true until the call that this returns, even if the rows are filed meanwhile. Who
   * hands a view to another thread holds it until that thread is done.
   */
  read(): () => void {
    return this.#memory.read();
  }

  /** The rows are filed: their memory serves others as soon as nobody reads it. Called once. */
  free(): void {
    this.#memory.give(this.#times.buffer);
    this.#times = new BigInt64Array(0);
    for (const column of this.#columns.values()) column.free();
    this.#columns.clear();
    this.#bytes = 0;
  }

  /** All rows so far as views of the shared memory; true until the rows are filed, see `read`. */
  view(): RowSet {
    return {
      rowCount: this.#rowCount,
      times: this.#times.subarray(0, this.#rowCount),
      columns: Array.from(this.#columns.values(), (column) => column.view(this.#rowCount)),
      seqRuns: Float64Array.from(this.#seqRuns),
      repeats: undefined,
    };
  }

  #appendTimes(times: BigInt64Array, count: number): void {
    const needed = this.#rowCount + count;
    if (needed > this.#times.length) {
      const capacity = grownCapacity(this.#times.length, needed);
      const grown = sharedTimes(this.#memory, capacity);
      grown.set(this.#times.subarray(0, this.#rowCount));
      this.#memory.give(this.#times.buffer);
      this.#bytes += grown.byteLength - this.#times.byteLength;
      this.#times = grown;
    }
    this.#times.set(times, this.#rowCount);
  }
}
