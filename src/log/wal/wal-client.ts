/**
 * The main thread's view of the write-ahead log (commit-protocol P1, contract W1 and W11). The log
 * itself lives on a thread of its own (wal-worker.ts).
 *
 * I1 `done` of each append is called exactly once, on this thread, in LSN order: after the sync of
 *    its group (mode `async`: after the write), or with an error and then the request is not in the
 *    log once a fresh segment stands.
 * I2 Requests are grouped by themselves: while the WAL thread writes, others gather, and it takes
 *    all that wait as its next group. An idle log gets a request at once.
 * I3 Payload bytes that wait are bounded; a request is always taken when nothing else waits.
 * I4 A thread that ends without being told to is final: state `failed`, all that wait get errors.
 */
import { Worker } from 'node:worker_threads';
import { fromWire, GatewayError } from '../../base/errors/gateway-error.ts';
import { assert, present } from '../../base/lib/assert.ts';
import { systemClock, type Clock } from '../../base/lib/clock.ts';
import { LatencyHistogram } from '../../base/lib/latency-histogram.ts';
import type { SyncMode } from '../log-types.ts';
import { ReplayFeed, type ReplaySink } from './replay-feed.ts';
import {
  syncOutcomes,
  type FromWal,
  type ToWal,
  type WalPosition,
  type WalRecovery,
} from './wal-messages.ts';

export interface WalOptions {
  /** Entry of the WAL thread: wal-thread.ts. */
  readonly thread: URL;
  /** Entry of the thread that fills spares: spare-thread.ts of the log. */
  readonly spareThread: URL;
  /** `<data_dir>/wal` and `<data_dir>/quarantine`; both exist. */
  readonly directory: string;
  readonly quarantine: string;
  readonly segmentBytes: number;
  readonly segmentAgeMs: number;
  readonly syncMode: SyncMode;
  /** Mode `async`: time between background syncs; 0 for none (`wal.enabled = false`). */
  readonly asyncIntervalMs: number;
  /** Payload bytes that may wait for the log. */
  readonly queueBytesMax: number;
  /** Mode `async`: bytes that may be written and not synced. */
  readonly unsyncedBytesMax: number;
  /** Time between two attempts to write again after a failure; default 1 s. */
  readonly retryMs?: number;
  readonly clock?: Clock;
}

export interface WalReplay {
  /** Records whose last LSN is at or below it are filed and are not given. */
  readonly lowWater: number;
  /** Every LSN given from now on is above it (L3): highest of positions, marks and `_seq`. */
  readonly floor: number;
  readonly sink: ReplaySink;
}

export type AppendDone = (error: GatewayError | undefined, lsn: number) => void;

export interface WalStatus extends WalPosition {
  readonly queuedBytes: number;
  readonly queuedRequests: number;
  readonly oldestUnsyncedMs: number;
  /** Since the start. */
  readonly requests: number;
  readonly refused: number;
  readonly groups: number;
  readonly bytes: number;
}

/**
 * Append messages on their way at a time. The WAL thread merges all that wait when it comes round,
 * so on a slow disk several of them let a request join the very next group; each costs about 20 us
 * of CPU. The first two are sent in the turn of the event loop that brought the requests, further
 * ones a millisecond apart: a disk that syncs faster than that never needs them.
 */
const messagesMax = 32;
const messagesAtOnce = 2;
const messageGapMs = 1;
const messageBytesMax = 8 * 1024 * 1024;
const retryMsDefault = 1000;

interface Waiting {
  readonly payload: Uint8Array;
  readonly bytes: number;
  readonly count: number;
  readonly done: AppendDone;
  readonly sinceMs: number;
}

export class WalClient {
  /** What recovery found. */
  readonly recovery: WalRecovery;
  /** Duration of the log's syncs, and from `append` to `done`. */
  readonly syncLatency = new LatencyHistogram();
  readonly appendLatency = new LatencyHistogram();
  readonly #worker: Worker;
  readonly #clock: Clock;
  readonly #queueBytesMax: number;
  #position: WalPosition;
  #queue: Waiting[] = [];
  /** Sent and not answered, oldest first. */
  #sent: Waiting[] = [];
  #messages = 0;
  #queuedBytes = 0;
  #scheduled = false;
  #counters = { requests: 0, refused: 0, groups: 0, bytes: 0 };
  #syncs: PromiseWithResolvers<undefined>[] = [];
  #closing: PromiseWithResolvers<undefined> | undefined;
  #closeSent = false;
  #lost: GatewayError | undefined;
  readonly #stateListeners: ((state: WalPosition['state'], cause?: GatewayError) => void)[] = [];
  readonly #syncedListeners: ((lsn: number) => void)[] = [];
  readonly #exitListeners: ((error: GatewayError) => void)[] = [];

