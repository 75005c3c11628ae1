/**
 * Rows of one measurement, with or without identity, as growing columns. Rows are only ever
 * appended; a row set taken of it (`view`) stays true while more rows come.
 */
import type { ColumnBatch, ColumnValues } from '../../base/model/column-batch.ts';
import { hoursOfRows } from '../../storage/parquet/hours.ts';
import { isTag } from '../../storage/parquet/sort.ts';
import type { RowSet } from '../../storage/parquet/types.ts';
import { ColumnBuffer, type CodeScratch } from './column-buffer.ts';
import { RowSeries, type KeyOrder } from './row-series.ts';
import type { MarkedRows, SeriesMarks } from './series-marks.ts';
import { grownCapacity, sharedBytes, sharedTimes } from './shared-arrays.ts';
import { RowMemory, type SharedMemory } from './shared-memory.ts';

/** Two numbers in an array that may be half empty. */
const seqRunBytes = 32;

/** What the row buffers of a gateway share. */
export interface RowBufferDeps {
  /** Mixes the hash tables of the dictionaries. */
  readonly hashSeed: number;
  readonly memory: SharedMemory;
  /** Tells repeats; without it all rows are first ones. */
  readonly marks: SeriesMarks | undefined;
  readonly keyOrder?: KeyOrder;
}

export class RowBuffer implements MarkedRows {
  readonly measurementId: number;
  readonly hasIdentity: boolean;
  /** As `ColumnBatch.namings`, of all rows. */
  readonly namings: number;
  /** Of the measurement buffer that this is a part of; never given twice in one run. */
  readonly bufferId: number;
  #series: RowSeries | undefined;
  #rowCount = 0;
  #bytes = 0;
  readonly #memory: RowMemory;
  #times: BigInt64Array = new BigInt64Array(0);
  /** By physical column id. */
  readonly #columns = new Map<number, ColumnBuffer>();
  readonly #seqRuns: number[] = [];
  #nextSeq = -1;
  readonly #hourRows = new Map<number, number>();
  /** One per row once there is a repeat. */
  #repeats: Uint8Array | undefined;
  readonly #repeatHourRows = new Map<number, number>();
  readonly #deps: RowBufferDeps;

  constructor(
    { measurementId, hasIdentity, namings = 0 }: ColumnBatch,
    bufferId: number,
    deps: RowBufferDeps,
  ) {
    this.measurementId = measurementId;
    this.hasIdentity = hasIdentity;
    this.namings = namings;
    this.bufferId = bufferId;
    this.#deps = deps;
    this.#memory = new RowMemory(deps.memory);
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

  /** One per row; true until more rows come. */
  get times(): BigInt64Array {
    return this.#times.subarray(0, this.#rowCount);
  }

  /** First rows per UTC hour since 1970 (P18). */
  get hourRows(): ReadonlyMap<number, number> {
    return this.#hourRows;
  }

  /** Repeats per UTC hour since 1970. */
  get repeatHourRows(): ReadonlyMap<number, number> {
    return this.#repeatHourRows;
  }

  /** Which rows belong to the same series, worked out as far as it was asked. */
  get series(): RowSeries {
    this.#series ??= new RowSeries(this.#deps.keyOrder);
    return this.#series;
  }

  /** The columns that tell series apart, with the values of the rows so far. */
  tags(): readonly ColumnValues[] {
    const tags = [...this.#columns.values()].filter(({ column }) => isTag(column));
    return tags.map((tag) => tag.view(this.#rowCount));
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
        column = new ColumnBuffer(values.column, firstRow, this.#deps.hashSeed, this.#memory);
        this.#columns.set(id, column);
        this.#bytes += column.bytes;
      }
      const before = column.bytes;
      column.append(values, firstRow, rowCount, scratch);
      this.#bytes += column.bytes - before;
    }
    this.#rowCount = firstRow + rowCount;
    const seriesBytes = this.#series?.bytes ?? 0;
    hoursOfRows(this.#times, firstRow, this.#rowCount, (hour, first, end) => {
      this.#count(hour, first, end);
    });
    this.#bytes += (this.#series?.bytes ?? 0) - seriesBytes;
  }

  /** No row enters from now on: later rows of these points are repeats. */
  seal(): void {
    this.#bytes -= this.#series?.bytes ?? 0;
    if (this.hasIdentity) this.#deps.marks?.sealed(this.measurementId, this);
    this.#series = undefined;
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
    if (this.#repeats !== undefined) this.#memory.give(this.#repeats.buffer);
    this.#repeats = undefined;
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
      repeats: this.#repeats?.subarray(0, this.#rowCount),
    };
  }

  /** Counts rows of one hour, after telling which of them are repeats (P18). */
  #count(hour: number, first: number, end: number): void {
    let repeats = 0;
    if (this.hasIdentity) {
      const { marks } = this.#deps;
      marks?.judge(this.measurementId, hour, this, [first, end], (row) => {
        this.#repeatFlags()[row] = 1;
        repeats += 1;
      });
    }
    if (repeats < end - first) add(this.#hourRows, hour, end - first - repeats);
    if (repeats > 0) add(this.#repeatHourRows, hour, repeats);
  }

  /** Room for a flag of each row; 0 where none was set. */
  #repeatFlags(): Uint8Array {
    const known = this.#repeats;
    if (known !== undefined && known.length >= this.#rowCount) return known;
    const grown = sharedBytes(this.#memory, this.#times.length);
    grown.fill(0);
    if (known !== undefined) {
      grown.set(known);
      this.#memory.give(known.buffer);
    }
    this.#bytes += grown.length - (known?.length ?? 0);
    this.#repeats = grown;
    return grown;
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

function add(counts: Map<number, number>, hour: number, rows: number): void {
  counts.set(hour, (counts.get(hour) ?? 0) + rows);
}
