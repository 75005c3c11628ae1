/**
 * The WAL thread: it alone owns the descriptors of the write-ahead log, and uses synchronous
 * calls, because on a shared pool a sync waits behind other work (commit-protocol L1-L6, P1).
 *
 * I1 All append messages that wait when the thread comes round are one group: one write, one sync,
 *    one answer. Answers go out in LSN order, only after `append` of the log returned.
 * I2 In state `failed` every append is refused at once; a fresh segment is tried each `retryMs`.
 *    The log's state goes to the main thread with every answer and whenever it changes.
 * I3 Payload memory is freed here, when the log no longer needs it: at once, or in mode `async`
 *    after the sync (the log carries unsynced bytes over a failure).
 *
 * `runWal` is called by the thread's entry (wal-thread.ts, or a test's own with other files).
 */
import { receiveMessageOnPort, type MessagePort } from 'node:worker_threads';
import type { Files } from '../../base/disk/files.ts';
import { freeMemory } from '../../base/lib/free-memory.ts';
import { asGatewayError, GatewayError, toWire } from '../../base/errors/gateway-error.ts';
import type { Clock } from '../../base/lib/clock.ts';
import { lastNumberOf, type AppendLog, type OpenLog, type RecordInput } from '../log-types.ts';
import { RecordStream } from './record-stream.ts';
import { SpareFiller } from './spare-filler.ts';
import { walNaming } from './wal-naming.ts';
import {
  syncOutcomes,
  type FromWal,
  type ToWal,
  type WalPosition,
  type WalSettings,
} from './wal-messages.ts';

export interface WalDeps {
  readonly files: Files;
  readonly clock: Clock;
  readonly openLog: OpenLog;
  /** A random u32 other than zero. */
  readonly randomSalt: () => number;
}

/**
 * Bytes after which waiting append messages make another group. More in one group gains nothing
 * (4 MiB already take longer to write than to sync) and makes segments outgrow their spares.
 */
const groupBytesMax = 8 * 1024 * 1024;

/** How often an idle log looks at the age of its segment and asks for spares. */
const idleCheckMs = 10_000;

type OpenMessage = Extract<ToWal, { kind: 'open' }>;
type AppendMessage = Extract<ToWal, { kind: 'append' }>;

/** Serves one WAL on `port` until it is told to close. The first message opens the log. */
export function runWal(port: MessagePort, deps: WalDeps): void {
  port.once('message', (message: ToWal) => {
    if (message.kind !== 'open') throw new GatewayError('HF_BUG', 'the first message opens');
    const post = (answer: FromWal) => {
      port.postMessage(answer);
    };
    const worker = openWal(port, post, deps, message);
    if (worker === undefined) {
      port.close();
      return;
    }
    worker.start();
    port.on('message', (next: ToWal) => {
      worker.take(next);
    });
  });
}

/** Recovers the log; tells the main thread and returns undefined if that is not possible. */
function openWal(
  port: MessagePort,
  post: (answer: FromWal) => void,
  deps: WalDeps,
  message: OpenMessage,
): WalWorker | undefined {
  const { settings, lowWater, floor, memory } = message;
  const stream = new RecordStream(post, memory);
  const meter = new Meter();
  const { files, clock, randomSalt } = deps;
  try {
    stream.progress(0, segmentBytesOf(files, settings.directory));
    const { log, report } = deps.openLog(
      {
        ...walNaming,
        files,
        directory: settings.directory,
        quarantine: settings.quarantine,
        segmentBytes: settings.segmentBytes,
        segmentAgeMs: settings.segmentAgeMs,
        syncMode: settings.syncMode,
        unsyncedBytesMax: settings.unsyncedBytesMax,
        preallocate: true,
        clock,
        randomSalt,
        observer: meter,
      },
      {
        lowWater,
        floor: () => floor,
        payloadsPass: true,
        onRecord: (record, place) => {
          stream.add(record, place);
        },
        onSynced: (lsn) => {
          stream.synced(lsn);
        },
        onProgress: (bytes, bytesTotal) => {
          stream.progress(bytes, bytesTotal);
        },
      },
    );
    stream.finish();
    const worker = new WalWorker(port, post, { log, meter, clock, settings });
    const { segments, bytes, records, lastNumber, carried, tornRecords, rot, alarms } = report;
    const recovery = { segments, bytes, records, lastNumber, carried, tornRecords, rot, alarms };
    post({ kind: 'opened', recovery, position: worker.position() });
    return worker;
  } catch (error) {
    post({ kind: 'refused', error: toWire(error) });
    return undefined;
  }
}

