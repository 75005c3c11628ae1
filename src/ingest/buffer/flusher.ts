/**
 * Files buffered rows: seals buffers that are due, has them encoded, commits them, and lets the
 * rows go when the commit is visible. Main thread.
 * I1. Per measurement, flushes are committed in LSN order (P7, flush-order.ts).
 * I2. Rows stay in the buffers, and so in the log and in answers, until their commit is visible.
 * I3. A commit's low-water mark counts only what it files itself and what is filed already (P5).
 * I4. A flush that fails is retried with growing pauses under an alarm, with new file ids; a commit
 *     that is refused is retried with the same files. Nothing is ever given up, so memory and log
 *     fill up and admission refuses writes (W11).
 * I5. A flush of very many files is encoded some files at a time, in turn with the other flushes,
 *     and none waits for it; its files are committed together, since its measurement has one
 *     position (P7). What an attempt has made is kept for the next one. A commit of several flushes
 *     has a bounded number of files.
 */
import type {
  CommitEvent,
  CommitProposal,
  FileFacts,
  FileStatistics,
} from '../../base/model/commit.ts';
import type { Clock } from '../../base/lib/clock.ts';
import { asGatewayError, type GatewayError } from '../../base/errors/gateway-error.ts';
import type { Encoder, FlushResult } from '../../storage/parquet/types.ts';
import { inLsnOrder, upToFiles, type CommitOrder } from './flush-order.ts';
import { dueBuffers, type FlushLimits } from './flush-policy.ts';
import type { MeasurementBuffer } from './measurement-buffer.ts';
import type { MeasurementBuffers } from './measurement-buffers.ts';
import type { Committer, FlushAlarm, SchemaSource } from './types.ts';

export interface FlusherDeps {
  readonly buffers: MeasurementBuffers;
  readonly encoder: Encoder;
  readonly committer: Committer;
  readonly schema: SchemaSource;
  readonly clock: Clock;
  /** Bytes of live log segments. */
  readonly walBytes: () => number;
  readonly order?: CommitOrder;
}

export interface FlusherOptions {
  readonly limits: FlushLimits;
  /** `parquet.hour_file_min_rows` */
  readonly hourFileMinRows: number;
  /** Flushes handed to the encoder at the same time. */
  readonly encodingMax: number;
  /** How often age, memory and log are looked at. */
  readonly tickMs: number;
  readonly retryMsMin: number;
  readonly retryMsMax: number;
}

/** Files that an encoder makes before another flush has its turn: about a second of work. */
export const filesPerJob = 256;

/** Files of one commit, unless a single flush has more. */
export const commitFilesMax = 4096;

/** Flushes sealed in one go; they share one commit if they can. */
interface Round {
  /** Those not encoded yet that none of the others should go without. */
  awaited: number;
}

class Flush {
  readonly buffer: MeasurementBuffer;
  readonly round: Round;
  state: 'waiting' | 'encoding' | 'encoded' = 'waiting';
  /** The files made so far; a planned one without rows of its own is none. */
  readonly facts: FileFacts[] = [];
  /** Planned files that are made or turned out to be none. */
  planned = 0;
  #fileIds: readonly number[] = [];
  readonly statistics: FileStatistics[] = [];
  #awaited = true;
  readonly retry = new Retry();

  constructor(buffer: MeasurementBuffer, round: Round) {
    this.buffer = buffer;
    this.round = round;
  }

  get encoded(): boolean {
    return this.state === 'encoded';
  }

  /** Ids of all planned files: those of made ones stay, the rest are new ones. */
  takeIds(newIds: readonly number[]): readonly number[] {
    this.#fileIds = [...this.#fileIds.slice(0, this.planned), ...newIds];
    return this.#fileIds;
  }

  /** Notes that the planned files up to `planned` are durable. */
  made({ facts, statistics }: FlushResult, planned: number): void {
    this.facts.push(...facts);
    this.statistics.push(...statistics);
    this.planned = planned;
  }

  get awaitsOthers(): boolean {
    return this.round.awaited > 0;
  }

  /** It is encoded, or fails, or waits behind one that fails: the others need not wait for it. */
  leaveRound(): void {
    if (this.#awaited) this.round.awaited -= 1;
    this.#awaited = false;
  }
}

/** Attempts that failed in a row, and when to try again. */
class Retry {
  attempts = 0;
  atMs = 0;
  sinceMs = 0;
  error: GatewayError | undefined;

  failed(error: unknown, nowMs: number, pauseMsMin: number, pauseMsMax: number): void {
    if (this.attempts === 0) this.sinceMs = nowMs;
    this.atMs = nowMs + Math.min(pauseMsMax, pauseMsMin * 2 ** this.attempts);
    this.attempts += 1;
    this.error = asGatewayError(error);
  }

  succeeded(): void {
    this.attempts = 0;
    this.atMs = 0;
    this.error = undefined;
  }

