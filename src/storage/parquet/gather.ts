/**
 * Columns of one slice of a file, dense and in file order, from the columns of a row set. Rows that
 * stand in order already are views of the set's memory; others are copied by their 32-bit halves,
 * which keeps every bit of every value.
 */
import type { ColumnArray, ColumnValues, StringDictionary } from '../../base/model/column-batch.ts';
import type { ColumnRef } from '../../base/model/schema.ts';
import { present } from '../../base/lib/assert.ts';
import { freeMemory } from '../../base/lib/free-memory.ts';
import { type ArrayType, copyValues, sameType, typeOf } from './copy-values.ts';
import { noSlice, type RowLayout, type RowSlice } from './layout.ts';
import type { RowSet } from './types.ts';

export interface ColumnSlice {
  readonly column: ColumnRef;
  readonly length: number;
  /** One element per row; 0 where the row has no value. */
  readonly values: ColumnArray;
  /** Bit i (least significant first) is 1 if row i has a value; undefined if all have one. */
  readonly validity: Uint8Array | undefined;
  readonly nullCount: number;
  readonly dictionary: StringDictionary | undefined;
  /** `values` is a copy, not a view of the row set. */
  readonly copied: boolean;
}

/** Gives the memory of copied values back; the slices are not used after it. */
export function freeSlices(slices: readonly ColumnSlice[]): void {
  for (const { copied, values } of slices) if (copied) freeMemory(values);
}

/** First index in ascending `rows` whose row is at or above `row`. */
export function lowerBound(rows: Uint32Array, row: number): number {
  let low = 0;
  let high = rows.length;
  while (low < high) {
    const middle = (low + high) >>> 1;
    if ((rows[middle] as number) < row) low = middle + 1;
    else high = middle;
  }
  return low;
}

/** The times of one slice. */
export function gatherTimes(times: BigInt64Array, slice: RowSlice): BigInt64Array {
  if (slice.order === undefined) return times.subarray(slice.from, slice.from + slice.length);
  const target = new BigInt64Array(slice.length);
  copyValues(times, slice.order, target, undefined, slice.length);
  return target;
}

/** Value indexes of a sparse column, grouped by slice: those of slice s lie at starts[s]. */
interface GroupedValues {
  readonly starts: Uint32Array;
  readonly indexes: Uint32Array;
}

function groupBySlice(rows: Uint32Array, sliceOfRow: Uint32Array, count: number): GroupedValues {
  const starts = new Uint32Array(count + 1);
  for (const row of rows) {
    const slice = sliceOfRow[row] ?? noSlice;
    if (slice !== noSlice) starts[slice + 1] = (starts[slice + 1] as number) + 1;
  }
  for (let slice = 0; slice < count; slice += 1) {
    starts[slice + 1] = (starts[slice + 1] as number) + (starts[slice] as number);
  }
  const filled = starts.slice();
  const indexes = new Uint32Array(rows.length);
  for (let index = 0; index < rows.length; index += 1) {
    const slice = sliceOfRow[rows[index] as number] ?? noSlice;
    if (slice === noSlice) continue;
    const place = filled[slice] as number;
    indexes[place] = index;
    filled[slice] = place + 1;
  }
  return { starts, indexes };
}

/** The dictionary of only those codes that a slice uses, and its codes changed to match. */
function compacted(codes: Uint32Array, validity: Uint8Array | undefined, whole: StringDictionary) {
  const newCodes = new Uint32Array(whole.count).fill(0xffffffff);
  const used: number[] = [];
  let byteCount = 0;
  const mapped = new Uint32Array(codes.length);
  for (let row = 0; row < codes.length; row += 1) {
    if (validity !== undefined && (((validity[row >> 3] as number) >> (row & 7)) & 1) === 0)
      continue;
    const code = codes[row] as number;
    if (newCodes[code] === 0xffffffff) {
      newCodes[code] = used.length;
      used.push(code);
      byteCount += (whole.offsets[code + 1] as number) - (whole.offsets[code] as number);
    }
    mapped[row] = newCodes[code] as number;
  }
  const offsets = new Uint32Array(used.length + 1);
  const bytes = new Uint8Array(byteCount);
  used.forEach((code, index) => {
    const start = offsets[index] as number;
    const value = whole.bytes.subarray(whole.offsets[code], whole.offsets[code + 1]);
    bytes.set(value, start);
    offsets[index + 1] = start + value.length;
  });
  const dictionary: StringDictionary = { count: used.length, bytes, offsets };
  return { values: mapped, dictionary };
}

/** What slices are made of. */
export type GatheredRows = Pick<RowSet, 'rowCount' | 'times' | 'columns'>;

/** Columns of one row set by slice of its layout. */
export class Gatherer {
  readonly #rows: GatheredRows;
  readonly #layout: RowLayout;
  readonly #grouped: (GroupedValues | undefined)[] = [];
  /** For the scattered columns of a slice: thousands of small arrays are hard on the collector. */
  #memory = new Uint8Array(0);
  #memoryUsed = 0;