/** Bytes that replay has before it. */
function segmentBytesOf(files: Files, directory: string): number {
  const names = files.list(directory).filter((name) => name.endsWith(walNaming.suffix));
  return names.reduce((sum, name) => sum + (files.size(`${directory}/${name}`) ?? 0), 0);
}

/** Gathers what the log reports of its calls until the next answer takes it along. */
class Meter {
  failures = 0;
  #syncsMs: number[] = [];

  synced(milliseconds: number): void {
    this.#syncsMs.push(milliseconds);
  }

  failed(): void {
    this.failures++;
  }

  takeSyncs(): readonly number[] {
    const taken = this.#syncsMs;
    this.#syncsMs = [];
    return taken;
  }
}

interface WalParts {
  readonly log: AppendLog;
  readonly meter: Meter;
  readonly clock: Clock;
  readonly settings: WalSettings;
}

/** A group whose payloads the log may still carry over. */
interface HeldGroup {
  readonly last: number;
  readonly records: readonly RecordInput[];
}

class WalWorker {
  readonly #port: MessagePort;
  readonly #post: (answer: FromWal) => void;
  readonly #log: AppendLog;
  readonly #meter: Meter;
  readonly #clock: Clock;
  readonly #settings: WalSettings;
  readonly #spares: SpareFiller;
  readonly #timers: NodeJS.Timeout[] = [];
  #retryTimer: NodeJS.Timeout | undefined;
  #held: HeldGroup[] = [];
  /** The active segment by its sequence, and since when it holds records. */
  #aging: { readonly sequence: number; readonly sinceMs: number } | undefined;

  constructor(port: MessagePort, post: (answer: FromWal) => void, parts: WalParts) {
    this.#port = port;
    this.#post = post;
    this.#log = parts.log;
    this.#meter = parts.meter;
    this.#clock = parts.clock;
    this.#settings = parts.settings;
    this.#spares = new SpareFiller(parts.log, new URL(parts.settings.spareThread));
  }

  start(): void {
    const { segmentAgeMs, syncMode, asyncIntervalMs } = this.#settings;
    const every = (milliseconds: number, call: () => void) => {
      this.#timers.push(setInterval(call, milliseconds));
    };
    every(Math.min(idleCheckMs, segmentAgeMs), () => {
      this.#rotateIfOld();
      this.#spares.ask();
    });
    if (syncMode === 'async' && asyncIntervalMs > 0) {
      every(asyncIntervalMs, () => {
        this.#backgroundSync();
      });
    }
    this.#settle();
  }

  position(): WalPosition {
    const log = this.#log;
    return {
      state: log.state === 'open' ? 'open' : 'failed',
      syncedTo: log.syncedTo,
      writtenTo: log.writtenTo,
      mark: log.mark,
      segments: log.segments().length,
      bytesLive: log.bytesLive(),
      failures: this.#meter.failures,
      failure: log.failure === undefined ? undefined : toWire(log.failure),
    };
  }

  /** Does what `message` says and, after appends, what waits behind it. */
  take(message: ToWal): void {
    let next: ToWal | undefined = message;
    while (next !== undefined) {
      if (next.kind === 'append') {
        next = this.#gather(next);
      } else {
        this.#take(next);
        next = undefined;
      }
    }
  }

