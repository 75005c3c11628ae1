/**
 * Rows of one measurement, with or without identity, as growing columns. Rows are only ever
 * appended; a row set taken of it (`view`) stays true while more rows come.
 */
import type { ColumnBatch } from '../../base/model/column-batch.ts';
import { countHours } from '../../storage/parquet/hours.ts';
import type { RowSet } from '../../storage/parquet/types.ts';
import { ColumnBuffer, type CodeScratch } from './column-buffer.ts';
import { grownCapacity } from './shared-arrays.ts';

/** Two numbers in an array that may be half empty. */
const seqRunBytes = 32;

export class RowBuffer {
  readonly hasIdentity: boolean;
  #rowCount = 0;
  #bytes = 0;
  #times = new BigInt64Array(new SharedArrayBuffer(0));
  /** By physical column id. */
  readonly #columns = new Map<number, ColumnBuffer>();
  readonly #seqRuns: number[] = [];
  #nextSeq = -1;
  readonly #hourRows = new Map<number, number>();
  readonly #seed: number;

  constructor(hasIdentity: boolean, seed: number) {
    this.hasIdentity = hasIdentity;
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
        column = new ColumnBuffer(values.column, firstRow, this.#seed);
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

  /** All rows so far as views of the shared memory. */
  view(): RowSet {
    return {
      rowCount: this.#rowCount,
      times: this.#times.subarray(0, this.#rowCount),
      columns: Array.from(this.#columns.values(), (column) => column.view(this.#rowCount)),
      seqRuns: Float64Array.from(this.#seqRuns),
    };
  }

  #appendTimes(times: BigInt64Array, count: number): void {
    const needed = this.#rowCount + count;
    if (needed > this.#times.length) {
      const capacity = grownCapacity(this.#times.length, needed);
      const grown = new BigInt64Array(new SharedArrayBuffer(8 * capacity));
      grown.set(this.#times.subarray(0, this.#rowCount));
      this.#bytes += grown.byteLength - this.#times.byteLength;
      this.#times = grown;
    }
    this.#times.set(times, this.#rowCount);
  }
}
