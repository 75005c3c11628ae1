/**
 * Numbers and booleans of a record batch. Columns without nulls whose values are stored as they
 * come, doubles and integers of 64 bits, are not copied: they are views of the body.
 */
import type { ByteSpace } from '../bytes.ts';
import { isExact } from '../columnar/stage-flow.ts';
import {
  booleanForm,
  doubleForm,
  hugeExactForm,
  hugeForm,
  integerExactForm,
  integerForm,
} from '../value-forms.ts';
import type { ArrowColumn } from './arrow-column.ts';
import { presentRows, stepRows, type ColumnPlace } from './batch-buffers.ts';
import type { ArrowType } from './metadata.ts';

/** Upper halves of int64 from minus this up to this minus one are exact as doubles. */
const highExact = 0x20_0000;

/** The rows of a batch that are read. */
export interface RowRange {
  readonly from: number;
  readonly count: number;
}

/** `length` bytes at `at`, copied if typed arrays of 64 bits cannot begin there. */
export function aligned({ bytes }: ByteSpace, at: number, length: number): ArrayBufferView {
  const part = bytes.subarray(at, at + length);
  return part.byteOffset % 8 === 0 ? part : part.slice();
}

export function doublesAt(space: ByteSpace, at: number, count: number): Float64Array {
  const { buffer, byteOffset } = aligned(space, at, count * 8);
  return new Float64Array(buffer as ArrayBuffer, byteOffset, count);
}

/** Integers of 64 bits by halves, low one first. */
export function wordsAt(space: ByteSpace, at: number, count: number): Int32Array {
  const { buffer, byteOffset } = aligned(space, at, count * 8);
  return new Int32Array(buffer as ArrayBuffer, byteOffset, count * 2);
}

type FloatType = Extract<ArrowType, { name: 'float' }>;
type IntType = Extract<ArrowType, { name: 'int' }>;

/** NaN and infinities become null, and are counted. */
export function* readFloats(
  column: ArrowColumn,
  space: ByteSpace,
  place: ColumnPlace,
  { bits }: FloatType,
  { from, count }: RowRange,
): Generator<undefined> {
  const rows = yield* presentRows(space, place, from, count);
  const present = rows?.length ?? count;
  const start = place.valuesAt + (from * bits) / 8;
  if (rows === undefined && bits === 64 && count > 0) {
    const values = doublesAt(space, start, count);
    if (yield* areFinite(values)) {
      column.note(doubleForm, 0);
      column.put('double', values, undefined);
      return;
    }
  }
  const { view } = space;
  const builder = column.builder('double', present);
  for (let index = 0; index < present; index += 1) {
    const row = rows === undefined ? index : (rows[index] ?? 0);
    let value;
    if (bits === 64) value = view.getFloat64(start + row * 8, true);
    else if (bits === 32) value = view.getFloat32(start + row * 4, true);
    else value = halfFloat(view.getUint16(start + row * 2, true));
    if (value - value !== 0) column.nanCells += 1;
    else builder.pushDouble(row, value);
    if (index % stepRows === stepRows - 1) yield;
  }
  if (builder.count > 0) column.note(doubleForm, 0);
}

function* areFinite(values: Float64Array): Generator<undefined, boolean> {
  for (let from = 0; from < values.length; from += stepRows) {
    const to = Math.min(values.length, from + stepRows);
    let sum = 0;
    // What is not finite makes a NaN of it, and nothing else does.
    for (let index = from; index < to; index += 1) {
      const value = values[index] ?? 0;
      sum += value - value;
    }
    if (sum !== 0) return false;
    yield;
  }
  return true;
}

function halfFloat(bits: number): number {
  const sign = bits >= 0x8000 ? -1 : 1;
  const exponent = (bits >>> 10) & 31;
  const fraction = bits & 1023;
  if (exponent === 31) return NaN;
  if (exponent === 0) return sign * fraction * 2 ** -24;
  return sign * (1024 + fraction) * 2 ** (exponent - 25);
}

