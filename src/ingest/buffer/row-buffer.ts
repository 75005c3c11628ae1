/**
 * Rows of one measurement, with or without identity, as growing columns. Rows are only ever
 * appended; a row set taken of it (`view`) stays true while more rows come, and has none of a
 * record that is still entering.
 */
import type { ColumnBatch, ColumnValues } from '../../base/model/column-batch.ts';
import type { ColumnRef } from '../../base/model/schema.ts';
import { atOnce, type Steps } from '../../base/lib/turns.ts';
import { hoursOfRows } from '../../storage/parquet/hours.ts';
import { isTag } from '../../storage/parquet/sort.ts';
import type { RowSet } from '../../storage/parquet/types.ts';
import { ColumnBuffer, type CodeScratch } from './column-buffer.ts';
import { EnteredCount, type Entering } from './entered-count.ts';
import { cellsMax, rowsPerStep, type Judge, type MarkedRows } from './measurement-marks.ts';
import { RowSeries, type KeyOrder } from './row-series.ts';
import type { SeriesMarks } from './series-marks.ts';
import { copying, grownCapacity, sharedBytes, sharedTimes } from './shared-arrays.ts';
import { RowMemory, type SharedMemory } from './shared-memory.ts';

/** A set with more bytes grows in turns. */
const quickBytesMax = 4 * 1024 * 1024;

/** Cells of tags whose series are found without a pause: some 5 ms. */
const quickCellsMax = 1_000_000;

/** Two numbers in an array that may be half empty. */
const seqRunBytes = 32;

