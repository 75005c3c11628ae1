/**
 * The one committer (P10): it alone appends to the commit journal, and it alone unlinks files.
 *
 * I1. A proposal is appended only when the write-ahead log is synced up to all that it names (P4).
 * I2. A proposal is checked against the state just before it is appended; one that removes a file
 *     which is not live changes nothing (P11).
 * I3. State, index and stream see a commit only after the journal's sync returned, in order (P12).
 * I4. While the journal is failed nothing is committed, unlinked or released (contract W5).
 * I5. A file is unlinked only when its removal is at or below min(pins, visible commit, safe
 *     commit), and forgotten only after its directory was synced (P14).
 * I6. Nothing is appended that could not be read back: such a record would end every later start.
 * I7. Journal segments go only behind a snapshot that was read back and proven by a mark (P13).
 *
 * Synchronous, on the commit thread. Whoever runs it calls `tick` when `dueMs` has come.
 */
import type { Files } from '../../base/disk/files.ts';
import { asGatewayError, GatewayError, toWire } from '../../base/errors/gateway-error.ts';
import type { Clock } from '../../base/lib/clock.ts';
import { assert } from '../../base/lib/assert.ts';
import type { Commit, CommitProposal, FileStatistics } from '../../base/model/commit.ts';
import type { AppendLog } from '../log-types.ts';
import type { CommitSink, JournalFigures } from './commit-messages.ts';
import { decodePayload, encodeCommit, encodeSnapshot, type RemovedFile } from './commit-record.ts';
import type { LiveState } from './live-state.ts';
import { type JournalExtent, type SnapshotLimits, SnapshotRule } from './snapshot-rule.ts';

export interface CommitterDeps {
  readonly log: AppendLog;
  /** Recovered; the committer changes it from now on. */
  readonly state: LiveState;
  readonly files: Files;
  readonly clock: Clock;
  readonly sink: CommitSink;
}

export interface CommitterOptions extends SnapshotLimits {
  /** `<data_dir>/data`. */
  readonly dataDirectory: string;
  /** Quiet time after a commit, after which an empty record proves it (P14). */
  readonly markIdleMs: number;
  /** Time between two attempts at a fresh journal segment, or at a failed unlink. */
  readonly retryMs: number;
  /** Files unlinked in one go; between two goes commits get their turn. */
  readonly unlinksPerTick: number;
}

/** What a proposal's maker is told: the commit's number, or why there is none. */
export type CommitAnswer = (error: GatewayError | undefined, commit: number) => void;

interface Waiting {
  readonly proposal: CommitProposal;
  readonly statistics: readonly FileStatistics[];
  readonly done: CommitAnswer;
}

const markPayload = encodeCommit({ kind: 'mark' });

export class Committer {
  readonly #deps: CommitterDeps;
  readonly #options: CommitterOptions;
  readonly #snapshots: SnapshotRule;
  readonly #queue: Waiting[] = [];
  #walSyncedTo = 0;
  #visible = 0;
  #pin: number | undefined;
  #safe = 0;
  /** When the last record was appended that no mark proves yet. */
  #unmarkedMs: number | undefined;
  #retryAtMs: number | undefined;
  /** Number of the snapshot that was read back where it stands. */
  #readSnapshot = 0;
  #unlinkNotBeforeMs = -Infinity;
  #moreToUnlink = false;
  #commits = 0;
  #conflicts = 0;
  #refused = 0;
  #snapshotCount = 0;
  #snapshotFailures = 0;
  #unlinked = 0;

  /** `extent` is what recovery found in the journal. */
  constructor(deps: CommitterDeps, extent: JournalExtent, options: CommitterOptions) {
    this.#deps = deps;
    this.#options = options;
    this.#snapshots = new SnapshotRule(options, extent);
    if (deps.log.state === 'failed') this.#retryAtMs = this.#now() + options.retryMs;
    this.#advance();
  }

  /** D of P14: every commit at or below it is proven synced by a later record or header. */
  get safeCommit(): number {
    return this.#safe;
  }

  /**
   * Commits `proposal` as soon as the write-ahead log is synced far enough, in the order of calls.
   * `done` is called once, after the sink got the commit: with its number, or with
   * HF_COMMIT_CONFLICT, HF_COMMIT_REFUSED (may be proposed again), or HF_BUG.
   */
  propose(
    proposal: CommitProposal,
    statistics: readonly FileStatistics[],
    done: CommitAnswer,
  ): void {
    this.#queue.push({ proposal, statistics, done });
    this.#drain();
  }

  /** The write-ahead log is synced up to `lsn`, in every mode (P4). */
  walSynced(lsn: number): void {
    this.#walSyncedTo = Math.max(this.#walSyncedTo, lsn);
    this.#drain();
  }

  /** The main thread has applied `commit` and all before it. */
  visible(commit: number): void {
    this.#visible = Math.max(this.#visible, commit);
    this.#advance();
  }

  /** Smallest pinned commit, or undefined if none is pinned. */
  pinned(commit: number | undefined): void {
    this.#pin = commit;
    this.#advance();
  }

