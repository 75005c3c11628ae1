/**
 * Every row that is in the log and in no committed file, by measurement. Main thread; not
 * reentrant.
 * I1. Rows enter only after their record's sync returned, in LSN order (P1); `recordEntered` tells
 *     that all batches of a record are in. Buffers are sealed only between records, and no record
 *     enters behind one that broke off: half a request would be filed, and the log let go of (W2).
 *     Large records and seals take turns with other work of the thread (base/lib/turns.ts); what
 *     comes meanwhile waits behind them, and readers see none of a record that is not all in.
 * I2. A row leaves only in the tick in which a commit that files it becomes visible (P12, P15).
 * I3. `lowWater` is below the record of every row that is still here, and at or below the last
 *     record that entered (P5).
 */
import type { ColumnBatch } from '../../base/model/column-batch.ts';
import type { Clock } from '../../base/lib/clock.ts';
import { assert } from '../../base/lib/assert.ts';
import { atOnce, Turns, type Steps } from '../../base/lib/turns.ts';
import { CodeScratch } from './column-buffer.ts';
import { Entering } from './entered-count.ts';
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
  /** Calls back when other work of the thread had its turn; `setImmediate` if it is not given. */
  later?(turn: () => void): void;
}

/**
 * What a batch costs that enters without a pause, at most a few milliseconds: one for each value,
 * more for each row, which may be of another hour than the one before, and for each string.
 */
const quickCostMax = 131_072;
const rowCost = 16;
const stringCost = 32;
const stringBytesOfCost = 8;

/** Batches of a record that enter without a pause: each takes some ten microseconds. */
const quickBatchesMax = 100;

/** An open buffer with rows in so many UTC hours is full: each may become a file. */
export const bufferHoursMax = 8192;

/** Rows of a record that are in the buffers now, and rows that a commit has filed already. */
export interface EnteredRows {
  readonly entered: number;
  readonly skipped: number;
}

