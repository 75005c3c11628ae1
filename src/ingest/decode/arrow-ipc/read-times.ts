/**
 * The column of times of a record batch, to microseconds: timestamps of any unit and zone (Arrow
 * keeps instants in UTC, whatever zone they are shown in), dates, and numbers in some unit. Digits
 * finer than a microsecond are cut, rounding down. A row whose time is null or outside the range is
 * refused, and alone.
 */
import type { ByteSpace } from '../bytes.ts';
import { timeOutside, unitBySize } from '../msgpack/item-time.ts';
import type { Precision } from '../types.ts';
import { presentRows, stepRows, type ColumnPlace } from './batch-buffers.ts';
import { arrowFault } from './flat-table.ts';
import type { ArrowType } from './metadata.ts';
import { integerAt, wordsAt, type RowRange } from './read-numbers.ts';

export const missingTime = 'a time that is null';

const twoTo32 = 4_294_967_296;
const exactMax = Number.MAX_SAFE_INTEGER;

/** The years 1677 to 2262: what int64 nanoseconds can hold, as for the other formats. */
const timeMaxUs = 9_223_372_036_854_775n;

/** Microseconds whose upper half is below this are within the range. */
const highSafe = 2_000_000;

type Unit = Exclude<Precision, 'auto'>;

const unitUs: Readonly<Record<Exclude<Unit, 'n'>, number>> = {
  us: 1,
  ms: 1000,
  s: 1_000_000,
  m: 60_000_000,
  h: 3_600_000_000,
};

const dayUs = 86_400_000_000;

/** Why values of that type are no times; undefined if they can be. */
export function timeTypeProblem(type: ArrowType): string | undefined {
  if (type.name === 'timestamp' || type.name === 'date') return undefined;
  if (type.name === 'int' || (type.name === 'float' && type.bits !== 16)) return undefined;
  return `${type.name === 'other' ? type.text : type.name} is no time`;
}

const noTimes = new Int32Array(0);

/** Times by halves, and the rows that have none. */
export class ArrowTimes {
  times: Int32Array;
  cut = 0;
  /** 1 for each row that is refused; undefined: there is none. */
  refused: Uint8Array | undefined;
  refusedCount = 0;
  /** Why the first of them is. */
  reason = '';

  readonly #rowCount: number;

  constructor(rowCount: number) {
    this.#rowCount = rowCount;
    this.times = noTimes;
  }

