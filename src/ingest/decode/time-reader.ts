/**
 * Times of lines: decimal text in some unit to microseconds, rounded down. Common times are worked
 * out in doubles, where all steps are exact below 2^53; the ends of the range in bigints.
 */
import type { ByteSpace } from './bytes.ts';
import type { Precision } from './types.ts';

const minus = 45;

/** Microseconds per unit, for units of at least a microsecond. */
const unitUs: Readonly<Record<Exclude<Precision, 'n' | 'auto'>, number>> = {
  us: 1,
  ms: 1000,
  s: 1_000_000,
  m: 60_000_000,
  h: 3_600_000_000,
};

/** InfluxDB's range, int64 nanoseconds but for three values: the years 1677 to 2262. */
const timeMax = 2n ** 63n - 2n;
const timeMin = -(2n ** 63n) + 2n;

const exactMax = Number.MAX_SAFE_INTEGER;
const twoTo32 = 4_294_967_296;

export class TimeReader {
  /** The time last read or set, by halves of its microseconds. */
  low = 0;
  high = 0;
  /** True if it had digits finer than a microsecond. */
  cut = false;
  /** Position behind the text last read. */
  next = 0;
  readonly #precision: Precision;
  readonly #missingUs: number;

  /** `nowUs`: the time of lines without one; cut to the unit, as InfluxDB does. */
  constructor(precision: Precision, nowUs: number) {
    this.#precision = precision;
    const unit = precision === 'n' || precision === 'auto' ? 1 : unitUs[precision];
    this.#missingUs = Math.floor(nowUs / unit) * unit;
  }

  setMissing(): void {
    this.cut = false;
    this.#set(this.#missingUs);
  }

  /** Reads the time at `start`; returns why it is none, or undefined. */
  read(line: ByteSpace, start: number): string | undefined {
    const { bytes } = line;
    const negative = bytes[start] === minus;
    const first = negative ? start + 1 : start;
    let end = first;
    while ((bytes[end] ?? 0) >= 48 && (bytes[end] ?? 0) <= 57) end += 1;
    this.next = end;
    this.cut = false;
    const count = end - first;
    if (count === 0) return negative && endsTime(bytes[end]) ? parsing('-', 'syntax') : badTime;
    if (count > 19) return this.#readLong(bytes, first, end, negative);
    // The last nine digits and those before them: each exact.
    const split = Math.max(first, end - 9);
    let upper = 0;
    let lower = 0;
    for (let at = first; at < split; at += 1) upper = upper * 10 + (bytes[at] ?? 0) - 48;
    for (let at = split; at < end; at += 1) lower = lower * 10 + (bytes[at] ?? 0) - 48;
    const size = upper * 1e9 + lower;
    const precision = this.#precision === 'auto' ? unitBySize(size) : this.#precision;
    if (precision === 'n') return this.#setNanoseconds(upper, lower, negative);
    const us = size * unitUs[precision];
    if (us > exactMax) {
      return this.#setExact(BigInt(upper) * 1_000_000_000n + BigInt(lower), precision, negative);
    }
    this.#set(negative ? -us : us);
    return undefined;
  }

  #setNanoseconds(upper: number, lower: number, negative: boolean): string | undefined {
    const whole = Math.floor(lower / 1000);
    this.cut = lower !== whole * 1000;
    const us = upper * 1e6 + whole;
    if (us >= exactMax) {
      return this.#setExact(BigInt(upper) * 1_000_000_000n + BigInt(lower), 'n', negative);
    }
    if (negative) this.#set(this.cut ? -us - 1 : -us);
    else this.#set(us);
    return undefined;
  }

  /** More than 19 digits are in range only with leading zeros. */
  #readLong(bytes: Uint8Array, first: number, end: number, negative: boolean): string | undefined {
    let start = first;
    while (start < end && bytes[start] === 48) start += 1;
    if (end - start > 19) {
      if (!endsTime(bytes[end])) return badTime;
      const digits = String.fromCharCode(...bytes.subarray(first, Math.min(end, first + 40)));
      return parsing(negative ? `-${digits}` : digits, 'range');
    }
    const text = String.fromCharCode(...bytes.subarray(start, end));
    const size = BigInt(text === '' ? '0' : text);
    const precision = this.#precision === 'auto' ? unitBySize(Number(size)) : this.#precision;
    return this.#setExact(size, precision, negative);
  }

  #setExact(
    size: bigint,
    precision: Exclude<Precision, 'auto'>,
    negative: boolean,
  ): string | undefined {
    const value = negative ? -size : size;
    if (value > timeMax + 1n || value < timeMin - 2n) return parsing(String(value), 'range');
    if (value > timeMax || value < timeMin) return outOfRange;
    let us = value;
    if (precision === 'n') {
      us = value / 1000n;
      this.cut = us * 1000n !== value;
      if (this.cut && negative) us -= 1n;
    } else {
      us = value * BigInt(unitUs[precision]);
      if (us * 1000n > timeMax || us * 1000n < timeMin) return outOfRange;
    }
    this.low = Number(BigInt.asIntN(32, us));
    this.high = Number(BigInt.asIntN(32, us >> 32n));
    return undefined;
  }

  #set(us: number): void {
    const high = Math.floor(us / twoTo32);
    this.low = (us - high * twoTo32) | 0;
    this.high = high | 0;
  }
}

const badTime = 'bad timestamp';
const outOfRange = `time outside range ${timeMin} - ${timeMax}`;

/** What InfluxDB says of digits that its parser refuses. */
function parsing(text: string, fault: 'syntax' | 'range'): string {
  const words = fault === 'syntax' ? 'invalid syntax' : 'value out of range';
  return `strconv.ParseInt: parsing "${text}": ${words}`;
}

function endsTime(byte: number | undefined): boolean {
  return byte === undefined || byte === 32 || byte === 10 || byte === 13;
}

/** The unit that makes a time of that size a plausible one; InfluxDB 3's bounds. */
function unitBySize(size: number): 'n' | 'us' | 'ms' | 's' {
  if (size < 5e9) return 's';
  if (size < 5e12) return 'ms';
  if (size < 5e15) return 'us';
  return 'n';
}
