/**
 * Rows of one measurement in one request, as columns. Only whole rows that were accepted enter, so
 * there is nothing to take back when a line turns out to be bad. Tags are not written row by row:
 * a row notes the number of its series, and `finish` spreads the tags of the series over the rows.
 */
import type { ColumnBatch, ColumnValues } from '../../base/model/column-batch.ts';
import type { ColumnRef } from '../../base/model/schema.ts';
import { present } from '../../base/lib/assert.ts';
import { freeMemory } from '../../base/lib/free-memory.ts';
import { ColumnBuilder } from './column-builder.ts';
import { DictionaryBuilder } from './dictionary-builder.ts';
import type { ByteSpace } from './bytes.ts';

/** Numbers in `TagSet.tags` per tag. */
export const tagStride = 3;

/** Rows of a tag column between two chances for a pause. */
const stepRows = 65_536;

/** The tags of a series. */
export interface TagSet {
  /** The registry has given a column to each. */
  readonly tagSlots: readonly { readonly ref: ColumnRef | undefined }[];
  /** Per tag: offset and length of its value in `values`, and its hash. */
  readonly tags: Int32Array;
  readonly values: ByteSpace;
}

/** A tag column: code + 1 by number of the series in this request, 0 where it lacks the tag. */
class TagColumn {
  readonly ref: ColumnRef;
  readonly dictionary = new DictionaryBuilder();
  #codes = new Uint32Array(16);
  /** What `finish` gave. */
  #arrays: readonly Uint32Array[] = [];

  constructor(ref: ColumnRef) {
    this.ref = ref;
  }

