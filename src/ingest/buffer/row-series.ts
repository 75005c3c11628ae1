/**
 * Which rows of one row set belong to the same series. Inside a set tag values are codes, so rows
 * are told apart by small integers, tag by tag (tag-refiner.ts). Series are numbered from 0 in no
 * order, and only for this set: a key names one for ever. Main thread.
 */
import type { ColumnValues } from '../../base/model/column-batch.ts';
import { present } from '../../base/lib/assert.ts';
import type { KeyScratch } from './series-table.ts';
import { TagRefiner } from './tag-refiner.ts';

/** Order of columns in a key; a test composes another. */
export type KeyOrder = (a: ColumnValues, b: ColumnValues) => number;

/** One series has one key, in whatever order its tags came. */
export const byColumnId: KeyOrder = (a, b) => a.column.physical.id - b.column.physical.id;

export class RowSeries {
  readonly #order: KeyOrder;
  #tags: readonly ColumnValues[] = [];
  #refiners: readonly TagRefiner[] = [];
  /** Series by row. */
  #series = new Uint32Array(0);
  #mapped = 0;

  constructor(order: KeyOrder = byColumnId) {
    this.#order = order;
  }

  /** Numbers of series are below it. */
  get count(): number {
    return this.#refiners.at(-1)?.count ?? 1;
  }

  get bytes(): number {
    return this.#refiners.reduce((sum, { bytes }) => sum + bytes, this.#series.byteLength);
  }

  /**
   * Series by row for all rows below `to`; true until the next call.
   * @param tags tag columns of the set as they are now
   */
  map(tags: readonly ColumnValues[], to: number): Uint32Array {
    this.#tags = [...tags].sort(this.#order);
    const ids = this.#tags.map(({ column }) => column.physical.id);
    const isKnown =
      ids.length === this.#refiners.length &&
      ids.every((id, index) => id === this.#refiners[index]?.columnId);
    if (!isKnown) {
      // A new tag column changes what tells series apart: rows are mapped again.
      this.#refiners = ids.map((id) => new TagRefiner(id));
      this.#series.fill(0, 0, this.#mapped);
      this.#mapped = 0;
    }
    if (to > this.#series.length) {
      const made = new Uint32Array(Math.max(to, 2 * this.#series.length));
      made.set(this.#series.subarray(0, this.#mapped));
      this.#series = made;
    }
    if (to > this.#mapped) this.#refine(to);
    return this.#series;
  }

  /** Puts the bytes that name the series in every row set of its measurement into `key`. */
  writeKey(series: number, key: KeyScratch): void {
    key.length = 0;
    let own = series;
    for (let index = this.#refiners.length - 1; index >= 0; index -= 1) {
      const refiner = this.#refiners[index] as TagRefiner;
      const code = refiner.codeOf(own);
      own = refiner.parentOf(own);
      if (code === undefined) continue;
      const { bytes, offsets } = present(this.#tags[index]?.dictionary, 'dictionary of a tag');
      const start = offsets[code] as number;
      const end = offsets[code + 1] as number;
      key.putNumber(refiner.columnId);
      key.putNumber(end - start);
      key.putBytes(bytes, start, end);
    }
  }

  #refine(to: number): void {
    let parentCount = 1;
    this.#refiners.forEach((refiner, index) => {
      const tag = present(this.#tags[index], 'tag');
      refiner.refine(tag, this.#series, this.#mapped, to, parentCount);
      parentCount = refiner.count;
    });
    this.#mapped = to;
  }
}
