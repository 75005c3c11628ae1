/**
 * The one table of options. The TOML file, environment names, flags, `--help`,
 * docs/CONFIGURATION.md and the types of `RawConfig` all come from it; an option that is not here
 * does not exist, and a name that is not here stops the start.
 *
 * `default` and all other layers use the same text that a person writes (`32MiB`, `5s`, `15%`), so
 * there is one parser and the documents show what can be typed.
 */

/** An environment name of another product; `unit` is what its bare number means. */
export interface OptionAlias {
  readonly name: string;
  readonly unit?: 'MiB' | 's' | 'ms';
}

interface OptionBase {
  readonly default: string;
  /** What it does, in one or two sentences. */
  readonly text: string;
  /** Short flag name beside `--section-key`. */
  readonly flag?: string;
  readonly aliases?: readonly OptionAlias[];
  /** Smallest and largest value: bytes for sizes, milliseconds for durations. */
  readonly min?: number;
  readonly max?: number;
}

interface PlainOption extends OptionBase {
  /**
   * size: bytes. duration: milliseconds. auto-integer: an integer or `auto`.
   * share-or-size: `15%`, `2GiB`, both as `15% (2GiB)` (the smaller counts), or `auto`.
   */
  readonly type:
    | 'size'
    | 'duration'
    | 'integer'
    | 'auto-integer'
    | 'boolean'
    | 'string'
    | 'share-or-size'
    | 'list';
}

interface EnumOption extends OptionBase {
  readonly type: 'enum';
  readonly values: readonly string[];
}

export type OptionEntry = PlainOption | EnumOption;

const kib = 1024;
const mib = 1024 * kib;

