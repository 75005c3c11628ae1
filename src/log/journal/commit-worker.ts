/**
 * The commit thread's loop: messages of the main thread to the committer, and its events back.
 * The index and the judgement of unlisted files belong to another wing and are handed in.
 *
 * I1. Events leave in commit order, each before the answer of its proposal (commit-messages.ts).
 * I2. The index gets a commit after the stream has it; an index that fails costs no commit.
 */
import type { MessagePort } from 'node:worker_threads';
import { asGatewayError, GatewayError, toWire } from '../../base/errors/gateway-error.ts';
import type { CatalogState, CommitEvent, FileStatistics } from '../../base/model/commit.ts';
import type {
  CommitFigures,
  CommitSettings,
  CommitSink,
  FromCommit,
  JournalAlarm,
  LostNumbers,
  ToCommit,
} from './commit-messages.ts';
import { Committer } from './committer.ts';
import { highestFileId, type LiveState } from './live-state.ts';
import { Listings } from './listings.ts';
import { openJournal, type JournalDeps, type OpenedJournal } from './open-journal.ts';
import { snapshotLimits, type SnapshotLimits } from './snapshot-rule.ts';

/** A derived store that follows the commits (SQLite index). None of its calls throws. */
export interface CommitIndex {
  /** Statistics that the store has of the files with these ids. */
  statistics(ids: readonly number[], state: LiveState): readonly FileStatistics[];
  /** Times that it was made anew from the state. */
  readonly rebuilds: number;
  /** True if it had a commit that the journal does not have: the journal lost its tail (P12). */
  readonly wasAhead: boolean;
  committed(event: CommitEvent, state: LiveState): void;
  unlinked(ids: readonly number[]): void;
  close(): void;
}

/** Data files that no commit names, found at the start. */
export interface UnlistedFiles {
  /** Highest file id in any name, listed or not. */
  readonly highestId: number;
  /** Judges the files that may still be in the log, now that its replayed range is known. */
  replayed(firstLsn: number, lastLsn: number, lost?: readonly LostNumbers[]): void;
}

export interface CommitWorkerDeps extends JournalDeps {
  readonly limits?: Partial<SnapshotLimits>;
  openIndex(settings: CommitSettings, state: LiveState, alarm: AlarmSink): CommitIndex;
  /** Called if the journal lost records: adds the names that its files need to the state. */
  restoreSchema(settings: CommitSettings, state: LiveState, alarm: AlarmSink): void;
  /** @param damaged true if the journal lost records: then nothing is deleted (section 9) */
  findUnlisted(
    settings: CommitSettings,
    state: LiveState,
    damaged: boolean,
    alarm: AlarmSink,
  ): UnlistedFiles;
}

export type AlarmSink = (alarm: JournalAlarm) => void;

const markIdleMs = 1000;
const retryMs = 1000;
const unlinksPerTick = 64;

/** Serves `port` until it is told to close. */
export function runCommitter(port: MessagePort, deps: CommitWorkerDeps): void {
  let worker: CommitWorker | undefined;
  port.on('message', (message: ToCommit) => {
    if (message.kind !== 'open') {
      worker?.take(message);
      return;
    }
    try {
      worker = new CommitWorker(port, deps, message.settings);
    } catch (error) {
      post(port, { kind: 'refused', error: toWire(asGatewayError(error)) });
      port.close();
    }
  });
}

function post(port: MessagePort, message: FromCommit): void {
  port.postMessage(message);
}

class CommitWorker {
  readonly #port: MessagePort;
  readonly #deps: CommitWorkerDeps;
  readonly #journal: OpenedJournal;
  readonly #index: CommitIndex;
  readonly #unlisted: UnlistedFiles;
  readonly #committer: Committer;
  readonly #listings: Listings;
  #timer: NodeJS.Timeout | undefined;

