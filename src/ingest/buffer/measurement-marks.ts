/**
 * Floors and marks of one measurement (series-marks.ts has the rules). Times are kept as offsets in
 * their hour plus one; 0 is below every row. What takes long yields: rows are neither judged nor
 * sealed meanwhile. Main thread.
 */
import type { ColumnValues } from '../../base/model/column-batch.ts';
import type { Steps } from '../../base/lib/turns.ts';
import { halvesOf, hoursOfRows, offsetsBase } from '../../storage/parquet/hours.ts';
import { HourFloors } from './hour-floors.ts';
import type { RowSeries } from './row-series.ts';
import { KeyScratch, seriesPerStep, SeriesTable } from './series-table.ts';

/** Hours of a measurement with marks. */
export const hoursKept = 2;

/** Tag cells (rows x tag columns) looked at for one seal or batch; beyond it floors have to do. */
export const cellsMax = 4_000_000;

/** An entry of a map of two numbers, about. */
const namingBytes = 40;

/** Rows whose hours are looked at between two chances for a pause; each may be of another hour. */
export const rowsPerStep = 4096;

/** Series without work to speak of between two chances for a pause. */
const scannedPerStep = 65_536;

/** Bytes that marks and key of a series take at least. */
const seriesBytesMin = 40;

/** The floor after marks were dropped; a test composes another. */
export type FloorRule = (floor: number, highestMark: number) => number;

/** Rows with identity of one buffer, as far as telling repeats needs them. */
export interface MarkedRows {
  /** Of all rows that were put in. */
  readonly times: BigInt64Array;
  readonly series: RowSeries;
  /** As `ColumnBatch.namings`, of all rows. */
  readonly namings: number;
  /** Hours of the rows: the two written last, the last one at the end; fewer if there are fewer. */
  readonly hoursLast: readonly number[];
  /** The tag columns as they are now. */
  tags(): readonly ColumnValues[];
}

/** Rows called repeats, and of these those that rows of before a naming stay apart from. */
export interface RepeatCounts {
  repeats: number;
  unmergedRepeats: number;
}

interface HourMarks {
  highest: number;
  /** By number of the series; 0 where there is none. */
  marks: Uint32Array;
}

function highestOffset(times: Int32Array, hour: number, first: number, end: number): number {
  const base = offsetsBase(hour);
  let highest = 0;
  for (let row = first; row < end; row += 1) {
    const offset = ((times[2 * row] as number) - base) >>> 0;
    if (offset >= highest) highest = offset + 1;
  }
  return highest;
}

function grown(marks: Uint32Array, length: number): Uint32Array {
  const made = new Uint32Array(Math.max(length, 2 * marks.length));
  made.set(marks);
  return made;
}

/** Tells the repeats among rows that came after the last seal. Made anew when more rows came. */
export class Judge {
  readonly #marks: MeasurementMarks;
  readonly #rows: MarkedRows;
  readonly #counts: RepeatCounts;
  readonly #halves: Int32Array;
  /** Series by row, once it was needed. */
  #byRow: Uint32Array | undefined;
  /** By series of the rows: its number in the marks, -1 if it has none. */
  #numbers: Map<number, number> | undefined;

  constructor(marks: MeasurementMarks, rows: MarkedRows, counts: RepeatCounts) {
    this.#marks = marks;
    this.#rows = rows;
    this.#counts = counts;
    this.#halves = halvesOf(rows.times);
  }

