/**
 * The composition root: the only file that constructs the gateway's parts and wires them. Reading
 * it top to bottom is reading the start; `close` is the same in reverse. Tests call `startGateway`
 * with some parts replaced (another file layer in a thread, another order of commits): that is how
 * faults are planted. There are no switches for it in the product.
 *
 * I1. Order of a start: lock, address free, journal, schema, buffers, HTTP (writes 503), replay,
 *     writes. Opening a log spends numbers, so what may end a start is asked before it.
 * I2. Every commit reaches buffers, registry, low-water mark and queries in one tick (P12).
 * I3. A thread of a log that ends by itself stops the gateway: nothing can be made durable.
 */
import type { Config } from './base/config/derive.ts';
import {
  gatewayIdOf,
  hotDirectories,
  makeDataDirectories,
  withHotMemory,
  type DataDirectories,
} from './base/disk/data-directory.ts';
import { diskBytes } from './base/disk/disk-size.ts';
import { nodeFiles, type Files } from './base/disk/files.ts';
import { asGatewayError, GatewayError } from './base/errors/gateway-error.ts';
import { systemClock, type Clock } from './base/lib/clock.ts';
import { version } from './base/lib/version.ts';
import { allWithin, within } from './base/lib/within.ts';
import { Alarms } from './base/telemetry/alarms.ts';
import type { Logger } from './base/telemetry/log.ts';
import { Metrics } from './base/telemetry/metrics.ts';
import { Figures } from './fronts/figures.ts';
import { Fronts } from './fronts/fronts.ts';
import { StatusReport, type GatewayPhase } from './fronts/status.ts';
import { showFlushAlarms } from './ingest/buffer/flush-alarms.ts';
import type { CommitOrder } from './ingest/buffer/flush-order.ts';
import { openShareMax } from './ingest/buffer/flush-policy.ts';
import { decompress } from './ingest/decode/decompress.ts';
import { assembleIntake, type Intake } from './ingest/intake.ts';
import { DeadLetters } from './ingest/letters/dead-letters.ts';
import { Replay } from './ingest/replay.ts';
import { CommitClient } from './log/journal/commit-client.ts';
import type { LostNumbers } from './log/journal/commit-messages.ts';
import { highestLsn } from './log/journal/live-state.ts';
import { LowWater } from './log/wal/low-water.ts';
import { refuseForeignWal } from './log/wal/foreign-format.ts';
import { decodeRequest } from './log/wal/request-record.ts';
import { WalClient } from './log/wal/wal-client.ts';
import { UnreadableRecords } from './log/wal/unreadable-records.ts';
import { claimWalHome } from './log/wal/wal-home.ts';
import { walOptions } from './log/wal/wal-options.ts';
import { internalRows } from './query/internal-rows.ts';
import { Queries } from './query/queries.ts';
import { queryOptions } from './query/query-options.ts';
import { queryHost } from './query/snapshots.ts';
import { Databases } from './storage/catalog/databases.ts';
import { SchemaRegistry } from './storage/catalog/schema-registry.ts';
import { TagNames } from './storage/catalog/tag-names.ts';
import { EncoderPool } from './storage/parquet/encoder-pool.ts';
import { refuseTakenAddress, refuseTakenDatagramAddress } from './system/address.ts';
import { refuseCaseInsensitive } from './system/file-system.ts';
import { acquireDataLock, type DataLock } from './system/lock.ts';
import { RestartWatch } from './system/restart-watch.ts';
import { SpaceWatch } from './system/space.ts';

/** Entries of threads and of the query process. */
export type GatewayThreads = Readonly<
  Record<'wal' | 'spare' | 'commit' | 'encoder' | 'query', URL>
>;

export const productThreads: GatewayThreads = {
  wal: new URL('log/wal/wal-thread.ts', import.meta.url),
  spare: new URL('log/spare-thread.ts', import.meta.url),
  commit: new URL('storage/catalog/commit-thread.ts', import.meta.url),
  encoder: new URL('storage/parquet/encoder-thread.ts', import.meta.url),
  query: new URL('query/child/main.ts', import.meta.url),
};

/** What a composition may replace. */
export interface GatewayParts {
  readonly threads: GatewayThreads;
  /** File layer of the main thread: directories, hot chunks, free space. */
  readonly files: Files;
  readonly clock: Clock;
  readonly commitOrder?: CommitOrder;
}

const productParts = { threads: productThreads, files: nodeFiles, clock: systemClock } as const;

