/**
 * The distinct strings of one buffered column, in shared memory. A batch's dictionary is merged
 * once per batch, so a row costs one array access, not a hash. Codes are given in order of first
 * sight and never change.
 */
import type { StringDictionary } from '../../base/model/column-batch.ts';
import { grownCapacity, sharedBytes, sharedUint32 } from './shared-arrays.ts';
import type { RowMemory } from './shared-memory.ts';

const emptySlot = 0xffffffff;

export class DictionaryBuffer {
  readonly #memory: RowMemory;
  #bytes: Uint8Array;
  /** One more than there are strings. */
  #offsets: Uint32Array;
  #hashes = new Uint32Array(16);
  #slots = new Uint32Array(32).fill(emptySlot);
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
    return (
      this.#bytes.length + 4 * (this.#offsets.length + this.#hashes.length + this.#slots.length)
    );
  }

  /** Gives all shared memory back; nothing is asked of it after that. */
  free(): void {
    this.#memory.give(this.#bytes.buffer);
    this.#memory.give(this.#offsets.buffer);
  }

  /** Adds what is new; `codes[i]` becomes the code here of the batch's code i. */
  merge(source: StringDictionary, codes: Uint32Array): void {
    const { count, offsets, bytes } = source;
    // Senders list their series in the same order each time: the guess saves hash and look-up.
    let guess = 0;
    for (let code = 0; code < count; code += 1) {
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
    const mask = this.#slots.length - 1;
    let slot = hash & mask;
    for (;;) {
      const code = this.#slots[slot] as number;
      if (code === emptySlot) return this.#add(bytes, start, end, hash, slot);
      if (this.#hashes[code] === hash && this.#equal(code, bytes, start, end)) return code;
      slot = (slot + 1) & mask;
    }
  }

  /** The code of a string that is here; undefined if it is not. */
  #find(bytes: Uint8Array, start: number, end: number): number | undefined {
    if (this.#count > 0 && this.#equal(0, bytes, start, end)) return 0;
    const hash = this.#hash(bytes, start, end);
    const mask = this.#slots.length - 1;
    for (let slot = hash & mask; ; slot = (slot + 1) & mask) {
      const code = this.#slots[slot] as number;
      if (code === emptySlot) return undefined;
      if (this.#hashes[code] === hash && this.#equal(code, bytes, start, end)) return code;
    }
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

  #add(bytes: Uint8Array, start: number, end: number, hash: number, slot: number): number {
    const code = this.#count;
    const from = this.#offsets[code] as number;
    const to = from + end - start;
    this.#reserve(code + 1, to);
    this.#bytes.set(bytes.subarray(start, end), from);
    this.#offsets[code + 1] = to;
    this.#hashes[code] = hash;
    this.#slots[slot] = code;
    this.#count = code + 1;
    if (this.#count * 2 > this.#slots.length) this.#rehash();
    return code;
  }

  #reserve(count: number, bytes: number): void {
    if (bytes > this.#bytes.length) {
      const grown = sharedBytes(this.#memory, grownCapacity(this.#bytes.length, bytes));
      grown.set(this.#bytes.subarray(0, this.#offsets[this.#count]));
      this.#memory.give(this.#bytes.buffer);
      this.#bytes = grown;
    }
    if (count + 1 > this.#offsets.length) {
      const offsets = sharedUint32(this.#memory, grownCapacity(this.#offsets.length, count + 1));
      offsets.set(this.#offsets.subarray(0, this.#count + 1));
      this.#memory.give(this.#offsets.buffer);
      this.#offsets = offsets;
    }
    if (count <= this.#hashes.length) return;
    const capacity = grownCapacity(this.#hashes.length, count);
    const hashes = new Uint32Array(capacity);
    hashes.set(this.#hashes);
    this.#hashes = hashes;
  }

  #rehash(): void {
    const slots = new Uint32Array(this.#slots.length * 2).fill(emptySlot);
    const mask = slots.length - 1;
    for (let code = 0; code < this.#count; code += 1) {
      let slot = (this.#hashes[code] as number) & mask;
      while (slots[slot] !== emptySlot) slot = (slot + 1) & mask;
      slots[slot] = code;
    }
    this.#slots = slots;
  }
}
