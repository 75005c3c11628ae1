/**
 * Copies of column arrays by their 32-bit halves, which keeps every bit of every value and makes no
 * bigint per row. Pure; runs on encoder threads.
 */
import type { ColumnArray } from '../../base/model/column-batch.ts';
import { halvesOf } from './hours.ts';

/** Makes typed arrays of one type. */
export interface ArrayType<Type extends ColumnArray = ColumnArray> {
  readonly BYTES_PER_ELEMENT: number;
  new (length: number): Type;
  new (buffer: ArrayBuffer, byteOffset: number, length: number): Type;
}

export function typeOf(array: ColumnArray): ArrayType {
  if (array instanceof Float64Array) return Float64Array;
  if (array instanceof BigInt64Array) return BigInt64Array;
  if (array instanceof BigUint64Array) return BigUint64Array;
  return array instanceof Uint32Array ? Uint32Array : Uint8Array;
}

/** An array of the same type as `like`, `length` zeros. */
export function sameType(like: ColumnArray, length: number): ColumnArray {
  return new (typeOf(like))(length);
}

/**
 * Copies `source[from(i)]` to `target[to(i)]` for `count` values; an undefined list stands for
 * 0, 1, 2, ...
 */
export function copyValues(
  source: ColumnArray,
  sources: Uint32Array | undefined,
  target: ColumnArray,
  targets: Uint32Array | undefined,
  count: number,
): void {
  if (source instanceof Uint8Array || source instanceof Uint32Array) {
    const narrow = target as Uint8Array | Uint32Array;
    for (let index = 0; index < count; index += 1) {
      const from = sources === undefined ? index : (sources[index] as number);
      const to = targets === undefined ? index : (targets[index] as number);
      narrow[to] = source[from] as number;
    }
    return;
  }
  const wideFrom = halvesOf(source);
  const wideTo = halvesOf(target as BigInt64Array | BigUint64Array | Float64Array);
  for (let index = 0; index < count; index += 1) {
    const from = sources === undefined ? index : (sources[index] as number);
    const to = targets === undefined ? index : (targets[index] as number);
    wideTo[2 * to] = wideFrom[2 * from] as number;
    wideTo[2 * to + 1] = wideFrom[2 * from + 1] as number;
  }
}