export interface Gateway {
  readonly url: string;
  /** Resolves when writes are accepted; rejects if the log cannot be recovered. */
  readonly recovered: Promise<void>;
  /** Resolves with the error that makes it pointless to go on (I3). */
  readonly failed: Promise<GatewayError>;
  /** Answers what is under way, files what is buffered, and stops, within the shutdown time-out. */
  close(): Promise<void>;
  /**
   * For an end in which nothing in memory can be trusted: true if all that was answered is on the
   * device. Nothing is filed or answered; the process must end without running anything else.
   */
  abandon(): boolean;
}

/** WebAssembly memory never shrinks: an encoder that grew beyond this is replaced. */
const encoderWasmBytesMax = 192 * 1024 * 1024;

/** How long a log may be failed before a new start is tried (W5). */
const giveUpMs = 60_000;

/** How often alarms that are only seen by looking are looked at. */
const watchMs = 1000;

/** Everything that stands before the log is replayed; made by `openParts`, in that order. */
interface Opened {
  readonly config: Config;
  readonly logger: Logger;
  readonly parts: GatewayParts;
  readonly lock: DataLock;
  readonly directories: DataDirectories;
  readonly gatewayId: string;
  readonly alarms: Alarms;
  readonly metrics: Metrics;
  readonly space: SpaceWatch;
  readonly commits: CommitClient;
  readonly registry: SchemaRegistry;
  readonly encoder: EncoderPool;
}

/**
 * Starts a gateway; resolves when it listens. Queries wait and writes get 503 until `recovered`.
 * @throws HF_DATA_LOCKED, HF_FORMAT_NEWER, HF_FORMAT_OLD, HF_WAL_LEFT, HF_WAL_FOREIGN, HF_LISTEN,
 * HF_IO; what was opened is closed again
 */
export async function startGateway(
  config: Config,
  logger: Logger,
  parts: GatewayParts = productParts,
): Promise<Gateway> {
  const { dataDirectory } = config.storage;
  const lock = await acquireDataLock(dataDirectory, config.wal.directory, parts.files);
  let commits: CommitClient | undefined;
  try {
    const directories = makeDataDirectories(parts.files, dataDirectory, config.wal.directory);
    refuseCaseInsensitive(parts.files, directories.root);
    refuseForeignWal(parts.files, directories.wal);
    await refuseTakenAddress(config.server);
    if (config.server.udp !== undefined) await refuseTakenDatagramAddress(config.server.udp);
    const { root, journal, wal } = directories;
    const gatewayId = gatewayIdOf(parts.files, root);
    claimWalHome({ files: parts.files, root, journal, wal, gatewayId });
    commits = await CommitClient.open({
      thread: parts.threads.commit,
      root: directories.root,
      directory: directories.journal,
      dataDirectory: directories.data,
      quarantine: directories.quarantine,
      orphans: directories.orphans,
      ...config.journal,
    });
    const places = withHotMemory(parts.files, directories, config.ingest.memoryBytes);
    const opened = openParts(config, logger, parts, lock, places, commits);
    const gateway = new RunningGateway(opened);
    await gateway.open();
    return gateway;
  } catch (error) {
    await commits?.close();
    await lock.release();
    throw error;
  }
}

function openParts(
  config: Config,
  logger: Logger,
  parts: GatewayParts,
  lock: DataLock,
  directories: DataDirectories,
  commits: CommitClient,
): Opened {
  const { files, clock, threads } = parts;
  const alarms = new Alarms({ clock, logger });
  const space = new SpaceWatch(
    { files, diskBytes, alarms, logger },
    { ...config.storage, intervalMs: watchMs },
  );
  const registry = new SchemaRegistry(config.ingest);
  registry.load(commits.seed);
  const encoder = new EncoderPool({
    thread: threads.encoder,
    dataDirectory: directories.data,
    compression: config.parquet.compression,
    threadsMax: config.parquet.encoderThreads,
    queueMax: 4096,
    wasmBytesMax: encoderWasmBytesMax,
  });
  const gatewayId = gatewayIdOf(files, directories.root);
  const made = { alarms, metrics: new Metrics(), space, commits, registry, encoder };
  return { config, logger, parts, lock, directories, gatewayId, ...made };
}

class RunningGateway implements Gateway {
  readonly recovered: Promise<void>;
  readonly failed: Promise<GatewayError>;
  readonly #opened: Opened;
  readonly #failure = Promise.withResolvers<GatewayError>();
  readonly #replayed = Promise.withResolvers<void>();
  readonly #intake: Intake;
  readonly #lowWater: LowWater;
  readonly #restartWatch = new RestartWatch(giveUpMs, this.#failure.resolve);
  readonly #queries: Queries;
  readonly #figures: Figures;
  readonly #fronts: Fronts;
  #recovery = { bytes: 0, bytesTotal: 0, rows: 0, skipped: 0, unreadable: 0 };
  #wal: WalClient | undefined;
  #phase: GatewayPhase = 'recovering';
  #watch: NodeJS.Timeout | undefined;
  #recovering: Promise<void> | undefined;
  #closing: Promise<void> | undefined;

