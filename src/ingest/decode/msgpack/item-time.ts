/**
 * Times of items, to microseconds. Numbers are in the unit that their size speaks for, by Arc's
 * bounds; timestamps of MessagePack's own extension say what they mean. Digits finer than a
 * microsecond are cut, rounding down.
 *
 * Common times are worked out in doubles, where all steps are exact; the rest in bigints.
 */
import type { ByteSpace } from '../bytes.ts';
import {
  classOf,
  ext8,
  fixext4,
  fixext8,
  float32,
  float64,
  int16,
  int32,
  int64,
  int8,
  negativeFixint,
  timestampType,
  uint16,
  uint32,
  uint64,
  uint8,
  valueClasses,
} from './formats.ts';

/** Microseconds per unit; `n` stands for a thousandth. */
export type TimeUnit = 's' | 'ms' | 'us' | 'n';

const twoTo32 = 4_294_967_296;
const exactMax = Number.MAX_SAFE_INTEGER;

/** The years 1677 to 2262: what int64 nanoseconds can hold, as for line protocol. */
const secondsMax = 9_223_372_036;
const timeMaxUs = 9_223_372_036_854_775n;

/** Times whose upper half is below this are within the range, and exact as doubles. */
const highSafe = 2_000_000;

export const badTime = 'bad timestamp';
export const timeOutside = 'time outside range of the years 1677 to 2262';

/** Arc's bounds. What is negative counts as seconds. */
export function unitBySize(value: number): TimeUnit {
  if (value < 1e10) return 's';
  if (value < 1e13) return 'ms';
  return value < 1e16 ? 'us' : 'n';
}

export class ItemTime {
  /** The time last read or set, by halves of its microseconds. */
  low = 0;
  high = 0;
  /** True if it had digits finer than a microsecond, or than its unit. */
  cut = false;
  /** Behind the value last read. */
  next = 0;
  /** The unit of the numbers to come; undefined: each number speaks for itself. */
  unit: TimeUnit | undefined = undefined;
  readonly #space: ByteSpace;

  constructor(space: ByteSpace) {
    this.#space = space;
  }

  /** Takes a time of the server. */
  setUs(us: number): void {
    this.cut = false;
    this.#set(us);
  }

  /** The unit that the number at `at` speaks for; undefined if there is none. */
  unitAt(at: number): TimeUnit | undefined {
    const { bytes, view } = this.#space;
    const first = bytes[at] ?? 0;
    if (first === uint64) return unitBySize(Number(view.getBigUint64(at + 1)));
    if (first === int64) return unitBySize(Number(view.getBigInt64(at + 1)));
    if (first === float32) return unitBySize(Math.trunc(view.getFloat32(at + 1)));
    if (first === float64) return unitBySize(Math.trunc(view.getFloat64(at + 1)));
    const isInteger = classOf[first] === valueClasses.integer;
    return isInteger ? unitBySize(this.#smallInteger(first, at)) : undefined;
  }

  /** Reads the value at `at`, which is whole; returns why it is no time, or undefined. */
  read(at: number): string | undefined {
    const { bytes, view } = this.#space;
    const first = bytes[at] ?? 0;
    this.cut = false;
    if (first === uint64 || first === int64) {
      this.next = at + 9;
      const high = first === int64 ? view.getInt32(at + 1) : view.getUint32(at + 1);
      return this.#fromHalves(view.getUint32(at + 5), high);
    }
    switch (classOf[first]) {
      case valueClasses.integer:
        return this.#fromNumber(this.#smallInteger(first, at));
      case valueClasses.double:
        return this.#fromDouble(first, at);
      case valueClasses.extension:
        return this.#fromExtension(first, at);
      default:
        return badTime;
    }
  }

  #smallInteger(first: number, at: number): number {
    const { view } = this.#space;
    switch (first) {
      case uint8:
        this.next = at + 2;
        return view.getUint8(at + 1);
      case uint16:
        this.next = at + 3;
        return view.getUint16(at + 1);
      case uint32:
        this.next = at + 5;
        return view.getUint32(at + 1);
      case int8:
        this.next = at + 2;
        return view.getInt8(at + 1);
      case int16:
        this.next = at + 3;
        return view.getInt16(at + 1);
      case int32:
        this.next = at + 5;
        return view.getInt32(at + 1);
      default:
        this.next = at + 1;
        return first < negativeFixint ? first : first - 256;
    }
  }

