/**
 * The one table of metrics. docs/METRICS.md is generated from it, and a metric that is not here
 * cannot be recorded. Names: `holdfast_<module>_<noun>_<unit>[_total]`; bytes and seconds as
 * Prometheus expects them.
 */

export interface MetricEntry {
  readonly type: 'counter' | 'gauge' | 'histogram';
  readonly help: string;
  readonly labels?: readonly string[];
  /** Upper bounds of a histogram, in its unit; without, it is read at each scrape. */
  readonly buckets?: readonly number[];
}

const requestSeconds = [
  0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 30, 300,
];

export const metricTable = {
  holdfast_http_requests_total: {
    type: 'counter',
    help: 'Answered HTTP requests by route and status.',
    labels: ['route', 'status'],
  },
  holdfast_http_write_seconds: {
    type: 'histogram',
    help: 'Time from the head of a write request to its answer.',
    buckets: requestSeconds,
  },
  holdfast_http_query_seconds: {
    type: 'histogram',
    help: 'Time from the head of a query to the end of its answer.',
    buckets: requestSeconds,
  },
  holdfast_http_requests_active: {
    type: 'gauge',
    help: 'Requests that are being received or answered now.',
  },
  holdfast_ingest_body_bytes_total: {
    type: 'counter',
    help: 'Bytes of write bodies after decompression.',
    labels: ['dialect'],
  },
  holdfast_ingest_rows_total: {
    type: 'counter',
    help: 'Rows accepted: they were answered, in the configured durability.',
    labels: ['dialect'],
  },
  holdfast_ingest_rejected_rows_total: {
    type: 'counter',
    help: 'Rows that were bad and went to the dead letters.',
    labels: ['dialect'],
  },
  holdfast_ingest_refused_requests_total: {
    type: 'counter',
    help: 'Write requests answered 503, by error code.',
    labels: ['code'],
  },
  holdfast_ingest_nan_values_total: {
    type: 'counter',
    help: 'NaN and infinite values that became null.',
  },
  holdfast_ingest_cut_times_total: {
    type: 'counter',
    help: 'Times with digits below a microsecond, which were cut.',
  },
  holdfast_ingest_duplicate_fields_total: {
    type: 'counter',
    help: 'Fields given twice in one line; the last one counts.',
  },
  holdfast_ingest_future_rows_total: {
    type: 'counter',
    help: 'Rows dated further ahead than ingest.future_limit; they were kept.',
    labels: ['dialect'],
  },
  holdfast_ingest_repeated_rows_total: {
    type: 'counter',
    help: 'Rows taken for repeats of points that came before; late rows of old hours count too.',
  },
  holdfast_ingest_unmerged_rows_total: {
    type: 'counter',
    help: 'Repeated rows in hours with rows of before a tag was named; they are not merged with those.',
  },
  holdfast_ingest_keys: { type: 'gauge', help: 'Idempotency keys that are remembered.' },
  holdfast_ingest_keys_memory_bytes: {
    type: 'gauge',
    help: 'Memory of these keys; its limit is ingest.keys_memory.',
  },
  holdfast_ingest_keys_dropped_total: {
    type: 'counter',
    help: 'Idempotency keys forgotten before a day passed, to stay within the limits.',
  },
  holdfast_ingest_key_repeats_total: {
    type: 'counter',
    help: 'Requests answered like an earlier one with the same Idempotency-Key and body.',
    labels: ['dialect'],
  },
  holdfast_ingest_keys_reused_total: {
    type: 'counter',
    help: 'Requests whose Idempotency-Key came before with another body; they were kept.',
    labels: ['dialect'],
  },
  holdfast_deadletter_rows: { type: 'gauge', help: 'Rows of dead letters in files.' },
  holdfast_deadletter_bytes: { type: 'gauge', help: 'Bytes of these files.' },
  holdfast_deadletter_dropped_rows_total: {
    type: 'counter',
    help: 'Rows of dead letters that were removed, as the oldest, to stay within the limits.',
  },
  holdfast_udp_datagrams_total: {
    type: 'counter',
    help: 'Datagrams whose good rows were kept.',
  },
  holdfast_udp_dropped_datagrams_total: {
    type: 'counter',
    help: 'Datagrams that could not be taken and are lost, by error code.',
    labels: ['code'],
  },
  holdfast_ingest_renamed_columns_total: {
    type: 'counter',
    help: 'Columns that got another SQL name because theirs was taken.',
  },
  holdfast_buffer_rows: { type: 'gauge', help: 'Rows in memory that are not yet in a commit.' },
  holdfast_buffer_memory_bytes: {
    type: 'gauge',
    help: 'Memory of buffers, queued flushes and hot chunks; its limit is ingest.memory.',
  },
  holdfast_buffer_oldest_age_seconds: { type: 'gauge', help: 'Age of the oldest unfiled row.' },
  holdfast_flush_rows_total: { type: 'counter', help: 'Rows filed in committed Parquet files.' },
  holdfast_flush_files_total: { type: 'counter', help: 'Parquet files that flushes committed.' },
  holdfast_flush_bytes_total: { type: 'counter', help: 'Bytes of those files.' },
  holdfast_flush_commits_total: { type: 'counter', help: 'Flushes that were committed.' },
  holdfast_flush_failures_total: { type: 'counter', help: 'Flush attempts that failed.' },
  holdfast_wal_synced_lsn: { type: 'gauge', help: 'Highest LSN known to be on the device.' },
  holdfast_wal_live_bytes: { type: 'gauge', help: 'Bytes of log segments that are still needed.' },
  holdfast_wal_queued_bytes: { type: 'gauge', help: 'Bytes that wait for the log.' },
  holdfast_wal_groups_total: { type: 'counter', help: 'Groups written: one sync each.' },
  holdfast_wal_failures_total: { type: 'counter', help: 'Writes or syncs of the log that failed.' },
  holdfast_wal_sync_seconds: {
    type: 'histogram',
    help: 'Time that the disk took for one sync of the log; four buckets for each doubling.',
  },
  holdfast_journal_visible_commit: { type: 'gauge', help: 'Number of the newest commit.' },
  holdfast_journal_commits_total: { type: 'counter', help: 'Commits since the start.' },
  holdfast_catalog_files: { type: 'gauge', help: 'Parquet files that are live.' },
  holdfast_catalog_bytes: { type: 'gauge', help: 'Bytes of live Parquet files.' },
  holdfast_catalog_index_rebuilds_total: {
    type: 'counter',
    help: 'Times that the index of the catalog was lost, behind or damaged and made anew.',
  },
  holdfast_query_active_queries: { type: 'gauge', help: 'Queries that run now.' },
  holdfast_query_queued_queries: { type: 'gauge', help: 'Queries that wait for their turn.' },
  holdfast_query_engine_restarts_total: {
    type: 'counter',
    help: 'Times that the query engine had to be started again.',
  },
  holdfast_disk_free_bytes: { type: 'gauge', help: 'Free space of the data directory.' },
  holdfast_disk_hard_free_bytes: {
    type: 'gauge',
    help: 'Free space below which writes are refused.',
  },
  holdfast_recovery_progress_ratio: {
    type: 'gauge',
    help: 'Share of the write-ahead log that was read after the start; 1 when done.',
  },
  holdfast_recovery_unreadable_records: {
    type: 'gauge',
    help: 'Records of the log that the start could not read; their content is in quarantine/.',
  },
  holdfast_alarms_active: {
    type: 'gauge',
    help: 'Alarms that stand, by alarm.',
    labels: ['alarm'],
  },
  holdfast_runtime_memory_bytes: {
    type: 'gauge',
    help: 'Resident memory of the gateway without its children.',
  },
  holdfast_runtime_cpu_seconds_total: {
    type: 'counter',
    help: 'CPU time of the gateway and its threads, without children.',
  },
  holdfast_runtime_uptime_seconds: { type: 'gauge', help: 'Time since the start.' },
} as const satisfies Record<string, MetricEntry>;

