/**
 * What must hold of the commit journal, over all starts: the plain list of the commits that were
 * answered, the rows of every file, and the promises checked against them. A row is an LSN.
 */
import { isDeepStrictEqual } from 'node:util';
import type { CatalogState, Commit, CommitProposal } from '../../src/base/model/commit.ts';
import { modelState } from './catalog-model.ts';
import { Violation } from './log-ledger.ts';

export class JournalLedger {
  /** All commits that were answered with a number and are not lost by rot, of all lives. */
  commits: Commit[] = [];
  /** Written and not answered when the last life ended; the journal may have it. */
  undecided: CommitProposal | undefined;
  /** Commits up to here must survive rot of the journal's last record. */
  safe = 0;
  /** The journal's last record rotted since the last start. */
  rotted = false;
  /** Rows of every file that was ever written, by id. */
  readonly rows = new Map<number, readonly number[]>();
  /** Measurement of every row, by LSN. */
  readonly everWritten = new Map<number, number>();
  #lastNumber = 0;

  /** `commit` was answered; the log was said to be synced up to `syncedTo`. */
  committed(commit: Commit, syncedTo: number): void {
    if (commit.number <= this.#lastNumber) throw new Violation(`number ${commit.number} again`);
    this.#lastNumber = commit.number;
    const named = [commit.lowWater ?? 0, ...(commit.positions ?? []).map(([, lsn]) => lsn)];
    if (commit.kind === 'flush' && Math.max(...named) > syncedTo) {
      throw new Violation(`commit ${commit.number} names rows that the log may lose`);
    }
    this.commits.push(commit);
    this.#checkRows('after a commit');
  }

  /** The file at `path` is about to be unlinked, and the main thread shows commit `visible`. */
  unlinking(path: string, visible: number): void {
    const file = modelState(this.commits).removed.find((each) => path.endsWith(each.path));
    if (file === undefined) throw new Violation(`${path} is unlinked and was not removed`);
    const { removedAt } = file;
    if (removedAt > visible) throw new Violation(`${path} is unlinked before it is shown`);
    if (removedAt > this.safe) throw new Violation(`${path} is unlinked before it is proven`);
  }

  /**
   * A start gave `recovered`: it comes from a prefix of all commits, with each that was answered in
   * it, and no file of it is gone. Returns true if it has the commit that was under way.
   */
  recovered(recovered: CatalogState, hasFile: (id: number) => boolean): boolean {
    const kept = this.#settle(recovered.commit);
    const expected = modelState(this.commits);
    const stillThere = new Set(recovered.removed.map(({ id }) => id));
    for (const { id } of expected.removed) {
      if (!stillThere.has(id) && hasFile(id)) {
        throw new Violation(`file ${id} is forgotten and still there`);
      }
    }
    const removed = expected.removed.filter(({ id }) => stillThere.has(id));
    if (!isDeepStrictEqual({ ...expected, removed }, recovered)) {
      throw new Violation('the recovered state is not that of a prefix of the commits');
    }
    for (const { id } of recovered.files) {
      if (!hasFile(id)) throw new Violation(`live file ${id} is gone`);
    }
    this.#checkRows('after a start');
    this.rotted = false;
    return kept;
  }

  /** Every row is in a live file, or replay gives it, or a commit took it away. */
  checkReplay({ positions }: CatalogState, replayed: ReadonlySet<number>): void {
    const filedTo = new Map(positions);
    for (const [lsn, measurementId] of this.everWritten) {
      const filed = lsn <= (filedTo.get(measurementId) ?? 0);
      if (!filed && !replayed.has(lsn)) {
        throw new Violation(`row ${lsn} is in no file and not in the log`);
      }
    }
  }

  /** Makes `commits` the list that a state at `commit` must have come from. */
  #settle(commit: number): boolean {
    const { undecided } = this;
    const last = this.commits.at(-1)?.number ?? 0;
    this.undecided = undefined;
    if (commit > last) {
      if (undecided === undefined) throw new Violation(`commit ${commit} out of nothing`);
      this.commits.push({ ...undecided, number: commit });
      this.#lastNumber = Math.max(this.#lastNumber, commit);
      return true;
    }
    const lost = this.commits.filter(({ number }) => number > commit);
    for (const { number } of lost) {
      if (!this.rotted) throw new Violation(`commit ${number} was answered and is lost`);
      if (number <= this.safe) throw new Violation(`commit ${number} was safe and is lost`);
    }
    this.commits = this.commits.filter(({ number }) => number <= commit);
    return false;
  }

  /** No row twice in live files, none that a commit has removed, none of the filed ones missing. */
  #checkRows(when: string): void {
    const { files, positions } = modelState(this.commits);
    const filedTo = new Map(positions);
    const there = files.flatMap(({ id }) => this.rows.get(id) ?? []);
    const distinct = new Set(there);
    if (distinct.size !== there.length) throw new Violation(`${when}: a row twice`);
    const gone = this.#goneRows();
    for (const row of there) if (gone.has(row)) throw new Violation(`${when}: row ${row} is back`);
    for (const [lsn, measurementId] of this.everWritten) {
      const filed = lsn <= (filedTo.get(measurementId) ?? 0);
      if (filed && !distinct.has(lsn) && !gone.has(lsn)) {
        throw new Violation(`${when}: row ${lsn} is filed and in no file`);
      }
    }
  }

  /** Rows that a delete or retention took away, told from its inputs and outputs. */
  #goneRows(): ReadonlySet<number> {
    const gone = new Set<number>();
    for (const { kind, removes, adds } of this.commits) {
      if (kind !== 'job') continue;
      const kept = new Set((adds ?? []).flatMap(({ id }) => this.rows.get(id) ?? []));
      for (const { id } of removes ?? []) {
        for (const row of this.rows.get(id) ?? []) if (!kept.has(row)) gone.add(row);
      }
    }
    return gone;
  }
}