export const options = {
  'server.listen': {
    type: 'string',
    default: '127.0.0.1:8086',
    flag: 'listen',
    text:
      'Address and port of the HTTP server. Only loopback addresses are accepted until tokens ' +
      'exist.',
  },
  'server.max_body': {
    type: 'size',
    default: '32MiB',
    min: 64 * kib,
    max: 1024 * mib,
    aliases: [{ name: 'ARC_SERVER_MAX_PAYLOAD_SIZE' }],
    text: 'Largest body of a write request, counted after decompression. Above it: 413.',
  },
  'server.request_timeout': {
    type: 'duration',
    default: '60s',
    min: 1000,
    text:
      'A request whose head and body have not arrived by then is cut off without an answer, so ' +
      'that its sender tries again.',
  },
  'server.shutdown_timeout': {
    type: 'duration',
    default: '30s',
    min: 100,
    aliases: [{ name: 'ARC_SERVER_SHUTDOWN_TIMEOUT', unit: 's' }],
    text:
      'After SIGTERM, answers and flushes end within it. What is not flushed by then stays in ' +
      'the log and is read again at the next start.',
  },
  'server.udp_listen': {
    type: 'string',
    default: '',
    text:
      'Address and port for line protocol over UDP, such as 127.0.0.1:8089; empty is off. Only ' +
      'loopback addresses are accepted until tokens exist. UDP has no answer: what cannot be ' +
      'taken is lost, counted, and raises an alarm.',
  },
  'server.udp_database': {
    type: 'string',
    default: 'default',
    text: 'Database of what comes over UDP.',
  },
  'server.udp_precision': {
    type: 'enum',
    values: ['n', 'us', 'ms', 's', 'm', 'h'],
    default: 'n',
    text: 'Unit of the times that come over UDP.',
  },
  'auth.mode': {
    type: 'enum',
    values: ['auto', 'open', 'required'],
    default: 'auto',
    text:
      'Who is let in. `auto` is `open` on loopback addresses, else `required`. `required` needs ' +
      'tokens, which this version does not have: it is refused at start.',
  },
  'storage.data_dir': {
    type: 'string',
    default: './data',
    flag: 'data-dir',
    text:
      'Folder of everything that is kept. Held exclusively by one gateway. Its path must not have ' +
      'one of the characters * ? [ in it.',
  },
  'storage.soft_free': {
    type: 'share-or-size',
    default: '15% (2GiB)',
    text:
      'Soft watermark: below this much free space an alarm is raised. Share of the disk, size, or ' +
      'both (the smaller counts). Raised to 1.5 x the least hard watermark.',
  },
  'storage.hard_free': {
    type: 'share-or-size',
    default: '5% (512MiB)',
    text:
      'Hard watermark: below this much free space writes get 503 `disk_full`; queries go on. ' +
      'Raised to ingest.memory + a journal snapshot + two log segments.',
  },
  'ingest.buffer_rows': {
    type: 'integer',
    default: '50000',
    min: 1,
    max: 10_000_000,
    aliases: [{ name: 'WRITE_BUFFER_SIZE' }, { name: 'ARC_INGEST_MAX_BUFFER_SIZE' }],
    text: 'Rows of one measurement that make its buffer due for a flush at once.',
  },
  'ingest.buffer_age': {
    type: 'duration',
    default: '5s',
    min: 10,
    aliases: [
      { name: 'WRITE_BUFFER_AGE', unit: 's' },
      { name: 'ARC_INGEST_MAX_BUFFER_AGE_MS', unit: 'ms' },
    ],
    text: 'A buffer this old with at least ingest.buffer_min_rows rows is flushed.',
  },
  'ingest.buffer_min_rows': {
    type: 'integer',
    default: '1000',
    min: 0,
    text: 'Rows below which a buffer waits for ingest.buffer_age_max instead.',
  },
  'ingest.buffer_age_max': {
    type: 'duration',
    default: '60s',
    min: 10,
    text: 'A buffer this old is flushed, however few rows it holds.',
  },
  'ingest.memory': {
    type: 'share-or-size',
    default: 'auto',
    min: 8 * mib,
    text:
      'Bytes for all buffers, queued flushes and hot chunks together, and for what the log has ' +
      'answered and not synced in mode `async`; beyond it writes get 503. ' +
      '`auto` is an eighth of RAM, from 64MiB to 1GiB.',
  },
  'ingest.create_databases': {
    type: 'boolean',
    default: 'true',
    text: 'Create a database when a write names one that is not there; else such a write gets 404.',
  },
  'ingest.future_limit': {
    type: 'duration',
    default: '1d',
    min: 1000,
    text:
      'Rows dated further ahead of the clock than this are kept, counted, and raise an alarm that ' +
      'names sender and measurement.',
  },
  'ingest.keys_max': {
    type: 'integer',
    default: '1000000',
    min: 1,
    text:
      'Idempotency keys that are remembered, each for 24 hours at most; beyond it the oldest are ' +
      'forgotten, and counted.',
  },
  'ingest.keys_memory': {
    type: 'size',
    default: '32MiB',
    min: 64 * kib,
    text:
      'Memory of the idempotency keys; beyond it the oldest are forgotten, and counted. Lowered ' +
      'to an eighth of ingest.memory. 32MiB hold about 480,000 keys.',
  },
  'ingest.databases_max': {
    type: 'integer',
    default: '1000',
    min: 1,
    text: 'Databases that may exist; a line that would create one more is a bad line.',
  },
  'ingest.measurements_max': {
    type: 'integer',
    default: '20000',
    min: 1,
    text: 'Measurements that may exist in all databases together; beyond it lines are bad lines.',
  },
  'ingest.columns_max': {
    type: 'integer',
    default: '4096',
    min: 1,
    max: 65_535,
    text: 'Columns that one measurement may have; a line that would add one more is a bad line.',
  },
  'ingest.cells_max': {
    type: 'integer',
    default: '4000000',
    min: 1000,
    text:
      'Stored values of one request (rows x their columns); the rows beyond are bad rows. ' +
      'Lowered to an eighth of ingest.memory, at 8 bytes a value.',
  },
  'ingest.days_max': {
    type: 'integer',
    default: '20000',
    min: 100,
    max: 1_000_000,
    text:
      'UTC days that the rows of one request may lie in, per measurement and summed up; the rows ' +
      'of further days are bad rows. Each day becomes a file, so history is best sent days ' +
      'together, not years.',
  },
  'ingest.name_size_max': {
    type: 'size',
    default: '65535B',
    min: 64,
    max: 65_535,
    text: 'Longest name of a database, measurement, tag or field, in bytes of UTF-8.',
  },
  'ingest.line_size_max': {
    type: 'size',
    default: '8MiB',
    min: kib,
    text: 'Longest line of line protocol; a longer one is a bad line, not a 413.',
  },
  'deadletter.size_max': {
    type: 'size',
    default: '256MiB',
    min: mib,
    text: 'Bytes of files of dead letters; beyond it the oldest files are removed, and counted.',
  },
  'deadletter.rows_max': {
    type: 'integer',
    default: '1000000',
    min: 1000,
    text: 'Rows of dead letters in files; beyond it the oldest files are removed, and counted.',
  },
  'parquet.hour_file_min_rows': {
    type: 'integer',
    default: '1000',
    min: 0,
    text:
      'In a flush over more than 48 hours, hours with fewer rows than this share one file per ' +
      'UTC day.',
  },
  'parquet.compression': {
    type: 'enum',
    values: ['snappy', 'zstd', 'lz4', 'none'],
    default: 'snappy',
    aliases: [{ name: 'WRITE_COMPRESSION' }, { name: 'ARC_INGEST_COMPRESSION' }],
    text: 'Compression of flushed Parquet files.',
  },
  'parquet.encoder_threads': {
    type: 'auto-integer',
    default: 'auto',
    min: 1,
    max: 64,
    text: 'Threads that encode flushes. `auto` is a quarter of the cores, from 1 to 8.',
  },
  'wal.enabled': {
    type: 'boolean',
    default: 'true',
    aliases: [{ name: 'WAL_ENABLED' }, { name: 'ARC_WAL_ENABLED' }],
    text:
      'Sync the write-ahead log before answering. Off: answers carry ' +
      '`x-holdfast-durability: memory`, and a power cut loses what was not flushed.',
  },
  'wal.dir': {
    type: 'string',
    default: '',
    aliases: [{ name: 'WAL_DIR' }, { name: 'ARC_WAL_DIRECTORY' }],
    text:
      'Folder of the write-ahead log; empty is `wal` in storage.data_dir. To change it, stop the ' +
      'gateway and move all files of the folder; a start that would leave unfiled rows behind, or ' +
      'finds the log of another gateway, is refused.',
  },
  'wal.sync_mode': {
    type: 'enum',
    values: ['auto', 'fdatasync', 'fsync', 'dsync', 'async'],
    default: 'auto',
    aliases: [{ name: 'WAL_SYNC_MODE' }, { name: 'ARC_WAL_SYNC_MODE' }],
    text:
      'How the log reaches the device before an answer. `auto` is fdatasync. `async` answers ' +
      'before the sync and says so in `x-holdfast-durability: async`.',
  },
  'wal.async_interval': {
    type: 'duration',
    default: '100ms',
    min: 1,
    text:
      'In mode `async`: time between two syncs, which is the loss window of a power cut. A sync is ' +
      'made sooner when 8MiB, or an eighth of ingest.memory if that is less, wait for it.',
  },
  'wal.segment_size': {
    type: 'size',
    default: '32MiB',
    min: 64 * kib,
    max: 1024 * mib,
    aliases: [
      { name: 'WAL_MAX_SIZE_MB', unit: 'MiB' },
      { name: 'ARC_WAL_MAX_SIZE_MB', unit: 'MiB' },
    ],
    text: 'Size of one log segment; a larger record gets a segment of its own size.',
  },
  'wal.segment_age': {
    type: 'duration',
    default: '1h',
    min: 100,
    aliases: [
      { name: 'WAL_MAX_AGE_SECONDS', unit: 's' },
      { name: 'ARC_WAL_MAX_AGE_SECONDS', unit: 's' },
    ],
    text: 'Age at which a segment is ended even if it is not full.',
  },
  'wal.size_max': {
    type: 'size',
    default: '1GiB',
    min: mib,
    text:
      'Bytes of the whole log. At half of it the oldest buffers are flushed; at all of it ' +
      'writes get 503 until flushes catch up.',
  },
  'query.pool_size': {
    type: 'integer',
    default: '5',
    min: 1,
    max: 256,
    aliases: [{ name: 'DUCKDB_POOL_SIZE' }],
    text: 'Queries that run at the same time.',
  },
  'query.queue_max': {
    type: 'integer',
    default: '100',
    min: 0,
    aliases: [{ name: 'DUCKDB_MAX_QUEUE_SIZE' }],
    text: 'Queries that may wait for their turn; beyond it: 503.',
  },
  'query.threads': {
    type: 'auto-integer',
    default: 'auto',
    min: 1,
    max: 1024,
    aliases: [{ name: 'DUCKDB_THREADS' }, { name: 'ARC_DATABASE_THREAD_COUNT' }],
    text: 'Threads of the query engine. `auto` is all cores but one, at least one.',
  },
  'query.memory': {
    type: 'share-or-size',
    default: '25%',
    min: 32 * mib,
    aliases: [{ name: 'DUCKDB_MEMORY_LIMIT' }, { name: 'ARC_DATABASE_MEMORY_LIMIT' }],
    text: 'Memory of the query engine, as a share of RAM or a size.',
  },
  'query.timeout': {
    type: 'duration',
    default: '300s',
    min: 10,
    aliases: [{ name: 'ARC_QUERY_TIMEOUT', unit: 's' }],
    text: 'Longest time that a query may wait and run; beyond it: 504.',
  },
  'log.level': {
    type: 'enum',
    values: ['trace', 'debug', 'info', 'warn', 'error', 'fatal'],
    default: 'info',
    aliases: [{ name: 'ARC_LOG_LEVEL' }],
    text:
      'Least severe lines that are logged; where the gateway listens is always said. The log is ' +
      'JSON on standard output.',
  },
} as const satisfies Record<string, OptionEntry>;

