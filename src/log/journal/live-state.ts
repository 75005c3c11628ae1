/**
 * The state of the catalog in memory: what replaying all commits of the journal gives. The commit
 * thread keeps the one that is true; consumers of the stream may keep one of their own.
 *
 * I1. A commit that removes a file which is not live does not pass `check` (P11).
 * I2. Positions, low-water mark and reserved file ids never fall.
 * I3. `apply` of the same commits gives the same state, at run time, in replay and over a snapshot.
 * I4. A removed file stays listed as removed until it is unlinked, durably (P13).
 *
 * Cost: `check` and `apply` are linear in the size of the commit, not of the state. One thread.
 */
import { assert } from '../../base/lib/assert.ts';
import { GatewayError } from '../../base/errors/gateway-error.ts';
import type {
  CatalogState,
  ColumnAddition,
  Commit,
  CommitProposal,
  DatabaseTags,
  FileFacts,
  KindChange,
  MeasurementAddition,
} from '../../base/model/commit.ts';
import type { RemovedFile } from './commit-record.ts';

/** The state before the first commit. */
export const emptyState: CatalogState = {
  commit: 0,
  databases: [],
  measurements: [],
  columns: [],
  files: [],
  removed: [],
  identified: [],
  databaseTags: [],
  positions: [],
  lowWater: 0,
  fileIdsTo: 0,
};

/** Returns the highest LSN that the catalog speaks of; the log numbers on above it (L3). */
export function highestLsn(state: CatalogState): number {
  let highest = state.lowWater;
  for (const [, lsn] of state.positions) highest = Math.max(highest, lsn);
  for (const list of [state.files, state.removed]) {
    for (const file of list) highest = Math.max(highest, file.lsns[1], file.seqMax);
  }
  return highest;
}

/** Returns the highest file id that the catalog speaks of, reserved ones included. */
export function highestFileId(state: CatalogState): number {
  let highest = state.fileIdsTo;
  for (const list of [state.files, state.removed]) {
    for (const file of list) highest = Math.max(highest, file.id);
  }
  return highest;
}

export class LiveState {
  readonly #databases = new Set<string>();
  readonly #measurements = new Map<number, MeasurementAddition>();
  /** By measurement id, then by column id. */
  readonly #columns = new Map<number, Map<number, ColumnAddition>>();
  readonly #files = new Map<number, FileFacts>();
  readonly #removed = new Map<number, RemovedFile>();
  readonly #identified = new Set<number>();
  readonly #databaseTags = new Map<string, Set<string>>();
  readonly #positions = new Map<number, number>();
  #commit: number;
  #lowWater: number;
  #fileIdsTo: number;
  #unknownRemovals = 0;

  constructor(state: CatalogState = emptyState) {
    this.#commit = state.commit;
    this.#lowWater = state.lowWater;
    this.#fileIdsTo = state.fileIdsTo;
    for (const name of state.databases) this.#databases.add(name);
    for (const addition of state.measurements) this.#measurements.set(addition.id, addition);
    for (const addition of state.columns) this.#addColumn(addition);
    for (const file of state.files) this.#files.set(file.id, file);
    const removed = [...state.removed].sort((a, b) => a.removedAt - b.removedAt);
    for (const file of removed) this.#removed.set(file.id, file);
    for (const id of state.identified) this.#identified.add(id);
    for (const each of state.databaseTags) this.#addTags(each);
    for (const [id, lsn] of state.positions) this.#positions.set(id, lsn);
  }

  /** Number of the last commit applied. */
  get commit(): number {
    return this.#commit;
  }

  get lowWater(): number {
    return this.#lowWater;
  }

  get fileIdsTo(): number {
    return this.#fileIdsTo;
  }

  get fileCount(): number {
    return this.#files.size;
  }

  get removedCount(): number {
    return this.#removed.size;
  }

  /** Removals of files that were not live, met in replay: only rot in the journal explains them. */
  get unknownRemovals(): number {
    return this.#unknownRemovals;
  }

  file(id: number): FileFacts | undefined {
    return this.#files.get(id);
  }

