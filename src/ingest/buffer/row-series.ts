/**
 * Which rows of one row set belong to the same series. Inside a set tag values are codes, so rows
 * are told apart by small integers, tag by tag (tag-refiner.ts). Series are numbered from 0 in no
 * order, and only for this set: a key names one for ever. Main thread.
 */
import type { ColumnValues } from '../../base/model/column-batch.ts';
import { present } from '../../base/lib/assert.ts';
import type { Steps } from '../../base/lib/turns.ts';
import type { KeyScratch } from './series-table.ts';
import { TagRefiner } from './tag-refiner.ts';

/** Order of columns in a key; a test composes another. */
export type KeyOrder = (a: ColumnValues, b: ColumnValues) => number;

/** One series has one key, in whatever order its tags came. */
export const byColumnId: KeyOrder = (a, b) => a.column.physical.id - b.column.physical.id;

/** Cells (rows x tag columns) that are looked at between two chances for a pause. */
export const cellsPerStep = 65_536;

export class RowSeries {
  readonly #order: KeyOrder;
  /** In the order in which their columns came; a row's series is found tag by tag. */
  #refiners: readonly TagRefiner[] = [];
  /** The columns of the refiners, as they were seen last. */
  #tags: readonly ColumnValues[] = [];
  /** Places of the refiners in the order of a key. */
  #keyPlaces: readonly number[] = [];
  /** By place: the code of the series whose key is written; -1 if it lacks the tag. */
  #codes = new Int32Array(0);
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

  /** Rows whose series are known, as long as no tag column comes that they have a value in. */
  get mapped(): number {
    return this.#mapped;
  }

  /**
   * Series by row for all rows below `to`; true until the next call.
   * @param tags tag columns of the set as they are now
   */
  map(tags: readonly ColumnValues[], to: number): Uint32Array {
    this.#take(tags);
    if (to > this.#series.length) {
      const made = new Uint32Array(Math.max(to, 2 * this.#series.length));
      made.set(this.#series.subarray(0, this.#mapped));
      this.#series = made;
    }
    if (to > this.#mapped) this.#refine(to);
    return this.#series;
  }

  /** As `map`; yields between pieces of the work. */
  *mapping(tags: readonly ColumnValues[], to: number): Steps {
    this.#take(tags);
    const step = Math.max(1, Math.floor(cellsPerStep / Math.max(1, tags.length)));
    while (this.#mapped < to) {
      this.map(tags, Math.min(to, this.#mapped + step));
      yield;
    }
  }

  /** Puts the bytes that name the series in every row set of its measurement into `key`. */
  writeKey(series: number, key: KeyScratch): void {
    key.length = 0;
    let own = series;
    for (let place = this.#refiners.length - 1; place >= 0; place -= 1) {
      const refiner = this.#refiners[place] as TagRefiner;
      this.#codes[place] = refiner.codeOf(own) ?? -1;
      own = refiner.parentOf(own);
    }
    for (const place of this.#keyPlaces) {
      const code = this.#codes[place] as number;
      if (code < 0) continue;
      const { bytes, offsets } = present(this.#tags[place]?.dictionary, 'dictionary of a tag');
      const start = offsets[code] as number;
      const end = offsets[code + 1] as number;
      key.putNumber((this.#refiners[place] as TagRefiner).columnId);
      key.putNumber(end - start);
      key.putBytes(bytes, start, end);
    }
  }

  /** Takes the columns as they are now; one that no row so far has a value in changes no series. */
  #take(tags: readonly ColumnValues[]): void {
    const byId = new Map(tags.map((tag) => [tag.column.physical.id, tag]));
    const known = this.#refiners.flatMap(({ columnId }) => byId.get(columnId) ?? []);
    if (known.length === this.#refiners.length && known.length === tags.length) {
      this.#tags = known;
      return;
    }
    for (const { columnId } of this.#refiners) byId.delete(columnId);
    const added = [...byId.values()];
    if (known.length === this.#refiners.length && added.every((tag) => this.#isLater(tag))) {
      this.#tags = [...known, ...added];
      this.#refiners = [...this.#refiners, ...this.#refinersOf(added, this.count)];
    } else {
      // What told series apart was not all: rows are mapped again.
      this.#tags = tags;
      this.#refiners = this.#refinersOf(tags, 0);
      this.#series.fill(0, 0, this.#mapped);
      this.#mapped = 0;
    }
    const places = this.#tags.map((tag, place) => ({ tag, place }));
    places.sort((a, b) => this.#order(a.tag, b.tag));
    this.#keyPlaces = places.map(({ place }) => place);
    this.#codes = new Int32Array(places.length);
  }

  /** True if no row that is mapped has a value of the tag. */
  #isLater({ rows }: ColumnValues): boolean {
    return this.#mapped > 0 && rows !== undefined && (rows[0] ?? Infinity) >= this.#mapped;
  }

  #refinersOf(tags: readonly ColumnValues[], base: number): readonly TagRefiner[] {
    return tags.map(({ column }) => new TagRefiner(column.physical.id, base));
  }

  #refine(to: number): void {
    let parentCount = 1;
    this.#refiners.forEach((refiner, place) => {
      const tag = present(this.#tags[place], 'tag');
      refiner.refine(tag, this.#series, this.#mapped, to, parentCount);
      parentCount = refiner.count;
    });
    this.#mapped = to;
  }
}