  alarm(measurementIds: readonly number[]): readonly FlushAlarm[] {
    const { attempts, sinceMs, error } = this;
    return error === undefined ? [] : [{ measurementIds, attempts, sinceMs, error }];
  }
}

export class Flusher {
  readonly #deps: FlusherDeps;
  readonly #options: FlusherOptions;
  readonly #order: CommitOrder;
  /** By measurement, in LSN order. */
  readonly #queues = new Map<number, Flush[]>();
  #encoding = 0;
  #failures = 0;
  #committing: readonly Flush[] = [];
  readonly #commitRetry = new Retry();
  #timer: NodeJS.Timeout | undefined;
  /** Measurements whose seal waits for its turn. */
  readonly #sealing = new Set<number>();
  #waiters: (() => void)[] = [];
  #reserving: Promise<void> | undefined;

  constructor(deps: FlusherDeps, options: FlusherOptions) {
    this.#deps = deps;
    this.#options = options;
    this.#order = deps.order ?? inLsnOrder;
    deps.buffers.onFull((measurementIds) => {
      this.flush(measurementIds);
    });
    deps.committer.onEvent((event) => {
      this.#committed(event);
    });
  }

  /** Looks at what is due from now on, every `tickMs`. */
  start(): void {
    this.#timer ??= setInterval(() => {
      this.tick();
    }, this.#options.tickMs).unref();
  }

