/**
 * One snapshot of all figures: the source of `/api/v1/status`, `/api/monitoring/buffer`, `/health`,
 * `/ready` and the metrics that are read at scrape time. Parts give what they keep anyway, through
 * functions that gateway.ts fills in; nothing is counted twice. Main thread.
 */
import type { GatewayError } from '../base/errors/gateway-error.ts';
import { publicCode } from '../base/errors/public-code.ts';
import type { Clock } from '../base/lib/clock.ts';
import type { LatencyCounts, LatencySummary } from '../base/lib/latency-histogram.ts';
import type { ActiveAlarm } from '../base/telemetry/alarms.ts';
import type { Metrics } from '../base/telemetry/metrics.ts';

export type GatewayPhase = 'starting' | 'recovering' | 'ready' | 'stopping';

/** Plain JSON values under camelCase names; they are shown in snake_case. */
export type Figures = object;

export interface RecoveryFigures {
  readonly bytes: number;
  readonly bytesTotal: number;
  /** Rows that entered the buffers; those that did not, because they are filed already. */
  readonly rows: number;
  readonly skipped: number;
  /** Records of the log that could not be read and were set aside. */
  readonly unreadable: number;
}

export interface BufferFigures {
  /** Rows that entered the buffers since the start, replayed ones included. */
  readonly rowsEntered: number;
  /** Rows in memory that no visible commit holds yet. */
  readonly rowsHeld: number;
  /** Rows that were taken for repeats of sealed ones. */
  readonly rowsRepeated: number;
  /** Of these, those that may repeat rows of before a tag was named, from which they stay apart. */
  readonly rowsUnmerged: number;
  /** Rows in files of commits since the start. */
  readonly rowsFiled: number;
  readonly flushes: number;
  readonly flushFailures: number;
  readonly filesFiled: number;
  readonly bytesFiled: number;
  /** Of buffers, queued flushes and hot chunks. */
  readonly bytes: number;
  readonly bytesMax: number;
  readonly oldestAgeMs: number;
  /** Rows held by `database.measurement`. */
  readonly sizes: Readonly<Record<string, number>>;
}

export interface WalFigures {
  readonly syncedLsn: number;
  readonly liveBytes: number;
  readonly queuedBytes: number;
  readonly groups: number;
  readonly failures: number;
  readonly syncLatency?: LatencySummary;
}

export interface CatalogFigures {
  readonly visibleCommit: number;
  readonly commits: number;
  readonly files: number;
  readonly bytes: number;
  readonly indexRebuilds: number;
}

export interface QueryFigures {
  readonly active: number;
  readonly queued: number;
  readonly engineRestarts: number;
}

export interface DiskFigures {
  readonly freeBytes: number;
  readonly totalBytes: number;
  readonly softFreeBytes: number;
  readonly hardFreeBytes: number;
}

export interface KeyFigures {
  readonly count: number;
  readonly countMax: number;
  readonly bytes: number;
  readonly bytesMax: number;
  readonly dropped: number;
}

export interface LetterFigures {
  /** In files, and not filed yet. */
  readonly rows: number;
  readonly rowsHeld: number;
  readonly rowsMax: number;
  readonly bytes: number;
  readonly bytesMax: number;
  readonly droppedRows: number;
}

/** Each source may give more than is named here; all of it is shown. Absent until it runs. */
export interface StatusSources {
  /** Unique to this data directory; it is part of the names at targets. */
  gatewayId(): string;
  phase(): GatewayPhase;
  recovery(): RecoveryFigures;
  /** Why a write would be refused now, or undefined if it would come in. */
  refusal(): GatewayError | undefined;
  buffers(): BufferFigures | undefined;
  wal(): WalFigures | undefined;
  /** Durations of the log's syncs. */
  walSyncs(): LatencyCounts | undefined;
  catalog(): CatalogFigures | undefined;
  queries(): QueryFigures | undefined;
  disk(): DiskFigures | undefined;
  keys(): KeyFigures;
  deadLetters(): LetterFigures;
  alarms(): readonly ActiveAlarm[];
}

/** `value` with the names of its members in snake_case, at every depth. */
export function snakeCase(value: unknown): unknown {
  if (Array.isArray(value)) return value.map(snakeCase);
  if (typeof value === 'bigint') return Number(value);
  if (typeof value !== 'object' || value === null) return value;
  const entries = Object.entries(value).map(([name, inner]) => [
    name.replaceAll(/[A-Z]/g, (letter) => `_${letter.toLowerCase()}`),
    snakeCase(inner),
  ]);
  return Object.fromEntries(entries) as unknown;
}