  #fromDouble(first: number, at: number): string | undefined {
    const { view } = this.#space;
    const value = first === float32 ? view.getFloat32(at + 1) : view.getFloat64(at + 1);
    this.next = at + (first === float32 ? 5 : 9);
    if (!Number.isFinite(value)) return badTime;
    const whole = Math.trunc(value);
    const fault = this.#fromNumber(whole);
    if (whole !== value) this.cut = true;
    return fault;
  }

  #fromHalves(low: number, high: number): string | undefined {
    const { unit } = this;
    if (unit === 'us' && high >= 0 && high < highSafe) {
      this.low = low | 0;
      this.high = high;
      return undefined;
    }
    const value = high * twoTo32 + low;
    if ((unit ?? unitBySize(value)) === 'n' && high >= 0) return this.#nanoseconds(low, high);
    if (Number.isSafeInteger(value)) return this.#fromNumber(value);
    return this.#exact((BigInt(high) << 32n) | BigInt(low), unit ?? unitBySize(value));
  }

  #nanoseconds(low: number, high: number): string | undefined {
    // Long division by 1000, digit by digit of 32 bits; each step is exact.
    const upper = Math.floor(high / 1000);
    const middle = (high - upper * 1000) * twoTo32 + low;
    const lower = Math.floor(middle / 1000);
    if (upper >= highSafe) return this.#exact((BigInt(high) << 32n) | BigInt(low), 'n');
    this.cut = middle !== lower * 1000;
    this.low = lower | 0;
    this.high = upper;
    return undefined;
  }

  /** A whole number, exact unless it is beyond the range anyway. */
  #fromNumber(value: number): string | undefined {
    const unit = this.unit ?? unitBySize(value);
    const us = unit === 's' ? value * 1e6 : unit === 'ms' ? value * 1e3 : value;
    if (unit === 'n' || us > exactMax || us < -exactMax) {
      return this.#exact(BigInt(value), unit);
    }
    this.#set(us);
    return undefined;
  }

  #exact(value: bigint, unit: TimeUnit): string | undefined {
    let us = value;
    if (unit === 's') us = value * 1_000_000n;
    else if (unit === 'ms') us = value * 1000n;
    else if (unit === 'n') {
      us = value / 1000n;
      this.cut = us * 1000n !== value;
      if (this.cut && value < 0n) us -= 1n;
    }
    if (us > timeMaxUs || us < -timeMaxUs) return timeOutside;
    this.low = Number(BigInt.asIntN(32, us));
    this.high = Number(us >> 32n);
    return undefined;
  }

  /** Extension type -1 of 4, 8 or 12 bytes. */
  #fromExtension(first: number, at: number): string | undefined {
    const { bytes, view } = this.#space;
    if (first === fixext4 && bytes[at + 1] === timestampType) {
      this.next = at + 6;
      this.#set(view.getUint32(at + 2) * 1e6);
      return undefined;
    }
    if (first === fixext8 && bytes[at + 1] === timestampType) {
      this.next = at + 10;
      const high = view.getUint32(at + 2);
      // 30 bits of nanoseconds, then 34 bits of seconds.
      return this.#fromParts((high & 3) * twoTo32 + view.getUint32(at + 6), high >>> 2);
    }
    if (first !== ext8 || bytes[at + 1] !== 12 || bytes[at + 2] !== timestampType) {
      return unknownExtension;
    }
    this.next = at + 15;
    const seconds = view.getInt32(at + 7) * twoTo32 + view.getUint32(at + 11);
    return this.#fromParts(seconds, view.getUint32(at + 3));
  }

  #fromParts(seconds: number, nanoseconds: number): string | undefined {
    if (nanoseconds > 999_999_999) return badTime;
    if (seconds >= secondsMax || seconds < -secondsMax) return timeOutside;
    const us = Math.floor(nanoseconds / 1000);
    this.cut = us * 1000 !== nanoseconds;
    // Seconds within the range times a million may be a little above what is exact.
    const whole = BigInt(seconds) * 1_000_000n + BigInt(us);
    this.low = Number(BigInt.asIntN(32, whole));
    this.high = Number(whole >> 32n);
    return undefined;
  }

  #set(us: number): void {
    const high = Math.floor(us / twoTo32);
    this.low = (us - high * twoTo32) | 0;
    this.high = high | 0;
  }
}

export const unknownExtension = 'unknown extension';
