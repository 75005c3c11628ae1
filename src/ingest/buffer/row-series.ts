/**
 * Which rows of one row set belong to the same series. Inside a set tag values are codes, so a row
 * is compared by small integers; senders repeat their series in the same order, so the series that
 * followed last time is tried first. Series are numbered in order of first sight, from 0, and only
 * hold for this set: `key` names one for ever. Main thread.
 */
import type { ColumnValues, StringDictionary } from '../../base/model/column-batch.ts';
import { present } from '../../base/lib/assert.ts';

const none = 0xffffffff;

/** Order of columns in a key; a test composes another. */
export type KeyOrder = (a: ColumnValues, b: ColumnValues) => number;

/** One series has one key, in whatever order its tags came. */
export const byColumnId: KeyOrder = (a, b) => a.column.physical.id - b.column.physical.id;

/** A tag column while rows are walked in ascending order. */
interface TagCursor {
  readonly values: Uint32Array;
  readonly rows: Uint32Array | undefined;
  /** Code of the empty string, which is an absent tag (P17). */
  readonly emptyCode: number;
  /** Next value of a sparse column. */
  next: number;
}

function emptyCodeOf({ count, offsets }: StringDictionary): number {
  for (let code = 0; code < count; code += 1) if (offsets[code] === offsets[code + 1]) return code;
  return none;
}

/** First index in ascending `rows` that is at or above `row`. */
function firstAtOrAbove(rows: Uint32Array, row: number): number {
  let low = 0;
  let high = rows.length;
  while (low < high) {
    const middle = (low + high) >>> 1;
    if ((rows[middle] as number) < row) low = middle + 1;
    else high = middle;
  }
  return low;
}

function cursorOf(tag: ColumnValues, from: number): TagCursor {
  return {
    values: tag.values as Uint32Array,
    rows: tag.rows,
    emptyCode: emptyCodeOf(present(tag.dictionary, 'dictionary of a tag')),
    next: tag.rows === undefined ? 0 : firstAtOrAbove(tag.rows, from),
  };
}

export class RowSeries {
  readonly #order: KeyOrder;
  #tags: readonly ColumnValues[] = [];
  /** Series by row. */
  #series = new Uint32Array(0);
  #mapped = 0;
  #count = 0;
  /** Codes plus one (0: no such tag) of series i at i * tag count. */
  #codes = new Uint32Array(0);
  /** Series that followed series i when it was last seen. */
  #followers = new Uint32Array(0);
  #slots = new Uint32Array(0);
  #row = new Uint32Array(0);

  constructor(order: KeyOrder = byColumnId) {
    this.#order = order;
  }

  /** Number of series in the rows mapped so far. */
  get count(): number {
    return this.#count;
  }