  constructor(port: MessagePort, deps: CommitWorkerDeps, settings: CommitSettings) {
    this.#port = port;
    this.#deps = deps;
    const alarm: AlarmSink = (raised) => {
      post(port, { kind: 'alarm', alarm: raised });
    };
    this.#journal = openJournal(deps, settings);
    const { log, state, extent, report } = this.#journal;
    for (const { message, segment } of report.alarms) {
      alarm({ kind: 'journal-damaged', message, details: { segment } });
    }
    this.#index = deps.openIndex(settings, state, alarm);
    const damaged = report.rot.length > 0 || this.#hasLostCommits(alarm);
    if (damaged) deps.restoreSchema(settings, state, alarm);
    this.#unlisted = deps.findUnlisted(settings, state, damaged, alarm);
    const { files, clock } = deps;
    this.#committer = new Committer({ log, state, files, clock, sink: this.#sink(alarm) }, extent, {
      ...snapshotLimits,
      ...deps.limits,
      dataDirectory: settings.dataDirectory,
      markIdleMs,
      retryMs,
      unlinksPerTick,
    });
    this.#listings = new Listings((ids) => this.#index.statistics(ids, state));
    this.#opened(state.toState());
  }

  take(message: Exclude<ToCommit, { kind: 'open' }>): void {
    switch (message.kind) {
      case 'propose':
        this.#propose(message);
        break;
      case 'walSynced':
        this.#committer.walSynced(message.lsn);
        break;
      case 'walReplayed':
        this.#unlisted.replayed(message.firstLsn, message.lastLsn, message.lost);
        break;
      case 'visible':
        this.#committer.visible(message.commit);
        break;
      case 'pinned':
        this.#committer.pinned(message.commit);
        break;
      case 'list':
        this.#list(message);
        break;
      case 'listNext':
        this.#post({ kind: 'piece', id: message.id, piece: this.#listings.next(message.id) });
        break;
      case 'listEnd':
        this.#listings.close(message.id);
        break;
      case 'close':
        this.#close();
        return;
    }
    this.#schedule();
  }

  /** Losses that the log itself cannot see: none of it is damaged, and yet commits are missing. */
  #hasLostCommits(alarm: AlarmSink): boolean {
    const { unknownRemovals } = this.#journal.state;
    const messages: string[] = [];
    if (unknownRemovals > 0) messages.push(`${unknownRemovals} removed files were never added`);
    if (this.#index.wasAhead) messages.push('the index has commits that the journal does not have');
    for (const message of messages) alarm({ kind: 'journal-damaged', message, details: {} });
    return messages.length > 0;
  }

  #opened(seed: CatalogState): void {
    const highestId = Math.max(highestFileId(seed), this.#unlisted.highestId);
    this.#post({ kind: 'opened', seed, highestId, figures: this.#figures() });
    this.#schedule();
  }

  #list({ id, hasStatistics }: Extract<ToCommit, { kind: 'list' }>): void {
    const { state } = this.#journal;
    this.#listings.open(id, state, hasStatistics);
    this.#post({ kind: 'listed', id, commit: state.commit });
  }

  #figures(): CommitFigures {
    return { ...this.#committer.figures(), indexRebuilds: this.#index.rebuilds };
  }

  #post(message: FromCommit): void {
    post(this.#port, message);
  }

  #sink(alarm: AlarmSink): CommitSink {
    return {
      committed: (event) => {
        this.#post({ kind: 'event', event });
        this.#index.committed(event, this.#journal.state);
      },
      unlinked: (ids) => {
        this.#index.unlinked(ids);
      },
      safe: (commit) => {
        this.#post({ kind: 'safe', commit });
      },
      stateChanged: (state) => {
        this.#post({ kind: 'journal', state, figures: this.#figures() });
      },
      snapshotTaken: () => {
        this.#post({ kind: 'figures', figures: this.#figures() });
      },
      alarm,
    };
  }

  #propose({ id, proposal, statistics }: Extract<ToCommit, { kind: 'propose' }>): void {
    this.#committer.propose(proposal, statistics, (error, commit) => {
      const wire = error === undefined ? undefined : toWire(error);
      this.#post({ kind: 'answered', id, commit, error: wire, figures: this.#figures() });
    });
  }

  #schedule(): void {
    clearTimeout(this.#timer);
    this.#timer = undefined;
    const dueMs = this.#committer.dueMs();
    if (dueMs === undefined) return;
    const waitMs = Math.max(0, dueMs - this.#deps.clock.monotonicMs());
    this.#timer = setTimeout(() => {
      this.#committer.tick();
      this.#schedule();
    }, waitMs);
  }

  #close(): void {
    clearTimeout(this.#timer);
    this.#committer.close();
    this.#index.close();
    this.#post({ kind: 'closed' });
    this.#port.close();
  }
}

/** The error of a client whose thread has ended. */
export function threadLost(cause: unknown): GatewayError {
  return new GatewayError('HF_COMMIT_THREAD_LOST', 'the thread of the commit journal ended', {
    cause,
  });
}