  /** Monotonic time at which `tick` has something to do, or undefined. */
  dueMs(): number | undefined {
    const { log } = this.#deps;
    if (log.state === 'failed') return this.#retryAtMs;
    let due = this.#unmarkedMs === undefined ? Infinity : this.#markAtMs(this.#unmarkedMs);
    if (this.#moreToUnlink) due = Math.min(due, Math.max(this.#unlinkNotBeforeMs, this.#now()));
    return due === Infinity ? undefined : due;
  }

  /** Does what is due: a fresh segment after a failure, the idle mark, unlinking. */
  tick(): void {
    const { log } = this.#deps;
    const now = this.#now();
    if (log.state === 'failed' && now >= (this.#retryAtMs ?? now)) {
      this.#retryAtMs = now + this.#options.retryMs;
      if (log.retryFresh()) this.#deps.sink.stateChanged('open');
    }
    const unmarked = this.#unmarkedMs;
    if (log.state === 'open' && unmarked !== undefined && now >= this.#markAtMs(unmarked)) {
      this.#writeMark();
    }
    this.#advance();
  }

  figures(): JournalFigures {
    const { log, state } = this.#deps;
    return {
      state: log.state === 'open' ? 'open' : 'failed',
      failure: log.failure === undefined ? undefined : toWire(log.failure),
      commit: state.commit,
      safeCommit: this.#safe,
      waiting: this.#queue.length,
      commits: this.#commits,
      conflicts: this.#conflicts,
      refused: this.#refused,
      snapshots: this.#snapshotCount,
      snapshotFailures: this.#snapshotFailures,
      unlinked: this.#unlinked,
      files: state.fileCount,
      filesRemoved: state.removedCount,
      journalBytes: log.bytesLive(),
      journalSegments: log.segments().length,
    };
  }

  /** Refuses what still waits and closes the journal. */
  close(): void {
    const error = new GatewayError('HF_COMMIT_REFUSED', 'the commit journal is closed');
    for (const waiting of this.#queue.splice(0)) waiting.done(error, 0);
    this.#deps.log.close();
  }

  #now(): number {
    return this.#deps.clock.monotonicMs();
  }

  #markAtMs(unmarkedMs: number): number {
    return unmarkedMs + this.#options.markIdleMs;
  }

  #drain(): void {
    for (;;) {
      const next = this.#queue[0];
      if (next === undefined || !this.#isSynced(next.proposal)) return;
      this.#queue.shift();
      this.#commit(next);
    }
  }

  /** P4, for what the proposal moves; what the state holds already was synced when it moved. */
  #isSynced(proposal: CommitProposal): boolean {
    const { state } = this.#deps;
    const { lowWater = 0, positions = [] } = proposal;
    const synced = this.#walSyncedTo;
    if (lowWater > synced && lowWater > state.lowWater) return false;
    return positions.every(([id, lsn]) => lsn <= synced || lsn <= state.position(id));
  }

  #commit({ proposal, statistics, done }: Waiting): void {
    const { state, sink } = this.#deps;
    let commit: Commit;
    try {
      assert(proposal.kind !== 'mark', 'marks are written by the committer alone');
      state.check(proposal);
      const number = this.#append(readablePayload(proposal));
      commit = { ...proposal, number };
    } catch (error) {
      const own = asGatewayError(error);
      if (own.code === 'HF_COMMIT_CONFLICT') this.#conflicts++;
      done(own, 0);
      this.#advance();
      return;
    }
    state.apply(commit);
    this.#commits++;
    sink.committed({ commit, statistics });
    done(undefined, commit.number);
    this.#advance();
    if (this.#snapshots.due(this.#deps.log.segments(), this.#now())) this.#compact();
  }

