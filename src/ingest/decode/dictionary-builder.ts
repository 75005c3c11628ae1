/**
 * Distinct strings of one column of one request and their codes, in order of first appearance.
 */
import type { StringDictionary } from '../../base/model/column-batch.ts';
import { freeMemory } from '../../base/lib/free-memory.ts';
import { SlotTable } from '../../base/lib/slot-table.ts';
import { byteSpace, sameBytes, type ByteSpace } from './bytes.ts';

const entriesFirst = 8;
const bytesFirst = 128;

export class DictionaryBuilder {
  #space: ByteSpace;
  #offsets: Uint32Array;
  /** Codes by the hash of their strings. */
  readonly #table: SlotTable;
  #count = 0;

  /** With room for so many strings and bytes; it grows when more come. */
  constructor(entries = entriesFirst, bytes = bytesFirst) {
    let capacity = entriesFirst;
    while (capacity < entries) capacity *= 2;
    this.#space = byteSpace(new Uint8Array(Math.max(bytesFirst, bytes)));
    this.#offsets = new Uint32Array(capacity + 1);
    this.#table = new SlotTable(entries);
  }

  /** Code of the `length` bytes at `start`, whose hash the caller has at hand. */
  code(space: ByteSpace, start: number, length: number, hash: number): number {
    const table = this.#table;
    for (let found = table.first(hash); found >= 0; found = table.next(hash, found)) {
      const offset = this.#offsets[found] as number;
      if ((this.#offsets[found + 1] as number) - offset !== length) continue;
      if (sameBytes(space, start, this.#space, offset, length)) return found;
    }
    return this.#add(space, start, length, hash);
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
    freeMemory(this.#space.bytes);
    freeMemory(this.#offsets);
    this.#table.free();
  }

  #add(space: ByteSpace, start: number, length: number, hash: number): number {
    const code = this.#count;
    const offset = this.#offsets[code] as number;
    if (code + 1 === this.#offsets.length) this.#growOffsets();
    this.#reserve(offset + length);
    if (length > 32) {
      this.#space.bytes.set(space.bytes.subarray(start, start + length), offset);
    } else {
      const from = space.bytes;
      const to = this.#space.bytes;
      for (let index = 0; index < length; index += 1) to[offset + index] = from[start + index] ?? 0;
    }
    this.#offsets[code + 1] = offset + length;
    this.#count = code + 1;
    this.#table.add(hash, code);
    return code;
  }

  #growOffsets(): void {
    const offsets = new Uint32Array(2 * this.#count + 1);
    offsets.set(this.#offsets);
    freeMemory(this.#offsets);
    this.#offsets = offsets;
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
