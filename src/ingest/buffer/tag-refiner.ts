/**
 * One tag column's part in telling series apart: given for each row the series by the tags before
 * this one, it gives the series by this one too. The tag of a series seldom changes (a host keeps
 * its rack), so the value that a series had last is tried first; else a hash of two small integers.
 * Main thread.
 */
import type { ColumnValues } from '../../base/model/column-batch.ts';
import { present } from '../../base/lib/assert.ts';
import { SlotTable } from '../../base/lib/slot-table.ts';

const none = 0xffffffff;

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

function grown(
  array: Uint32Array<ArrayBuffer>,
  length: number,
  fill: number,
): Uint32Array<ArrayBuffer> {
  if (length <= array.length) return array;
  const made = new Uint32Array(Math.max(length, 2 * array.length)).fill(fill, array.length);
  made.set(array);
  return made;
}

export class TagRefiner {
  readonly columnId: number;
  /** Series by the tags before that are also those by this one, which they lack. */
  readonly #base: number;
  #count: number;
  /**
   * By series of this tag from `#base` on: the series before it, and the code plus one (0: no such
   * tag).
   */
  #parents = new Uint32Array(16);
  #codes = new Uint32Array(16);
  /** By series before this tag: the code that it had last, and the series of both. */
  #lastValues = new Uint32Array(16).fill(none);
  #lastSeries = new Uint32Array(16);
  /** By the hash of both. */
  readonly #table = new SlotTable();
  /** Codes known to be of the empty string, which is an absent tag (P17). */
  #emptyCode = none;
  #codesSeen = 0;

  /** @param base series by the tags before of rows that came earlier, which all lack this tag */
  constructor(columnId: number, base = 0) {
    this.columnId = columnId;
    this.#base = base;
    this.#count = base;
  }

  /** Series of this tag so far. */
  get count(): number {
    return this.#count;
  }

  get bytes(): number {
    const arrays = [this.#parents, this.#codes, this.#lastValues, this.#lastSeries];
    return arrays.reduce((sum, array) => sum + array.byteLength, this.#table.bytes);
  }

  parentOf(series: number): number {
    return series < this.#base ? series : (this.#parents[series - this.#base] as number);
  }

  /** Code of the tag's value; undefined if the series has no such tag. */
  codeOf(series: number): number | undefined {
    if (series < this.#base) return undefined;
    const code = this.#codes[series - this.#base] as number;
    return code === 0 ? undefined : code - 1;
  }

  /**
   * Replaces in `series`, for rows `from` to `to` (exclusive), the number by the tags before by the
   * number by this tag too.
   * @param parentCount numbers by the tags before are below it
   */
  refine(
    tag: ColumnValues,
    series: Uint32Array,
    from: number,
    to: number,
    parentCount: number,
  ): void {
    this.#lastValues = grown(this.#lastValues, parentCount, none);
    this.#lastSeries = grown(this.#lastSeries, parentCount, 0);
    this.#findEmpty(tag);
    const values = tag.values as Uint32Array;
    if (tag.rows === undefined) this.#refineDense(values, series, from, to);
    else this.#refineSparse(values, tag.rows, series, from, to);
  }

  #refineDense(values: Uint32Array, series: Uint32Array, from: number, to: number): void {
    const lastValues = this.#lastValues;
    const lastSeries = this.#lastSeries;
    for (let row = from; row < to; row += 1) {
      const parent = series[row] as number;
      const value = values[row] as number;
      series[row] =
        lastValues[parent] === value ? (lastSeries[parent] as number) : this.#look(parent, value);
    }
  }

  #refineSparse(
    values: Uint32Array,
    rows: Uint32Array,
    series: Uint32Array,
    from: number,
    to: number,
  ): void {
    let next = firstAtOrAbove(rows, from);
    for (let row = from; row < to; row += 1) {
      const hasValue = rows[next] === row;
      series[row] = this.#look(series[row] as number, hasValue ? (values[next] as number) : none);
      if (hasValue) next += 1;
    }
  }

  /** @param value the code of the value; `none` if there is none */
  #look(parent: number, value: number): number {
    if (this.#lastValues[parent] === value && value !== none) {
      return this.#lastSeries[parent] as number;
    }
    const found = this.#find(parent, value === none || value === this.#emptyCode ? 0 : value + 1);
    this.#lastValues[parent] = value;
    this.#lastSeries[parent] = found;
    return found;
  }

  /** Only codes that came since the last look can be of the empty string. */
  #findEmpty(tag: ColumnValues): void {
    const { count, offsets } = present(tag.dictionary, 'dictionary of a tag');
    for (let code = this.#codesSeen; code < count; code += 1) {
      if (offsets[code] === offsets[code + 1]) this.#emptyCode = code;
    }
    this.#codesSeen = count;
  }

  #find(parent: number, code: number): number {
    const base = this.#base;
    if (code === 0 && parent < base) return parent;
    const hash = hashOf(parent, code);
    const table = this.#table;
    for (let own = table.first(hash); own >= 0; own = table.next(hash, own)) {
      if (this.#parents[own] === parent && this.#codes[own] === code) return base + own;
    }
    return base + this.#add(hash, parent, code);
  }

  #add(hash: number, parent: number, code: number): number {
    const own = this.#count - this.#base;
    this.#count += 1;
    this.#parents = grown(this.#parents, own + 1, 0);
    this.#codes = grown(this.#codes, own + 1, 0);
    this.#parents[own] = parent;
    this.#codes[own] = code;
    this.#table.add(hash, own);
    return own;
  }
}

function hashOf(parent: number, code: number): number {
  let hash = Math.imul(parent ^ 0x2545f491, 0x5bd1e995);
  hash = Math.imul(hash ^ (hash >>> 15) ^ code, 0x5bd1e995);
  return (hash ^ (hash >>> 13)) >>> 0;
}
