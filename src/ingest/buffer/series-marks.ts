/**
 * Which rows repeat a point that was sealed before (commit-protocol P18). Per measurement and UTC
 * hour there is a floor; for the two hours written last also a mark per series. A row at or below
 * either is a repeat. Called wrongly a repeat, a row costs time; called wrongly first, the point
 * would stand twice. Main thread.
 *
 * I1. Floors and marks only rise while the process runs, and speak of sealed rows only.
 * I2. Before marks are dropped, of an hour or for memory, the floor rises to the highest of them.
 * I3. At a start the floor of an hour is the largest time in its files with identity; rows that no
 *     file holds replay into open buffers and are sealed anew.
 * I4. A series has one key however its tags are ordered (row-series.ts).
 * I5. Marks and keys take at most `bytesMax` after each seal; floors are counted beside them.
 *
 * Times are kept as offsets in their hour plus one; 0 is below every row.
 */
import type { ColumnValues } from '../../base/model/column-batch.ts';
import { fileFlags, type FileFacts } from '../../base/model/commit.ts';
import { halvesOf, hoursOfRows, offsetsBase } from '../../storage/parquet/hours.ts';
import { HourFloors } from './hour-floors.ts';
import type { RowSeries } from './row-series.ts';
import { KeyScratch, SeriesTable } from './series-table.ts';

/** Hours of a measurement with marks. */
const hoursKept = 2;

/** An entry of a map of two numbers, about. */
const namingBytes = 40;

/** Tag cells (rows x tag columns) looked at for one seal or batch; beyond it floors have to do. */
const cellsMax = 4_000_000;

/** The floor after marks were dropped; a test composes another. */
export type FloorRule = (floor: number, highestMark: number) => number;

/** I2. */
export const floorOfDropped: FloorRule = (floor, highestMark) => Math.max(floor, highestMark);

/** Rows with identity of one buffer, as far as telling repeats needs them. */
export interface MarkedRows {
  readonly rowCount: number;
  readonly times: BigInt64Array;
  readonly series: RowSeries;
  /** As `ColumnBatch.namings`, of all rows. */
  readonly namings: number;
  /** The tag columns as they are now. */
  tags(): readonly ColumnValues[];
}

interface HourMarks {
  highest: number;
  /** By number of the series; 0 where there is none. */
  marks: Uint32Array;
}

/** Rows of one buffer in one hour. */
interface HourRows {
  highest: number;
  /** Runs of rows [first, end) back to back. */
  readonly runs: number[];
}

function highestOffset(times: BigInt64Array, hour: number, first: number, end: number): number {
  const halves = halvesOf(times);
  const base = offsetsBase(hour);
  let highest = 0;
  for (let row = first; row < end; row += 1) {
    const offset = ((halves[2 * row] as number) - base) >>> 0;
    if (offset >= highest) highest = offset + 1;
  }
  return highest;
}

/** Floors and marks of one measurement. */
class MeasurementMarks {
  readonly floors = new HourFloors();
  readonly #rule: FloorRule;
  /** Hours with marks, the one written last at the end. */
  readonly #kept = new Map<number, HourMarks>();
  /** By hour, what the first namings were that its sealed rows know of; absent: 0. */
  readonly #namings = new Map<number, number>();
  #series: SeriesTable;
  readonly #key = new KeyScratch();