  stop(): void {
    clearInterval(this.#timer);
    this.#timer = undefined;
  }

  /** Seals what is due and goes on with what waits. */
  tick(): void {
    const { buffers, walBytes, clock } = this.#deps;
    const nowMs = clock.monotonicMs();
    const facts = Array.from(buffers.open, (buffer) => {
      const { measurementId, rows, bytes, firstLsn, openedMs } = buffer;
      return { measurementId, rows, bytes, firstLsn, ageMs: nowMs - openedMs };
    });
    const pressure = { walBytes: walBytes(), enteredTo: buffers.enteredTo };
    const due = facts.length === 0 ? [] : dueBuffers(facts, this.#options.limits, pressure);
    if (due.length > 0) this.flush(due);
    else this.#advance();
  }

  /** Seals these measurements' buffers, between records; they share one commit. */
  flush(measurementIds: readonly number[]): void {
    const ids = measurementIds.filter((id) => !this.#sealing.has(id));
    for (const id of ids) this.#sealing.add(id);
    this.#seal(
      () => ids,
      () => {
        for (const id of ids) this.#sealing.delete(id);
      },
    );
  }

  /** Seals everything: at the end of replay, before shutdown. */
  flushOpen(): void {
    void this.#sealOpen();
  }

  /** Resolves when all that has entered, or waits to enter, is sealed. */
  #sealOpen(): Promise<void> {
    const { buffers } = this.#deps;
    return new Promise((resolve) => {
      this.#seal(() => Array.from(buffers.open, ({ measurementId }) => measurementId), resolve);
    });
  }

  #seal(choose: () => readonly number[], ended: () => void): void {
    this.#deps.buffers.sealInTurn(choose, (sealed) => {
      ended();
      const round: Round = { awaited: sealed.length };
      for (const buffer of sealed) {
        const queue = this.#queues.get(buffer.measurementId) ?? [];
        const flush = new Flush(buffer, round);
        if (queue.some(({ retry }) => retry.attempts > 0)) flush.leaveRound();
        this.#queues.set(buffer.measurementId, [...queue, flush]);
      }
      this.#advance();
    });
  }

  /** Files everything; false if rows are left when `timeoutMs` has passed. They stay in the log. */
  async flushAll(timeoutMs: number): Promise<boolean> {
    let isSealed = false;
    const filed = this.#sealOpen().then(() => {
      isSealed = true;
      return this.#whenIdle();
    });
    let timer: NodeJS.Timeout | undefined;
    const late = new Promise<void>((resolve) => {
      timer = setTimeout(resolve, timeoutMs);
    });
    await Promise.race([filed, late]);
    clearTimeout(timer);
    return isSealed && this.#queues.size === 0;
  }

  /** Resolves when the buffers take at most `bytes`; replay waits for it between records. */
  async whenBelow(bytes: number): Promise<void> {
    while (this.#deps.buffers.bytes > bytes) {
      await this.#sealOpen();
      if (this.#queues.size === 0) return;
      await new Promise<void>((resolve) => {
        this.#waiters.push(resolve);
      });
    }
  }

  /** What fails at present; empty when all is well. */
  alarms(): readonly FlushAlarm[] {
    const flushes = [...this.#queues.values()].flat();
    const committing = [...this.#queues.keys()];
    return [
      ...flushes.flatMap((flush) => flush.retry.alarm([flush.buffer.measurementId])),
      ...this.#commitRetry.alarm(committing),
    ];
  }

  /** Attempts to encode or commit that failed since the start. */
  get failures(): number {
    return this.#failures;
  }

  /** Flushes that are sealed and not committed. */
  get pending(): number {
    let count = 0;
    for (const queue of this.#queues.values()) count += queue.length;
    return count;
  }

  async #whenIdle(): Promise<void> {
    while (this.#queues.size > 0) {
      await new Promise<void>((resolve) => {
        this.#waiters.push(resolve);
      });
    }
  }

  #advance(): void {
    this.#startEncoding();
    this.#startCommit();
  }

  /** Oldest first over all measurements; behind a failing flush its measurement waits. */
  #startEncoding(): void {
    const nowMs = this.#deps.clock.monotonicMs();
    const ready: Flush[] = [];
    for (const queue of this.#queues.values()) {
      for (const flush of queue) {
        if (flush.retry.atMs > nowMs) break;
        if (flush.state === 'waiting') ready.push(flush);
      }
    }
    ready.sort((a, b) => a.buffer.firstLsn - b.buffer.firstLsn);
    for (const flush of ready.slice(0, Math.max(0, this.#options.encodingMax - this.#encoding))) {
      flush.state = 'encoding';
      this.#encoding += 1;
      void this.#encode(flush);
    }
  }

  async #encode(flush: Flush): Promise<void> {
    const end = flush.buffer.read();
    try {
      await this.#encodeFiles(flush);
      flush.state = 'encoded';
      flush.retry.succeeded();
    } catch (error) {
      flush.state = 'waiting';
      this.#failed(flush.retry, error);
      for (const other of this.#queues.get(flush.buffer.measurementId) ?? []) other.leaveRound();
    }
    end();
    this.#encoding -= 1;
    flush.leaveRound();
    this.#advance();
  }

  /** Makes the files that are not made yet (I5). */
  async #encodeFiles(flush: Flush): Promise<void> {
    const { buffer } = flush;
    const plans = buffer.plan(this.#options.hourFileMinRows);
    const count = plans.reduce((sum, files) => sum + files.length, 0);
    if (count > filesPerJob) flush.leaveRound();
    const fileIds = flush.takeIds(await this.#takeFileIds(count - flush.planned));
    while (flush.planned < count) {
      const range = [flush.planned, Math.min(count, flush.planned + filesPerJob)] as const;
      const made = await this.#deps.encoder.flush(buffer.flushJob(plans, fileIds, range));
      flush.made(made, range[1]);
    }
  }

  async #takeFileIds(count: number): Promise<readonly number[]> {
    const { committer } = this.#deps;
    const ids: number[] = [];
    while (ids.length < count) {
      const id = committer.takeFileId();
      if (id !== undefined) {
        ids.push(id);
        continue;
      }
      this.#reserving ??= committer.reserveFileIds().finally(() => {
        this.#reserving = undefined;
      });
      await this.#reserving;
    }
    return ids;
  }

  #startCommit(): void {
    if (this.#committing.length > 0) return;
    if (this.#commitRetry.atMs > this.#deps.clock.monotonicMs()) return;
    const flushes = upToFiles(this.#order([...this.#queues.values()]), commitFilesMax);
    if (flushes.length === 0) return;
    this.#committing = flushes;
    void this.#commit(flushes);
  }

  async #commit(flushes: readonly Flush[]): Promise<void> {
    try {
      const { proposal, statistics } = this.#proposal(flushes);
      await this.#deps.committer.commit(proposal, statistics);
      this.#commitRetry.succeeded();
    } catch (error) {
      this.#failed(this.#commitRetry, error);
    }
    this.#committing = [];
    this.#advance();
  }

  #proposal(flushes: readonly Flush[]): {
    readonly proposal: CommitProposal;
    readonly statistics: readonly FileStatistics[];
  } {
    const { buffers, schema } = this.#deps;
    const positions = new Map<number, number>();
    for (const { buffer } of flushes) positions.set(buffer.measurementId, buffer.lastSeq);
    const proposal: CommitProposal = {
      kind: 'flush',
      ...schema.takeChanges([...positions.keys()]),
      adds: flushes.flatMap(({ facts }) => facts),
      positions: [...positions],
      lowWater: buffers.lowWater(new Set(flushes.map(({ buffer }) => buffer))),
    };
    return { proposal, statistics: flushes.flatMap(({ statistics }) => statistics) };
  }

  /** In the tick in which the commit becomes visible: the rows that it files leave. */
  #committed({ commit }: CommitEvent): void {
    for (const [measurementId, position] of commit.positions ?? []) {
      const queue = this.#queues.get(measurementId);
      const kept = queue?.filter(({ buffer }) => buffer.lastSeq > position) ?? [];
      if (kept.length > 0) this.#queues.set(measurementId, kept);
      else this.#queues.delete(measurementId);
      this.#deps.buffers.filed(measurementId, position);
    }
    const waiters = this.#waiters;
    this.#waiters = [];
    for (const resolve of waiters) resolve();
  }

  #failed(retry: Retry, error: unknown): void {
    this.#failures += 1;
    const { retryMsMin, retryMsMax } = this.#options;
    retry.failed(error, this.#deps.clock.monotonicMs(), retryMsMin, retryMsMax);
  }
}