export type MetricName = keyof typeof metricTable;

/** Names of the metrics of one type. */
export type MetricOf<Type extends MetricEntry['type']> = {
  [Name in MetricName]: (typeof metricTable)[Name]['type'] extends Type ? Name : never;
}[MetricName];

/** Labels that a metric needs; an empty object for one without. */
export type LabelsOf<Name extends MetricName> = (typeof metricTable)[Name] extends {
  labels: readonly (infer Label extends string)[];
}
  ? Readonly<Record<Label, string>>
  : Readonly<Record<string, never>>;

/** The whole of docs/METRICS.md. */
export function metricsMarkdown(): string {
  const rows = Object.entries(metricTable as Record<string, MetricEntry>).map(([name, entry]) => {
    const labels = (entry.labels ?? []).map((label) => `\`${label}\``).join(', ');
    return `| \`${name}\` | ${entry.type} | ${labels} | ${entry.help} |`;
  });
  return [
    '# Metrics',
    '',
    'Generated from `src/base/telemetry/metric-table.ts` by `npm run docs:generate`; do not edit.',
    '`GET /metrics` serves them in the text format of Prometheus.',
    '',
    '| metric | type | labels | meaning |',
    '| --- | --- | --- | --- |',
    ...rows,
    '',
  ].join('\n');
}