  /**
   * Calls back with each repeat among rows `first` to `end` (exclusive), all of UTC hour `hour`.
   * Rows above everything sealed of their hour cost one comparison.
   */
  judge(hour: number, first: number, end: number, found: (row: number) => void): void {
    const floor = this.#marks.floors.at(hour);
    const kept = this.#marks.keptOf(hour);
    const highest = Math.max(floor, kept?.highest ?? 0);
    if (highest === 0) return;
    const halves = this.#halves;
    const base = offsetsBase(hour);
    let repeats = 0;
    for (let row = first; row < end; row += 1) {
      const offset = ((halves[2 * row] as number) - base) >>> 0;
      if (offset >= highest) continue;
      if (offset >= floor && kept !== undefined && offset >= this.#markOf(row, kept.marks))
        continue;
      found(row);
      repeats += 1;
    }
    if (repeats === 0) return;
    this.#counts.repeats += repeats;
    const isApart = this.#marks.hasEarlier(hour, this.#rows.namings);
    if (isApart) this.#counts.unmergedRepeats += repeats;
  }

  /** Infinity if telling series apart takes too long: then the row counts as a repeat. */
  #markOf(row: number, marks: Uint32Array): number {
    this.#byRow ??= this.#map();
    const own = this.#byRow[row];
    if (own === undefined) return Infinity;
    this.#numbers ??= new Map();
    let number = this.#numbers.get(own);
    if (number === undefined) {
      number = this.#marks.numberOf(this.#rows.series, own) ?? -1;
      this.#numbers.set(own, number);
    }
    return marks[number] ?? 0;
  }

  /** Series by row; empty if that takes too long. */
  #map(): Uint32Array {
    const tags = this.#rows.tags();
    const { length } = this.#rows.times;
    if (length * tags.length > cellsMax) return new Uint32Array(0);
    return this.#rows.series.map(tags, length);
  }
}

export class MeasurementMarks {
  readonly floors = new HourFloors();
  readonly #rule: FloorRule;
  readonly #seed: number;
  /** Hours with marks, the one written last at the end. */
  readonly #kept = new Map<number, HourMarks>();
  /** By hour, what the first namings were that its sealed rows know of; absent: 0. */
  readonly #namings = new Map<number, number>();
  #series: SeriesTable;
  readonly #key = new KeyScratch();

  constructor(rule: FloorRule, seed: number) {
    this.#rule = rule;
    this.#seed = seed;
    this.#series = new SeriesTable(seed);
  }

  get bytes(): number {
    return this.markBytes + this.floors.bytes + this.#namings.size * namingBytes;
  }

