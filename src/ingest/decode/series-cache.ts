/**
 * Series by their written bytes: `measurement,tag=value,...` is taken apart once and found again by
 * comparing bytes. Lives across requests and is bounded: when it is full it starts over, which
 * costs time and nothing else, since rows in the making hold no reference that would go stale.
 * Written bytes are only a key: `m,a=1,b=2` and `m,b=2,a=1` are two entries for the same tags.
 */
import { SlotTable } from '../../base/lib/slot-table.ts';
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
  readonly #series: Series[] = [];
  /** Places in `#series` by hash. */
  readonly #table = new SlotTable();

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
    for (let place = table.first(hash); place >= 0; place = table.next(hash, place)) {
      const series = this.#series[place] as Series;
      if (series.length !== length) continue;
      if (sameBytes(space, start, series.space, series.offset, length)) return series;
    }
    return undefined;
  }

  /** Remembers a series of which a row was taken: bad lines must not drive out good ones. */
  add(series: Series): void {
    const { layout } = series;
    if (!this.#layouts.has(layout.name)) {
      this.#layouts.set(layout.name, layout);
      this.spend(1000 + 3 * layout.name.length);
    }
    this.spend(series.bytes);
    this.#table.add(series.hash, this.#series.length);
    this.#series.push(series);
  }

  /** The layout of a measurement; a new one is remembered only with a series that is added. */
  layout(name: string): MeasurementLayout {
    return this.#layouts.get(name) ?? new MeasurementLayout(name);
  }
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