  constructor(opened: Opened) {
    this.#opened = opened;
    this.failed = this.#failure.promise;
    this.recovered = this.#replayed.promise;
    // Who does not wait for it still sees a failed recovery through `failed`.
    this.recovered.catch(() => undefined);
    this.#lowWater = new LowWater((lowWater) => this.#wal?.release(lowWater));
    this.#intake = this.#makeIntake();
    this.#queries = this.#makeQueries();
    this.#figures = new Figures({
      ...opened,
      ...this.#intake,
      memoryBytesMax: opened.config.ingest.memoryBytes,
      queries: this.#queries,
      wal: () => this.#wal,
      phase: () => this.#phase,
      recovery: () => this.#recovery,
    });
    this.#fronts = this.#makeFronts();
  }

  get url(): string {
    return this.#fronts.url;
  }

  /** Listens, starts the query process, and begins to replay the log. */
  async open(): Promise<void> {
    const { commits, registry, space, encoder, alarms, logger } = this.#opened;
    // The flusher listens by itself: filed rows leave the buffers in the same tick.
    commits.onEvent(({ commit }) => {
      this.#lowWater.visible(commit);
      this.#figures.committed(commit);
      registry.confirm(commit);
    });
    commits.onSafe((commit) => {
      this.#lowWater.safe(commit);
    });
    commits.onState((state, cause) => {
      this.#logState('journal', state, cause);
    });
    commits.onAlarm(({ kind, message, details }) => {
      if (kind === 'journal-damaged') alarms.raise('journal_rot', message);
      else if (kind === 'file-orphaned') alarms.raise('orphan_files', message);
      else logger.warn({ kind, ...details }, message);
    });
    commits.onExit(this.#failure.resolve);
    await this.#fronts.open();
    this.#queries.start();
    encoder.warm();
    space.start();
    this.#queries.onEngineEnd((lastWords) => {
      alarms.raise('query_engine_down', lastWords);
    });
    this.#watch = setInterval(() => {
      if (this.#queries.status().engine.state === 'ready') alarms.clear('query_engine_down');
      showFlushAlarms(
        this.#intake.flusher.alarms(),
        (id) => registry.byId(id)?.name ?? `${id}`,
        alarms,
      );
    }, watchMs).unref();
    this.#intake.flusher.start();
    logger.notice({ url: this.url, commit: commits.visibleCommit }, 'listening');
    this.#recovering = this.#recover();
  }

  abandon(): boolean {
    const { shutdownTimeoutMs } = this.#opened.config.server;
    return this.#wal?.syncAtOnce(shutdownTimeoutMs) ?? true;
  }

  close(): Promise<void> {
    this.#closing ??= this.#close();
    return this.#closing;
  }

  async #close(): Promise<void> {
    const { commits, encoder, space, lock, config, logger } = this.#opened;
    const { clock } = this.#opened.parts;
    const endMs = clock.monotonicMs() + config.server.shutdownTimeoutMs;
    const leftMs = () => Math.max(0, endMs - clock.monotonicMs());
    this.#phase = 'stopping';
    this.#intake.admission.stop();
    this.#intake.keys.stop();
    await within(this.#fronts.drain(), leftMs() / 3);
    const filed = await this.#intake.flusher.flushAll((leftMs() * 2) / 3);
    if (!filed) logger.warn({}, 'rows are left in the log; they are filed after the next start');
    this.#intake.flusher.stop();
    clearInterval(this.#watch);
    space.stop();
    await this.#fronts.close();
    const wait = [() => this.#recovering, () => this.#wal?.close(), () => commits.close()];
    const ends = [() => this.#queries.close(), ...wait, () => encoder.close()];
    // A thread that may still write keeps the directory: the hold then ends with the process.
    if (await allWithin(ends, leftMs)) await lock.release();
  }

  async #recover(): Promise<void> {
    const { config, parts, directories, commits, registry, alarms, logger } = this.#opened;
    const roomBytes = Math.floor(config.ingest.memoryBytes * openShareMax);
    const unreadable = new UnreadableRecords({
      files: parts.files,
      quarantine: directories.quarantine,
      alarm: (message, segment) => {
        alarms.raise('wal_rot', message, `${segment}, unreadable`);
      },
    });
    const replay = new Replay({
      decode: decodeRequest,
      adopt: (request) => registry.adopt(request),
      buffers: this.#intake.buffers,
      room: () => this.#intake.flusher.whenBelow(roomBytes),
      setAside: (record, cause) => unreadable.setAside(record, cause),
      learn: (batch) => {
        this.#intake.keys.learn(batch);
      },
    });
    const options = walOptions(config.wal, {
      thread: parts.threads.wal,
      spareThread: parts.threads.spare,
      quarantine: directories.quarantine,
      clock: parts.clock,
    });
    try {
      const wal = await WalClient.open(options, {
        lowWater: commits.seed.lowWater,
        floor: highestLsn(commits.seed),
        sink: async (records, progress) => {
          if (this.#phase === 'stopping') throw new GatewayError('HF_SHUTTING_DOWN', 'stopping');
          commits.walSynced(progress.syncedTo);
          await replay.take(records, progress.syncedTo);
          this.#recovery = { ...progress, ...replay.counts };
        },
      });
      this.#attach(wal, unreadable.numbers);
      logger.info({ ...wal.recovery, ...replay.counts }, 'the write-ahead log is read');
      if (this.#phase === 'recovering') this.#phase = 'ready';
      this.#intake.flusher.flushOpen();
      void this.#intake.loadKeys((sql) => internalRows(this.#queries, sql));
      void this.#intake.reservedFiles.trim();
      this.#replayed.resolve();
    } catch (error) {
      this.#replayed.reject(error);
      this.#failure.resolve(asGatewayError(error));
    }
  }

  #attach(wal: WalClient, unreadable: readonly LostNumbers[]): void {
    const { alarms, commits } = this.#opened;
    this.#wal = wal;
    for (const { message, segment } of wal.recovery.alarms) {
      alarms.raise('wal_rot', message, segment);
    }
    wal.onState((state, cause) => {
      this.#logState('wal', state, cause);
    });
    wal.release(this.#lowWater.released);
    wal.onSynced((lsn) => {
      commits.walSynced(lsn);
    });
    commits.walSynced(wal.syncedTo);
    const { lastNumber, rot } = wal.recovery;
    commits.walReplayed(commits.seed.lowWater + 1, lastNumber, [...rot, ...unreadable]);
    commits.forgetSeed();
    wal.onExit(this.#failure.resolve);
  }

  #logState(log: 'wal' | 'journal', state: 'open' | 'failed', cause?: GatewayError): void {
    const id = log === 'wal' ? 'wal_failed' : 'journal_failed';
    if (state === 'failed') {
      this.#opened.alarms.raise(id, cause?.message);
      this.#restartWatch.failed(log, cause);
    } else {
      this.#opened.alarms.clear(id);
      this.#restartWatch.recovered(log);
    }
  }

  #makeIntake(): Intake {
    const { parts, space, directories } = this.#opened;
    const { files, clock, commitOrder } = parts;
    return assembleIntake({
      ...this.#opened,
      files,
      clock,
      hotDirectories: hotDirectories(directories),
      ...(commitOrder === undefined ? {} : { commitOrder }),
      wal: () => this.#wal,
      recovering: () => this.#phase === 'recovering',
      diskFull: () => space.full,
    });
  }

  #makeQueries(): Queries {
    const { config, parts, directories } = this.#opened;
    const { files, clock, threads } = parts;
    const host = queryHost({
      ...this.#opened,
      hot: this.#intake.hot,
      recovered: this.recovered,
      recovering: () => this.#wal === undefined,
    });
    const options = queryOptions(config.query, directories, threads.query);
    return new Queries({ host, files, clock }, options);
  }

  #makeFronts(): Fronts {
    const { config, parts, commits, registry, metrics, alarms, logger } = this.#opened;
    const status = new StatusReport({
      sources: this.#figures.sources(),
      clock: parts.clock,
      version,
    });
    status.feed(metrics);
    const databases = new Databases(registry, commits);
    const admit = () => {
      this.#intake.door.admit();
    };
    const seal = (ids: readonly number[]) => {
      this.#intake.flusher.flush(ids);
    };
    const tagNames = new TagNames({ registry, commits, admit, seal });
    const letters = new DeadLetters({
      ask: (sql, parameters) => internalRows(this.#queries, sql, parameters),
      door: this.#intake.door,
      files: this.#intake.reservedFiles,
    });
    const { server, query, wal } = config;
    const { door } = this.#intake;
    const queries = this.#queries;
    return new Fronts(
      {
        door,
        queries,
        databases,
        tagNames,
        letters,
        status,
        metrics,
        alarms,
        logger,
        clock: parts.clock,
        decompress,
      },
      { ...server, queryTimeoutMs: query.timeoutMs, durability: wal.durability },
    );
  }
}