  set(local: number, code: number): void {
    if (local >= this.#codes.length) {
      const grown = new Uint32Array(Math.max(local + 1, this.#codes.length * 2));
      grown.set(this.#codes);
      this.#codes = grown;
    }
    this.#codes[local] = code + 1;
  }

  /** The column. Yields for pauses. */
  *finish(seriesOfRow: Uint32Array, rowCount: number): Generator<undefined, ColumnValues> {
    const codes = this.#codes;
    const values = new Uint32Array(rowCount);
    this.#arrays = [values];
    let count = 0;
    for (let row = 0; row < rowCount; row += 1) {
      const code = codes[seriesOfRow[row] ?? 0] ?? 0;
      if (code === 0) return yield* this.#finishSparse(seriesOfRow, rowCount);
      values[count] = code - 1;
      count += 1;
      if (row % stepRows === stepRows - 1) yield;
    }
    return this.#column(values, undefined);
  }

  /** Gives all memory back; what `finish` gave is empty then. */
  free(): void {
    freeMemory(this.#codes);
    for (const array of this.#arrays) freeMemory(array);
    this.dictionary.free();
  }

  *#finishSparse(seriesOfRow: Uint32Array, rowCount: number): Generator<undefined, ColumnValues> {
    const codes = this.#codes;
    const values = new Uint32Array(rowCount);
    const rows = new Uint32Array(rowCount);
    this.#arrays = [values, rows];
    let count = 0;
    for (let row = 0; row < rowCount; row += 1) {
      if (row % stepRows === stepRows - 1) yield;
      const code = codes[seriesOfRow[row] ?? 0] ?? 0;
      if (code === 0) continue;
      values[count] = code - 1;
      rows[count] = row;
      count += 1;
    }
    return this.#column(values.subarray(0, count), rows.subarray(0, count));
  }

  #column(values: Uint32Array, rows: Uint32Array | undefined): ColumnValues {
    return { column: this.ref, values, rows, dictionary: this.dictionary.finish() };
  }
}

/** Rows for which a column has room that did not stand in the first line. */
const lateCapacity = 16;

export class BatchBuilder {
  readonly measurementId: number;
  readonly database: string;
  readonly measurement: string;
  readonly hasIdentity: boolean;
  rowCount = 0;
  #capacity: number;
  /** Microseconds, low half first. */
  #times: Int32Array;
  #seriesOfRow: Uint32Array;
  #seriesCount = 0;
  /** By id of the physical column. */
  readonly #fields: (ColumnBuilder | undefined)[] = [];
  readonly #tags: (TagColumn | undefined)[] = [];

  constructor(
    measurementId: number,
    database: string,
    measurement: string,
    capacity: number,
    hasIdentity = true,
  ) {
    this.measurementId = measurementId;
    this.database = database;
    this.measurement = measurement;
    this.hasIdentity = hasIdentity;
    this.#capacity = capacity;
    this.#times = new Int32Array(capacity * 2);
    this.#seriesOfRow = new Uint32Array(capacity);
  }

  /** The column for values of a field, in which the row to come may be put. */
  field(ref: ColumnRef): ColumnBuilder {
    const { id } = ref.physical;
    const known = this.#fields[id];
    if (known !== undefined) return known;
    // A column that comes late is likely sparse; many of those must not take room for every row.
    const column = new ColumnBuilder(ref, this.rowCount === 0 ? this.#capacity : lateCapacity);
    while (this.#fields.length <= id) this.#fields.push(undefined);
    this.#fields[id] = column;
    return column;
  }

  /** Number of a series in this request; its tags have their columns by now. */
  enterSeries(series: TagSet): number {
    const local = this.#seriesCount;
    this.#seriesCount += 1;
    const { tags, tagSlots, values } = series;
    for (let index = 0; index < tagSlots.length; index += 1) {
      const ref = present(tagSlots[index]?.ref, 'column of a tag');
      const at = index * tagStride;
      const column = this.#tagColumn(ref);
      const code = column.dictionary.code(
        values,
        tags[at] ?? 0,
        tags[at + 1] ?? 0,
        tags[at + 2] ?? 0,
      );
      column.set(local, code);
    }
    return local;
  }

  /** Ends a row whose fields were put at `rowCount`; time by halves of its microseconds. */
  endRow(local: number, timeLow: number, timeHigh: number): void {
    const row = this.rowCount;
    if (row === this.#capacity) this.#grow();
    this.#times[row * 2] = timeLow;
    this.#times[row * 2 + 1] = timeHigh;
    this.#seriesOfRow[row] = local;
    this.rowCount = row + 1;
  }

  /** The batch; columns in the order of their ids. Yields after each, for a pause. */
  *finish(): Generator<undefined, ColumnBatch> {
    const { rowCount } = this;
    const columns: ColumnValues[] = [];
    for (let id = 0; id < Math.max(this.#fields.length, this.#tags.length); id += 1) {
      const tag = this.#tags[id];
      if (tag !== undefined) columns.push(yield* tag.finish(this.#seriesOfRow, rowCount));
      const field = this.#fields[id];
      if (field !== undefined) columns.push(field.finish(rowCount));
      if (tag !== undefined || field !== undefined) yield;
    }
    return {
      measurementId: this.measurementId,
      database: this.database,
      measurement: this.measurement,
      hasIdentity: this.hasIdentity,
      rowCount,
      times: new BigInt64Array(this.#times.buffer, 0, rowCount),
      columns,
    };
  }

  /** Gives all memory back; the batch that `finish` gave is empty then. */
  free(): void {
    freeMemory(this.#times);
    freeMemory(this.#seriesOfRow);
    for (const field of this.#fields) field?.free();
    for (const tag of this.#tags) tag?.free();
  }

  #tagColumn(ref: ColumnRef): TagColumn {
    const { id } = ref.physical;
    const known = this.#tags[id];
    if (known !== undefined) return known;
    const column = new TagColumn(ref);
    while (this.#tags.length <= id) this.#tags.push(undefined);
    this.#tags[id] = column;
    return column;
  }

  #grow(): void {
    this.#capacity *= 2;
    const times = new Int32Array(this.#capacity * 2);
    times.set(this.#times);
    this.#times = times;
    const seriesOfRow = new Uint32Array(this.#capacity);
    seriesOfRow.set(this.#seriesOfRow);
    this.#seriesOfRow = seriesOfRow;
  }
}
