/**
 * Options to decided values: `auto` becomes a number, shares become bytes, paths become absolute,
 * and values that contradict each other are corrected (each correction is a notice for the log) or
 * refused. The result is frozen and handed down as one small slice per part.
 */
import { resolve } from 'node:path';
import { socketPathBytesMax, socketPathFrom } from '../disk/socket-path.ts';
import { GatewayError } from '../errors/gateway-error.ts';
import type { HostFacts } from './host.ts';
import type { RawConfig, ShareOrSize } from './options.ts';

const kib = 1024;
const mib = 1024 * kib;
const gib = 1024 * mib;

export type SyncMode = 'fdatasync' | 'fsync' | 'dsync' | 'async';

/** What an answered write has reached; `synced` needs no header, the others are named in one. */
export type Durability = 'synced' | 'async' | 'memory';

/** Where line protocol comes in over UDP, and what its datagrams do not say themselves. */
export interface DatagramConfig {
  readonly host: string;
  readonly port: number;
  readonly database: string;
  readonly precision: RawConfig['server.udp_precision'];
}

export interface ServerConfig {
  /** Undefined: off. */
  readonly udp: DatagramConfig | undefined;
  readonly host: string;
  readonly port: number;
  readonly maxBodyBytes: number;
  readonly requestTimeoutMs: number;
  readonly shutdownTimeoutMs: number;
}

/** A watermark: the smaller of share and bytes, but at least `floorBytes`. */
export interface Watermark {
  readonly share: number | undefined;
  readonly bytes: number | undefined;
  readonly floorBytes: number;
}

export interface StorageConfig {
  readonly dataDirectory: string;
  readonly softFree: Watermark;
  readonly hardFree: Watermark;
}

export interface IngestConfig {
  readonly bufferRows: number;
  readonly bufferAgeMs: number;
  readonly bufferMinRows: number;
  readonly bufferAgeMaxMs: number;
  readonly memoryBytes: number;
  readonly createDatabases: boolean;
  /** How far ahead of the clock a row may be dated without an alarm. */
  readonly futureMsMax: number;
  /** Idempotency keys, and the memory that they may take. */
  readonly keysMax: number;
  readonly keysBytesMax: number;
  readonly databasesMax: number;
  readonly measurementsMax: number;
  readonly columnsMax: number;
  readonly cellsMax: number;
  readonly daysMax: number;
  readonly nameBytesMax: number;
  readonly lineBytesMax: number;
}

/** Bounds of the files of dead letters. */
export interface DeadLetterConfig {
  readonly bytesMax: number;
  readonly rowsMax: number;
}

export interface ParquetConfig {
  readonly hourFileMinRows: number;
  readonly compression: 'snappy' | 'zstd' | 'lz4' | 'none';
  readonly encoderThreads: number;
}

export interface WalConfig {
  readonly directory: string;
  readonly durability: Durability;
  readonly syncMode: SyncMode;
  /** Between two background syncs in mode async; undefined: no background syncs at all. */
  readonly asyncIntervalMs: number | undefined;
  readonly segmentBytes: number;
  readonly segmentAgeMs: number;
  readonly bytesMax: number;
  /** Bytes that may wait for the log's thread. */
  readonly queueBytesMax: number;
  /** Mode async: bytes of answered requests that wait for their sync; at it one is made at once. */
  readonly unsyncedBytesMax: number;
}

export interface JournalConfig {
  readonly segmentBytes: number;
  readonly syncMode: Exclude<SyncMode, 'async'>;
}

export interface QueryConfig {
  readonly poolSize: number;
  readonly queueMax: number;
  readonly threads: number;
  readonly memoryBytes: number;
  readonly timeoutMs: number;
}

export interface Config {
  readonly server: ServerConfig;
  readonly storage: StorageConfig;
  readonly ingest: IngestConfig;
  readonly deadLetters: DeadLetterConfig;
  readonly parquet: ParquetConfig;
  readonly wal: WalConfig;
  readonly journal: JournalConfig;
  readonly query: QueryConfig;
  readonly log: { readonly level: RawConfig['log.level'] };
  /** One sentence for each value that was corrected. */
  readonly notices: readonly string[];
}

