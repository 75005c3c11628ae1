/**
 * Distinct strings of one column of one request and their codes, in order of first appearance.
 */
import type { StringDictionary } from '../../base/model/column-batch.ts';
import { freeMemory } from '../../base/lib/free-memory.ts';
import { byteSpace, sameBytes, type ByteSpace } from './bytes.ts';

const entriesFirst = 8;
const bytesFirst = 128;

export class DictionaryBuilder {
  #space: ByteSpace;
  #offsets: Uint32Array;
  #hashes: Int32Array;
  /** Code + 1 by hash, linear probing; 0 is free; at most half full. */
  #table: Uint32Array;
  #count = 0;

  /** With room for so many strings and bytes; it grows when more come. */
  constructor(entries = entriesFirst, bytes = bytesFirst) {
    let capacity = entriesFirst;
    while (capacity < entries) capacity *= 2;
    this.#space = byteSpace(new Uint8Array(Math.max(bytesFirst, bytes)));
    this.#offsets = new Uint32Array(capacity + 1);
    this.#hashes = new Int32Array(capacity);
    this.#table = new Uint32Array(capacity * 2);
  }

  /** Code of the `length` bytes at `start`, whose hash the caller has at hand. */
  code(space: ByteSpace, start: number, length: number, hash: number): number {
    const table = this.#table;
    const mask = table.length - 1;
    for (let index = hash & mask; ; index = (index + 1) & mask) {
      const found = (table[index] ?? 0) - 1;
      if (found < 0) return this.#add(space, start, length, hash);
      if (this.#hashes[found] !== hash) continue;
      const offset = this.#offsets[found] ?? 0;
      if ((this.#offsets[found + 1] ?? 0) - offset !== length) continue;
      if (sameBytes(space, start, this.#space, offset, length)) return found;
    }
  }

  finish(): StringDictionary {
    const count = this.#count;
    return {
      count,
      bytes: this.#space.bytes.subarray(0, this.#offsets[count] ?? 0),
      offsets: this.#offsets.subarray(0, count + 1),
    };
  }

  /** Gives all memory back; what `finish` gave is empty then. */
  free(): void {
    for (const array of [this.#space.bytes, this.#offsets, this.#hashes, this.#table]) {
      freeMemory(array);
    }
  }

  #add(space: ByteSpace, start: number, length: number, hash: number): number {
    const code = this.#count;
    const offset = this.#offsets[code] ?? 0;
    if (code === this.#hashes.length) this.#growEntries();
    this.#reserve(offset + length);
    if (length > 32) {
      this.#space.bytes.set(space.bytes.subarray(start, start + length), offset);
    } else {
      const from = space.bytes;
      const to = this.#space.bytes;
      for (let index = 0; index < length; index += 1) to[offset + index] = from[start + index] ?? 0;
    }
    this.#hashes[code] = hash;
    this.#offsets[code + 1] = offset + length;
    this.#count = code + 1;
    this.#place(code, hash);
    return code;
  }

  #place(code: number, hash: number): void {
    const mask = this.#table.length - 1;
    let index = hash & mask;
    while (this.#table[index] !== 0) index = (index + 1) & mask;
    this.#table[index] = code + 1;
  }

  #growEntries(): void {
    const capacity = this.#hashes.length * 2;
    const hashes = new Int32Array(capacity);
    hashes.set(this.#hashes);
    const offsets = new Uint32Array(capacity + 1);
    offsets.set(this.#offsets);
    for (const array of [this.#hashes, this.#offsets, this.#table]) freeMemory(array);
    this.#hashes = hashes;
    this.#offsets = offsets;
    this.#table = new Uint32Array(capacity * 2);
    for (let code = 0; code < this.#count; code += 1) this.#place(code, hashes[code] ?? 0);
  }

  #reserve(needed: number): void {
    const { bytes } = this.#space;
    if (needed <= bytes.length) return;
    const grown = new Uint8Array(Math.max(needed, bytes.length * 2));
    grown.set(bytes);
    freeMemory(bytes);
    this.#space = byteSpace(grown);
  }
}