/** Called once, when all rows of a record are in, or with what kept them out. */
export type EnterDone = (error: unknown, rows: EnteredRows) => void;

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
  readonly #turns: Turns;
  /** Open while a record is half in. */
  readonly #record = new Entering();
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
  /** LSN of the record that is entering, or entered last. */
  #recordLsn = 0;
  #openBytes = 0;
  #sealedBytes = 0;
  #rows = 0;

  constructor(clock: Clock, options: MeasurementBuffersOptions) {
    this.#clock = clock;
    this.#options = options;
    const { hashSeed, marks, keyOrder, later } = options;
    this.#turns = new Turns({
      monotonicMs: () => clock.monotonicMs(),
      ...(later !== undefined && { later }),
    });
    const memory = new SharedMemory(options.memoryBytesMax);
    const entering = this.#record;
    const order = keyOrder !== undefined && { keyOrder };
    this.#rowDeps = { hashSeed, memory, entering, marks, ...order };
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
   * Takes a record, whose rows got the LSNs from `lsn` on. `done` is called when all rows are in
   * and seen by readers: at once for a record of usual size, unless earlier ones still enter. An
   * error that `done` gets is thrown too: nobody goes on from rows that are in the log and only in
   * part in memory.
   */
  enter(batches: readonly ColumnBatch[], lsn: number, done: EnterDone): void {
    const steps = this.#entering(batches, lsn, done);
    if (this.#turns.isIdle && batches.length < quickBatchesMax && this.#areQuick(batches)) {
      atOnce(steps);
    } else {
      this.#turns.run(steps);
    }
  }

  /**
   * Takes the rows of a batch; row i has `_seq` = `lsn` + `firstOrdinal` + i. Returns false, and
   * takes nothing, if they are filed already, which only replay meets.
   */
  append(batch: ColumnBatch, lsn: number, firstOrdinal: number): boolean {
    const firstSeq = lsn + firstOrdinal;
    const buffer = this.#bufferFor(batch, lsn, firstSeq);
    if (buffer === undefined) return false;
    buffer.append(batch, firstSeq, this.#scratch);
    this.#appended(buffer, batch);
    return true;
  }

  /** All batches of the record that ends at `lastLsn` are in; buffers may be sealed now. */
  recordEntered(lastLsn: number): void {
    assert(lastLsn > this.#entered, 'records enter out of order');
    this.#entered = lastLsn;
    this.#record.end();
    if (this.#full.size === 0) return;
    const full = [...this.#full];
    this.#full.clear();
    for (const listener of this.#fullListeners) listener(full);
  }

  /** Seals and returns the open buffers of these measurements; some may have none. */
  seal(measurementIds: readonly number[]): readonly MeasurementBuffer[] {
    return atOnce(this.#sealing(measurementIds));
  }

  /**
   * Seals the open buffers that `choose` names when it is their turn: behind the records that are
   * entering or wait. Calls back with those that there were: at once if nothing is under way and it
   * does not take long.
   */
  sealInTurn(
    choose: () => readonly number[],
    sealed: (buffers: readonly MeasurementBuffer[]) => void,
  ): void {
    const seal = () => this.#sealing(choose());
    this.#turns.run(
      (function* () {
        sealed(yield* seal());
      })(),
    );
  }

  *#entering(batches: readonly ColumnBatch[], lsn: number, done: EnterDone): Steps {
    let ordinal = 0;
    let skipped = 0;
    try {
      for (const batch of batches) {
        const isTaken = this.#isQuick(batch)
          ? this.append(batch, lsn, ordinal)
          : yield* this.#appending(batch, lsn, ordinal);
        if (!isTaken) skipped += batch.rowCount;
        ordinal += batch.rowCount;
        yield;
      }
      this.recordEntered(lsn + Math.max(1, ordinal) - 1);
    } catch (error) {
      done(error, { entered: 0, skipped: 0 });
      throw error;
    }
    done(undefined, { entered: ordinal - skipped, skipped });
  }

  /** As `append`, for any number of rows: yields between pieces of the work. */
  *#appending(batch: ColumnBatch, lsn: number, firstOrdinal: number): Steps<boolean> {
    const firstSeq = lsn + firstOrdinal;
    const buffer = this.#bufferFor(batch, lsn, firstSeq);
    if (buffer === undefined) return false;
    for (const steps = buffer.appending(batch, firstSeq); steps.next().done !== true; ) {
      this.#openBytes += buffer.recount();
      yield;
    }
    this.#appended(buffer, batch);
    return true;
  }

  /** The open buffer that takes the batch; undefined if its rows are filed already. */
  #bufferFor(batch: ColumnBatch, lsn: number, firstSeq: number): MeasurementBuffer | undefined {
    const id = batch.measurementId;
    const position = this.#positions.get(id) ?? -1;
    if (firstSeq + batch.rowCount - 1 <= position) return undefined;
    const isOfRecord = this.#record.isOpen && lsn === this.#recordLsn;
    assert(isOfRecord || !this.#record.isOpen, 'a record broke off while it entered');
    if (!isOfRecord) this.#record.begin();
    this.#recordLsn = lsn;
    assert(firstSeq > position, 'a batch is filed in part');
    assert(lsn > this.#entered, 'records enter out of order');
    let buffer = this.#open.get(id);
    if (buffer === undefined) {
      const nowMs = this.#clock.monotonicMs();
      buffer = new MeasurementBuffer(batch, [lsn, firstSeq], nowMs, this.#rowDeps);
      this.#open.set(id, buffer);
    }
    return buffer;
  }

  #appended(buffer: MeasurementBuffer, { measurementId, rowCount }: ColumnBatch): void {
    this.#openBytes += buffer.recount();
    this.#rows += rowCount;
    if (this.#isFull(buffer)) this.#full.add(measurementId);
  }

  #areQuick(batches: readonly ColumnBatch[]): boolean {
    for (const batch of batches) if (!this.#isQuick(batch)) return false;
    return true;
  }

  /** True if the batch enters within a few milliseconds. */
  #isQuick(batch: ColumnBatch): boolean {
    let cost = rowCost * batch.rowCount;
    for (const { values, dictionary } of batch.columns) {
      cost += values.length;
      if (dictionary === undefined) continue;
      const { count, offsets } = dictionary;
      cost += stringCost * count + (offsets[count] ?? 0) / stringBytesOfCost;
    }
    if (cost > quickCostMax) return false;
    return this.#open.get(batch.measurementId)?.isQuick(batch) !== false;
  }

  #isFull({ rows, bytes, hours }: MeasurementBuffer): boolean {
    const { rowsMax, bufferBytesMax } = this.#options;
    return rows >= rowsMax || bytes >= bufferBytesMax || hours >= bufferHoursMax;
  }

  *#sealing(measurementIds: readonly number[]): Steps<readonly MeasurementBuffer[]> {
    const sealed: MeasurementBuffer[] = [];
    for (const id of measurementIds) {
      assert(!this.#record.isOpen, 'a buffer is sealed in the middle of a record');
      const buffer = this.#open.get(id);
      if (buffer === undefined) continue;
      yield* buffer.sealing();
      this.#open.delete(id);
      this.#full.delete(id);
      this.#openBytes -= buffer.bytes;
      buffer.recount();
      this.#sealedBytes += buffer.bytes;
      const earlier = this.#sealed.get(id);
      if (earlier === undefined) this.#sealed.set(id, [buffer]);
      else earlier.push(buffer);
      sealed.push(buffer);
      yield;
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
    const sets = buffers.flatMap((buffer) => buffer.sets);
    const hot = sets.map((rows) => ({ measurementId, rows, rowCount: rows.rowCount }));
    return hot.filter(({ rowCount }) => rowCount > 0);
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