  private constructor(worker: Worker, options: WalOptions, opened: Opened) {
    this.#worker = worker;
    this.#clock = options.clock ?? systemClock;
    this.#queueBytesMax = options.queueBytesMax;
    this.#position = opened.position;
    this.recovery = opened.recovery;
  }

  /**
   * Recovers the log: gives every WAL record above `lowWater`, in LSN order, to the sink, and
   * resolves at the end of the log, when writes may start. A disk that refuses does not reject:
   * the state then is `failed`. @throws HF_FORMAT_NEWER, HF_IO, and what the sink throws
   */
  static async open(options: WalOptions, replay: WalReplay): Promise<WalClient> {
    const worker = new Worker(options.thread, { name: 'wal' });
    const feed = new ReplayFeed(replay.sink);
    const opening = Promise.withResolvers<WalClient>();
    const lost = Promise.withResolvers<never>();
    lost.promise.catch(() => undefined);
    let client: WalClient | undefined;
    const end = (cause: unknown) => {
      const error = lostError(cause);
      opening.reject(error);
      lost.reject(error);
      if (client !== undefined) client.#end(error);
    };
    worker.on('message', (message: FromWal) => {
      if (message.kind === 'records') {
        feed.take(message);
      } else if (message.kind === 'opened') {
        client = new WalClient(worker, options, message);
        opening.resolve(client);
      } else if (message.kind === 'refused') {
        opening.reject(fromWire(message.error));
      } else {
        present(client, 'client of an opened log').#take(message);
      }
    });
    worker.on('error', end);
    worker.on('exit', () => {
      end(undefined);
    });
    worker.postMessage(openMessage(options, replay, feed));
    try {
      const opened = await opening.promise;
      // A sink that waits for room does not wait for a thread that will never go on.
      await Promise.race([feed.finish(), lost.promise]);
      return opened;
    } catch (error) {
      await worker.terminate();
      // If the sink threw, that is the cause of whatever the thread said then.
      throw feed.failure ?? error;
    }
  }