export type OptionName = keyof typeof options;

/** Share between 0 and 1 of the whole; both undefined is `auto`. */
export interface ShareOrSize {
  readonly share: number | undefined;
  readonly bytes: number | undefined;
}

interface ValueByType {
  readonly size: number;
  readonly duration: number;
  readonly integer: number;
  readonly 'auto-integer': number | undefined;
  readonly boolean: boolean;
  readonly string: string;
  readonly 'share-or-size': ShareOrSize;
  readonly list: readonly string[];
}

export type OptionValue<E extends OptionEntry> = E extends { values: readonly (infer V)[] }
  ? V
  : ValueByType[E['type'] & keyof ValueByType];

/** One parsed value per option, by its `section.key` name. */
export type RawConfig = {
  readonly [Name in OptionName]: OptionValue<(typeof options)[Name]>;
};

export const optionNames = Object.keys(options) as readonly OptionName[];

/** The entry of `name`, with the optional parts of an entry visible to the type checker. */
export function optionEntry(name: OptionName): OptionEntry {
  return options[name];
}

/** `server.max_body` is `HOLDFAST_SERVER_MAX_BODY` in the environment. */
export function environmentName(name: OptionName): string {
  return `HOLDFAST_${name.replace('.', '_').toUpperCase()}`;
}

/** Flags of `name` without the dashes; the last one is `section-key`. */
export function flagNames(name: OptionName): readonly string[] {
  const long = name.replaceAll(/[._]/g, '-');
  const short = optionEntry(name).flag;
  return short === undefined ? [long] : [short, long];
}
