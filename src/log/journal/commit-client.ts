/**
 * The main thread's view of the commit journal (commit-protocol P10-P14). The committer itself
 * lives on a thread of its own (commit-worker.ts).
 *
 * I1. Every commit is shown to all listeners in order and in one tick, in which `visibleCommit`
 *     rises; the promise of `commit` resolves after that.
 * I2. A pin is told to the committer before a later commit is shown (commit-messages.ts).
 * I3. File ids come from blocks that a commit has reserved, each id once (P9).
 * I4. A thread that ends without being told to is final: all that wait are rejected.
 */
import { Worker } from 'node:worker_threads';
import { fromWire, GatewayError } from '../../base/errors/gateway-error.ts';
import { assert, present } from '../../base/lib/assert.ts';
import type {
  CatalogState,
  CommitEvent,
  CommitProposal,
  FileStatistics,
} from '../../base/model/commit.ts';
import type {
  CommitFigures,
  CommitSettings,
  FromCommit,
  JournalAlarm,
  JournalState,
  LostNumbers,
  ToCommit,
} from './commit-messages.ts';
import { threadLost } from './commit-worker.ts';
import { fileIdBlock, fileIdEpoch } from './file-ids.ts';
import type { ListingPiece } from './listings.ts';
import { Pins } from './pins.ts';

export interface CommitClientOptions extends CommitSettings {
  /** Entry of the commit thread. */
  readonly thread: URL;
}

/** The files that are live at one commit. */
export interface CatalogListing {
  readonly commit: number;
  /** To be read once; each piece is made when the one before it was taken. */
  readonly pieces: AsyncIterable<ListingPiece>;
  /** Who stops before the last piece gives the listing's memory back with it. */
  close(): void;
}

type FromListing = Extract<FromCommit, { kind: 'listed' | 'piece' }>;

type StateListener = (state: JournalState, cause: GatewayError | undefined) => void;

type Opened = Extract<FromCommit, { kind: 'opened' }>;

export class CommitClient {
  readonly #worker: Worker;
  readonly #pins: Pins;
  readonly #listeners: ((event: CommitEvent) => void)[] = [];
  readonly #safeListeners: ((commit: number) => void)[] = [];
  readonly #alarmListeners: ((alarm: JournalAlarm) => void)[] = [];
  readonly #stateListeners: StateListener[] = [];
  readonly #exitListeners: ((error: GatewayError) => void)[] = [];
  readonly #waiting = new Map<number, PromiseWithResolvers<number>>();
  /** By the id of their listing; each has asked for one thing at most. */
  readonly #listings = new Map<number, PromiseWithResolvers<FromListing>>();
  /** Bytes of live files by id. */
  readonly #files = new Map<number, number>();
  #seed: CatalogState | undefined;
  /** Alarms of recovery, for the first listener. */
  #alarms: JournalAlarm[];
  #fileBytes = 0;
  #figures: CommitFigures;
  #visible: number;
  #safe: number;
  #nextProposal = 1;
  #nextListing = 1;
  #nextFileId: number;
  #fileIdsTo: number;
  #reserving: Promise<void> | undefined;
  #closing: PromiseWithResolvers<void> | undefined;
  #lost: GatewayError | undefined;

