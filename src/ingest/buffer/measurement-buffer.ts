/**
 * What one flush will file: rows of one measurement from a contiguous range of LSNs
 * (commit-protocol P7). Rows with identity and rows without never share a file, nor do rows that
 * different tags tell apart (P17), so they are kept apart here, but they are sealed and committed
 * together: the flushed position is one number per measurement.
 */
import type { ColumnBatch } from '../../base/model/column-batch.ts';
import { assert } from '../../base/lib/assert.ts';
import type { Steps } from '../../base/lib/turns.ts';
import { planFiles, type FilePlan } from '../../storage/parquet/partition-plan.ts';
import type { FlushJob } from '../../storage/parquet/types.ts';
import type { CodeScratch } from './column-buffer.ts';
import { RowBuffer, type RowBufferDeps } from './row-buffer.ts';

export class MeasurementBuffer {
  readonly measurementId: number;
  readonly database: string;
  readonly measurement: string;
  /** LSN of the record that brought the first row: the log is needed from there on. */
  readonly firstLsn: number;
  /** Monotonic milliseconds at which the first row entered. */
  readonly openedMs: number;
  readonly #firstSeq: number;
  #lastSeq: number;
  #sealed = false;
  #rows = 0;
  #bytes = 0;
  readonly #sets: RowBuffer[] = [];
  readonly #deps: RowBufferDeps;

  constructor(
    batch: ColumnBatch,
    [lsn, firstSeq]: readonly [lsn: number, firstSeq: number],
    openedMs: number,
    deps: RowBufferDeps,
  ) {
    this.measurementId = batch.measurementId;
    this.database = batch.database;
    this.measurement = batch.measurement;
    this.firstLsn = lsn;
    this.openedMs = openedMs;
    this.#firstSeq = firstSeq;
    this.#lastSeq = firstSeq - 1;
    this.#deps = deps;
  }

  /** Rows that were put in. */
  get rows(): number {
    return this.#rows;
  }

  /** Bytes of memory taken, as of the last `recount`. */
  get bytes(): number {
    return this.#bytes;
  }

  /** Counts the bytes anew and returns how many more they are. */
  recount(): number {
    const before = this.#bytes;
    this.#bytes = this.#sets.reduce((sum, { bytes }) => sum + bytes, 0);
    return this.#bytes - before;
  }

  /** UTC hours that the rows lie in; those that go to different files count apart. */
  get hours(): number {
    return this.#sets.reduce((sum, set) => sum + set.hourRows.size + set.repeatHourRows.size, 0);
  }

  /** `_seq` of the last row: when this buffer is filed, the measurement's position. */
  get lastSeq(): number {
    return this.#lastSeq;
  }

  /** One, rarely more row sets, at least one row each. */
  get sets(): readonly RowBuffer[] {
    return this.#sets;
  }

  /** True if `append` of the batch takes no longer because of the rows that are here. */
  isQuick(batch: ColumnBatch): boolean {
    return this.#setOf(batch)?.isQuick(batch.rowCount) !== false;
  }

  append(batch: ColumnBatch, firstSeq: number, scratch: CodeScratch): void {
    this.#setFor(batch, firstSeq).append(batch, firstSeq, scratch);
    this.#put(batch, firstSeq);
  }

  /** As `append`, for any number of rows: yields between pieces of the work. */
  *appending(batch: ColumnBatch, firstSeq: number): Steps {
    yield* this.#setFor(batch, firstSeq).appending(batch, firstSeq);
    this.#put(batch, firstSeq);
  }

  /**
   * Notes that no row enters from now on; later rows of its points are repeats. Yields between
   * pieces of the work.
   */
  *sealing(): Steps {
    this.#sealed = true;
    for (const set of this.#sets) yield* set.sealing();
  }

  /** Views of the rows stay true until the call that this returns. */
  read(): () => void {
    const ends = this.#sets.map((set) => set.read());
    return () => {
      for (const end of ends) end();
    };
  }

  /** The files that a flush makes of each row set, in the order of `sets`: repeats last. */
  plan(hourFileMinRows: number): readonly (readonly FilePlan[])[] {
    return this.#sets.map(({ hourRows, repeatHourRows }) => [
      ...planFiles(hourRows, hourFileMinRows),
      ...planFiles(repeatHourRows, hourFileMinRows, true),
    ]);
  }

  /**
   * The encoder's job for the files of `range`; `fileIds` holds one id per planned file, in order.
   */
  flushJob(
    plans: readonly (readonly FilePlan[])[],
    fileIds: readonly number[],
    range: FlushJob['range'],
  ): FlushJob {
    assert(this.#sealed, 'a flush of a buffer that is not sealed');
    let next = 0;
    const sets = this.#sets.map((set, index) => {
      const files = (plans[index] ?? []).map((plan) => {
        const fileId = fileIds[next];
        assert(fileId !== undefined, 'too few file ids for a flush');
        next += 1;
        return { ...plan, fileId };
      });
      const { hasIdentity, namings } = set;
      return { hasIdentity, namings, rows: set.view(), files };
    });
    const { measurementId, database, measurement } = this;
    const lsns = [this.#firstSeq, this.#lastSeq] as const;
    return { measurementId, database, measurement, lsns, sets, range };
  }

  #setOf({ hasIdentity, namings = 0 }: ColumnBatch): RowBuffer | undefined {
    return this.#sets.find((each) => each.hasIdentity === hasIdentity && each.namings === namings);
  }

  /** The set that takes the rows, made now if there is none. */
  #setFor(batch: ColumnBatch, firstSeq: number): RowBuffer {
    assert(!this.#sealed, 'rows enter a sealed buffer');
    assert(firstSeq > this.#lastSeq, 'rows enter a buffer out of order');
    let set = this.#setOf(batch);
    if (set === undefined) {
      set = new RowBuffer(batch, this.#firstSeq, this.#deps);
      this.#sets.push(set);
    }
    return set;
  }

  #put({ rowCount }: ColumnBatch, firstSeq: number): void {
    this.#rows += rowCount;
    this.#lastSeq = firstSeq + rowCount - 1;
  }
}