  constructor(rule: FloorRule, seed: number) {
    this.#rule = rule;
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

  /** Notes that rows of `hour` are sealed. Called before its floor or marks rise. */
  noteNamings(hour: number, namings: number): void {
    if (namings === 0 && this.#namings.size === 0) return;
    const isKnown = this.floors.at(hour) > 0 || this.#kept.has(hour);
    const known = isKnown ? (this.#namings.get(hour) ?? 0) : namings;
    const first = Math.min(known, namings);
    if (first > 0) this.#namings.set(hour, first);
    else this.#namings.delete(hour);
  }

  /** True if sealed rows of `hour`, which has some, know of fewer namings. */
  hasEarlier(hour: number, namings: number): boolean {
    return (this.#namings.get(hour) ?? 0) < namings;
  }

  judge(
    hour: number,
    rows: MarkedRows,
    first: number,
    end: number,
    found: (row: number) => void,
  ): void {
    const floor = this.floors.at(hour);
    const kept = this.#kept.get(hour);
    const highest = Math.max(floor, kept?.highest ?? 0);
    if (highest === 0) return;
    const halves = halvesOf(rows.times);
    const base = offsetsBase(hour);
    let isRepeat: ((row: number, offset: number) => boolean) | undefined;
    for (let row = first; row < end; row += 1) {
      const offset = ((halves[2 * row] as number) - base) >>> 0;
      if (offset >= highest) continue;
      if (offset >= floor && kept !== undefined) {
        isRepeat ??= this.#lookUp(rows, kept.marks, end);
        if (!isRepeat(row, offset)) continue;
      }
      found(row);
    }
  }

  /** All rows of a buffer are sealed: they may be repeated from now on. */
  sealed(rows: MarkedRows): void {
    const hours = new Map<number, HourRows>();
    hoursOfRows(rows.times, 0, rows.rowCount, (hour, first, end) => {
      const known = hours.get(hour) ?? { highest: 0, runs: [] };
      known.highest = Math.max(known.highest, highestOffset(rows.times, hour, first, end));
      known.runs.push(first, end);
      // The hour written last goes to the end.
      hours.delete(hour);
      hours.set(hour, known);
    });
    const tags = rows.tags();
    const affordable = rows.rowCount * tags.length <= cellsMax;
    const marked = [...hours.keys()].slice(-hoursKept);
    const others = [...this.#kept.keys()].filter((hour) => !marked.includes(hour));
    this.#drop(others.slice(0, Math.max(0, others.length + marked.length - hoursKept)));
    for (const [hour, hourRows] of hours) {
      this.noteNamings(hour, rows.namings);
      if (affordable && marked.includes(hour)) this.#raiseMarks(hour, hourRows, rows, tags);
      else this.floors.raise(hour, hourRows.highest);
    }
  }

  /** Drops all marks and what names their series. */
  drop(): void {
    this.#drop([...this.#kept.keys()]);
  }

  /** I2. */
  #drop(hours: readonly number[]): void {
    for (const hour of hours) {
      const highest = this.#kept.get(hour)?.highest ?? 0;
      this.floors.set(hour, this.#rule(this.floors.at(hour), highest));
      this.#kept.delete(hour);
    }
    if (hours.length > 0) this.#forgetSeries();
  }

  /** Forgets series without a mark, once they are the larger half. */
  #forgetSeries(): void {
    const kept = [...this.#kept.values()];
    const live: number[] = [];
    for (let series = 0; series < this.#series.count; series += 1) {
      if (kept.some(({ marks }) => (marks[series] ?? 0) > 0)) live.push(series);
    }
    if (2 * live.length >= this.#series.count) return;
    for (const hour of kept) {
      const { marks } = hour;
      hour.marks = Uint32Array.from(live, (series) => marks[series] ?? 0);
    }
    this.#series = this.#series.only(live);
  }

  #lookUp(rows: MarkedRows, marks: Uint32Array, end: number) {
    const tags = rows.tags();
    if (end * tags.length > cellsMax) return () => true;
    const byRow = rows.series.map(tags, end);
    const known = new Map<number, number>();
    return (row: number, offset: number): boolean => {
      const own = byRow[row] as number;
      let mark = known.get(own);
      if (mark === undefined) {
        rows.series.writeKey(own, this.#key);
        const series = this.#series.find(this.#key);
        mark = series === undefined ? 0 : (marks[series] ?? 0);
        known.set(own, mark);
      }
      return offset < mark;
    };
  }

  #raiseMarks(
    hour: number,
    { highest, runs }: HourRows,
    rows: MarkedRows,
    tags: readonly ColumnValues[],
  ): void {
    const byRow = rows.series.map(tags, rows.rowCount);
    const own = highestBySeries(hour, runs, rows.times, byRow, rows.series.count);
    const kept = this.#kept.get(hour) ?? { highest: 0, marks: new Uint32Array(16) };
    this.#kept.delete(hour);
    this.#kept.set(hour, kept);
    kept.highest = Math.max(kept.highest, highest);
    for (let index = 0; index < own.length; index += 1) {
      const mark = own[index] as number;
      if (mark === 0) continue;
      rows.series.writeKey(index, this.#key);
      const series = this.#series.number(this.#key);
      if (series >= kept.marks.length) kept.marks = grown(kept.marks, series + 1);
      if (mark > (kept.marks[series] as number)) kept.marks[series] = mark;
    }
  }
}

/** Highest offset plus one by series of the rows; 0 for series that are not in the runs. */
function highestBySeries(
  hour: number,
  runs: readonly number[],
  times: BigInt64Array,
  byRow: Uint32Array,
  count: number,
): Uint32Array {
  const highest = new Uint32Array(count);
  const halves = halvesOf(times);
  const base = offsetsBase(hour);
  for (let run = 0; run < runs.length; run += 2) {
    const end = runs[run + 1] as number;
    for (let row = runs[run] as number; row < end; row += 1) {
      const mark = (((halves[2 * row] as number) - base) >>> 0) + 1;
      const series = byRow[row] as number;
      if (mark > (highest[series] as number)) highest[series] = mark;
    }
  }
  return highest;
}

function grown(marks: Uint32Array, length: number): Uint32Array {
  const made = new Uint32Array(Math.max(length, 2 * marks.length));
  made.set(marks);
  return made;
}

export interface SeriesMarksOptions {
  /** Bytes of marks and keys of all measurements. */
  readonly bytesMax: number;
  /** Any number; mixes the hash of keys. */
  readonly hashSeed: number;
  readonly rule?: FloorRule;
}

export class SeriesMarks {
  readonly #options: SeriesMarksOptions;
  /** The measurement sealed last at the end. */
  readonly #measurements = new Map<number, MeasurementMarks>();
  /** Rows called repeats. */
  repeats = 0;
  /** Of these, those of hours with rows of before a naming: if they repeat these, both stay. */
  unmergedRepeats = 0;
  #bytes = 0;
  #markBytes = 0;

  /** @param files live files of the catalog; those without identity say nothing (I3) */
  constructor(files: Iterable<FileFacts>, options: SeriesMarksOptions) {
    this.#options = options;
    for (const { measurementId, flags, hours, namings = 0 } of files) {
      if ((flags & fileFlags.noIdentity) !== 0) continue;
      const marks = this.#of(measurementId);
      for (const [hour, , maxOffset] of hours) {
        marks.noteNamings(hour, namings);
        marks.floors.raise(hour, maxOffset + 1);
      }
    }
    for (const { bytes } of this.#measurements.values()) this.#bytes += bytes;
  }

  /** Bytes of memory taken. */
  get bytes(): number {
    return this.#bytes;
  }

  /**
   * Calls back with each repeat among rows `first` to `end` (exclusive), all of UTC hour `hour`.
   * Rows above everything sealed of their hour cost one comparison.
   */
  judge(
    measurementId: number,
    hour: number,
    rows: MarkedRows,
    [first, end]: readonly [first: number, end: number],
    found: (row: number) => void,
  ): void {
    const marks = this.#measurements.get(measurementId);
    if (marks === undefined) return;
    let repeats = 0;
    marks.judge(hour, rows, first, end, (row) => {
      repeats += 1;
      found(row);
    });
    this.repeats += repeats;
    if (marks.hasEarlier(hour, rows.namings)) this.unmergedRepeats += repeats;
  }

  /** The rows of a buffer are sealed; buffers of a measurement are sealed in LSN order. */
  sealed(measurementId: number, rows: MarkedRows): void {
    const marks = this.#of(measurementId);
    this.#measurements.delete(measurementId);
    this.#measurements.set(measurementId, marks);
    this.#change(marks, () => {
      marks.sealed(rows);
    });
    this.#fit();
  }

  #of(measurementId: number): MeasurementMarks {
    const known = this.#measurements.get(measurementId);
    if (known !== undefined) return known;
    const { rule = floorOfDropped, hashSeed } = this.#options;
    const made = new MeasurementMarks(rule, hashSeed);
    this.#measurements.set(measurementId, made);
    return made;
  }

  /** Drops marks of the measurements that were sealed longest ago until the rest fits (I5). */
  #fit(): void {
    for (const marks of this.#measurements.values()) {
      if (this.#markBytes <= this.#options.bytesMax) return;
      this.#change(marks, () => {
        marks.drop();
      });
    }
  }

  /** Keeps the sums. */
  #change(marks: MeasurementMarks, change: () => void): void {
    const { bytes, markBytes } = marks;
    change();
    this.#bytes += marks.bytes - bytes;
    this.#markBytes += marks.markBytes - markBytes;
  }
}
