/**
 * Numbers and booleans as text, exactly. Floats of up to 19 digits are rounded here with a proof
 * that the rounding is the right one; what cannot be proven, and all other floats, go to the
 * engine's own conversion. Integers are exact over all of int64 and uint64.
 */
import { hugeExactForm, hugeForm, integerExactForm, integerForm } from './value-forms.ts';

/** Powers of ten that are exact as doubles. */
const powers: readonly number[] = Array.from({ length: 23 }, (_, index) => Number(`1e${index}`));

export const powersOfTen = Float64Array.from(powers);

/** Splits a double in two halves of 26 bits, whose products are exact (Dekker, Veltkamp). */
const splitter = 134_217_729;

/**
 * (leading * 10^trailingDigits + trailing) / 10^fraction rounded to the nearest double, or NaN if
 * that rounding cannot be proven here. `leading` < 10^15, trailingDigits <= 4, fraction <= 22: all
 * products below stay far from overflow and from subnormal numbers.
 */
export function divideExactly(
  leading: number,
  trailing: number,
  trailingDigits: number,
  fraction: number,
): number {
  const scale = powersOfTen[trailingDigits] ?? 1;
  const divisor = powersOfTen[fraction] ?? 1;
  // numerator = high + low, exactly
  const product = leading * scale;
  const productLow = productError(leading, scale, product);
  const high = product + trailing;
  const low = trailing - (high - product) + productLow;
  const quotient = high / divisor;
  const back = quotient * divisor;
  const backLow = productError(quotient, divisor, back);
  // The remainder of a division is exact as a double; only the last addition rounds.
  const rest = (high - back - backLow + low) / divisor;
  const result = quotient + rest;
  // `rest` is off by far less than 2^-48 of itself: if that cannot change the sum, it is right.
  const slack = Math.abs(rest) * 2 ** -48;
  return quotient + (rest - slack) === result && quotient + (rest + slack) === result
    ? result
    : Number.NaN;
}

/** a * b - product, exactly. */
function productError(a: number, b: number, product: number): number {
  const aSplit = splitter * a;
  const aHigh = aSplit - (aSplit - a);
  const aLow = a - aHigh;
  const bSplit = splitter * b;
  const bHigh = bSplit - (bSplit - b);
  const bLow = b - bHigh;
  return aLow * bLow - (product - aHigh * bHigh - aLow * bHigh - aHigh * bLow);
}

const int64Max = 2n ** 63n - 1n;
const int64Min = -(2n ** 63n);
const uint64Max = 2n ** 64n - 1n;

/** Longest digits of a 64 bit integer. */
const digitsMax = 20;

/** The value and form of `digits`, or undefined if it is out of range. Any leading zeros. */
export function parseInteger(
  digits: string,
  negative: boolean,
  unsigned: boolean,
): { readonly value: bigint; readonly form: number } | undefined {
  const significant = digits.replace(/^0+/, '');
  if (significant.length > digitsMax) return undefined;
  const magnitude = BigInt(significant === '' ? '0' : significant);
  const value = negative ? -magnitude : magnitude;
  if (value < int64Min || value > (unsigned ? uint64Max : int64Max)) return undefined;
  const exact = BigInt(Number(value)) === value;
  if (value > int64Max) return { value, form: exact ? hugeExactForm : hugeForm };
  return { value, form: exact ? integerExactForm : integerForm };
}

/** 1 or 0 for the spellings that InfluxDB knows, else undefined. */
export function parseBoolean(text: string): 0 | 1 | undefined {
  switch (text) {
    case 't':
    case 'T':
    case 'true':
    case 'True':
    case 'TRUE':
      return 1;
    case 'f':
    case 'F':
    case 'false':
    case 'False':
    case 'FALSE':
      return 0;
    default:
      return undefined;
  }
}
