/**
 * Every row that is in the log and in no committed file, by measurement. Main thread; not
 * reentrant.
 * I1. Rows enter only after their record's sync returned, in LSN order (P1); `recordEntered` tells
 *     that all batches of a record are in. Buffers are sealed only between records, and no record
 *     enters behind one that broke off: half a request would be filed, and the log let go of (W2).
 * I2. A row leaves only in the tick in which a commit that files it becomes visible (P12, P15).
 * I3. `lowWater` is below the record of every row that is still here, and at or below the last
 *     record that entered (P5).
 */
import type { ColumnBatch } from '../../base/model/column-batch.ts';
import type { Clock } from '../../base/lib/clock.ts';
import { assert } from '../../base/lib/assert.ts';
import { CodeScratch } from './column-buffer.ts';
import { MeasurementBuffer } from './measurement-buffer.ts';
import type { RowBuffer, RowBufferDeps } from './row-buffer.ts';
import type { KeyOrder } from './row-series.ts';
import type { SeriesMarks } from './series-marks.ts';
import { SharedMemory } from './shared-memory.ts';

export interface MeasurementBuffersOptions {
  /** [measurement id, last LSN whose rows are filed], from the catalog. */
  readonly positions: readonly (readonly [number, number])[];
  /** Low-water mark of the catalog: replay starts above it. */
  readonly lowWater: number;
  /** An open buffer with this many rows is full. */
  readonly rowsMax: number;
  /** An open buffer that takes this many bytes is full. */
  readonly bufferBytesMax: number;
  /** Bytes of column memory, in use or kept for the next use; what is in use may exceed it. */
  readonly memoryBytesMax: number;
  /** Any number; mixes the hash tables of the dictionaries. */
  readonly hashSeed: number;
  /** Tells rows that repeat a point from first ones (P18); without it all are first ones. */
  readonly marks?: SeriesMarks;
  readonly keyOrder?: KeyOrder;
}

/** An open buffer with rows in so many UTC hours is full: each may become a file. */
export const bufferHoursMax = 8192;

/** Rows of one row set that a snapshot sees: the first `rowCount` (P15). */
export interface HotRows {
  readonly measurementId: number;
  readonly rows: RowBuffer;
  readonly rowCount: number;
}

export class MeasurementBuffers {
  readonly #options: MeasurementBuffersOptions;
  readonly #clock: Clock;
  readonly #scratch = new CodeScratch();
  readonly #rowDeps: RowBufferDeps;
  readonly #open = new Map<number, MeasurementBuffer>();
  /** Sealed and not yet filed, ascending by LSN. */
  readonly #sealed = new Map<number, MeasurementBuffer[]>();
  readonly #positions: Map<number, number>;
  readonly #full = new Set<number>();
  readonly #fullListeners: ((measurementIds: readonly number[]) => void)[] = [];
  readonly #dropListeners: ((sets: readonly RowBuffer[]) => void)[] = [];
  #entered: number;
  /** LSN of the first record that the log must keep although none of its rows is here. */
  #heldBack = Infinity;
  #between = true;
  /** LSN of the record that is entering. */
  #entering = 0;
  #openBytes = 0;
  #sealedBytes = 0;
  #rows = 0;

  constructor(clock: Clock, options: MeasurementBuffersOptions) {
    this.#clock = clock;
    this.#options = options;
    const { hashSeed, marks, keyOrder } = options;
    const memory = new SharedMemory(options.memoryBytesMax);
    this.#rowDeps = { hashSeed, memory, marks, ...(keyOrder !== undefined && { keyOrder }) };
    this.#positions = new Map(options.positions);
    this.#entered = options.lowWater;
  }

  /** Bytes of all buffers, open, sealed and in flight. */
  get bytes(): number {
    return this.#openBytes + this.#sealedBytes;
  }

  get openBytes(): number {
    return this.#openBytes;
  }

  /** Rows in all buffers. */
  get rows(): number {
    return this.#rows;
  }

  /** Rows that were taken for repeats since the start (P18). */
  get repeatedRows(): number {
    return this.#options.marks?.repeats ?? 0;
  }

  /** Of these, those that may repeat rows of before a naming, from which they stay apart (P17). */
  get unmergedRows(): number {
    return this.#options.marks?.unmergedRepeats ?? 0;
  }

  /** Last LSN of the last record whose rows are all in. */
  get enteredTo(): number {
    return this.#entered;
  }

  /** Open buffers, oldest first row first. */
  get open(): Iterable<MeasurementBuffer> {
    return this.#open.values();
  }

  /** Calls back between records with the measurements whose open buffers are full. */
  onFull(listener: (measurementIds: readonly number[]) => void): void {
    this.#fullListeners.push(listener);
  }

  /** Calls back in the tick in which row sets were filed and left. */
  onDrop(listener: (sets: readonly RowBuffer[]) => void): void {
    this.#dropListeners.push(listener);
  }