export function* readIntegers(
  column: ArrowColumn,
  space: ByteSpace,
  place: ColumnPlace,
  type: IntType,
  range: RowRange,
): Generator<undefined> {
  if (type.bits === 64) return yield* readWideIntegers(column, space, place, type, range);
  const { from, count } = range;
  const rows = yield* presentRows(space, place, from, count);
  const present = rows?.length ?? count;
  const builder = column.builder('int64', present);
  for (let index = 0; index < present; index += 1) {
    const row = rows === undefined ? index : (rows[index] ?? 0);
    const value = integerAt(space, place.valuesAt, type, from + row);
    builder.pushWords(row, value | 0, value < 0 ? -1 : 0);
    if (index % stepRows === stepRows - 1) yield;
  }
  if (present > 0) column.note(integerExactForm, rows?.[0] ?? 0);
}

/** The integer of less than 64 bits at `row` of those that begin at `start`. */
export function integerAt({ view }: ByteSpace, start: number, type: IntType, row: number): number {
  const { bits, isSigned } = type;
  if (bits === 32) {
    const at = start + row * 4;
    return isSigned ? view.getInt32(at, true) : view.getUint32(at, true);
  }
  if (bits === 16) {
    const at = start + row * 2;
    return isSigned ? view.getInt16(at, true) : view.getUint16(at, true);
  }
  return isSigned ? view.getInt8(start + row) : view.getUint8(start + row);
}

function* readWideIntegers(
  column: ArrowColumn,
  space: ByteSpace,
  place: ColumnPlace,
  { isSigned }: IntType,
  { from, count }: RowRange,
): Generator<undefined> {
  const rows = yield* presentRows(space, place, from, count);
  const present = rows?.length ?? count;
  if (present === 0) return;
  const words = wordsAt(space, place.valuesAt + from * 8, count);
  let hugeCount = 0;
  for (let index = 0; index < present; index += 1) {
    const row = rows === undefined ? index : (rows[index] ?? 0);
    const low = words[row * 2] ?? 0;
    const high = words[row * 2 + 1] ?? 0;
    if (!isSigned && high < 0) {
      hugeCount += 1;
      column.note(isExact(low, high >>> 0) ? hugeExactForm : hugeForm, row);
    } else if (high < highExact && high >= -highExact) {
      column.note(integerExactForm, row);
    } else {
      column.note(isExact(low, high) ? integerExactForm : integerForm, row);
    }
    if (index % stepRows === stepRows - 1) yield;
  }
  if (rows === undefined && hugeCount === 0) {
    column.put('int64', new BigInt64Array(words.buffer, words.byteOffset, count), undefined);
    return;
  }
  const integers = column.builder('int64', present - hugeCount);
  const huge = column.builder('uint64', hugeCount);
  for (let index = 0; index < present; index += 1) {
    const row = rows === undefined ? index : (rows[index] ?? 0);
    const high = words[row * 2 + 1] ?? 0;
    const builder = !isSigned && high < 0 ? huge : integers;
    builder.pushWords(row, words[row * 2] ?? 0, high);
    if (index % stepRows === stepRows - 1) yield;
  }
}

export function* readBooleans(
  column: ArrowColumn,
  space: ByteSpace,
  place: ColumnPlace,
  { from, count }: RowRange,
): Generator<undefined> {
  const rows = yield* presentRows(space, place, from, count);
  const present = rows?.length ?? count;
  const { bytes } = space;
  const builder = column.builder('boolean', present);
  for (let index = 0; index < present; index += 1) {
    const row = rows === undefined ? index : (rows[index] ?? 0);
    const bit = from + row;
    builder.pushBoolean(row, ((bytes[place.valuesAt + (bit >>> 3)] ?? 0) >>> (bit & 7)) & 1);
    if (index % stepRows === stepRows - 1) yield;
  }
  if (present > 0) column.note(booleanForm, rows?.[0] ?? 0);
}
