/**
 * The parts of the ingest wing, wired to each other: buffers, hot chunks, flusher, admission and
 * the door. gateway.ts gives it what comes from other wings; nothing is started here. Main thread.
 */
import { randomBytes, randomInt } from 'node:crypto';
import type { Config } from '../base/config/derive.ts';
import type { Files } from '../base/disk/files.ts';
import { present } from '../base/lib/assert.ts';
import type { Clock } from '../base/lib/clock.ts';
import type { AlarmRecorder } from '../base/telemetry/alarms.ts';
import type { Metrics } from '../base/telemetry/metrics.ts';
import type { CommitClient } from '../log/journal/commit-client.ts';
import { encodeRequest, encodingRequest, isLargeRequest } from '../log/wal/request-record.ts';
import type { WalClient } from '../log/wal/wal-client.ts';
import { deadLetterDrops, deadLetterReplays } from '../storage/catalog/reserved-tables.ts';
import type { SchemaRegistry } from '../storage/catalog/schema-registry.ts';
import type { Encoder } from '../storage/parquet/types.ts';
import { Admission } from './admission.ts';
import { commitAfterSync, encodeAfterSync } from './buffer/commit-after-sync.ts';
import type { CommitOrder } from './buffer/flush-order.ts';
import { flushLimits } from './buffer/flush-policy.ts';
import { Flusher } from './buffer/flusher.ts';
import { HotChunks } from './buffer/hot-chunks.ts';
import { MeasurementBuffers } from './buffer/measurement-buffers.ts';
import { SeriesMarks } from './buffer/series-marks.ts';
import { ArrowDecoder } from './decode/arrow-ipc/arrow-ipc.ts';
import { inTurns } from '../base/lib/turns.ts';
import { LineDecoder } from './decode/line-protocol.ts';
import { MessagePackDecoder } from './decode/msgpack/message-pack.ts';
import { rejectedBatch } from './decode/rejected-rows.ts';
import { reservedBatch } from './decode/reserved-rows.ts';
import { Door, yieldNow } from './door.ts';
import { FutureRows } from './future-rows.ts';
import { type AskInternal, keyHours, newestKeyUs, readKeys } from './keys/filed-keys.ts';
import { KeyTime } from './keys/key-time.ts';
import { RequestKeys } from './keys/request-keys.ts';
import { ReservedFiles } from './letters/reserved-files.ts';
import { ingestCounters } from './ingest-counters.ts';

export interface IntakeDeps {
  readonly config: Pick<Config, 'deadLetters' | 'ingest' | 'parquet' | 'wal'>;
  readonly files: Files;
  readonly clock: Clock;
  readonly metrics: Metrics;
  readonly alarms: AlarmRecorder;
  readonly commits: CommitClient;
  readonly registry: SchemaRegistry;
  readonly encoder: Encoder;
  /** In the order in which hot chunks are to go there. */
  readonly hotDirectories: readonly string[];
  readonly commitOrder?: CommitOrder;
  /** Undefined until the log is read. */
  wal(): WalClient | undefined;
  recovering(): boolean;
  /** True while free space is below the hard watermark. */
  diskFull(): boolean;
}

export interface Intake {
  readonly buffers: MeasurementBuffers;
  readonly hot: HotChunks;
  readonly flusher: Flusher;
  readonly admission: Admission;
  readonly door: Door;
  readonly keys: RequestKeys;
  readonly reservedFiles: ReservedFiles;
  /** Reads the keys of files; called once, when the log is read to its end. */
  loadKeys(ask: AskInternal): Promise<void>;
}

/** Telegraf gives up after five seconds and sends the same rows again. */
const unsyncedMsMax = 4000;

const seriesCacheBytesMax = 32 * 1024 * 1024;

/** Share of `ingest.memory` for the marks that tell late rows from repeated ones. */
const marksShareMax = 1 / 16;

/** A day: who has not heard of its request by then does not try it again. */
const keyAgeUsMax = 86_400_000_000;

/** Keys take a little more in files, where their texts stand, than in memory. */
const fileBytesPerKeyByte = 4;

const flushTimes = { tickMs: 250, retryMsMin: 500, retryMsMax: 30_000 } as const;

/** Makes the wing's parts; the flusher is not started. */
export function assembleIntake(deps: IntakeDeps): Intake {
  const { clock, commits, encoder, files } = deps;
  const { ingest, wal } = deps.config;
  const marks = new SeriesMarks(commits.seed.files, {
    bytesMax: Math.floor(ingest.memoryBytes * marksShareMax),
    hashSeed: randomInt(2 ** 31),
  });
  const buffers = new MeasurementBuffers(clock, {
    positions: commits.seed.positions,
    lowWater: commits.seed.lowWater,
    rowsMax: ingest.bufferRows,
    bufferBytesMax: flushLimits(ingest, wal).bufferBytesMax,
    memoryBytesMax: ingest.memoryBytes,
    hashSeed: randomInt(2 ** 31),
    marks,
  });
  const hot = new HotChunks({ buffers, encoder, files }, { directories: deps.hotDirectories });
  const admission = makeAdmission(deps, () => buffers.bytes + marks.bytes + hot.bytes);
  const newestUs = newestKeyUs(commits.seed.files);
  const keyTime = new KeyTime(clock, newestUs);
  const keys = makeKeys(deps, keyTime);
  const hours = keyHours(commits.seed.files, newestUs ?? 0, keyAgeUsMax);
  const loadKeys = (ask: AskInternal) =>
    keys.load(hours.length === 0 ? undefined : () => readKeys(ask, hours));
  const reservedFiles = makeReservedFiles(deps, keyTime);
  const door = makeDoor(deps, admission, buffers, keys);
  const flusher = makeFlusher(deps, buffers);
  return { buffers, hot, flusher, admission, door, keys, loadKeys, reservedFiles };
}