  get bytes(): number {
    const { length } = this.#series;
    return 4 * (length + this.#codes.length + this.#followers.length + this.#slots.length);
  }

  /**
   * Series by row for all rows below `to`; true until the next call.
   * @param tags tag columns of the set as they are now
   */
  map(tags: readonly ColumnValues[], to: number): Uint32Array {
    const ordered = [...tags].sort(this.#order);
    if (!this.#sameColumns(ordered)) this.#reset(ordered.length);
    this.#tags = ordered;
    if (to <= this.#mapped) return this.#series;
    if (to > this.#series.length) {
      const grown = new Uint32Array(Math.max(to, 2 * this.#series.length));
      grown.set(this.#series.subarray(0, this.#mapped));
      this.#series = grown;
    }
    this.#walk(to);
    return this.#series;
  }

  /** Bytes that name the series in every row set of its measurement, as text of one byte each. */
  key(series: number): string {
    const parts: Buffer[] = [];
    this.#tags.forEach(({ column, dictionary }, index) => {
      const code = this.#codes[series * this.#tags.length + index] as number;
      if (code === 0 || dictionary === undefined) return;
      const start = dictionary.offsets[code - 1] as number;
      const length = (dictionary.offsets[code] as number) - start;
      const head = Buffer.alloc(8);
      head.writeUInt32LE(column.physical.id, 0);
      head.writeUInt32LE(length, 4);
      const { bytes } = dictionary;
      parts.push(head, Buffer.from(bytes.buffer, bytes.byteOffset + start, length));
    });
    return Buffer.concat(parts).toString('latin1');
  }

  #sameColumns(tags: readonly ColumnValues[]): boolean {
    if (tags.length !== this.#tags.length) return false;
    return tags.every((tag, index) => {
      return tag.column.physical.id === this.#tags[index]?.column.physical.id;
    });
  }

  /** A new tag column changes what tells series apart: rows are mapped again. */
  #reset(tagCount: number): void {
    this.#mapped = 0;
    this.#count = 0;
    this.#codes = new Uint32Array(16 * tagCount);
    this.#followers = new Uint32Array(16);
    this.#slots = new Uint32Array(64).fill(none);
    this.#row = new Uint32Array(tagCount);
  }

  #walk(to: number): void {
    const cursors = this.#tags.map((tag) => cursorOf(tag, this.#mapped));
    if (this.#slots.length === 0) this.#reset(0);
    const series = this.#series;
    let before = this.#mapped === 0 ? none : (series[this.#mapped - 1] as number);
    for (let row = this.#mapped; row < to; row += 1) {
      this.#readRow(cursors, row);
      const guess = before === none ? none : (this.#followers[before] as number);
      const found = guess < this.#count && this.#isRow(guess) ? guess : this.#find();
      if (before !== none) this.#followers[before] = found;
      series[row] = found;
      before = found;
    }
    this.#mapped = to;
  }

  #readRow(cursors: readonly TagCursor[], row: number): void {
    const codes = this.#row;
    for (let index = 0; index < cursors.length; index += 1) {
      const cursor = cursors[index] as TagCursor;
      let code = none;
      if (cursor.rows === undefined) code = cursor.values[row] as number;
      else if (cursor.rows[cursor.next] === row) {
        code = cursor.values[cursor.next] as number;
        cursor.next += 1;
      }
      codes[index] = code === none || code === cursor.emptyCode ? 0 : code + 1;
    }
  }

  #isRow(series: number): boolean {
    const row = this.#row;
    const start = series * row.length;
    for (let index = 0; index < row.length; index += 1) {
      if (this.#codes[start + index] !== row[index]) return false;
    }
    return true;
  }

  #find(): number {
    const mask = this.#slots.length - 1;
    let slot = hashOf(this.#row, 0, this.#row.length) & mask;
    for (;;) {
      const series = this.#slots[slot] as number;
      if (series === none) return this.#add(slot);
      if (this.#isRow(series)) return series;
      slot = (slot + 1) & mask;
    }
  }

  #add(slot: number): number {
    const series = this.#count;
    const { length } = this.#row;
    if (series === this.#followers.length) {
      const codes = new Uint32Array(2 * this.#codes.length);
      codes.set(this.#codes);
      this.#codes = codes;
      const followers = new Uint32Array(2 * series);
      followers.set(this.#followers);
      this.#followers = followers;
    }
    this.#codes.set(this.#row, series * length);
    this.#followers[series] = none;
    this.#slots[slot] = series;
    this.#count += 1;
    if (2 * this.#count > this.#slots.length) this.#rehash();
    return series;
  }

  #rehash(): void {
    const slots = new Uint32Array(2 * this.#slots.length).fill(none);
    const mask = slots.length - 1;
    const { length } = this.#row;
    for (let series = 0; series < this.#count; series += 1) {
      let slot = hashOf(this.#codes, series * length, (series + 1) * length) & mask;
      while (slots[slot] !== none) slot = (slot + 1) & mask;
      slots[slot] = series;
    }
    this.#slots = slots;
  }
}

function hashOf(codes: Uint32Array, from: number, to: number): number {
  let hash = 0x2545f491;
  for (let index = from; index < to; index += 1) {
    hash = Math.imul(hash ^ (codes[index] as number), 0x5bd1e995);
    hash ^= hash >>> 15;
  }
  return hash >>> 0;
}
