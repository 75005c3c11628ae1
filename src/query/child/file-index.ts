/**
 * Which files are seen at which commit, in the memory of the query process. Derived from the seed
 * and the stream of commits (commit-protocol P12); dropped with the process.
 *
 * I1 A file is seen at s if it was added at or before s and not removed at or before s.
 * I2 Snapshots from `floor` to `applied` can be asked; older ones are refused, newer ones wait.
 */
import { assert } from '../../base/lib/assert.ts';
import { GatewayError } from '../../base/errors/gateway-error.ts';
import type { TimeRange } from '../sql/scan-terms.ts';
import { overlaps } from './time-overlap.ts';
import type { FileChange, FileEntry } from './wire.ts';

interface IndexedFile extends FileEntry {
  readonly added: number;
  removed: number;
}

interface Waiter {
  readonly commit: number;
  resolve(): void;
}

export class FileIndex {
  readonly #files = new Map<number, IndexedFile>();
  readonly #byMeasurement = new Map<number, Map<number, IndexedFile>>();
  /** Removed files that a snapshot from the floor on may still see, in order of removal. */
  #removed: IndexedFile[] = [];
  #waiters: Waiter[] = [];
  #applied = -1;
  #floor = 0;

  /** Last commit applied; -1 before the first seed. */
  get applied(): number {
    return this.#applied;
  }

  get fileCount(): number {
    return this.#files.size;
  }

  /** Replaces everything by the files that are seen at `commit`. */
  seed(commit: number, files: readonly FileEntry[]): void {
    this.#files.clear();
    this.#byMeasurement.clear();
    this.#removed = [];
    for (const file of files) this.#add(file, commit);
    this.#floor = commit;
    this.#moveTo(commit);
  }

  /** Applies commits in order; those at or below the last one are known and left out. */
  apply(changes: readonly FileChange[]): void {
    assert(this.#applied >= 0, 'the file index is seeded before commits reach it');
    for (const { commit, adds, removes } of changes) {
      if (commit <= this.#applied) continue;
      for (const file of adds) this.#add(file, commit);
      for (const id of removes) this.#remove(id, commit);
      this.#moveTo(commit);
    }
  }

  /** No snapshot below `commit` will be asked for again. */
  raiseFloor(commit: number): void {
    this.#floor = Math.max(this.#floor, Math.min(commit, this.#applied));
    const keep = this.#removed.findIndex((file) => file.removed > this.#floor);
    const gone = this.#removed.splice(0, keep < 0 ? this.#removed.length : keep);
    for (const file of gone) {
      this.#files.delete(file.id);
      this.#byMeasurement.get(file.measurementId)?.delete(file.id);
    }
  }

  /** Resolves once `commit` is applied; rejects when `signal` aborts. */
  async reached(commit: number, signal: AbortSignal): Promise<void> {
    if (this.#applied >= commit) return;
    const { promise, resolve, reject } = Promise.withResolvers<undefined>();
    const waiter: Waiter = {
      commit,
      resolve: () => {
        resolve(undefined);
      },
    };
    const aborted = () => {
      reject(new GatewayError('HF_QUERY_CANCELLED', 'the query was cancelled'));
    };
    this.#waiters.push(waiter);
    signal.addEventListener('abort', aborted, { once: true });
    try {
      await promise;
    } finally {
      signal.removeEventListener('abort', aborted);
      this.#waiters = this.#waiters.filter((other) => other !== waiter);
    }
  }

  /**
   * Files of a measurement seen at `commit` that may hold rows in `range`.
   * @throws HF_QUERY_SNAPSHOT_GONE if that snapshot is older than the floor.
   */
  filesAt(measurementId: number, commit: number, range: TimeRange): readonly FileEntry[] {
    if (commit < this.#floor) {
      throw new GatewayError('HF_QUERY_SNAPSHOT_GONE', `commit ${String(commit)} is gone`);
    }
    assert(commit <= this.#applied, 'a query waits until its snapshot is applied');
    const files = this.#byMeasurement.get(measurementId)?.values() ?? [];
    return [...files].filter(
      (file) => file.added <= commit && commit < file.removed && overlaps(file.hours, range),
    );
  }

  #add(file: FileEntry, commit: number): void {
    const indexed = { ...file, added: commit, removed: Infinity };
    this.#files.set(file.id, indexed);
    const files = this.#byMeasurement.get(file.measurementId);
    if (files === undefined) {
      this.#byMeasurement.set(file.measurementId, new Map([[file.id, indexed]]));
    } else files.set(file.id, indexed);
  }

  #remove(id: number, commit: number): void {
    const file = this.#files.get(id);
    assert(file?.removed === Infinity, `file ${String(id)} is live when it is removed`);
    file.removed = commit;
    this.#removed.push(file);
  }

  #moveTo(commit: number): void {
    this.#applied = commit;
    for (const waiter of this.#waiters) if (waiter.commit <= commit) waiter.resolve();
  }
}