  constructor(rows: GatheredRows, layout: RowLayout) {
    this.#rows = rows;
    this.#layout = layout;
  }

  times(slice: number): BigInt64Array {
    return gatherTimes(this.#rows.times, this.#slice(slice));
  }

  /** The columns given so far are not used any more: their memory serves those to come. */
  reuse(): void {
    this.#memoryUsed = 0;
  }

  /** As `reuse`, and the memory is given back. */
  free(): void {
    freeMemory(this.#memory);
    this.#memory = new Uint8Array(0);
    this.#memoryUsed = 0;
  }

  /** Number of values that column `column` has in slice `slice`. */
  valueCount(column: number, slice: number): number {
    const values = this.#column(column);
    if (values.rows === undefined) return this.#slice(slice).length;
    const [start, end] = this.#range(column, values.rows, slice);
    return end - start;
  }

  /** Column `column` of slice `slice`, dense. */
  column(column: number, slice: number): ColumnSlice {
    const source = this.#column(column);
    const { length } = this.#slice(slice);
    const dense =
      source.rows === undefined
        ? { ...this.#denseValues(source, slice), validity: undefined, nullCount: 0 }
        : this.#scattered(column, source, source.rows, slice);
    const { dictionary } = source;
    const base = { column: source.column, length, ...dense, dictionary };
    // Many slices must not each carry the whole flush's strings.
    if (dictionary === undefined || dictionary.count <= length / 4) return base;
    if (this.#layout.slices.length === 1 && length === this.#rows.rowCount) return base;
    const fewer = compacted(dense.values as Uint32Array, dense.validity, dictionary);
    freeSlices([base]);
    return { ...base, ...fewer, copied: true };
  }

  #slice(slice: number): RowSlice {
    return present(this.#layout.slices[slice], 'slice');
  }

  #column(column: number): ColumnValues {
    return present(this.#rows.columns[column], 'column');
  }

  #denseValues(source: ColumnValues, slice: number): Pick<ColumnSlice, 'values' | 'copied'> {
    const { order, from, length } = this.#slice(slice);
    if (order === undefined) {
      return { values: source.values.subarray(from, from + length), copied: false };
    }
    const target = sameType(source.values, length);
    copyValues(source.values, order, target, undefined, length);
    return { values: target, copied: true };
  }

  /** Range of the column's values in the slice: value indexes, or places in `#grouped`. */
  #range(column: number, rows: Uint32Array, slice: number): readonly [start: number, end: number] {
    const { slices, sliceOfRow } = this.#layout;
    const { order, from, length } = this.#slice(slice);
    if (slices.length === 1) {
      if (order !== undefined) return [0, rows.length];
      return [lowerBound(rows, from), lowerBound(rows, from + length)];
    }
    const bySlice = present(sliceOfRow, 'slice by row');
    const grouped = (this.#grouped[column] ??= groupBySlice(rows, bySlice, slices.length));
    return [grouped.starts[slice] as number, grouped.starts[slice + 1] as number];
  }

  #scattered(column: number, source: ColumnValues, rows: Uint32Array, slice: number) {
    const { length, from } = this.#slice(slice);
    const [start, end] = this.#range(column, rows, slice);
    const count = end - start;
    const grouped = this.#grouped[column];
    const indexes = grouped?.indexes.subarray(start, end);
    const { placeOfRow } = this.#layout;
    const places = new Uint32Array(count);
    const validity = this.#zeros(Uint8Array, (length + 7) >> 3);
    for (let index = 0; index < count; index += 1) {
      const row = rows[
        indexes === undefined ? start + index : (indexes[index] as number)
      ] as number;
      const place = placeOfRow === undefined ? row - from : (placeOfRow[row] as number);
      places[index] = place;
      validity[place >> 3] = (validity[place >> 3] as number) | (1 << (place & 7));
    }
    const values = this.#zeros(typeOf(source.values), length);
    const dense = indexes === undefined ? source.values.subarray(start, end) : source.values;
    copyValues(dense, indexes, values, places, count);
    const nullCount = length - count;
    return { values, validity: nullCount === 0 ? undefined : validity, nullCount, copied: false };
  }

  /** `length` zeros in the slice's memory. */
  #zeros<Type extends ColumnArray>(type: ArrayType<Type>, length: number): Type {
    const bytes = length * type.BYTES_PER_ELEMENT;
    if (this.#memoryUsed + bytes > this.#memory.length) {
      // Columns of this slice keep what they have.
      this.#memory = new Uint8Array(Math.max(bytes, 2 * this.#memory.length));
      this.#memoryUsed = 0;
    }
    const from = this.#memoryUsed;
    this.#memory.fill(0, from, from + bytes);
    this.#memoryUsed = (from + bytes + 7) & ~7;
    return new type(this.#memory.buffer, from, length);
  }
}
