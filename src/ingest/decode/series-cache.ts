/**
 * Series by their written bytes: `measurement,tag=value,...` is taken apart once and found again by
 * comparing bytes. Lives across requests and is bounded: when it is full it starts over, which
 * costs time and nothing else, since rows in the making hold no reference that would go stale.
 * Written bytes are only a key: `m,a=1,b=2` and `m,b=2,a=1` are two entries for the same tags.
 */
import { ByteArena, hashBytes, sameBytes, type ByteSpace } from './bytes.ts';
import { MeasurementLayout, type TagSlot } from './layout.ts';

export class Series {
  readonly layout: MeasurementLayout;
  readonly hash: number;
  /** Where the written bytes are. */
  readonly space: ByteSpace;
  readonly offset: number;
  readonly length: number;
  /** The tags as `TagSet` of the batch builder has them. */
  readonly tagSlots: readonly TagSlot[];
  readonly tags: Int32Array;
  readonly values: ByteSpace;
  /** The series of the line that followed last time. */
  next: Series | undefined = undefined;
  /** The batch builder that used it last, by its serial, and the number of the series in it. */
  builder = 0;
  local = 0;
  /** True once the registry gave columns for all its tags. */
  admitted = false;

  constructor(
    layout: MeasurementLayout,
    hash: number,
    written: { readonly space: ByteSpace; readonly offset: number },
    length: number,
    tagSlots: readonly TagSlot[],
    tags: Int32Array,
    values: ByteSpace,
  ) {
    this.layout = layout;
    this.hash = hash;
    this.space = written.space;
    this.offset = written.offset;
    this.length = length;
    this.tagSlots = tagSlots;
    this.tags = tags;
    this.values = values;
  }

  /** True if other series brought columns for all its tags. */
  get hasColumns(): boolean {
    if (this.layout.owner === undefined) return false;
    for (const { ref } of this.tagSlots) if (ref === undefined) return false;
    return true;
  }

  /** Roughly what it holds in memory. */
  get bytes(): number {
    const seriesBytes = 250;
    const tagBytes = 30;
    return seriesBytes + this.length + this.tagSlots.length * tagBytes;
  }
}

/** Memory of all caches of a decoder together, roughly. */
export interface CacheBudget {
  bytes: number;
}

export class SeriesCache {
  readonly arena = new ByteArena(65_536);
  /** The series of the first line of the last request: the guess for the next one's. */
  first: Series | undefined = undefined;
  readonly #seed: number;
  readonly #budget: CacheBudget;
  readonly #layouts = new Map<string, MeasurementLayout>();
  /** Open addressing, linear probing; at most half full. */
  #table: (Series | undefined)[] = new Array<undefined>(64).fill(undefined);
  #count = 0;

  constructor(seed: number, budget: CacheBudget) {
    this.#seed = seed;
    this.#budget = budget;
  }

  /** Notes memory that an entry takes. */
  spend(bytes: number): void {
    this.#budget.bytes += bytes;
  }

  hash(space: ByteSpace, start: number, length: number): number {
    return hashBytes(space, start, length, this.#seed);
  }

  find(space: ByteSpace, start: number, length: number, hash: number): Series | undefined {
    const table = this.#table;
    const mask = table.length - 1;
    for (let index = hash & mask; ; index = (index + 1) & mask) {
      const series = table[index];
      if (series === undefined) return undefined;
      if (
        series.hash === hash &&
        series.length === length &&
        sameBytes(space, start, series.space, series.offset, length)
      ) {
        return series;
      }
    }
  }

  /** Remembers a series of which a row was taken: bad lines must not drive out good ones. */
  add(series: Series): void {
    const { layout } = series;
    if (!this.#layouts.has(layout.name)) {
      this.#layouts.set(layout.name, layout);
      this.spend(1000 + 3 * layout.name.length);
    }
    if (this.#count * 2 >= this.#table.length) this.#grow();
    this.#count += 1;
    this.spend(series.bytes);
    place(this.#table, series);
  }

  /** The layout of a measurement; a new one is remembered only with a series that is added. */
  layout(name: string): MeasurementLayout {
    return this.#layouts.get(name) ?? new MeasurementLayout(name);
  }

  #grow(): void {
    const old = this.#table;
    this.#table = new Array<undefined>(old.length * 2).fill(undefined);
    for (const series of old) if (series !== undefined) place(this.#table, series);
  }
}

function place(table: (Series | undefined)[], series: Series): void {
  const mask = table.length - 1;
  let index = series.hash & mask;
  while (table[index] !== undefined) index = (index + 1) & mask;
  table[index] = series;
}

/** One cache per database. All start over together when they are full or the registry says so. */
export class SeriesCaches {
  readonly #bytesMax: number;
  readonly #seed: number;
  readonly #byDatabase = new Map<string, SeriesCache>();
  #budget: CacheBudget = { bytes: 0 };
  #generation = -1;

  constructor(bytesMax: number, seed: number) {
    this.#bytesMax = bytesMax;
    this.#seed = seed;
  }

  /** The cache to go on with; asked again after each pause and each bounded piece of work. */
  current(database: string, generation: number): SeriesCache {
    if (this.#budget.bytes > this.#bytesMax || this.#generation !== generation) {
      this.#byDatabase.clear();
      this.#budget = { bytes: 0 };
      this.#generation = generation;
    }
    const known = this.#byDatabase.get(database);
    if (known !== undefined) return known;
    const cache = new SeriesCache(this.#seed, this.#budget);
    cache.spend(2000 + 3 * database.length);
    this.#byDatabase.set(database, cache);
    return cache;
  }
}