  /**
   * Takes the rows of a batch; row i has `_seq` = `lsn` + `firstOrdinal` + i. Returns false, and
   * takes nothing, if they are filed already, which only replay meets.
   */
  append(batch: ColumnBatch, lsn: number, firstOrdinal: number): boolean {
    const id = batch.measurementId;
    const firstSeq = lsn + firstOrdinal;
    const position = this.#positions.get(id) ?? -1;
    if (firstSeq + batch.rowCount - 1 <= position) return false;
    assert(this.#between || lsn === this.#entering, 'a record broke off while it entered');
    this.#between = false;
    this.#entering = lsn;
    assert(firstSeq > position, 'a batch is filed in part');
    assert(lsn > this.#entered, 'records enter out of order');
    let buffer = this.#open.get(id);
    if (buffer === undefined) {
      const nowMs = this.#clock.monotonicMs();
      buffer = new MeasurementBuffer(batch, [lsn, firstSeq], nowMs, this.#rowDeps);
      this.#open.set(id, buffer);
    }
    const before = buffer.bytes;
    buffer.append(batch, firstSeq, this.#scratch);
    this.#openBytes += buffer.bytes - before;
    this.#rows += batch.rowCount;
    if (this.#isFull(buffer)) this.#full.add(id);
    return true;
  }

  #isFull({ rows, bytes, hours }: MeasurementBuffer): boolean {
    const { rowsMax, bufferBytesMax } = this.#options;
    return rows >= rowsMax || bytes >= bufferBytesMax || hours >= bufferHoursMax;
  }

  /** All batches of the record that ends at `lastLsn` are in; buffers may be sealed now. */
  recordEntered(lastLsn: number): void {
    assert(lastLsn > this.#entered, 'records enter out of order');
    this.#entered = lastLsn;
    this.#between = true;
    if (this.#full.size === 0) return;
    const full = [...this.#full];
    this.#full.clear();
    for (const listener of this.#fullListeners) listener(full);
  }

  /** Seals and returns the open buffers of these measurements; some may have none. */
  seal(measurementIds: readonly number[]): readonly MeasurementBuffer[] {
    assert(this.#between, 'a buffer is sealed in the middle of a record');
    const sealed: MeasurementBuffer[] = [];
    for (const id of measurementIds) {
      const buffer = this.#open.get(id);
      if (buffer === undefined) continue;
      this.#open.delete(id);
      this.#full.delete(id);
      this.#openBytes -= buffer.bytes;
      buffer.seal();
      this.#sealedBytes += buffer.bytes;
      const earlier = this.#sealed.get(id);
      if (earlier === undefined) this.#sealed.set(id, [buffer]);
      else earlier.push(buffer);
      sealed.push(buffer);
    }
    return sealed;
  }

  /**
   * A visible commit filed all rows of the measurement up to `position`: they leave. Called in the
   * tick in which the commit becomes visible.
   */
  filed(measurementId: number, position: number): void {
    if (position <= (this.#positions.get(measurementId) ?? -1)) return;
    this.#positions.set(measurementId, position);
    const sealed = this.#sealed.get(measurementId) ?? [];
    const filed = sealed.filter(({ lastSeq }) => lastSeq <= position);
    if (filed.length === sealed.length) this.#sealed.delete(measurementId);
    else this.#sealed.set(measurementId, sealed.slice(filed.length));
    for (const buffer of filed) {
      this.#sealedBytes -= buffer.bytes;
      this.#rows -= buffer.rows;
    }
    const sets = filed.flatMap((buffer) => buffer.sets);
    if (sets.length === 0) return;
    for (const listener of this.#dropListeners) listener(sets);
    for (const rows of sets) rows.free();
  }

  /** The log must keep the record at `lsn`, and all behind it, whatever is filed. */
  holdBack(lsn: number): void {
    this.#heldBack = Math.min(this.#heldBack, lsn);
  }

  /**
   * Highest LSN at or below which every row is filed (P5), at the end of a record.
   * @param filing buffers that count as filed: those that the commit being made files
   */
  lowWater(filing: ReadonlySet<MeasurementBuffer> = new Set()): number {
    let first = Math.min(this.#entered + 1, this.#heldBack);
    for (const buffers of this.#sealed.values()) {
      const kept = buffers.find((buffer) => !filing.has(buffer));
      if (kept !== undefined) first = Math.min(first, kept.firstLsn);
    }
    for (const buffer of this.#open.values()) first = Math.min(first, buffer.firstLsn);
    return first - 1;
  }

  /** Rows of a measurement that no visible commit files, in LSN order within a row set (P15). */
  hot(measurementId: number): readonly HotRows[] {
    const open = this.#open.get(measurementId);
    const sealed = this.#sealed.get(measurementId) ?? [];
    const buffers = open === undefined ? sealed : [...sealed, open];
    return buffers.flatMap(({ sets }) =>
      sets.map((rows) => ({ measurementId, rows, rowCount: rows.rowCount })),
    );
  }

  /** Age of the oldest row that is not filed, in milliseconds; 0 if there is none. */
  oldestAgeMs(): number {
    let oldest = Infinity;
    for (const [first] of this.#sealed.values())
      oldest = Math.min(oldest, first?.openedMs ?? oldest);
    for (const { openedMs } of this.#open.values()) oldest = Math.min(oldest, openedMs);
    return oldest === Infinity ? 0 : this.#clock.monotonicMs() - oldest;
  }

  /** Rows that are not filed, by `database.measurement`. */
  sizes(): Readonly<Record<string, number>> {
    const sizes = new Map<string, number>();
    for (const buffer of [...[...this.#sealed.values()].flat(), ...this.#open.values()]) {
      const name = `${buffer.database}.${buffer.measurement}`;
      sizes.set(name, (sizes.get(name) ?? 0) + buffer.rows);
    }
    return Object.fromEntries(sizes);
  }
}
