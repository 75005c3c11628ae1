/**
 * The numbers 0, 1, 2, ... of things that were hashed, found again by hash; what they are, and
 * whether two are the same, their owner knows. A table of any size grows without a pause: it is
 * made of segments, and only the segment that is full is made larger or split in two.
 *
 * I1. Adding a number moves at most `movedMax` others, however many there are. Only if very many
 *     hashes agree in their low bits, which a seeded hash does not let a sender arrange, more.
 */
import { freeMemory } from './free-memory.ts';

/** Slots of the first segment. */
const slotsFirst = 16;

/** A segment with more slots is split rather than made larger: moving it takes some 50 us. */
const slotsMax = 4096;

/** Low bits of the hash that choose the segment; those above them choose the slot. */
const choiceBits = 12;

/** Numbers moved when one is added, at most (I1). */
export const movedMax = fullAt(slotsMax) + 1;

/** Numbers that a segment takes before it grows: looking is fastest in one at most half full. */
function fullAt(slots: number): number {
  return slots >>> 1;
}

class Segment {
  /** Per slot a hash, then a number plus one, or 0 where the slot is free. */
  cells: Int32Array;
  mask: number;
  count = 0;
  /** Low bits of the hash that all of its numbers share. */
  readonly depth: number;

  constructor(slots: number, depth: number) {
    this.cells = new Int32Array(2 * slots);
    this.mask = slots - 1;
    this.depth = depth;
  }

  /** Puts a number into the first free slot from where its hash points. */
  put(hash: number, ownNumber: number): void {
    const { cells, mask } = this;
    let slot = (hash >>> choiceBits) & mask;
    while (cells[2 * slot + 1] !== 0) slot = (slot + 1) & mask;
    cells[2 * slot] = hash;
    cells[2 * slot + 1] = ownNumber + 1;
    this.count += 1;
  }
}

export class SlotTable {
  /** By the low bits of the hash; some may be the same segment. */
  #segments: Segment[];
  #choiceMask = 0;
  /** Those of the only segment, as long as there is one: most tables are small. */
  #cells: Int32Array | undefined;
  #bytes: number;
  #moved = 0;

  /** With room for `count` numbers; it grows when more come. */
  constructor(count = 0) {
    let slots = slotsFirst;
    while (fullAt(slots) < count && slots < slotsMax) slots *= 2;
    const segment = new Segment(slots, 0);
    this.#segments = [segment];
    this.#cells = segment.cells;
    this.#bytes = segment.cells.byteLength;
  }

  /** Bytes of memory taken by slots. */
  get bytes(): number {
    return this.#bytes;
  }

  /** Numbers that were moved to other slots so far. */
  get moved(): number {
    return this.#moved;
  }

  /** A number with this hash, or -1 if there is none. */
  first(hash: number): number {
    const cells = this.#cells ?? (this.#segments[hash & this.#choiceMask] as Segment).cells;
    const mask = (cells.length >>> 1) - 1;
    const wanted = hash | 0;
    for (let slot = (hash >>> choiceBits) & mask; ; slot = (slot + 1) & mask) {
      const found = cells[2 * slot + 1] as number;
      if (found === 0 || cells[2 * slot] === wanted) return found - 1;
    }
  }

  /** Another number with this hash: the one behind `before`, which `first` or this gave. */
  next(hash: number, before: number): number {
    const { cells, mask } = this.#segments[hash & this.#choiceMask] as Segment;
    const wanted = hash | 0;
    let isBehind = false;
    for (let slot = (hash >>> choiceBits) & mask; ; slot = (slot + 1) & mask) {
      const found = cells[2 * slot + 1] as number;
      if (found === 0) return -1;
      if (isBehind && cells[2 * slot] === wanted) return found - 1;
      isBehind ||= found === before + 1;
    }
  }

  /** Adds a number, which must not be in the table. */
  add(hash: number, ownNumber: number): void {
    let segment = this.#segments[hash & this.#choiceMask] as Segment;
    if (segment.count >= fullAt(segment.mask + 1)) segment = this.#grow(segment, hash);
    segment.put(hash | 0, ownNumber);
  }

  /** Gives all memory back; nothing is asked of it after that. */
  free(): void {
    for (const { cells } of this.#segments) freeMemory(cells);
    this.#bytes = 0;
  }

  /** Makes room in a full segment; returns the one in which `hash` belongs then. */
  #grow(full: Segment, hash: number): Segment {
    const slots = full.mask + 1;
    if (slots < slotsMax || full.depth === choiceBits)
      this.#enlarge(full, Math.max(2 * slots, Math.min(4 * slots, 1024)));
    else this.#split(full, hash);
    const segment = this.#segments[hash & this.#choiceMask] as Segment;
    // All numbers may have gone to the same side.
    return segment.count < fullAt(segment.mask + 1) ? segment : this.#grow(segment, hash);
  }

  #enlarge(segment: Segment, slots: number): void {
    const { cells } = segment;
    segment.cells = new Int32Array(2 * slots);
    segment.mask = slots - 1;
    segment.count = 0;
    this.#bytes += segment.cells.byteLength - cells.byteLength;
    if (this.#choiceMask === 0) this.#cells = segment.cells;
    this.#move(cells, 0, segment, segment);
  }

  /** Two segments in place of one, by the next bit of the hashes. */
  #split(full: Segment, hash: number): void {
    const bit = 1 << full.depth;
    this.#cells = undefined;
    if (bit > this.#choiceMask) {
      this.#segments = [...this.#segments, ...this.#segments];
      this.#choiceMask = 2 * this.#choiceMask + 1;
    }
    const slots = full.mask + 1;
    const zero = new Segment(slots, full.depth + 1);
    const one = new Segment(slots, full.depth + 1);
    for (let at = hash & (bit - 1); at < this.#segments.length; at += bit) {
      this.#segments[at] = (at & bit) === 0 ? zero : one;
    }
    this.#bytes += one.cells.byteLength;
    this.#move(full.cells, bit, zero, one);
  }

  /** Moves all numbers to `one` if the hash has the bit, else to `zero`. */
  #move(cells: Int32Array, bit: number, zero: Segment, one: Segment): void {
    for (let at = 0; at < cells.length; at += 2) {
      const found = cells[at + 1] as number;
      if (found === 0) continue;
      const hash = cells[at] as number;
      ((hash & bit) === 0 ? zero : one).put(hash, found - 1);
      this.#moved += 1;
    }
    freeMemory(cells);
  }
}