function isoTime(wallUs: number): string {
  return new Date(wallUs / 1000).toISOString();
}

/** `1h2m3s` as Go writes durations; InfluxDB's `/ready` shows one. */
function goDuration(seconds: number): string {
  const whole = Math.floor(seconds);
  const hours = Math.floor(whole / 3600);
  const minutes = Math.floor((whole % 3600) / 60);
  const rest = `${whole % 60}s`;
  if (hours > 0) return `${hours}h${minutes}m${rest}`;
  return minutes > 0 ? `${minutes}m${rest}` : rest;
}

export class StatusReport {
  readonly #sources: StatusSources;
  readonly #clock: Clock;
  readonly #version: string;
  readonly #startedUs: number;
  readonly #startedMs: number;

  constructor(deps: { sources: StatusSources; clock: Clock; version: string }) {
    this.#sources = deps.sources;
    this.#clock = deps.clock;
    this.#version = deps.version;
    this.#startedUs = deps.clock.wallUs();
    this.#startedMs = deps.clock.monotonicMs();
  }

  get version(): string {
    return this.#version;
  }

  #uptimeSeconds(): number {
    return Math.round(this.#clock.monotonicMs() - this.#startedMs) / 1000;
  }

  #recovery() {
    const { bytes, bytesTotal, rows, skipped, unreadable } = this.#sources.recovery();
    const done = this.#sources.phase() === 'ready' || this.#sources.phase() === 'stopping';
    const share = done ? 1 : bytesTotal === 0 ? 0 : bytes / bytesTotal;
    return {
      done,
      share: Math.round(share * 1e4) / 1e4,
      bytes,
      bytes_total: bytesTotal,
      rows,
      skipped,
      unreadable,
    };
  }

  /** `/api/v1/status`: everything. */
  full(): object {
    const { buffers, wal, catalog, queries, disk, keys, deadLetters } = this.#sources;
    const refusal = this.#sources.refusal();
    const { sizes, ...held } = buffers() ?? { sizes: {} };
    return {
      gateway: {
        id: this.#sources.gatewayId(),
        version: this.#version,
        phase: this.#sources.phase(),
        started_at: isoTime(this.#startedUs),
        uptime_seconds: this.#uptimeSeconds(),
        pid: process.pid,
      },
      writes: {
        accepted: refusal === undefined,
        ...(refusal === undefined
          ? {}
          : { code: publicCode(refusal.code), reason: refusal.message }),
      },
      recovery: this.#recovery(),
      buffers: { ...(snakeCase(held) as object), sizes },
      wal: snakeCase(wal() ?? {}),
      catalog: snakeCase(catalog() ?? {}),
      queries: snakeCase(queries() ?? {}),
      disk: snakeCase(disk() ?? {}),
      keys: snakeCase(keys()),
      dead_letters: snakeCase(deadLetters()),
      alarms: this.#alarms(),
      replication: [],
    };
  }

  #alarms(): readonly object[] {
    return this.#sources.alarms().map(({ sinceUs, ...alarm }) => ({
      ...alarm,
      since: isoTime(sinceUs),
    }));
  }

  /** `/api/monitoring/buffer`: the seed's keys. Measurements of `default` go by their bare name. */
  buffer(): object {
    const figures = this.#sources.buffers();
    const sizes: Record<string, number> = {};
    for (const [name, rows] of Object.entries(figures?.sizes ?? {})) {
      const shown = name.startsWith('default.') ? name.slice('default.'.length) : name;
      sizes[shown] = (sizes[shown] ?? 0) + rows;
    }
    return {
      total_records_buffered: figures?.rowsEntered ?? 0,
      total_records_written: figures?.rowsFiled ?? 0,
      total_flushes: figures?.flushes ?? 0,
      total_errors: figures?.flushFailures ?? 0,
      current_buffer_sizes: sizes,
      oldest_buffer_age_seconds: Math.round(figures?.oldestAgeMs ?? 0) / 1000,
      current_records_buffered: figures?.rowsHeld ?? 0,
      buffer_bytes: figures?.bytes ?? 0,
      buffer_bytes_max: figures?.bytesMax ?? 0,
    };
  }

  /** `/health`: the process lives; in the words of InfluxDB 2, with Arc's beside them. */
  health(): object {
    const refusal = this.#sources.refusal();
    const critical = this.#sources.alarms().filter(({ severity }) => severity === 'critical');
    const writes =
      refusal === undefined ? {} : { message: refusal.message, code: publicCode(refusal.code) };
    return {
      name: 'holdfast',
      message: refusal === undefined ? 'ready for queries and writes' : refusal.message,
      status: 'pass',
      checks: [
        { name: 'writes', status: refusal === undefined ? 'pass' : 'fail', ...writes },
        ...critical.map(({ id, text, detail }) => ({
          name: id,
          status: 'fail',
          message: text,
          detail,
        })),
      ],
      version: this.#version,
      time: isoTime(this.#clock.wallUs()),
      uptime_sec: this.#uptimeSeconds(),
    };
  }

  /** `/ready`: whether a write would come in now, and how far recovery is. */
  ready(): { readonly ready: boolean; readonly body: object } {
    const refusal = this.#sources.refusal();
    const phase = this.#sources.phase();
    const seconds = this.#uptimeSeconds();
    const common = {
      time: isoTime(this.#clock.wallUs()),
      started: isoTime(this.#startedUs),
      up: goDuration(seconds),
      uptime_sec: seconds,
      recovery: this.#recovery(),
    };
    if (phase === 'ready' && refusal === undefined) {
      return { ready: true, body: { status: 'ready', ...common } };
    }
    const reason = refusal?.message ?? `the gateway is ${phase}`;
    return { ready: false, body: { status: 'not_ready', reason, phase, ...common } };
  }

  /** Lets `metrics` read these figures at each scrape. */
  feed(metrics: Metrics): void {
    const { buffers, wal, walSyncs, catalog, queries, disk } = this.#sources;
    metrics.read('holdfast_buffer_rows', () => buffers()?.rowsHeld);
    metrics.read('holdfast_buffer_memory_bytes', () => buffers()?.bytes);
    metrics.read('holdfast_buffer_oldest_age_seconds', () => {
      const ageMs = buffers()?.oldestAgeMs;
      return ageMs === undefined ? undefined : ageMs / 1000;
    });
    metrics.read('holdfast_ingest_repeated_rows_total', () => buffers()?.rowsRepeated);
    metrics.read('holdfast_ingest_unmerged_rows_total', () => buffers()?.rowsUnmerged);
    metrics.read('holdfast_flush_rows_total', () => buffers()?.rowsFiled);
    metrics.read('holdfast_flush_files_total', () => buffers()?.filesFiled);
    metrics.read('holdfast_flush_bytes_total', () => buffers()?.bytesFiled);
    metrics.read('holdfast_flush_commits_total', () => buffers()?.flushes);
    metrics.read('holdfast_flush_failures_total', () => buffers()?.flushFailures);
    metrics.read('holdfast_wal_synced_lsn', () => wal()?.syncedLsn);
    metrics.read('holdfast_wal_live_bytes', () => wal()?.liveBytes);
    metrics.read('holdfast_wal_queued_bytes', () => wal()?.queuedBytes);
    metrics.read('holdfast_wal_groups_total', () => wal()?.groups);
    metrics.read('holdfast_wal_failures_total', () => wal()?.failures);
    metrics.readHistogram('holdfast_wal_sync_seconds', walSyncs);
    metrics.read('holdfast_journal_visible_commit', () => catalog()?.visibleCommit);
    metrics.read('holdfast_journal_commits_total', () => catalog()?.commits);
    metrics.read('holdfast_catalog_files', () => catalog()?.files);
    metrics.read('holdfast_catalog_bytes', () => catalog()?.bytes);
    metrics.read('holdfast_catalog_index_rebuilds_total', () => catalog()?.indexRebuilds);
    metrics.read('holdfast_query_active_queries', () => queries()?.active);
    metrics.read('holdfast_query_queued_queries', () => queries()?.queued);
    metrics.read('holdfast_query_engine_restarts_total', () => queries()?.engineRestarts);
    metrics.read('holdfast_disk_free_bytes', () => disk()?.freeBytes);
    metrics.read('holdfast_disk_hard_free_bytes', () => disk()?.hardFreeBytes);
    metrics.read('holdfast_recovery_progress_ratio', () => this.#recovery().share);
    metrics.read('holdfast_recovery_unreadable_records', () => this.#recovery().unreadable);
    metrics.read('holdfast_alarms_active', () => {
      const counts: Record<string, number> = {};
      for (const { id } of this.#sources.alarms()) counts[id] = (counts[id] ?? 0) + 1;
      return counts;
    });
    metrics.read('holdfast_runtime_memory_bytes', () => process.memoryUsage.rss());
    metrics.read('holdfast_runtime_cpu_seconds_total', () => {
      const { user, system } = process.cpuUsage();
      return (user + system) / 1e6;
    });
    metrics.read('holdfast_runtime_uptime_seconds', () => this.#uptimeSeconds());
  }
}
