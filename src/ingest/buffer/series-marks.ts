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
 */
import { fileFlags, type FileFacts } from '../../base/model/commit.ts';
import type { Steps } from '../../base/lib/turns.ts';
import { Judge, MeasurementMarks, type FloorRule, type MarkedRows } from './measurement-marks.ts';

/** I2. */
export const floorOfDropped: FloorRule = (floor, highestMark) => Math.max(floor, highestMark);

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
      for (const [hour, , maxOffset] of hours) marks.raiseFloor(hour, maxOffset + 1, namings);
    }
    for (const { bytes } of this.#measurements.values()) this.#bytes += bytes;
  }

  /** Bytes of memory taken. */
  get bytes(): number {
    return this.#bytes;
  }

  /** What tells repeats among `rows`, which all are in; undefined if nothing was sealed. */
  judge(measurementId: number, rows: MarkedRows): Judge | undefined {
    const marks = this.#measurements.get(measurementId);
    return marks === undefined ? undefined : new Judge(marks, rows, this);
  }

  /** True if rows of the measurement may have to be told apart by series. */
  hasMarks(measurementId: number): boolean {
    return this.#measurements.get(measurementId)?.hasMarks === true;
  }

  /**
   * Notes that the rows of a buffer are sealed; buffers of a measurement are sealed in LSN order.
   * Yields between pieces of the work, in which rows are neither judged nor sealed.
   */
  *sealing(measurementId: number, rows: MarkedRows): Steps {
    const marks = this.#of(measurementId);
    this.#measurements.delete(measurementId);
    this.#measurements.set(measurementId, marks);
    const { bytes, markBytes } = marks;
    yield* marks.sealing(rows, this.#options.bytesMax);
    this.#changed(marks, bytes, markBytes);
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
      const { bytes, markBytes } = marks;
      marks.drop();
      this.#changed(marks, bytes, markBytes);
    }
  }

  /** Keeps the sums. */
  #changed(marks: MeasurementMarks, bytes: number, markBytes: number): void {
    this.#bytes += marks.bytes - bytes;
    this.#markBytes += marks.markBytes - markBytes;
  }
}