/** What the processes need beside ingest.memory and query.memory (bench/ingest.ts measures it). */
export const overheadBytes = { gateway: 250 * mib, queryEngine: 150 * mib } as const;

/** Share of RAM that all processes of Holdfast may use together. */
export const memoryShareMax = 0.75;

/** A journal is compacted into a snapshot when it exceeds this; see commit-protocol P13. */
const journalSnapshotBytes = 16 * mib;

const journalSegmentBytes = mib;

/** As much as one group of the log: more unsynced rows gain nothing and cost memory. */
const unsyncedBytesMost = 8 * mib;

function clamp(value: number, least: number, most: number): number {
  return Math.min(Math.max(value, least), most);
}

function bytesOf(value: ShareOrSize, wholeBytes: number): number | undefined {
  const fromShare = value.share === undefined ? undefined : Math.floor(value.share * wholeBytes);
  if (fromShare === undefined) return value.bytes;
  return value.bytes === undefined ? fromShare : Math.min(fromShare, value.bytes);
}

function inMebibytes(bytes: number): string {
  return `${Math.floor(bytes / mib)}MiB`;
}

const loopbackHosts = /^(127(?:\.\d{1,3}){3}|::1)$/;

/** Host and port of `listen`. @throws HF_CONFIG for other than loopback addresses. */
export function parseListen(
  listen: string,
  option: 'server.listen' | 'server.udp_listen' = 'server.listen',
): { host: string; port: number } {
  const match = /^(?:\[([0-9a-fA-F:.]+)\]|([^:[\]]+)):(\d{1,5})$/.exec(listen.trim());
  const port = Number(match?.[3]);
  if (match === null || port > 65_535) {
    throw new GatewayError('HF_CONFIG', `${option}: '${listen}' is not ADDRESS:PORT`);
  }
  const named = match[1] ?? match[2] ?? '';
  // The name is not looked up: a changed hosts file must not open the gateway to the network.
  const host = named.toLowerCase() === 'localhost' ? '127.0.0.1' : named;
  if (!loopbackHosts.test(host)) {
    throw new GatewayError(
      'HF_CONFIG',
      `${option}: ${listen} is not a loopback address. This version has no tokens yet and ` +
        'serves programs of this machine only; use 127.0.0.1 or [::1].',
    );
  }
  return { host, port };
}

function deriveDatagrams(raw: RawConfig): DatagramConfig | undefined {
  const listen = raw['server.udp_listen'];
  if (listen === '') return undefined;
  const address = parseListen(listen, 'server.udp_listen');
  const database = raw['server.udp_database'];
  return { ...address, database, precision: raw['server.udp_precision'] };
}

function refuseTokens(raw: RawConfig): void {
  if (raw['auth.mode'] !== 'required') return;
  throw new GatewayError(
    'HF_CONFIG',
    'auth.mode: required needs tokens, which this version does not have yet; use auto or open ' +
      'on a loopback address.',
  );
}

