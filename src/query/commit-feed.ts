/**
 * Keeps the query process's file index in step with the catalog (commit-protocol P12): a seed for
 * each new process, then every commit in order, one batch at a time. A process that falls too far
 * behind, or does not answer with the commit it was brought to, is seeded anew. Main thread.
 *
 * A seed is read and sent piece by piece, each when the process took the one before it: however
 * many files there are, neither the thread nor its memory is held by them.
 */
import { Readable } from 'node:stream';
import { setImmediate as turn } from 'node:timers/promises';
import type { Commit, CommitEvent, FileFacts } from '../base/model/commit.ts';
import type { Applied, FileChange, FileEntry } from './child/wire.ts';
import type { EngineProcess } from './engine-process.ts';
import type { FileListing, QueryHost } from './query-host.ts';

/** Bytes of commits that may wait for the process, those not counted that came during a seed. */
const backlogBytesMax = 16 * 2 ** 20;

/** Characters of commits that are sent at a time, unless one alone has more. */
const batchLength = 2 ** 20;

/** How long to wait before another seed when one failed though the process lives. */
const retryMs = 1000;

function entryOf(file: FileFacts): FileEntry {
  const { id, measurementId, path, hours, flags, columns, namings } = file;
  const named = namings === undefined ? {} : { namings };
  return { id, measurementId, path, hours, flags, columns, ...named };
}

function changeOf(commit: Commit): FileChange {
  return {
    commit: commit.number,
    adds: (commit.adds ?? []).map(entryOf),
    removes: (commit.removes ?? []).map((removal) => removal.id),
  };
}

async function* seedText({ pieces }: FileListing): AsyncIterable<string> {
  for await (const { files } of pieces) {
    if (files.length === 0) continue;
    yield files.map((file) => `${JSON.stringify(entryOf(file))}\n`).join('');
    // A piece that has come already must not be taken in the same turn of the loop.
    await turn();
  }
}

interface QueuedChange {
  readonly commit: number;
  readonly line: string;
  /** Characters that count towards the limit: none if it came while a seed was loading. */
  readonly counted: number;
}

export interface FeedDependencies {
  readonly host: Pick<QueryHost, 'seed' | 'onEvent'>;
  readonly engine: Pick<EngineProcess, 'onReady' | 'requestJson'>;
  /** Oldest commit that a running query may still ask for. */
  readonly floor: () => number;
}

export class CommitFeed {
  readonly #deps: FeedDependencies;
  #queue: QueuedChange[] = [];
  #counted = 0;
  /** Counts seeds; whatever belongs to an older one is dropped. */
  #generation = 0;
  #state: 'idle' | 'seeding' | 'live' = 'idle';
  #sending = false;
  #stop = new AbortController();
  #seeds = 0;
  /** Commit of the last seed: it may be ahead of the events. */
  #seeded = 0;

  constructor(deps: FeedDependencies) {
    this.#deps = deps;
    deps.host.onEvent((event) => {
      this.#onEvent(event);
    });
    deps.engine.onReady(() => {
      void this.#seed();
    });
  }

  /** Seeds sent so far; 1 is normal. */
  get seeds(): number {
    return this.#seeds;
  }

  close(): void {
    this.#generation += 1;
    this.#state = 'idle';
    this.#stop.abort();
  }

  #onEvent({ commit }: CommitEvent): void {
    if (this.#state === 'idle') return;
    if (this.#state === 'live' && commit.number <= this.#seeded) return;
    const line = `${JSON.stringify(changeOf(commit))}\n`;
    const counted = this.#state === 'seeding' ? 0 : line.length;
    this.#queue.push({ commit: commit.number, line, counted });
    this.#counted += counted;
    if (this.#state === 'seeding') return;
    if (this.#counted > backlogBytesMax) void this.#seed();
    else void this.#send();
  }

  async #seed(): Promise<void> {
    this.#stop.abort();
    this.#stop = new AbortController();
    this.#generation += 1;
    const generation = this.#generation;
    this.#state = 'seeding';
    this.#queue = [];
    this.#counted = 0;
    this.#sending = false;
    let listing: FileListing | undefined;
    try {
      listing = await this.#deps.host.seed();
      if (generation !== this.#generation) return;
      this.#seeds += 1;
      const { commit } = listing;
      const body = Readable.from(seedText(listing));
      await this.#post(`/seed?commit=${String(commit)}`, body, commit);
      if (generation !== this.#generation) return;
      this.#queue = this.#queue.filter((change) => change.commit > commit);
      this.#seeded = commit;
      this.#state = 'live';
    } catch {
      this.#seedLater(generation);
      return;
    } finally {
      listing?.close();
    }
    await this.#send();
  }

  async #send(): Promise<void> {
    if (this.#sending || this.#state !== 'live') return;
    const generation = this.#generation;
    this.#sending = true;
    try {
      for (;;) {
        const changes = this.#takeBatch();
        const last = changes.at(-1);
        if (last === undefined) break;
        const body = changes.map((change) => change.line).join('');
        await this.#post(`/commits?floor=${String(this.#deps.floor())}`, body, last.commit);
        if (generation !== this.#generation) return;
        for (const { counted } of changes) this.#counted -= counted;
      }
    } catch {
      this.#seedLater(generation);
      return;
    }
    this.#sending = false;
  }

  #takeBatch(): readonly QueuedChange[] {
    let length = 0;
    let count = 0;
    for (const { line } of this.#queue) {
      length += line.length;
      if (length > batchLength && count > 0) break;
      count += 1;
    }
    return this.#queue.splice(0, count);
  }

  async #post(path: string, body: string | Readable, expected: number): Promise<void> {
    const answer = await this.#deps.engine.requestJson(path, body, this.#stop.signal);
    const { applied } = answer as Applied;
    if (applied !== expected) {
      throw new Error(`the query process is at ${String(applied)}, not at ${String(expected)}`);
    }
  }

  /** A process that died announces its successor by itself; one that lives is asked again. */
  #seedLater(generation: number): void {
    setTimeout(() => {
      if (generation === this.#generation) void this.#seed();
    }, retryMs).unref();
  }
}