  /** Bytes that `drop` would free. */
  get markBytes(): number {
    let bytes = this.#series.count === 0 ? 0 : this.#series.bytes;
    for (const { marks } of this.#kept.values()) bytes += marks.byteLength;
    return bytes;
  }

  /** True if series are told apart in some hour. */
  get hasMarks(): boolean {
    return this.#kept.size > 0;
  }

  /** Rows of `hour` that know of `namings` are sealed: the floor of the hour is not below it. */
  raiseFloor(hour: number, floor: number, namings: number): void {
    this.#noteNamings(hour, namings);
    this.floors.raise(hour, floor);
  }

  /** True if sealed rows of `hour`, which has some, know of fewer namings. */
  hasEarlier(hour: number, namings: number): boolean {
    return (this.#namings.get(hour) ?? 0) < namings;
  }

  keptOf(hour: number): { readonly highest: number; readonly marks: Uint32Array } | undefined {
    return this.#kept.get(hour);
  }

  /** Number in all marks of a series of `rows`; undefined if none has it. */
  numberOf(rows: RowSeries, own: number): number | undefined {
    rows.writeKey(own, this.#key);
    return this.#series.find(this.#key);
  }

  /**
   * Notes that all rows of a buffer are sealed: they may be repeated from now on.
   * @param bytesMax marks that would take more are not made: floors have to do
   */
  *sealing(rows: MarkedRows, bytesMax: number): Steps {
    const { times, series, hoursLast } = rows;
    const others = [...this.#kept.keys()].filter((hour) => !hoursLast.includes(hour));
    const tooMany = Math.max(0, others.length + hoursLast.length - hoursKept);
    yield* this.#dropping(others.slice(0, tooMany));
    const tags = rows.tags();
    let isAffordable = times.length * tags.length <= cellsMax;
    if (isAffordable) {
      yield* series.mapping(tags, times.length);
      isAffordable = series.count * seriesBytesMin <= bytesMax;
    }
    const marked = new Map<number, Uint32Array>();
    if (isAffordable) {
      for (const hour of hoursLast) marked.set(hour, new Uint32Array(series.count));
    }
    const byRow = isAffordable ? series.map(tags, times.length) : new Uint32Array(0);
    yield* this.#findHighest(rows, byRow, marked);
    for (const [hour, own] of marked) yield* this.#raising(hour, own, series);
  }

  /** Drops all marks and what names their series. */
  drop(): void {
    // Without an hour that is kept there is no work to pause from.
    for (const steps = this.#dropping([...this.#kept.keys()]); steps.next().done !== true; );
  }

  /** Raises floors, and in hours of `marked` the highest offset plus one by series of the rows. */
  *#findHighest(
    { times, namings }: MarkedRows,
    byRow: Uint32Array,
    marked: ReadonlyMap<number, Uint32Array>,
  ): Steps {
    const halves = halvesOf(times);
    for (let from = 0; from < times.length; from += rowsPerStep) {
      const to = Math.min(times.length, from + rowsPerStep);
      hoursOfRows(times, from, to, (hour, first, end) => {
        const own = marked.get(hour);
        if (own === undefined) {
          this.raiseFloor(hour, highestOffset(halves, hour, first, end), namings);
          return;
        }
        this.#noteNamings(hour, namings);
        const base = offsetsBase(hour);
        for (let row = first; row < end; row += 1) {
          const mark = (((halves[2 * row] as number) - base) >>> 0) + 1;
          const series = byRow[row] as number;
          if (mark > (own[series] as number)) own[series] = mark;
        }
      });
      yield;
    }
  }

  /** Raises the marks of an hour to `own`, by series of the rows; 0 for series without a row. */
  *#raising(hour: number, own: Uint32Array, series: RowSeries): Steps {
    const kept = this.#kept.get(hour) ?? { highest: 0, marks: new Uint32Array(16) };
    this.#kept.delete(hour);
    this.#kept.set(hour, kept);
    for (let index = 0; index < own.length; index += 1) {
      if (index % seriesPerStep === seriesPerStep - 1) yield;
      const mark = own[index] as number;
      if (mark === 0) continue;
      kept.highest = Math.max(kept.highest, mark);
      series.writeKey(index, this.#key);
      const known = this.#series.number(this.#key);
      if (known >= kept.marks.length) kept.marks = grown(kept.marks, known + 1);
      if (mark > (kept.marks[known] as number)) kept.marks[known] = mark;
    }
  }

  /** Notes that rows of `hour` are sealed. Called before its floor or marks rise. */
  #noteNamings(hour: number, namings: number): void {
    if (namings === 0 && this.#namings.size === 0) return;
    const isKnown = this.floors.at(hour) > 0 || this.#kept.has(hour);
    const known = isKnown ? (this.#namings.get(hour) ?? 0) : namings;
    const first = Math.min(known, namings);
    if (first > 0) this.#namings.set(hour, first);
    else this.#namings.delete(hour);
  }

  /** Before marks are dropped the floor of their hour rises to the highest of them. */
  *#dropping(hours: readonly number[]): Steps {
    for (const hour of hours) {
      const highest = this.#kept.get(hour)?.highest ?? 0;
      this.floors.set(hour, this.#rule(this.floors.at(hour), highest));
      this.#kept.delete(hour);
    }
    if (this.#kept.size === 0) this.#series = new SeriesTable(this.#seed);
    else if (hours.length > 0) yield* this.#forgetting();
  }

  /** Forgets series without a mark, once they are the larger half. */
  *#forgetting(): Steps {
    const kept = [...this.#kept.values()];
    const { count } = this.#series;
    const live = new Uint32Array(count);
    let liveCount = 0;
    for (let series = 0; series < count; series += 1) {
      if (series % scannedPerStep === scannedPerStep - 1) yield;
      if (!kept.some(({ marks }) => (marks[series] ?? 0) > 0)) continue;
      live[liveCount] = series;
      liveCount += 1;
    }
    if (2 * liveCount >= count) return;
    const only = live.subarray(0, liveCount);
    const series = yield* this.#series.only(only);
    for (const hour of kept) {
      const { marks } = hour;
      hour.marks = only.map((each) => marks[each] ?? 0);
    }
    this.#series = series;
  }
}