  /** Appends one record and returns its number, synced; @throws HF_COMMIT_REFUSED. */
  #append(payload: Uint8Array): number {
    try {
      const [number] = this.#deps.log.append([{ count: 1, payload }]);
      assert(number !== undefined, 'the log gave no number');
      this.#snapshots.appended(payload.length);
      this.#unmarkedMs = this.#now();
      return number;
    } catch (error) {
      throw this.#journalFailed(error);
    }
  }

  /** Returns the refusal that stands for a failed write of the journal (L4, W5). */
  #journalFailed(cause: unknown): GatewayError {
    const error = asGatewayError(cause);
    if (error.kind === 'bug') return error;
    this.#refused++;
    if (this.#deps.log.state === 'failed' && this.#retryAtMs === undefined) {
      // Set once per failure: proposals that keep coming must not put the next attempt off.
      this.#retryAtMs = this.#now() + this.#options.retryMs;
      this.#deps.sink.stateChanged('failed');
    }
    return new GatewayError('HF_COMMIT_REFUSED', `the commit journal refused: ${error.message}`, {
      cause: error,
      details: error.details,
    });
  }

  /** One empty record, whose mark proves all before it; itself it needs no proof. */
  #writeMark(): void {
    try {
      this.#append(markPayload);
      this.#unmarkedMs = undefined;
    } catch (error) {
      // The fresh segment's header is a mark of its own; without one the state says what is wrong.
      if (asGatewayError(error).kind === 'bug') throw error;
      this.#unmarkedMs = this.#now();
    }
  }

  /** Fresh segment that starts with a snapshot; what it replaces stays until it is proven. */
  #compact(): void {
    const { log, state, sink } = this.#deps;
    const payload = encodeSnapshot(state.toState());
    let number: number | undefined;
    try {
      number = log.rotate({ count: 1, payload, snapshot: true });
    } catch (error) {
      const refusal = this.#journalFailed(error);
      if (refusal.kind === 'bug') throw refusal;
      this.#snapshotFailed(refusal.message);
      return;
    }
    assert(number !== undefined, 'the log gave the snapshot no number');
    this.#unmarkedMs = this.#now();
    if (this.#readsBack(number, payload)) {
      this.#snapshotCount++;
      this.#readSnapshot = number;
      this.#snapshots.verified(number, payload.length);
      sink.snapshotTaken(number, payload.length);
    } else {
      this.#snapshotFailed(`snapshot ${number} differs when read back`);
    }
    this.#advance();
  }

  /**
   * True if the last snapshot was read back where it stands now: one that a start has carried into
   * its fresh segment was read in an older one, which goes.
   */
  #standsSnapshot(): boolean {
    const { number } = this.#snapshots;
    if (number === this.#readSnapshot) return true;
    if (this.#readsBack(number, undefined)) {
      this.#readSnapshot = number;
      return true;
    }
    this.#snapshots.distrusted();
    this.#snapshotFailed(`snapshot ${number} is damaged where this start has put it`);
    return false;
  }

  /** `payload`: what it must be; undefined if its checksum is all that is known. */
  #readsBack(number: number, payload: Uint8Array | undefined): boolean {
    try {
      const record = this.#deps.log.readBack(number);
      if (record === undefined || !record.snapshot) return false;
      if (payload !== undefined && Buffer.compare(record.payload, payload) !== 0) return false;
      return decodePayload(record.payload).type === 'snapshot';
    } catch (error) {
      if (asGatewayError(error).kind === 'bug') throw error;
      return false;
    }
  }

  #snapshotFailed(message: string): void {
    this.#snapshotFailures++;
    this.#snapshots.failed(this.#now());
    this.#deps.sink.alarm({ kind: 'snapshot-failed', message, details: {} });
  }

  /** Moves the safe commit on, and lets go what it covers. */
  #advance(): void {
    const { log, state, sink } = this.#deps;
    if (log.state !== 'open') return;
    this.#retryAtMs = undefined;
    const safe = Math.min(log.mark, state.commit);
    if (safe > this.#safe) {
      this.#safe = safe;
      sink.safe(safe);
    }
    const releasable = this.#snapshots.releasable(log.mark);
    const oldest = log.segments()[0]?.lastNumber;
    if (oldest !== undefined && oldest <= releasable && this.#standsSnapshot()) {
      log.release(releasable);
    }
    this.#unlinkSafe();
  }

  #unlinkSafe(): void {
    const { state, sink } = this.#deps;
    const { unlinksPerTick, retryMs } = this.#options;
    if (this.#now() < this.#unlinkNotBeforeMs) return;
    const limit = Math.min(this.#safe, this.#visible, this.#pin ?? Infinity);
    const batch: RemovedFile[] = [];
    this.#moreToUnlink = false;
    for (const file of state.removedFiles()) {
      if (file.removedAt > limit) break;
      this.#moreToUnlink = batch.length === unlinksPerTick;
      if (this.#moreToUnlink) break;
      batch.push(file);
    }
    if (batch.length === 0) return;
    try {
      this.#unlink(batch);
    } catch (error) {
      const { kind, message, details } = asGatewayError(error);
      if (kind === 'bug') throw error;
      this.#unlinkNotBeforeMs = this.#now() + retryMs;
      this.#moreToUnlink = true;
      sink.alarm({ kind: 'unlink-failed', message, details });
      return;
    }
    for (const { id } of batch) state.unlinked(id);
    this.#unlinked += batch.length;
    sink.unlinked(batch.map(({ id }) => id));
  }

  /** Returns after the names are gone from the disk, durably. */
  #unlink(batch: readonly RemovedFile[]): void {
    const { files } = this.#deps;
    const directories = new Set<string>();
    for (const file of batch) {
      const path = `${this.#options.dataDirectory}/${file.path}`;
      files.unlink(path);
      directories.add(path.slice(0, path.lastIndexOf('/')));
    }
    for (const directory of directories) {
      if (files.size(directory) !== undefined) files.syncDirectory(directory);
    }
  }
}

/** @throws HF_BUG if replay would refuse the record */
function readablePayload(proposal: CommitProposal): Uint8Array {
  const payload = encodeCommit(proposal);
  try {
    decodePayload(payload);
  } catch (cause) {
    throw new GatewayError('HF_BUG', 'a commit that could not be read back', { cause });
  }
  return payload;
}
