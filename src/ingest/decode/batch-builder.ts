/**
 * Rows of one measurement in one request, as columns. Only whole rows that were accepted enter, so
 * there is nothing to take back when a line turns out to be bad. Tags are not written row by row:
 * a row notes the number of its series, and `finish` spreads the tags of the series over the rows.
 */
import type { ColumnBatch, ColumnValues } from '../../base/model/column-batch.ts';
import type { ColumnRef } from '../../base/model/schema.ts';
import { present } from '../../base/lib/assert.ts';
import { freeMemory } from '../../base/lib/free-memory.ts';
import type { Steps } from '../../base/lib/turns.ts';
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
  readonly dictionary: DictionaryBuilder;
  #codes = new Uint32Array(16);
  /** What `finish` gave. */
  #arrays: readonly Uint32Array[] = [];

  constructor(ref: ColumnRef, dictionary = new DictionaryBuilder()) {
    this.ref = ref;
    this.dictionary = dictionary;
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

/** Two columns of codes into one dictionary, of which a row has a value in one at most. */
function interleaved(one: ColumnValues, other: ColumnValues, rowCount: number): ColumnValues {
  const total = one.values.length + other.values.length;
  const values = new Uint32Array(total);
  const rows = new Uint32Array(total);
  const places = [0, 0];
  for (let count = 0; count < total; count += 1) {
    const [at = 0, otherAt = 0] = places;
    const row = one.rows?.[at] ?? rowCount;
    const otherRow = other.rows?.[otherAt] ?? rowCount;
    const from = row < otherRow ? one : other;
    const place = row < otherRow ? at : otherAt;
    values[count] = Number(from.values[place]);
    rows[count] = Math.min(row, otherRow);
    places[row < otherRow ? 0 : 1] = place + 1;
  }
  return { ...one, values, rows: total === rowCount ? undefined : rows };
}

/** Rows for which a column has room that did not stand in the first line. */
const lateCapacity = 16;

/** What all rows of a batch have in common. */
export type BatchKind = Required<
  Pick<ColumnBatch, 'measurementId' | 'database' | 'measurement' | 'hasIdentity' | 'namings'>
>;

/** Series of rows whose tags, if they have any, are put in cell by cell. */
export const noSeries = 0;

export class BatchBuilder {
  readonly kind: BatchKind;
  /** Differs from that of every other builder of the decoder. */
  readonly serial: number;
  /** False once rows of its measurement stand behind it: it takes no more. */
  isOpen = true;
  rowCount = 0;
  #capacity: number;
  /** Microseconds, low half first. */
  #times: Int32Array;
  #seriesOfRow: Uint32Array;
  #seriesCount = noSeries;
  /** By id of the physical column. */
  readonly #fields: (ColumnBuilder | undefined)[] = [];
  readonly #tags: (TagColumn | undefined)[] = [];

  constructor(kind: BatchKind, serial: number, capacity: number) {
    this.kind = kind;
    this.serial = serial;
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
    const capacity = this.rowCount === 0 ? this.#capacity : lateCapacity;
    const column = new ColumnBuilder(ref, capacity, this.#dictionary(ref));
    while (this.#fields.length <= id) this.#fields.push(undefined);
    this.#fields[id] = column;
    return column;
  }

  /** Number of a series in this request; its tags have their columns by now. */
  enterSeries(series: TagSet): number {
    this.#seriesCount += 1;
    const local = this.#seriesCount;
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
      const field = this.#fields[id];
      if (tag === undefined && field === undefined) continue;
      const ofSeries = tag && (yield* tag.finish(this.#seriesOfRow, rowCount));
      const own = field?.finish(rowCount);
      if (ofSeries === undefined || own === undefined) {
        columns.push(present(ofSeries ?? own, 'column'));
      } else {
        columns.push(interleaved(ofSeries, own, rowCount));
      }
      yield;
    }
    const { namings, ...kind } = this.kind;
    return {
      ...kind,
      ...(namings > 0 && { namings }),
      rowCount,
      times: new BigInt64Array(this.#times.buffer, 0, rowCount),
      columns,
    };
  }

  /**
   * Gives all memory back; the batch that `finish` gave is empty then. Yields for pauses: after
   * each column of many rows.
   */
  *freeing(): Steps {
    freeMemory(this.#times);
    freeMemory(this.#seriesOfRow);
    for (const column of [...this.#fields, ...this.#tags]) {
      column?.free();
      if (this.rowCount >= stepRows) yield;
    }
  }

  /** A tag has one, whether it comes with series or cell by cell. */
  #dictionary({ physical }: ColumnRef): DictionaryBuilder | undefined {
    return this.#tags[physical.id]?.dictionary ?? this.#fields[physical.id]?.dictionary;
  }

  #tagColumn(ref: ColumnRef): TagColumn {
    const { id } = ref.physical;
    const known = this.#tags[id];
    if (known !== undefined) return known;
    const column = new TagColumn(ref, this.#dictionary(ref));
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