  /** Makes room for the times of all rows. */
  reserve(): void {
    this.times = new Int32Array(2 * this.#rowCount);
  }

  refuse(row: number, reason: string): void {
    this.refused ??= new Uint8Array(this.#rowCount);
    if (this.refusedCount === 0) this.reason = reason;
    if (this.refused[row] !== 1) this.refusedCount += 1;
    this.refused[row] = 1;
  }

  set(row: number, us: number): void {
    const high = Math.floor(us / twoTo32);
    this.times[row * 2] = (us - high * twoTo32) | 0;
    this.times[row * 2 + 1] = high | 0;
  }

  setExact(row: number, us: bigint): void {
    if (us > timeMaxUs || us < -timeMaxUs) {
      this.refuse(row, timeOutside);
      return;
    }
    this.times[row * 2] = Number(BigInt.asIntN(32, us));
    this.times[row * 2 + 1] = Number(us >> 32n);
  }

  /** A whole number that is exact, in units of `factor` microseconds. */
  setScaled(row: number, value: number, factor: number): void {
    const us = value * factor;
    if (us <= exactMax && us >= -exactMax) this.set(row, us);
    else this.setExact(row, BigInt(value) * BigInt(factor));
  }

  /** An integer by halves; `high` has the sign. */
  setWords(row: number, low: number, high: number, unit: Unit): void {
    if (unit === 'us' && high < highSafe && high >= -highSafe) {
      this.times[row * 2] = low;
      this.times[row * 2 + 1] = high;
      return;
    }
    if (unit === 'n') {
      this.#setNanoseconds(row, low, high);
      return;
    }
    const value = high * twoTo32 + (low >>> 0);
    if (Number.isSafeInteger(value)) this.setScaled(row, value, unitUs[unit]);
    else this.setExact(row, wordsOf(low, high) * BigInt(unitUs[unit]));
  }

  #setNanoseconds(row: number, low: number, high: number): void {
    // Long division by 1000, digit by digit of 32 bits; each step is exact.
    const upper = Math.floor(high / 1000);
    const middle = (high - upper * 1000) * twoTo32 + (low >>> 0);
    const lower = Math.floor(middle / 1000);
    if (middle !== lower * 1000) this.cut += 1;
    if (upper >= highSafe || upper < -highSafe) {
      this.setExact(row, BigInt(upper) * BigInt(twoTo32) + BigInt(lower));
      return;
    }
    this.times[row * 2] = lower | 0;
    this.times[row * 2 + 1] = upper;
  }
}

function wordsOf(low: number, high: number): bigint {
  return (BigInt(high) << 32n) | BigInt(low >>> 0);
}

/** Reads the times of `range`; `precision` is the unit of those that are plain numbers. */
export function* readTimes(
  space: ByteSpace,
  place: ColumnPlace,
  type: ArrowType,
  { from, count }: RowRange,
  precision: Precision,
): Generator<undefined, ArrowTimes> {
  const read = new ArrowTimes(count);
  const rows = yield* presentRows(space, place, from, count);
  const present = rows?.length ?? count;
  if (rows !== undefined) yield* refuseMissing(read, rows, count);
  if (type.name === 'timestamp' && rows === undefined) {
    yield* readStamps(read, wordsAt(space, place.valuesAt + 8 * from, count), type.unit);
    return read;
  }
  read.reserve();
  if (present === 0) return read;
  const put = putter(read, space, place, type, precision, from + (rows?.[0] ?? 0));
  for (let index = 0; index < present; index += 1) {
    const row = rows === undefined ? index : (rows[index] ?? 0);
    put(row, from + row);
    if (index % stepRows === stepRows - 1) yield;
  }
  return read;
}

/** Timestamps without nulls; those in microseconds stay where they are if all are in the range. */
function* readStamps(read: ArrowTimes, words: Int32Array, unit: Unit): Generator<undefined> {
  const count = words.length / 2;
  const isPlain = unit === 'us' && (yield* areSafe(words));
  if (isPlain) {
    read.times = words;
    return;
  }
  read.reserve();
  for (let row = 0; row < count; row += 1) {
    read.setWords(row, words[2 * row] ?? 0, words[2 * row + 1] ?? 0, unit);
    if (row % stepRows === stepRows - 1) yield;
  }
}

function* areSafe(words: Int32Array): Generator<undefined, boolean> {
  for (let at = 1; at < words.length; at += 2) {
    const high = words[at] ?? 0;
    if (high >= highSafe || high < -highSafe) return false;
    if (at % (2 * stepRows) === 2 * stepRows - 1) yield;
  }
  return true;
}

function* refuseMissing(read: ArrowTimes, rows: Uint32Array, count: number): Generator<undefined> {
  let next = 0;
  for (let row = 0; row < count; row += 1) {
    if (rows[next] === row) next += 1;
    else read.refuse(row, missingTime);
    if (row % stepRows === stepRows - 1) yield;
  }
}

/** Takes the value at `at` of the column as the time of `row`. */
type Put = (row: number, at: number) => void;

function putter(
  read: ArrowTimes,
  space: ByteSpace,
  { valuesAt }: ColumnPlace,
  type: ArrowType,
  precision: Precision,
  first: number,
): Put {
  const { view } = space;
  const words = (unit: Unit): Put => {
    return (row, at) => {
      const start = valuesAt + at * 8;
      read.setWords(row, view.getInt32(start, true), view.getInt32(start + 4, true), unit);
    };
  };
  const unitOf = (value: () => number) => (precision === 'auto' ? unitBySize(value()) : precision);
  switch (type.name) {
    case 'timestamp':
      return words(type.unit);
    case 'date':
      if (type.unit === 'ms') return words('ms');
      return (row, at) => {
        read.setScaled(row, view.getInt32(valuesAt + at * 4, true), dayUs);
      };
    case 'float': {
      const { bits } = type;
      const float = (at: number) =>
        bits === 32
          ? view.getFloat32(valuesAt + at * 4, true)
          : view.getFloat64(valuesAt + at * 8, true);
      const unit = unitOf(() => Math.trunc(float(first)));
      return (row, at) => {
        setFloat(read, row, float(at), unit);
      };
    }
    case 'int': {
      if (type.bits < 64) {
        const unit = unitOf(() => integerAt(space, valuesAt, type, first));
        return (row, at) => {
          const value = integerAt(space, valuesAt, type, at);
          read.setWords(row, value | 0, value < 0 ? -1 : 0, unit);
        };
      }
      const start = valuesAt + first * 8;
      if (type.isSigned) return words(unitOf(() => Number(view.getBigInt64(start, true))));
      const unit = unitOf(() => Number(view.getBigUint64(start, true)));
      const signed = words(unit);
      return (row, at) => {
        if (view.getInt32(valuesAt + at * 8 + 4, true) >= 0) signed(row, at);
        else read.refuse(row, timeOutside);
      };
    }
    default:
      throw arrowFault(`${type.name} is no time`);
  }
}

/** Cut to a whole number of its unit, as in MessagePack. */
function setFloat(read: ArrowTimes, row: number, value: number, unit: Unit): void {
  if (!Number.isFinite(value)) {
    read.refuse(row, timeOutside);
    return;
  }
  const whole = Math.trunc(value);
  if (whole !== value) read.cut += 1;
  if (unit !== 'n') {
    read.setScaled(row, whole, unitUs[unit]);
    return;
  }
  const us = Math.floor(whole / 1000);
  read.setExact(row, BigInt(us));
}
