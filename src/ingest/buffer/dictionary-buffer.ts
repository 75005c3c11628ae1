/**
 * The distinct strings of one buffered column, in shared memory. A batch's dictionary is merged
 * once per batch, so a row costs one array access, not a hash. Codes are given in order of first
 * sight and never change.
 */
import type { StringDictionary } from '../../base/model/column-batch.ts';
import { SlotTable } from '../../base/lib/slot-table.ts';
import { atOnce, type Steps } from '../../base/lib/turns.ts';
import { copying, grownCapacity, sharedBytes, sharedUint32 } from './shared-arrays.ts';
import type { RowMemory } from './shared-memory.ts';

/** What is merged in one go of `merging`: as many strings, or bytes, or a single longer string. */
export const mergedStringsMax = 2048;
const mergedBytesMax = 65_536;

export class DictionaryBuffer {
  readonly #memory: RowMemory;
  #bytes: Uint8Array;
  /** One more than there are strings. */
  #offsets: Uint32Array;
  /** Codes by the hash of their strings. */
  readonly #table = new SlotTable();
  #count = 0;
  readonly #seed: number;

  /** @param seed mixes the hash, so that a sender cannot choose strings that collide */
  constructor(seed: number, memory: RowMemory) {
    this.#seed = seed | 0;
    this.#memory = memory;
    this.#bytes = sharedBytes(memory, 64);
    this.#offsets = sharedUint32(memory, 17);
    this.#offsets[0] = 0;
  }

  get count(): number {
    return this.#count;
  }

  /** Bytes of memory taken, the hash table included. */
  get bytes(): number {
    return this.#bytes.length + 4 * this.#offsets.length + this.#table.bytes;
  }

  /** Gives all shared memory back; nothing is asked of it after that. */
  free(): void {
    this.#memory.give(this.#bytes.buffer);
    this.#memory.give(this.#offsets.buffer);
    this.#table.free();
  }

  /** Adds what is new; `codes[i]` becomes the code here of the batch's code i. */
  merge(source: StringDictionary, codes: Uint32Array): void {
    this.#mergeSome(source, codes, 0, source.count);
  }

  /** As `merge`, for any number of strings: yields between pieces of the work. */
  *merging(source: StringDictionary, codes: Uint32Array): Steps {
    const { count, offsets } = source;
    let from = 0;
    while (from < count) {
      const start = offsets[from] as number;
      let to = from + 1;
      while (to < count && to - from < mergedStringsMax) {
        if ((offsets[to + 1] as number) - start > mergedBytesMax) break;
        to += 1;
      }
      yield* this.#reserving(this.#count + to - from, (offsets[to] as number) - start);
      this.#mergeSome(source, codes, from, to);
      from = to;
      yield;
    }
  }

  /** Merges the codes from `first` to `to` (exclusive). */
  #mergeSome(source: StringDictionary, codes: Uint32Array, first: number, to: number): void {
    const { offsets, bytes } = source;
    // Senders list their series in the same order each time: the guess saves hash and look-up.
    let guess = first === 0 ? 0 : (codes[first - 1] as number) + 1;
    for (let code = first; code < to; code += 1) {
      const start = offsets[code] as number;
      const end = offsets[code + 1] as number;
      const known = guess < this.#count && this.#equal(guess, bytes, start, end);
      const own = known ? guess : this.#codeOf(bytes, start, end);
      codes[code] = own;
      guess = own + 1;
    }
  }

  /**
   * Distance from the batch's codes to the codes here, if the strings of the batch stand here in
   * the same order without others between them; else undefined. Adds nothing. It is how series come
   * again, and a comparison of all bytes at once costs a tenth of `merge`.
   */
  shift({ count, offsets, bytes }: StringDictionary): number | undefined {
    if (count === 0) return 0;
    const first = this.#find(bytes, 0, offsets[1] as number);
    if (first === undefined || first + count > this.#count) return undefined;
    const ownOffsets = this.#offsets;
    const from = ownOffsets[first] as number;
    for (let code = 1; code <= count; code += 1) {
      if ((ownOffsets[first + code] as number) - from !== offsets[code]) return undefined;
    }
    const end = offsets[count] as number;
    const own = this.#bytes.subarray(from, from + end);
    return Buffer.compare(own, bytes.subarray(0, end)) === 0 ? first : undefined;
  }

  /** All strings so far; stays true while more are added. */
  view(): StringDictionary {
    const count = this.#count;
    return {
      count,
      bytes: this.#bytes.subarray(0, this.#offsets[count]),
      offsets: this.#offsets.subarray(0, count + 1),
    };
  }

  #codeOf(bytes: Uint8Array, start: number, end: number): number {
    const hash = this.#hash(bytes, start, end);
    return this.#found(hash, bytes, start, end) ?? this.#add(bytes, start, end, hash);
  }

  /** The code of a string that is here; undefined if it is not. */
  #find(bytes: Uint8Array, start: number, end: number): number | undefined {
    if (this.#count > 0 && this.#equal(0, bytes, start, end)) return 0;
    return this.#found(this.#hash(bytes, start, end), bytes, start, end);
  }

  #found(hash: number, bytes: Uint8Array, start: number, end: number): number | undefined {
    const table = this.#table;
    for (let code = table.first(hash); code >= 0; code = table.next(hash, code)) {
      if (this.#equal(code, bytes, start, end)) return code;
    }
    return undefined;
  }

  #hash(bytes: Uint8Array, start: number, end: number): number {
    let hash = this.#seed;
    for (let position = start; position < end; position += 1) {
      hash = Math.imul(hash ^ (bytes[position] as number), 0x5bd1e995);
      hash ^= hash >>> 15;
    }
    hash = Math.imul(hash ^ (hash >>> 13), 0x5bd1e995);
    return (hash ^ (hash >>> 15)) >>> 0;
  }

  #equal(code: number, bytes: Uint8Array, start: number, end: number): boolean {
    let own = this.#offsets[code] as number;
    if ((this.#offsets[code + 1] as number) - own !== end - start) return false;
    for (let position = start; position < end; position += 1) {
      if (this.#bytes[own] !== bytes[position]) return false;
      own += 1;
    }
    return true;
  }

  #add(bytes: Uint8Array, start: number, end: number, hash: number): number {
    const code = this.#count;
    const from = this.#offsets[code] as number;
    const to = from + end - start;
    if (code + 2 > this.#offsets.length || to > this.#bytes.length) {
      atOnce(this.#reserving(code + 1, end - start));
    }
    this.#bytes.set(bytes.subarray(start, end), from);
    this.#offsets[code + 1] = to;
    this.#count = code + 1;
    this.#table.add(hash, code);
    return code;
  }

  /** Makes room for `count` strings in all, and `more` bytes. Yields between pieces of copying. */
  *#reserving(count: number, more: number): Steps {
    const used = this.#offsets[this.#count] as number;
    if (used + more > this.#bytes.length) {
      const grown = sharedBytes(this.#memory, grownCapacity(this.#bytes.length, used + more));
      yield* copying(grown, this.#bytes.subarray(0, used));
      this.#memory.give(this.#bytes.buffer);
      this.#bytes = grown;
    }
    if (count + 1 <= this.#offsets.length) return;
    const offsets = sharedUint32(this.#memory, grownCapacity(this.#offsets.length, count + 1));
    yield* copying(offsets, this.#offsets.subarray(0, this.#count + 1));
    this.#memory.give(this.#offsets.buffer);
    this.#offsets = offsets;
  }
}
