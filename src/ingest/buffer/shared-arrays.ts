/**
 * Typed arrays over shared memory that grow by doubling. A grown array leaves its old memory to
 * whoever reads it: views handed to an encoder stay true, since elements below the count that was
 * handed over never change. Arrays take all of their memory, so their length is their capacity;
 * what they hold at first is whatever the memory was used for before.
 */
import type { ColumnArray } from '../../base/model/column-batch.ts';
import type { PhysicalType } from '../../base/model/schema.ts';
import { unreachable } from '../../base/lib/assert.ts';
import type { Steps } from '../../base/lib/turns.ts';
import type { RowMemory } from './shared-memory.ts';

/** Elements of the smallest array. */
const capacityMin = 16;

/** Capacity at or above `needed` that doubling from `capacity` gives. */
export function grownCapacity(capacity: number, needed: number): number {
  let grown = Math.max(capacity, capacityMin);
  while (grown < needed) grown *= 2;
  return grown;
}

/** Room for `length` elements at least. */
export function sharedUint32(memory: RowMemory, length: number): Uint32Array {
  return new Uint32Array(memory.take(4 * length));
}

export function sharedBytes(memory: RowMemory, length: number): Uint8Array {
  return new Uint8Array(memory.take(length));
}

export function sharedTimes(memory: RowMemory, length: number): BigInt64Array {
  return new BigInt64Array(memory.take(8 * length));
}

/** The shared array that holds values of a physical type. */
export function sharedColumn(memory: RowMemory, type: PhysicalType, length: number): ColumnArray {
  switch (type) {
    case 'int64':
      return new BigInt64Array(memory.take(8 * length));
    case 'uint64':
      return new BigUint64Array(memory.take(8 * length));
    case 'double':
      return new Float64Array(memory.take(8 * length));
    case 'boolean':
      return sharedBytes(memory, length);
    case 'string':
      return sharedUint32(memory, length);
    default:
      return unreachable(type);
  }
}

/** `target.set(source, position)` for arrays of the same type. */
export function copyInto(target: ColumnArray, source: ColumnArray, position: number): void {
  // The union of array types has no common `set`; physical types keep them equal.
  (target as Uint32Array).set(source as Uint32Array, position);
}

/** Elements that are copied in one go. */
const copiedMax = 131_072;

/** `copyInto(target, source, position)`, which yields between pieces of long arrays. */
export function* copying(target: ColumnArray, source: ColumnArray, position = 0): Steps {
  for (let from = 0; from < source.length; from += copiedMax) {
    copyInto(target, source.subarray(from, from + copiedMax), position + from);
    if (source.length - from > copiedMax) yield;
  }
}