/** What the row buffers of a gateway share. */
export interface RowBufferDeps {
  /** Mixes the hash tables of the dictionaries. */
  readonly hashSeed: number;
  readonly memory: SharedMemory;
  /** The record that is entering: readers do not see it. */
  readonly entering: Entering;
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
  /** Bytes of `#series` that `#bytes` counts. */
  #seriesBytes = 0;
  readonly #rows: EnteredCount;
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
  #hoursLast: readonly number[] = [];
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
    this.#rows = new EnteredCount(deps.entering);
  }

  /** Rows of whole records: those of one that is entering do not count. */
  get rowCount(): number {
    return this.#rows.seen;
  }

  /** Bytes of memory taken by columns, dictionaries and times. */
  get bytes(): number {
    return this.#bytes;
  }

  get columnCount(): number {
    return this.#columns.size;
  }

  /** One per row that was put in; true until more rows come. */
  get times(): BigInt64Array {
    return this.#times.subarray(0, this.#rows.all);
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

  /** The hours of the rows that were put in last. */
  get hoursLast(): readonly number[] {
    return this.#hoursLast;
  }

  /** The columns that tell series apart, with the values of all rows that were put in. */
  tags(): readonly ColumnValues[] {
    const tags = [...this.#columns.values()].filter(({ column }) => isTag(column));
    return tags.map((tag) => tag.viewAll(this.#rows.all));
  }

  /** True if `append` of this many rows takes no longer because of the rows that are here. */
  isQuick(rowCount: number): boolean {
    const { all } = this.#rows;
    if (this.#bytes > quickBytesMax && all + rowCount > this.#times.length) return false;
    if (!this.hasIdentity) return true;
    const unmapped = all - (this.#series?.mapped ?? 0);
    if (unmapped * this.#columns.size <= quickCellsMax) return true;
    return unmapped * this.tags().length <= quickCellsMax;
  }

  /** Appends all rows of the batch; row i has `_seq` = `firstSeq` + i. */
  append(batch: ColumnBatch, firstSeq: number, scratch: CodeScratch): void {
    const firstRow = this.#rows.all;
    const { rowCount, times } = batch;
    if (firstRow + rowCount > this.#times.length) atOnce(this.#reserveTimes(rowCount));
    this.#times.set(times, firstRow);
    for (const values of batch.columns) {
      const column = this.#columnOf(values.column, firstRow);
      const before = column.bytes;
      column.append(values, firstRow, rowCount, scratch);
      this.#bytes += column.bytes - before;
    }
    this.#put(firstSeq, rowCount);
    this.#judgeRows(firstRow, firstRow + rowCount, this.#judge());
    this.#countSeries();
  }

  /** As `append`, for any number of rows: yields between pieces of the work. */
  *appending(batch: ColumnBatch, firstSeq: number): Steps {
    const firstRow = this.#rows.all;
    const { rowCount, times } = batch;
    yield* this.#reserveTimes(rowCount);
    yield* copying(this.#times, times, firstRow);
    for (const values of batch.columns) {
      const column = this.#columnOf(values.column, firstRow);
      const before = column.bytes;
      yield* column.appending(values, firstRow, rowCount);
      this.#bytes += column.bytes - before;
      yield;
    }
    this.#put(firstSeq, rowCount);
    const end = firstRow + rowCount;
    if (this.hasIdentity && this.#deps.marks?.hasMarks(this.measurementId) === true) {
      const tags = this.tags();
      if (end * tags.length <= cellsMax) yield* this.series.mapping(tags, end);
    }
    const judge = this.#judge();
    for (let from = firstRow; from < end; from += rowsPerStep) {
      this.#judgeRows(from, Math.min(end, from + rowsPerStep), judge);
      yield;
    }
    this.#countSeries();
  }

  /**
   * Notes that no row enters from now on: later rows of these points are repeats. Yields between
   * pieces of the work.
   */
  *sealing(): Steps {
    const { marks } = this.#deps;
    if (this.hasIdentity && marks !== undefined) yield* marks.sealing(this.measurementId, this);
    this.#series = undefined;
    this.#countSeries();
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

  /** The rows of whole records as views of the shared memory; true until the rows are filed. */
  view(): RowSet {
    const { rowCount } = this;
    const columns = [...this.#columns.values()].filter(({ isSeen }) => isSeen);
    return {
      rowCount,
      times: this.#times.subarray(0, rowCount),
      columns: columns.map((column) => column.view(rowCount)),
      seqRuns: this.#runsOf(rowCount),
      repeats: this.#repeats?.subarray(0, rowCount),
    };
  }

  #runsOf(rowCount: number): Float64Array {
    let { length } = this.#seqRuns;
    while (length > 0 && (this.#seqRuns[length - 2] ?? 0) >= rowCount) length -= 2;
    return Float64Array.from(this.#seqRuns.slice(0, length));
  }

  #columnOf(ref: ColumnRef, firstRow: number): ColumnBuffer {
    const { id } = ref.physical;
    let column = this.#columns.get(id);
    if (column === undefined) {
      const { hashSeed, entering } = this.#deps;
      column = new ColumnBuffer(ref, firstRow, { hashSeed, memory: this.#memory, entering });
      this.#columns.set(id, column);
      this.#bytes += column.bytes;
    }
    return column;
  }

  /** The rows have their times and values. */
  #put(firstSeq: number, rowCount: number): void {
    if (firstSeq !== this.#nextSeq) {
      this.#seqRuns.push(this.#rows.all, firstSeq);
      this.#bytes += seqRunBytes;
    }
    this.#nextSeq = firstSeq + rowCount;
    this.#rows.add(rowCount);
  }

  #judge(): Judge | undefined {
    return this.hasIdentity ? this.#deps.marks?.judge(this.measurementId, this) : undefined;
  }

  /** Counts rows by their hours, after telling which of them are repeats (P18). */
  #judgeRows(from: number, to: number, judge: Judge | undefined): void {
    hoursOfRows(this.#times, from, to, (hour, first, end) => {
      let repeats = 0;
      judge?.judge(hour, first, end, (row) => {
        this.#repeatFlags()[row] = 1;
        repeats += 1;
      });
      if (repeats < end - first) add(this.#hourRows, hour, end - first - repeats);
      if (repeats > 0) add(this.#repeatHourRows, hour, repeats);
      const last = this.#hoursLast.at(-1);
      if (hour !== last) this.#hoursLast = last === undefined ? [hour] : [last, hour];
    });
  }

  #countSeries(): void {
    const bytes = this.#series?.bytes ?? 0;
    this.#bytes += bytes - this.#seriesBytes;
    this.#seriesBytes = bytes;
  }

  /** Room for a flag of each row; 0 where none was set. */
  #repeatFlags(): Uint8Array {
    const known = this.#repeats;
    if (known !== undefined && known.length >= this.#rows.all) return known;
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

  /** Room for `more` rows. Yields between pieces of copying. */
  *#reserveTimes(more: number): Steps {
    const used = this.#rows.all;
    if (used + more <= this.#times.length) return;
    const grown = sharedTimes(this.#memory, grownCapacity(this.#times.length, used + more));
    yield* copying(grown, this.#times.subarray(0, used));
    this.#memory.give(this.#times.buffer);
    this.#bytes += grown.byteLength - this.#times.byteLength;
    this.#times = grown;
  }
}

function add(counts: Map<number, number>, hour: number, rows: number): void {
  counts.set(hour, (counts.get(hour) ?? 0) + rows);
}