function makeKeys(deps: IntakeDeps, time: KeyTime): RequestKeys {
  const { registry, clock, alarms, metrics, config } = deps;
  const salt = randomBytes(16).toString('hex');
  const { keysMax, keysBytesMax } = config.ingest;
  return new RequestKeys(
    { registry, clock, time, alarms, metrics, salt, yieldNow },
    {
      entriesMax: keysMax,
      bytesMax: keysBytesMax,
      ageUsMax: keyAgeUsMax,
      retryMsMin: 500,
      retryMsMax: 30_000,
    },
  );
}

function makeReservedFiles(deps: IntakeDeps, keyTime: KeyTime): ReservedFiles {
  const { deadLetters, ingest } = deps.config;
  const limits = {
    letterBytesMax: deadLetters.bytesMax,
    letterRowsMax: deadLetters.rowsMax,
    keyBytesMax: ingest.keysBytesMax * fileBytesPerKeyByte,
    keyRowsMax: ingest.keysMax,
    keyAgeUsMax,
  };
  return new ReservedFiles({ ...deps, keyTime }, limits, deps.commits.seed.files);
}

function makeFlusher(deps: IntakeDeps, buffers: MeasurementBuffers): Flusher {
  const { commits, encoder, registry, clock, commitOrder } = deps;
  const { ingest, parquet, wal } = deps.config;
  // Without background syncs nobody else would let the commit go on (P4).
  const sync = () => deps.wal()?.sync() ?? Promise.resolve();
  const isSynced = wal.durability === 'synced';
  return new Flusher(
    {
      buffers,
      encoder: isSynced ? encoder : encodeAfterSync(encoder, sync),
      committer: isSynced ? commits : commitAfterSync(commits, sync),
      schema: registry,
      clock,
      walBytes: () => deps.wal()?.status().bytesLive ?? 0,
      ...(commitOrder === undefined ? {} : { order: commitOrder }),
    },
    {
      limits: flushLimits(ingest, wal),
      hourFileMinRows: parquet.hourFileMinRows,
      encodingMax: 256 * parquet.encoderThreads,
      ...flushTimes,
    },
  );
}

function makeAdmission(deps: IntakeDeps, bufferBytes: () => number): Admission {
  const { ingest, wal } = deps.config;
  return new Admission(
    {
      recovered: () => !deps.recovering(),
      diskFull: () => deps.diskFull(),
      walFailed: () => deps.wal()?.state === 'failed',
      walBytes: () => deps.wal()?.status().bytesLive ?? 0,
      walOldestUnsyncedMs: () => deps.wal()?.oldestUnsyncedMs ?? 0,
      bufferBytes,
    },
    {
      // What the log keeps of answered requests until their sync is part of the memory.
      memoryBytesMax: ingest.memoryBytes - (wal.durability === 'synced' ? 0 : wal.unsyncedBytesMax),
      walBytesMax: wal.bytesMax,
      unsyncedMsMax,
    },
  );
}

function makeDoor(
  deps: IntakeDeps,
  admission: Admission,
  buffers: MeasurementBuffers,
  keys: RequestKeys,
): Door {
  const { registry, clock, metrics } = deps;
  const decoding = {
    registry,
    monotonicMs: () => clock.monotonicMs(),
    seed: randomInt(2 ** 31),
    cacheBytesMax: seriesCacheBytesMax,
  };
  return new Door(
    {
      admission,
      decoders: {
        line: new LineDecoder(decoding),
        msgpack: new MessagePackDecoder(decoding),
        arrow: new ArrowDecoder(decoding),
      },
      rejectedBatch: (rejected, request, nowUs) =>
        rejectedBatch(registry, rejected, request, nowUs),
      markedBatch: (became, letter, nowUs) => {
        const table = became === 'dropped' ? deadLetterDrops : deadLetterReplays;
        return reservedBatch(registry, table, { nowUs, rowCount: letter.length }, { letter });
      },
      keys,
      encode: (request) =>
        isLargeRequest(request)
          ? inTurns(encodingRequest(request), { monotonicMs: decoding.monotonicMs, yieldNow })
          : encodeRequest(request),
      log: () => present(deps.wal(), 'write-ahead log'),
      buffers,
      clock,
      databaseExists: (name) => registry.hasDatabase(name),
      count: ingestCounters(metrics),
      futureRows: new FutureRows(deps, { limitMs: deps.config.ingest.futureMsMax }),
    },
    deps.config.ingest,
  );
}