  removedFile(id: number): RemovedFile | undefined {
    return this.#removed.get(id);
  }

  files(): IterableIterator<FileFacts> {
    return this.#files.values();
  }

  measurement(id: number): MeasurementAddition | undefined {
    return this.#measurements.get(id);
  }

  /** By column id. */
  columnsOf(measurementId: number): ReadonlyMap<number, ColumnAddition> {
    return this.#columns.get(measurementId) ?? new Map<number, ColumnAddition>();
  }

  /** In the order of their removal. */
  removedFiles(): IterableIterator<RemovedFile> {
    return this.#removed.values();
  }

  /** Last LSN of the measurement whose rows are all filed; 0 if nothing is. */
  position(measurementId: number): number {
    return this.#positions.get(measurementId) ?? 0;
  }

  /**
   * Returns if `proposal` may be committed on this state.
   * @throws HF_COMMIT_CONFLICT if it removes a file that is not live, HF_BUG if its maker broke a
   * rule: a position that falls, a file twice or with an id that is not reserved, a flush out of
   * order, a schema that contradicts the known one.
   */
  check(proposal: CommitProposal): void {
    this.checkRemovals(proposal);
    const idsTo = proposal.fileIdsTo ?? this.#fileIdsTo;
    assert(idsTo >= this.#fileIdsTo, `reserved file ids fall to ${idsTo}`);
    const added = new Set<number>();
    for (const { id } of proposal.adds ?? []) {
      const known = added.has(id) || this.#files.has(id) || this.#removed.has(id);
      assert(!known, `file ${id} is added twice`);
      assert(id <= this.#fileIdsTo, `file id ${id} is not reserved`);
      added.add(id);
    }
    for (const [id, lsn] of proposal.positions ?? []) {
      assert(Number.isSafeInteger(lsn), `position of measurement ${id} is not an exact integer`);
      assert(lsn >= this.position(id), `position of measurement ${id} falls to ${lsn}`);
    }
    if (proposal.kind === 'flush') this.#checkOrder(proposal);
    this.#checkSchema(proposal);
  }

  /** The part of `check` that keeps rows from being doubled or resurrected (P11). */
  protected checkRemovals(proposal: CommitProposal): void {
    const removes = proposal.removes ?? [];
    const named = new Set<number>();
    for (const { id } of removes) {
      assert(!named.has(id), `file ${id} is removed twice by one commit`);
      named.add(id);
    }
    const gone = removes.filter(({ id }) => !this.#files.has(id)).map(({ id }) => id);
    if (gone.length === 0) return;
    const message = `${gone.length} of ${removes.length} files to remove are no longer live`;
    throw new GatewayError('HF_COMMIT_CONFLICT', message, { details: { files: gone } });
  }

  /** Makes `commit` part of the state. It was checked before, or comes from the journal. */
  apply(commit: Commit): void {
    assert(commit.number > this.#commit, `commit ${commit.number} is not above ${this.#commit}`);
    this.#commit = commit.number;
    for (const { id, reason } of commit.removes ?? []) this.#remove(id, commit.number, reason);
    for (const file of commit.adds ?? []) this.#files.set(file.id, file);
    for (const name of commit.databases ?? []) this.#databases.add(name);
    for (const addition of commit.measurements ?? []) {
      this.#measurements.set(addition.id, addition);
    }
    for (const addition of commit.columns ?? []) this.#addColumn(addition);
    for (const change of commit.kinds ?? []) this.#changeKind(change);
    for (const id of commit.identified ?? []) this.#identified.add(id);
    for (const each of commit.databaseTags ?? []) this.#addTags(each);
    for (const [id, lsn] of commit.positions ?? []) {
      this.#positions.set(id, Math.max(lsn, this.position(id)));
    }
    this.#lowWater = Math.max(this.#lowWater, commit.lowWater ?? 0);
    this.#fileIdsTo = Math.max(this.#fileIdsTo, commit.fileIdsTo ?? 0);
  }

  /** Takes in names that the journal has lost; those that it has stand. */
  learn(measurement: MeasurementAddition, columns: readonly ColumnAddition[]): void {
    this.#databases.add(measurement.database);
    if (!this.#measurements.has(measurement.id)) {
      this.#measurements.set(measurement.id, measurement);
    }
    for (const addition of columns) this.#addColumn(addition);
  }

  /** Forgets a removed file; its name is gone from the disk, durably. */
  unlinked(id: number): void {
    this.#removed.delete(id);
  }

  /** Returns a copy in the order that docs/format/journal.md gives: equal states, equal copies. */
  toState(): CatalogState {
    const byId = (a: { id: number }, b: { id: number }) => a.id - b.id;
    const columns = [...this.#columns.values()].flatMap((map) => [...map.values()]);
    columns.sort((a, b) => a.measurementId - b.measurementId || a.columnId - b.columnId);
    return {
      commit: this.#commit,
      databases: [...this.#databases],
      measurements: [...this.#measurements.values()].sort(byId),
      columns,
      files: [...this.#files.values()].sort(byId),
      removed: [...this.#removed.values()].sort(byId),
      identified: [...this.#identified].sort((a, b) => a - b),
      databaseTags: Array.from(this.#databaseTags, ([database, tags]) => {
        return { database, tags: [...tags] };
      }),
      positions: [...this.#positions].sort((a, b) => a[0] - b[0]),
      lowWater: this.#lowWater,
      fileIdsTo: this.#fileIdsTo,
    };
  }

  /**
   * A flush moves its measurements on, from above what was filed (P7). That no older rows are left
   * behind is known only to the maker; the next flush of those rows fails here.
   */
  #checkOrder(proposal: CommitProposal): void {
    const positions = new Map(proposal.positions ?? []);
    for (const { id, measurementId, lsns } of proposal.adds ?? []) {
      const filed = this.position(measurementId);
      const moved = positions.get(measurementId) ?? filed;
      assert(lsns[0] <= lsns[1], `file ${id} has an empty range of LSNs`);
      assert(lsns[0] > filed, `file ${id} holds rows from ${lsns[0]}, filed up to ${filed}`);
      assert(lsns[1] <= moved, `file ${id} holds rows to ${lsns[1]}, flushed only to ${moved}`);
    }
  }

  /** Repeating what is known is no error: two commits under way may carry the same column. */
  #checkSchema(proposal: CommitProposal): void {
    for (const addition of proposal.measurements ?? []) {
      const known = this.#measurements.get(addition.id);
      const same = known?.database === addition.database && known.name === addition.name;
      assert(known === undefined || same, `measurement ${addition.id} has another name`);
    }
    for (const addition of proposal.columns ?? []) {
      const { measurementId, columnId } = addition;
      const known = this.#columns.get(measurementId)?.get(columnId);
      const same = known?.name === addition.name && known.type === addition.type;
      const column = `column ${columnId} of measurement ${measurementId}`;
      assert(known === undefined || same, `${column} has another name or type`);
    }
  }

  #addColumn(addition: ColumnAddition): void {
    const known = this.#columns.get(addition.measurementId);
    if (known === undefined) {
      this.#columns.set(addition.measurementId, new Map([[addition.columnId, addition]]));
    } else if (!known.has(addition.columnId)) {
      // A repeated addition must not take back a kind that was decided since.
      known.set(addition.columnId, addition);
    }
  }

  #changeKind({ measurementId, logical, ...change }: KindChange): void {
    const columns = this.#columns.get(measurementId);
    for (const [id, column] of columns ?? []) {
      if (column.logical === logical) columns?.set(id, { ...column, ...change });
    }
  }

  #addTags({ database, tags }: DatabaseTags): void {
    const known = this.#databaseTags.get(database) ?? new Set<string>();
    for (const tag of tags) known.add(tag);
    this.#databaseTags.set(database, known);
  }

  #remove(id: number, removedAt: number, reason: RemovedFile['reason']): void {
    const file = this.#files.get(id);
    if (file === undefined) {
      this.#unknownRemovals++;
      return;
    }
    this.#files.delete(id);
    this.#removed.set(id, { ...file, removedAt, reason });
  }
}