  /**
   * Appends one request, whose payload takes `count` LSNs. Its memory belongs to the log from now
   * on: `payload` may become empty at any time. `done` gets the first LSN.
   * @throws HF_WAL_QUEUE_FULL, HF_WAL_FAILED, HF_WAL_THREAD_LOST; `done` is not called then
   */
  append(payload: Uint8Array, count: number, done: AppendDone): void {
    assert(payload.byteLength === payload.buffer.byteLength, 'a payload has memory of its own');
    const refusal = this.#refusal(payload.length);
    if (refusal !== undefined) {
      this.#counters.refused++;
      throw refusal;
    }
    const bytes = payload.length;
    const sinceMs = this.#clock.monotonicMs();
    this.#queue.push({ payload, bytes, count, done, sinceMs });
    this.#queuedBytes += bytes;
    this.#counters.requests++;
    this.#counters.bytes += bytes;
    if (this.#messages === 0) this.#send();
    else this.#schedule();
  }

  /** Payload bytes that wait for the log. */
  get queuedBytes(): number {
    return this.#queuedBytes;
  }

  /** Milliseconds that the oldest request without an answer has waited; 0 if none waits. */
  get oldestUnsyncedMs(): number {
    const oldest = this.#sent[0] ?? this.#queue[0];
    return oldest === undefined ? 0 : this.#clock.monotonicMs() - oldest.sinceMs;
  }

  /** Every LSN up to this one is on the device, or will never be replayed. */
  get syncedTo(): number {
    return this.#position.syncedTo;
  }

  /** Highest LSN appended: `syncedTo`, but in mode `async`. */
  get writtenTo(): number {
    return this.#position.writtenTo;
  }

  get state(): WalPosition['state'] {
    return this.#lost === undefined ? this.#position.state : 'failed';
  }

  /**
   * Called when the state changes, with the reason if it is `failed`; also at once, if it is
   * `failed` already.
   */
  onState(listener: (state: WalPosition['state'], cause?: GatewayError) => void): void {
    this.#stateListeners.push(listener);
    if (this.state === 'failed') listener('failed', this.#lost ?? failureOf(this.#position));
  }

  /** Called when `syncedTo` rises, before the callbacks of the appends that it answers. */
  onSynced(listener: (lsn: number) => void): void {
    this.#syncedListeners.push(listener);
  }

  /** Called once if the thread ends by itself. Nothing can be made durable any more. */
  onExit(listener: (error: GatewayError) => void): void {
    this.#exitListeners.push(listener);
  }

  /**
   * Resolves when all that was answered so far is on the device, in mode `async` too (P4).
   * @throws HF_WAL_FAILED, HF_LOG_APPEND; what was answered is then carried further by the log
   */
  async sync(): Promise<void> {
    if (this.#lost !== undefined) throw this.#lost;
    const sync = Promise.withResolvers<undefined>();
    this.#syncs.push(sync);
    this.#post({ kind: 'sync' });
    return sync.promise;
  }

  /**
   * True if all that was answered so far is on the device, false if the disk refuses or takes
   * longer than `timeoutMs`. Nothing else runs on this thread meanwhile: for an end in which
   * nothing else must.
   */
  syncAtOnce(timeoutMs: number): boolean {
    if (this.#lost !== undefined) return false;
    const outcome = new Int32Array(new SharedArrayBuffer(4));
    this.#post({ kind: 'syncAtOnce', outcome });
    Atomics.wait(outcome, 0, 0, timeoutMs);
    return Atomics.load(outcome, 0) === syncOutcomes.synced;
  }

  /** Lets the log recycle segments whose records are all at or below `lowWater` (P5, P14). */
  release(lowWater: number): void {
    this.#post({ kind: 'release', lowWater });
  }

  status(): WalStatus {
    return {
      ...this.#position,
      state: this.state,
      queuedBytes: this.#queuedBytes,
      queuedRequests: this.#queue.length + this.#sent.length,
      oldestUnsyncedMs: this.oldestUnsyncedMs,
      ...this.#counters,
    };
  }

  /** Appends what waits, syncs, and resolves when the thread has ended. Later appends throw. */
  async close(): Promise<void> {
    if (this.#lost !== undefined) return;
    if (this.#closing === undefined) {
      this.#closing = Promise.withResolvers<undefined>();
      this.#closeWhenIdle();
    }
    return this.#closing.promise;
  }

  #refusal(bytes: number): GatewayError | undefined {
    if (this.#lost !== undefined) return this.#lost;
    if (this.#closing !== undefined) {
      return new GatewayError('HF_WAL_FAILED', 'the write-ahead log is closed');
    }
    if (this.#position.state === 'failed') {
      const cause = failureOf(this.#position);
      return new GatewayError('HF_WAL_FAILED', 'the write-ahead log cannot be written', { cause });
    }
    if (this.#queuedBytes === 0 || this.#queuedBytes + bytes <= this.#queueBytesMax) {
      return undefined;
    }
    return new GatewayError('HF_WAL_QUEUE_FULL', 'too much waits for the write-ahead log', {
      details: { queuedBytes: this.#queuedBytes, bytes, queueBytesMax: this.#queueBytesMax },
    });
  }

  /** Sends soon, together with what else comes until then. */
  #schedule(): void {
    if (this.#scheduled || this.#messages >= messagesMax) return;
    this.#scheduled = true;
    const send = () => {
      this.#scheduled = false;
      if (this.#messages < messagesMax) this.#send();
    };
    if (this.#messages < messagesAtOnce) setImmediate(send);
    else setTimeout(send, messageGapMs);
  }

  #send(): void {
    if (this.#queue.length === 0 || this.#lost !== undefined) return;
    let count = 0;
    let bytes = 0;
    for (const waiting of this.#queue) {
      if (count > 0 && bytes + waiting.bytes > messageBytesMax) break;
      bytes += waiting.bytes;
      count++;
    }
    const group = this.#queue.splice(0, count);
    for (const waiting of group) this.#sent.push(waiting);
    const payloads = group.map((waiting) => waiting.payload);
    const counts = group.map((waiting) => waiting.count);
    this.#messages++;
    this.#post({ kind: 'append', payloads, counts }, payloads);
  }

  #post(message: ToWal, payloads: readonly Uint8Array[] = []): void {
    const moved: ArrayBuffer[] = [];
    for (const { buffer } of payloads) if (buffer instanceof ArrayBuffer) moved.push(buffer);
    this.#worker.postMessage(message, moved);
  }

  #take(message: Exclude<FromWal, { kind: 'records' | 'opened' | 'refused' }>): void {
    if (message.kind === 'closed') {
      this.#position = message.position;
      return;
    }
    for (const milliseconds of message.syncsMs) this.syncLatency.add(milliseconds);
    this.#move(message.position);
    if (message.kind === 'moved') {
      const error = message.error === undefined ? undefined : fromWire(message.error);
      for (const sync of this.#syncs.splice(0, message.answers)) {
        if (error === undefined) sync.resolve(undefined);
        else sync.reject(error);
      }
      return;
    }
    this.#counters.groups++;
    this.#messages -= message.messages;
    const answered = this.#sent.splice(0, message.requests);
    for (const { bytes } of answered) this.#queuedBytes -= bytes;
    if (this.#messages < messagesMax) this.#send();
    try {
      this.#answer(answered, message);
    } finally {
      this.#closeWhenIdle();
    }
  }

  #answer(answered: readonly Waiting[], message: Extract<FromWal, { kind: 'appended' }>): void {
    const nowMs = this.#clock.monotonicMs();
    const error = message.error === undefined ? undefined : fromWire(message.error);
    const thrown: unknown[] = [];
    for (const [index, waiting] of answered.entries()) {
      this.appendLatency.add(nowMs - waiting.sinceMs);
      try {
        if (error === undefined) waiting.done(undefined, present(message.firsts[index], 'LSN'));
        else waiting.done(error, 0);
      } catch (cause) {
        thrown.push(cause);
      }
    }
    // What broke one callback must not take the others' answers with it; then it counts.
    if (thrown.length > 0) throw thrown[0];
  }

  #move(position: WalPosition): void {
    const before = this.#position;
    this.#position = position;
    if (position.syncedTo > before.syncedTo) {
      for (const listener of this.#syncedListeners) listener(position.syncedTo);
    }
    if (position.state === before.state) return;
    const cause = failureOf(position);
    for (const listener of this.#stateListeners) listener(position.state, cause);
  }

  #closeWhenIdle(): void {
    if (this.#closing === undefined || this.#closeSent) return;
    if (this.#messages > 0 || this.#queue.length > 0) return;
    this.#closeSent = true;
    this.#post({ kind: 'close' });
  }

  /** The thread has ended: as told, or by itself. */
  #end(error: GatewayError): void {
    if (this.#lost !== undefined) return;
    const told = this.#closeSent;
    this.#lost = told ? new GatewayError('HF_WAL_FAILED', 'the write-ahead log is closed') : error;
    const waiting = [...this.#sent.splice(0), ...this.#queue.splice(0)];
    this.#queuedBytes = 0;
    for (const { done } of waiting) done(this.#lost, 0);
    for (const sync of this.#syncs.splice(0)) sync.reject(this.#lost);
    if (!told) {
      for (const listener of this.#stateListeners) listener('failed', error);
      for (const listener of this.#exitListeners) listener(error);
    }
    this.#closing?.resolve(undefined);
  }
}

function failureOf({ failure }: WalPosition): GatewayError | undefined {
  return failure === undefined ? undefined : fromWire(failure);
}

type Opened = Extract<FromWal, { kind: 'opened' }>;

function openMessage(options: WalOptions, replay: WalReplay, feed: ReplayFeed): ToWal {
  return {
    kind: 'open',
    settings: {
      directory: options.directory,
      quarantine: options.quarantine,
      segmentBytes: options.segmentBytes,
      segmentAgeMs: options.segmentAgeMs,
      syncMode: options.syncMode,
      asyncIntervalMs: options.asyncIntervalMs,
      unsyncedBytesMax: options.unsyncedBytesMax,
      retryMs: options.retryMs ?? retryMsDefault,
      spareThread: options.spareThread.href,
    },
    lowWater: replay.lowWater,
    floor: replay.floor,
    memory: feed.memory,
  };
}

function lostError(cause: unknown): GatewayError {
  return new GatewayError('HF_WAL_THREAD_LOST', 'the thread of the write-ahead log ended', {
    cause,
  });
}