  #take(message: Exclude<ToWal, AppendMessage>): void {
    switch (message.kind) {
      case 'release':
        this.#log.release(message.lowWater);
        this.#settle();
        this.#moved(0, undefined);
        return;
      case 'sync':
        this.#moved(
          1,
          this.#attempt(() => this.#syncWritten()),
        );
        return;
      case 'syncAtOnce':
        this.#syncAtOnce(message.outcome);
        return;
      case 'close':
        void this.#close();
        return;
      case 'open':
        throw new GatewayError('HF_BUG', 'the log is open already');
    }
  }

  /** Appends all append messages that wait now as one group; returns the message behind them. */
  #gather(first: AppendMessage): ToWal | undefined {
    const records: RecordInput[] = [];
    let messages = 0;
    let bytes = 0;
    let next: ToWal | undefined = first;
    while (next?.kind === 'append' && bytes < groupBytesMax) {
      const { payloads, counts } = next;
      for (const [index, payload] of payloads.entries()) {
        records.push({ count: counts[index] ?? 1, payload });
        bytes += payload.length;
      }
      messages++;
      next = receiveMessageOnPort(this.#port)?.message as ToWal | undefined;
    }
    this.#append(records, messages);
    return next;
  }

  #append(records: readonly RecordInput[], messages: number): void {
    let firsts: readonly number[] = [];
    const error = this.#attempt(() => {
      if (this.#log.state !== 'open') throw failedError(this.#log.failure);
      firsts = this.#log.append(records);
    });
    this.#hold(records, firsts);
    this.#settle();
    const syncsMs = this.#meter.takeSyncs();
    const position = this.position();
    const requests = records.length;
    this.#post({ kind: 'appended', messages, requests, firsts, error, syncsMs, position });
  }

  #hold(records: readonly RecordInput[], firsts: readonly number[]): void {
    const last = firsts.at(-1);
    const lastRecord = records.at(-1);
    if (last !== undefined && lastRecord !== undefined) {
      this.#held.push({ last: lastNumberOf({ ...lastRecord, number: last }), records });
    } else if (this.#settings.syncMode !== 'async') {
      // Refused, and in mode `async` maybe still carried: there the collector frees it.
      free(records);
    }
  }

  /** Runs a call of the log; an error that is no bug is the caller's to report. */
  #attempt(call: () => void): ReturnType<typeof toWire> | undefined {
    try {
      call();
      return undefined;
    } catch (error) {
      if (asGatewayError(error).kind === 'bug') throw error;
      return toWire(error);
    }
  }

  #syncWritten(): void {
    if (this.#log.state !== 'open') throw failedError(this.#log.failure);
    if (this.#log.syncedTo < this.#log.writtenTo) this.#log.sync();
  }

  #syncAtOnce(outcome: Int32Array): void {
    const error = this.#attempt(() => this.#syncWritten());
    Atomics.store(outcome, 0, error === undefined ? syncOutcomes.synced : syncOutcomes.refused);
    Atomics.notify(outcome, 0);
    this.#moved(0, error);
  }

  #backgroundSync(): void {
    if (this.#log.state !== 'open' || this.#log.syncedTo >= this.#log.writtenTo) return;
    this.#moved(
      0,
      this.#attempt(() => this.#syncWritten()),
    );
  }

  /** An idle log rotates too, so that what is filed can be recycled, and its mark is durable. */
  #rotateIfOld(): void {
    const active = this.#log.segments().at(-1);
    if (this.#log.state !== 'open' || active?.lastNumber === undefined) {
      this.#aging = undefined;
      return;
    }
    const nowMs = this.#clock.monotonicMs();
    if (this.#aging?.sequence !== active.sequence) {
      this.#aging = { sequence: active.sequence, sinceMs: nowMs };
    } else if (nowMs - this.#aging.sinceMs >= this.#settings.segmentAgeMs) {
      this.#moved(
        0,
        this.#attempt(() => this.#log.rotate()),
      );
    }
  }

  /** After each call of the log: frees memory, asks for spares, tries again if it failed. */
  #settle(): void {
    const { syncedTo, state } = this.#log;
    let done = 0;
    for (const group of this.#held) {
      if (group.last > syncedTo) break;
      free(group.records);
      done++;
    }
    if (done > 0) this.#held = this.#held.slice(done);
    this.#spares.ask();
    if (state === 'failed' && this.#retryTimer === undefined) {
      this.#retryTimer = setInterval(() => {
        this.#retry();
      }, this.#settings.retryMs);
    }
  }

  #retry(): void {
    const retried = this.#attempt(() => this.#log.retryFresh());
    if (this.#log.state === 'open') {
      clearInterval(this.#retryTimer);
      this.#retryTimer = undefined;
    }
    this.#moved(0, retried);
  }

  #moved(answers: number, error: ReturnType<typeof toWire> | undefined): void {
    this.#settle();
    const syncsMs = this.#meter.takeSyncs();
    this.#post({ kind: 'moved', answers, error, syncsMs, position: this.position() });
  }

  async #close(): Promise<void> {
    for (const timer of this.#timers) clearInterval(timer);
    clearInterval(this.#retryTimer);
    this.#log.close();
    await this.#spares.close();
    this.#post({ kind: 'closed', position: this.position() });
    this.#port.close();
  }
}

function failedError(cause: Error | undefined): GatewayError {
  const reason = cause === undefined ? '' : `: ${cause.message}`;
  return new GatewayError('HF_WAL_FAILED', `the write-ahead log cannot be written${reason}`, {
    cause,
  });
}

/** Gives the memory of payloads back now. */
function free(records: readonly RecordInput[]): void {
  for (const { payload } of records) freeMemory(payload);
}