function deriveIngest(
  raw: RawConfig,
  memoryBytes: number,
  notices: string[],
): { ingest: IngestConfig; maxBodyBytes: number } {
  // A request is held about four times at most: body, columns, log record, buffers.
  const bodyMost = Math.floor(memoryBytes / 4);
  const maxBodyBytes = Math.min(raw['server.max_body'], bodyMost);
  if (maxBodyBytes < raw['server.max_body']) {
    notices.push(`server.max_body lowered to ${inMebibytes(bodyMost)}: a quarter of ingest.memory`);
  }
  const cellsMost = Math.max(1000, Math.floor(memoryBytes / 8 / 8));
  const cellsMax = Math.min(raw['ingest.cells_max'], cellsMost);
  if (cellsMax < raw['ingest.cells_max']) {
    notices.push(`ingest.cells_max lowered to ${cellsMax}: an eighth of ingest.memory`);
  }
  const ageMaxMs = Math.max(raw['ingest.buffer_age_max'], raw['ingest.buffer_age']);
  if (ageMaxMs > raw['ingest.buffer_age_max']) {
    notices.push('ingest.buffer_age_max raised to ingest.buffer_age');
  }
  const ingest = {
    bufferRows: raw['ingest.buffer_rows'],
    bufferAgeMs: raw['ingest.buffer_age'],
    bufferMinRows: Math.min(raw['ingest.buffer_min_rows'], raw['ingest.buffer_rows']),
    bufferAgeMaxMs: ageMaxMs,
    memoryBytes,
    createDatabases: raw['ingest.create_databases'],
    futureMsMax: raw['ingest.future_limit'],
    keysMax: raw['ingest.keys_max'],
    keysBytesMax: Math.min(raw['ingest.keys_memory'], Math.floor(memoryBytes / 8)),
    databasesMax: raw['ingest.databases_max'],
    measurementsMax: raw['ingest.measurements_max'],
    columnsMax: raw['ingest.columns_max'],
    cellsMax,
    daysMax: raw['ingest.days_max'],
    nameBytesMax: raw['ingest.name_size_max'],
    lineBytesMax: Math.min(raw['ingest.line_size_max'], maxBodyBytes),
  };
  return { ingest, maxBodyBytes };
}

function deriveWal(
  raw: RawConfig,
  dataDirectory: string,
  host: HostFacts,
  ingest: IngestConfig,
  notices: string[],
): { wal: WalConfig; journal: JournalConfig } {
  const mode = raw['wal.sync_mode'] === 'auto' ? 'fdatasync' : raw['wal.sync_mode'];
  const enabled = raw['wal.enabled'];
  const syncMode: SyncMode = enabled ? mode : 'async';
  const segmentBytes = raw['wal.segment_size'];
  const bytesMax = Math.max(raw['wal.size_max'], 4 * segmentBytes);
  if (bytesMax > raw['wal.size_max']) {
    notices.push(`wal.size_max raised to ${inMebibytes(bytesMax)}: four segments`);
  }
  const directory = raw['wal.dir'];
  const wal = {
    directory:
      directory === '' ? resolve(dataDirectory, 'wal') : resolve(host.workingDirectory, directory),
    durability: enabled ? (mode === 'async' ? 'async' : 'synced') : 'memory',
    syncMode,
    asyncIntervalMs: enabled ? raw['wal.async_interval'] : undefined,
    segmentBytes,
    segmentAgeMs: raw['wal.segment_age'],
    bytesMax,
    queueBytesMax: Math.floor(ingest.memoryBytes / 4),
    unsyncedBytesMax: Math.min(unsyncedBytesMost, Math.floor(ingest.memoryBytes / 8)),
  } as const;
  // Commits are durable in every mode: a file that a lost commit named would be lost with it.
  const journalMode = mode === 'async' ? 'fdatasync' : mode;
  return { wal, journal: { segmentBytes: journalSegmentBytes, syncMode: journalMode } };
}

function deriveStorage(
  raw: RawConfig,
  dataDirectory: string,
  ingest: IngestConfig,
  wal: WalConfig,
): StorageConfig {
  // Room to bring everything in memory to the disk, and to start again, must always be left.
  const hardFloor = ingest.memoryBytes + journalSnapshotBytes + 2 * wal.segmentBytes;
  return {
    dataDirectory,
    softFree: { ...raw['storage.soft_free'], floorBytes: Math.ceil(1.5 * hardFloor) },
    hardFree: { ...raw['storage.hard_free'], floorBytes: hardFloor },
  };
}

function deriveQuery(
  raw: RawConfig,
  host: HostFacts,
  ingestBytes: number,
  notices: string[],
): QueryConfig {
  const least = 64 * mib;
  const wanted = bytesOf(raw['query.memory'], host.memoryBytes) ?? Math.floor(host.memoryBytes / 4);
  const overhead = overheadBytes.gateway + overheadBytes.queryEngine;
  const left = Math.floor(host.memoryBytes * memoryShareMax) - ingestBytes - overhead;
  const memoryBytes = Math.min(wanted, Math.max(left, least));
  if (memoryBytes < wanted) {
    notices.push(`query.memory lowered to ${inMebibytes(memoryBytes)}: RAM is not enough for more`);
  }
  return {
    poolSize: raw['query.pool_size'],
    queueMax: raw['query.queue_max'],
    threads: raw['query.threads'] ?? Math.max(1, host.cores - 1),
    memoryBytes,
    timeoutMs: raw['query.timeout'],
  };
}

