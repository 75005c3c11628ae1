/**
 * Smallest and largest value and null count of each column of a file, exact, for the file index
 * (commit-protocol P12). Strings are cut to 64 bytes at a character; a cut maximum is rounded up.
 */
import type { ColumnStatistics } from '../../base/model/commit.ts';
import type { StringDictionary } from '../../base/model/column-batch.ts';
import type { ColumnRef } from '../../base/model/schema.ts';
import { present } from '../../base/lib/assert.ts';
import type { ColumnSlice } from './gather.ts';
import { halvesOf } from './hours.ts';

/** Bytes of a string kept in the index; a file has one pair per string column. */
const stringBytesMax = 64;

/** The first row from `row` on that has a value, or one at or behind `length`. */
function nextRow(validity: Uint8Array | undefined, row: number, length: number): number {
  if (validity === undefined) return row;
  let next = row;
  while (next < length) {
    const bits = (validity[next >> 3] as number) >> (next & 7);
    if (bits === 0) next = (next | 7) + 1;
    else if ((bits & 1) === 1) return next;
    else next += 1;
  }
  return next;
}

/** Row of the smallest and of the largest value; undefined if no row has one. */
type Extremes = readonly [minRow: number, maxRow: number] | undefined;

function extremesOfNumbers(values: Float64Array | Uint8Array, validity?: Uint8Array): Extremes {
  let minRow = -1;
  let maxRow = -1;
  let min = Infinity;
  let max = -Infinity;
  const { length } = values;
  for (
    let row = nextRow(validity, 0, length);
    row < length;
    row = nextRow(validity, row + 1, length)
  ) {
    const value = values[row] as number;
    if (value < min || minRow < 0) {
      min = value;
      minRow = row;
    }
    if (value > max || maxRow < 0) {
      max = value;
      maxRow = row;
    }
  }
  return minRow < 0 ? undefined : [minRow, maxRow];
}

/** Compares by halves, without a bigint per row. `bias` turns the sign bit for unsigned values. */
function extremesOfIntegers(
  values: BigInt64Array | BigUint64Array,
  validity: Uint8Array | undefined,
  bias: number,
): Extremes {
  const halves = halvesOf(values);
  let minRow = -1;
  let maxRow = -1;
  let minHigh = 0;
  let minLow = 0;
  let maxHigh = 0;
  let maxLow = 0;
  const { length } = values;
  for (
    let row = nextRow(validity, 0, length);
    row < length;
    row = nextRow(validity, row + 1, length)
  ) {
    const high = (halves[2 * row + 1] as number) ^ bias;
    const low = (halves[2 * row] as number) >>> 0;
    if (minRow < 0 || high < minHigh || (high === minHigh && low < minLow)) {
      minRow = row;
      minHigh = high;
      minLow = low;
    }
    if (maxRow < 0 || high > maxHigh || (high === maxHigh && low > maxLow)) {
      maxRow = row;
      maxHigh = high;
      maxLow = low;
    }
  }
  return minRow < 0 ? undefined : [minRow, maxRow];
}

function stringAt({ bytes, offsets }: StringDictionary, code: number): Buffer {
  const start = offsets[code] as number;
  const length = (offsets[code + 1] as number) - start;
  return Buffer.from(bytes.buffer, bytes.byteOffset + start, length);
}

function extremesOfStrings(slice: ColumnSlice): readonly [Buffer, Buffer] | undefined {
  const dictionary = present(slice.dictionary, 'dictionary');
  const codes = slice.values as Uint32Array;
  const used = new Uint8Array(dictionary.count);
  const { length, validity } = slice;
  for (
    let row = nextRow(validity, 0, length);
    row < length;
    row = nextRow(validity, row + 1, length)
  ) {
    used[codes[row] as number] = 1;
  }
  let min: Buffer | undefined;
  let max: Buffer | undefined;
  for (let code = 0; code < used.length; code += 1) {
    if (used[code] === 0) continue;
    const value = stringAt(dictionary, code);
    if (min === undefined || value.compare(min) < 0) min = value;
    if (max === undefined || value.compare(max) > 0) max = value;
  }
  return min === undefined || max === undefined ? undefined : [min, max];
}

/** At most 64 bytes of `value` as text, cut between characters: never above the value itself. */
export function lowerText(value: Buffer): string {
  let end = Math.min(value.length, stringBytesMax);
  while (end > 0 && end < value.length && ((value[end] as number) & 0xc0) === 0x80) end -= 1;
  return value.toString('utf8', 0, end);
}

/** The value itself if it is short, else the smallest such text above it; undefined if none is. */
export function upperText(value: Buffer): string | undefined {
  const text = lowerText(value);
  if (value.length <= stringBytesMax) return text;
  const characters = [...text];
  while (characters.length > 0) {
    const code = present(present(characters.pop(), 'character').codePointAt(0), 'code point');
    if (code === 0x10ffff) continue;
    // U+D800 to U+DFFF are no characters.
    const next = code === 0xd7ff ? 0xe000 : code + 1;
    return characters.join('') + String.fromCodePoint(next);
  }
  return undefined;
}

function compareBigints(a: bigint, b: bigint): number {
  return a < b ? -1 : Number(a > b);
}

/** Collects one column's statistics over the slices of a file. */
export class StatisticsCollector {
  readonly #column: ColumnRef;
  #nullCount = 0;
  #bounds: readonly [min: bigint | number | Buffer, max: bigint | number | Buffer] | undefined;

  constructor(column: ColumnRef) {
    this.#column = column;
  }

  add(slice: ColumnSlice): void {
    this.#nullCount += slice.nullCount;
    const found = this.#boundsOf(slice);
    if (found === undefined) return;
    const [min, max] = this.#bounds ?? found;
    this.#bounds = [
      this.#compare(found[0], min) < 0 ? found[0] : min,
      this.#compare(found[1], max) > 0 ? found[1] : max,
    ];
  }

  finish(): ColumnStatistics {
    const columnId = this.#column.physical.id;
    const nullCount = this.#nullCount;
    if (this.#bounds === undefined) return { columnId, min: undefined, max: undefined, nullCount };
    const [min, max] = this.#bounds;
    return {
      columnId,
      min: min instanceof Buffer ? lowerText(min) : String(min),
      max: max instanceof Buffer ? upperText(max) : String(max),
      nullCount,
    };
  }

  #compare(a: bigint | number | Buffer, b: bigint | number | Buffer): number {
    if (a instanceof Buffer) return a.compare(b as Buffer);
    if (typeof a === 'number') return a - (b as number);
    return compareBigints(a as bigint, b as bigint);
  }

  #boundsOf(slice: ColumnSlice) {
    const { values, validity } = slice;
    if (slice.column.physical.type === 'string') return extremesOfStrings(slice);
    let extremes: Extremes;
    if (values instanceof BigInt64Array) extremes = extremesOfIntegers(values, validity, 0);
    else if (values instanceof BigUint64Array) {
      extremes = extremesOfIntegers(values, validity, 0x80000000 | 0);
    } else extremes = extremesOfNumbers(values as Float64Array | Uint8Array, validity);
    if (extremes === undefined) return undefined;
    const [minRow, maxRow] = extremes;
    return [present(values[minRow], 'minimum'), present(values[maxRow], 'maximum')] as const;
  }
}
