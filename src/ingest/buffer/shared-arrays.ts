/**
 * Typed arrays over shared memory that grow by doubling. A grown array leaves its old memory to
 * whoever reads it: views handed to an encoder stay true, since elements below the count that was
 * handed over never change.
 */
import type { ColumnArray } from '../../base/model/column-batch.ts';
import type { PhysicalType } from '../../base/model/schema.ts';
import { unreachable } from '../../base/lib/assert.ts';

/** Elements of the smallest array: a column with one value must not cost a page. */
const capacityMin = 16;

/** Capacity at or above `needed` that doubling from `capacity` gives. */
export function grownCapacity(capacity: number, needed: number): number {
  let grown = Math.max(capacity, capacityMin);
  while (grown < needed) grown *= 2;
  return grown;
}

export function sharedUint32(length: number): Uint32Array {
  return new Uint32Array(new SharedArrayBuffer(4 * length));
}

export function sharedBytes(length: number): Uint8Array {
  return new Uint8Array(new SharedArrayBuffer(length));
}

/** The shared array that holds values of a physical type. */
export function sharedColumn(type: PhysicalType, length: number): ColumnArray {
  switch (type) {
    case 'int64':
      return new BigInt64Array(new SharedArrayBuffer(8 * length));
    case 'uint64':
      return new BigUint64Array(new SharedArrayBuffer(8 * length));
    case 'double':
      return new Float64Array(new SharedArrayBuffer(8 * length));
    case 'boolean':
      return sharedBytes(length);
    case 'string':
      return sharedUint32(length);
    default:
      return unreachable(type);
  }
}

/** `target.set(source, position)` for arrays of the same type. */
export function copyInto(target: ColumnArray, source: ColumnArray, position: number): void {
  // The union of array types has no common `set`; physical types keep them equal.
  (target as Uint32Array).set(source as Uint32Array, position);
}