/** Bytes of free space at which `watermark` lies on a disk of `diskBytes`. */
export function watermarkBytes(watermark: Watermark, diskBytes: number): number {
  return Math.max(bytesOf(watermark, diskBytes) ?? 0, watermark.floorBytes);
}

function freezeDeep<T extends object>(value: T): T {
  for (const inner of Object.values(value)) {
    if (typeof inner === 'object' && inner !== null) freezeDeep(inner as object);
  }
  return Object.freeze(value);
}

/** Longest name of a socket below the data directory: `run/query-PID-START.sock`. */
const socketNameBytes = 32;

/**
 * The absolute path of the data directory.
 * @throws HF_CONFIG if it is empty; if the query engine would read it as a pattern, and so might
 * take the files of another directory for its own; or if it is too long for the sockets in it
 */
function parseDataDirectory(given: string, workingDirectory: string): string {
  if (given.trim() === '') {
    // It would be the directory of whatever shell had an unset variable.
    throw new GatewayError('HF_CONFIG', 'storage.data_dir is empty; `.` is the current directory');
  }
  const path = resolve(workingDirectory, given);
  if (/[*?[]/.test(path)) {
    throw new GatewayError(
      'HF_CONFIG',
      `storage.data_dir: '${path}' has one of the characters * ? [ in its path, which the query ` +
        'engine reads as a pattern; rename that directory or choose another one',
    );
  }
  const bytes = Buffer.byteLength(socketPathFrom(workingDirectory, path));
  if (bytes + socketNameBytes <= socketPathBytesMax) return path;
  throw new GatewayError(
    'HF_CONFIG',
    `storage.data_dir: '${path}' is too long a path for the sockets in it (${bytes} bytes, ` +
      `at most ${socketPathBytesMax - socketNameBytes}); start in a directory near it, or choose ` +
      'another one',
  );
}

/**
 * The decided configuration, frozen.
 * @throws HF_CONFIG for what cannot be corrected, such as an address that is not loopback.
 */
export function deriveConfig(raw: RawConfig, host: HostFacts): Config {
  refuseTokens(raw);
  const { host: address, port } = parseListen(raw['server.listen']);
  const notices: string[] = [];
  const dataDirectory = parseDataDirectory(raw['storage.data_dir'], host.workingDirectory);
  const ingestBytes =
    bytesOf(raw['ingest.memory'], host.memoryBytes) ??
    clamp(Math.floor(host.memoryBytes / 8), 64 * mib, gib);
  const { ingest, maxBodyBytes } = deriveIngest(raw, ingestBytes, notices);
  const { wal, journal } = deriveWal(raw, dataDirectory, host, ingest, notices);
  const encoders = clamp(Math.floor(host.cores / 4), 1, 8);
  return freezeDeep({
    server: {
      udp: deriveDatagrams(raw),
      host: address,
      port,
      maxBodyBytes,
      requestTimeoutMs: raw['server.request_timeout'],
      shutdownTimeoutMs: raw['server.shutdown_timeout'],
    },
    storage: deriveStorage(raw, dataDirectory, ingest, wal),
    ingest,
    deadLetters: {
      bytesMax: raw['deadletter.size_max'],
      rowsMax: raw['deadletter.rows_max'],
    },
    parquet: {
      hourFileMinRows: raw['parquet.hour_file_min_rows'],
      compression: raw['parquet.compression'],
      encoderThreads: raw['parquet.encoder_threads'] ?? encoders,
    },
    wal,
    journal,
    query: deriveQuery(raw, host, ingest.memoryBytes, notices),
    log: { level: raw['log.level'] },
    notices,
  });
}