  private constructor(worker: Worker, opened: Opened, alarms: JournalAlarm[]) {
    this.#worker = worker;
    this.#seed = opened.seed;
    this.#figures = opened.figures;
    this.#safe = opened.figures.safeCommit;
    this.#visible = opened.seed.commit;
    this.#alarms = alarms;
    for (const { id, bytes } of opened.seed.files) this.#addFile(id, bytes);
    const highest = Math.max(opened.highestId, opened.seed.fileIdsTo, fileIdEpoch);
    this.#fileIdsTo = highest;
    this.#nextFileId = highest + 1;
    this.#pins = new Pins((commit) => {
      this.#post({ kind: 'pinned', commit });
    });
    this.#post({ kind: 'visible', commit: this.#visible });
  }

  /** Recovers the journal. @throws HF_FORMAT_NEWER, HF_JOURNAL_RECORD_BAD, HF_IO */
  static async open(options: CommitClientOptions): Promise<CommitClient> {
    const { thread, ...settings } = options;
    const worker = new Worker(thread, { name: 'commit' });
    const opening = Promise.withResolvers<CommitClient>();
    const alarms: JournalAlarm[] = [];
    let client: CommitClient | undefined;
    const end = (cause: unknown) => {
      const error = threadLost(cause);
      opening.reject(error);
      if (client !== undefined) client.#end(error);
    };
    worker.on('message', (message: FromCommit) => {
      if (client !== undefined) client.#take(message);
      else if (message.kind === 'refused') opening.reject(fromWire(message.error));
      else if (message.kind === 'alarm') alarms.push(message.alarm);
      else if (message.kind === 'opened') {
        client = new CommitClient(worker, message, alarms);
        opening.resolve(client);
      }
    });
    worker.on('error', end);
    worker.on('exit', () => {
      end(undefined);
    });
    const open: ToCommit = { kind: 'open', settings };
    worker.postMessage(open);
    try {
      return await opening.promise;
    } catch (error) {
      await worker.terminate();
      throw error;
    }
  }

  /** The catalog as the journal gave it at the start, until it is forgotten. */
  get seed(): CatalogState {
    return present(this.#seed, 'catalog of the start');
  }

  /** Gives back the memory of `seed`: all that it was for stands. */
  forgetSeed(): void {
    this.#seed = undefined;
  }

  /** Number of the last commit that was shown. */
  get visibleCommit(): number {
    return this.#visible;
  }

  /** D of P14: commits at or below it are confirmed by a later record. */
  get safeCommit(): number {
    return this.#safe;
  }

  get figures(): CommitFigures & { readonly fileBytes: number } {
    return { ...this.#figures, files: this.#files.size, fileBytes: this.#fileBytes };
  }

  /**
   * Resolves with the commit's number once it is durable and was shown.
   * @throws HF_COMMIT_CONFLICT, HF_COMMIT_REFUSED (may be proposed again), HF_COMMIT_THREAD_LOST
   */
  async commit(proposal: CommitProposal, statistics: readonly FileStatistics[]): Promise<number> {
    if (this.#lost !== undefined) throw this.#lost;
    assertLsns(proposal);
    const id = this.#nextProposal++;
    const waiting = Promise.withResolvers<number>();
    this.#waiting.set(id, waiting);
    this.#post({ kind: 'propose', id, proposal, statistics });
    return waiting.promise;
  }

  /** Calls back for every commit from now on, in the tick in which it becomes visible. */
  onEvent(listener: (event: CommitEvent) => void): void {
    this.#listeners.push(listener);
  }

  onSafe(listener: (commit: number) => void): void {
    this.#safeListeners.push(listener);
  }

  /** Calls back for alarms, those of recovery included. */
  onAlarm(listener: (alarm: JournalAlarm) => void): void {
    this.#alarmListeners.push(listener);
    for (const alarm of this.#alarms.splice(0)) listener(alarm);
  }

  /** Calls back when the state changes; also at once, if recovery left the journal `failed`. */
  onState(listener: StateListener): void {
    this.#stateListeners.push(listener);
    if (this.#figures.state === 'failed') listener('failed', this.#failure());
  }

  /** Called once if the thread ends by itself. */
  onExit(listener: (error: GatewayError) => void): void {
    this.#exitListeners.push(listener);
  }

  /** A file id of the reserved block, or undefined if it is used up. */
  takeFileId(): number | undefined {
    return this.#nextFileId <= this.#fileIdsTo ? this.#nextFileId++ : undefined;
  }

  /** Resolves when the next block is reserved, durably. @throws as `commit` */
  reserveFileIds(): Promise<void> {
    this.#reserving ??= this.#reserve().finally(() => {
      this.#reserving = undefined;
    });
    return this.#reserving;
  }

  /** No file that is live at `commit` is unlinked until the returned call. */
  pin(commit: number): () => void {
    return this.#pins.pin(commit);
  }

  /** The write-ahead log is on the device up to `lsn` (P4). */
  walSynced(lsn: number): void {
    assert(isLsn(lsn), `synced LSN ${lsn}`);
    this.#post({ kind: 'walSynced', lsn });
  }

  /** The write-ahead log gave all records of these LSNs to replay but the `lost` (section 9). */
  walReplayed(firstLsn: number, lastLsn: number, lost: readonly LostNumbers[]): void {
    const gaps = lost.map(({ firstNumber, lastNumber }) => ({ firstNumber, lastNumber }));
    this.#post({ kind: 'walReplayed', firstLsn, lastLsn, lost: gaps });
  }

  /**
   * Resolves with the files at some commit at or after the last one shown, to be read in pieces.
   * @throws HF_COMMIT_THREAD_LOST, also while pieces are read
   */
  async list({ hasStatistics }: { readonly hasStatistics: boolean }): Promise<CatalogListing> {
    const id = this.#nextListing++;
    const opened = await this.#ask({ kind: 'list', id, hasStatistics });
    assert(opened.kind === 'listed', 'a listing is opened before it is read');
    return {
      commit: opened.commit,
      pieces: this.#piecesOf(id),
      close: () => {
        this.#post({ kind: 'listEnd', id });
      },
    };
  }

  async close(): Promise<void> {
    if (this.#lost !== undefined) return;
    if (this.#closing === undefined) {
      this.#closing = Promise.withResolvers<void>();
      this.#post({ kind: 'close' });
    }
    return this.#closing.promise;
  }

  async *#piecesOf(id: number): AsyncGenerator<ListingPiece> {
    for (;;) {
      const answer = await this.#ask({ kind: 'listNext', id });
      assert(answer.kind === 'piece', 'a listing is opened once');
      yield answer.piece;
      if (answer.piece.isLast) return;
    }
  }

  #ask(message: Extract<ToCommit, { kind: 'list' | 'listNext' }>): Promise<FromListing> {
    if (this.#lost !== undefined) return Promise.reject(this.#lost);
    const answer = Promise.withResolvers<FromListing>();
    this.#listings.set(message.id, answer);
    this.#post(message);
    return answer.promise;
  }

  async #reserve(): Promise<void> {
    const to = this.#fileIdsTo + fileIdBlock;
    await this.commit({ kind: 'ids', fileIdsTo: to }, []);
    this.#fileIdsTo = to;
  }

  #failure(): GatewayError | undefined {
    const { failure } = this.#figures;
    return failure === undefined ? undefined : fromWire(failure);
  }

  #post(message: ToCommit): void {
    this.#worker.postMessage(message);
  }

  #take(message: FromCommit): void {
    switch (message.kind) {
      case 'event':
        this.#show(message.event);
        return;
      case 'answered':
        this.#answered(message);
        return;
      case 'safe':
        this.#safe = message.commit;
        for (const listener of this.#safeListeners) listener(message.commit);
        return;
      case 'journal':
        this.#figures = message.figures;
        for (const listener of this.#stateListeners) listener(message.state, this.#failure());
        return;
      case 'figures':
        this.#figures = message.figures;
        return;
      case 'alarm':
        if (this.#alarmListeners.length === 0) this.#alarms.push(message.alarm);
        for (const listener of this.#alarmListeners) listener(message.alarm);
        return;
      case 'listed':
      case 'piece':
        this.#listings.get(message.id)?.resolve(message);
        this.#listings.delete(message.id);
        return;
      case 'opened':
      case 'refused':
      case 'closed':
        return;
    }
  }

  #show(event: CommitEvent): void {
    const { commit } = event;
    this.#visible = commit.number;
    for (const { id } of commit.removes ?? []) this.#removeFile(id);
    for (const { id, bytes } of commit.adds ?? []) this.#addFile(id, bytes);
    for (const listener of this.#listeners) listener(event);
    this.#post({ kind: 'visible', commit: commit.number });
  }

  #answered({ id, commit, error, figures }: Extract<FromCommit, { kind: 'answered' }>): void {
    this.#figures = figures;
    const waiting = present(this.#waiting.get(id), 'proposal that was answered');
    this.#waiting.delete(id);
    if (error === undefined) waiting.resolve(commit);
    else waiting.reject(fromWire(error));
  }

  #addFile(id: number, bytes: number): void {
    this.#files.set(id, bytes);
    this.#fileBytes += bytes;
  }

  #removeFile(id: number): void {
    this.#fileBytes -= this.#files.get(id) ?? 0;
    this.#files.delete(id);
  }

  #end(error: GatewayError): void {
    if (this.#lost !== undefined) return;
    this.#lost = error;
    for (const waiting of this.#waiting.values()) waiting.reject(error);
    this.#waiting.clear();
    for (const listing of this.#listings.values()) listing.reject(error);
    this.#listings.clear();
    if (this.#closing === undefined) for (const listener of this.#exitListeners) listener(error);
    this.#closing?.resolve();
  }
}

function isLsn(value: number): boolean {
  return Number.isSafeInteger(value) && value >= 0;
}

/** A number that the log never reaches would keep this commit, and all behind it, for ever (P4). */
function assertLsns({ lowWater = 0, positions = [] }: CommitProposal): void {
  assert(isLsn(lowWater), `low-water mark ${lowWater}`);
  for (const [id, lsn] of positions) assert(isLsn(lsn), `position of measurement ${id}: ${lsn}`);
}
