/**
 * Every error code of Holdfast: its kind, what causes it, and what the operator does about it.
 * `docs/ERRORS.md` is generated from this table; a check compares the two both ways.
 *
 * Kinds decide the behaviour in one place each:
 * input: the caller's bytes are wrong (400, 413). auth: token or scope (401, 403).
 * overload: a bounded queue or watermark is full (503). transient: try again (503).
 * corrupt: a checksum does not hold (500). environment: disk or system refuses (503).
 * bug: an assertion failed; the process stops.
 */
export type ErrorKind =
  | 'input'
  | 'auth'
  | 'overload'
  | 'transient'
  | 'corrupt'
  | 'environment'
  | 'bug';

interface CodeEntry {
  readonly kind: ErrorKind;
  readonly cause: string;
  readonly remedy: string;
}

export const errorCodes = {
  HF_BUG: {
    kind: 'bug',
    cause: 'An internal assertion failed.',
    remedy: 'Restart happens by itself; report the log lines around this code.',
  },
  HF_IO: {
    kind: 'environment',
    cause: 'The operating system refused a file operation; the message names path and error.',
    remedy: 'Check the disk (`dmesg`, SMART), its mount state and its permissions.',
  },
  HF_IO_SHORT_WRITE: {
    kind: 'environment',
    cause: 'The disk took fewer bytes than it was given, usually because it is full.',
    remedy: 'Free space on the disk of the data directory.',
  },
  HF_DISK_FULL: {
    kind: 'environment',
    cause: 'Free space fell below the hard watermark (storage.hard_free) or the disk is full.',
    remedy: 'Free space or enlarge the disk; writes are accepted again by themselves.',
  },
  HF_FORMAT_NEWER: {
    kind: 'environment',
    cause: 'Something on the disk was written in a newer format than this Holdfast knows.',
    remedy: 'Start the version that wrote it, or a later one; nothing was changed.',
  },
  HF_FORMAT_OLD: {
    kind: 'environment',
    cause: 'The data directory was written by a build from before the first release.',
    remedy:
      'Nothing was changed. Start this build on an empty data directory; the rows of the old one ' +
      'can be read from its Parquet files in `data/` by any engine.',
  },
  HF_LOG_APPEND: {
    kind: 'environment',
    cause: 'A write or sync of a log failed, or the log has no segment that it can write to.',
    remedy: 'Senders try again by themselves; check the disk (`dmesg`, SMART, free space).',
  },
  HF_WAL_RECORD_BAD: {
    kind: 'corrupt',
    cause: 'The content of a WAL record makes no sense although its checksum holds.',
    remedy:
      'It is copied to quarantine/, and the start goes on behind it; report it with that copy.',
  },
  HF_WAL_QUEUE_FULL: {
    kind: 'overload',
    cause: 'More bytes wait for the write-ahead log than its queue may hold: the disk is slower.',
    remedy: 'Senders try again by themselves; look at the sync latency of the disk if it stays.',
  },
  HF_WAL_FAILED: {
    kind: 'environment',
    cause: 'The write-ahead log cannot be written: the disk refused a write or a sync.',
    remedy: 'Check the disk (`dmesg`, SMART, free space); the log is tried again each second.',
  },
  HF_WAL_THREAD_LOST: {
    kind: 'environment',
    cause: 'The thread of the write-ahead log ended; no write can be made durable.',
    remedy: 'Holdfast stops and is restarted; what was acknowledged is in the log. Report it.',
  },
  HF_WAL_FOREIGN: {
    kind: 'environment',
    cause: 'The directory of wal.dir holds the write-ahead log of another gateway.',
    remedy: 'Set wal.dir to a directory of its own, or start the gateway whose log it is.',
  },
  HF_WAL_LEFT: {
    kind: 'environment',
    cause:
      'The write-ahead log is not in wal.dir, and where it was at the last start there are rows ' +
      'that are in no file, or nothing can be seen; the message names both places.',
    remedy:
      'Mount its disk, set wal.dir back, or move all files of the old directory to the new one. ' +
      'Only if the log is lost for good: remove `wal-place` from the data directory.',
  },
  HF_JOURNAL_RECORD_BAD: {
    kind: 'corrupt',
    cause: 'The content of a commit journal record makes no sense although its checksum holds.',
    remedy: 'Keep a copy of journal/ and report it; nothing was changed.',
  },
  HF_COMMIT_CONFLICT: {
    kind: 'transient',
    cause: 'A commit would remove a file that another commit removed meanwhile.',
    remedy: 'Nothing to do: the job starts again from the new state.',
  },
  HF_COMMIT_REFUSED: {
    kind: 'environment',
    cause: 'The commit journal could not be written; the commit did not happen.',
    remedy: 'Check the disk (`dmesg`, SMART, free space); commits are tried again by themselves.',
  },
  HF_COMMIT_THREAD_LOST: {
    kind: 'environment',
    cause: 'The thread of the commit journal ended; nothing can be filed any more.',
    remedy: 'Holdfast stops and is restarted; what was acknowledged is in the log. Report it.',
  },
  HF_CONFIG: {
    kind: 'input',
    cause: 'An option is unknown, cannot be read, or contradicts another; the message names it.',
    remedy: 'Correct it as the message says; `holdfast serve --help` lists all options.',
  },
  HF_USAGE: {
    kind: 'input',
    cause: 'A command was given words or flags that it does not know.',
    remedy: 'Read `holdfast help VERB`.',
  },
  HF_DATA_LOCKED: {
    kind: 'transient',
    cause: 'Another gateway holds the data directory; the message names its process.',
    remedy: 'Stop that gateway, or give this one another storage.data_dir.',
  },
  HF_FILE_SYSTEM: {
    kind: 'environment',
    cause: 'The file system of the data directory cannot keep what Holdfast needs it to keep.',
    remedy: 'Put storage.data_dir on a case-sensitive local file system such as ext4 or xfs.',
  },
  HF_PARAMETER: {
    kind: 'input',
    cause: 'A query parameter, header or control body of a request is not valid.',
    remedy: 'Correct the request as the message says.',
  },
  HF_BODY_TOO_LARGE: {
    kind: 'input',
    cause: 'A body is larger than server.max_body, counted after decompression.',
    remedy: 'Send smaller batches, or raise server.max_body.',
  },
  HF_BODY_ENCODING: {
    kind: 'input',
    cause: 'The compression of a body is unknown or broken.',
    remedy: 'Send gzip, zstd or plain bytes, with the matching Content-Encoding.',
  },
  HF_BODY_UNREADABLE: {
    kind: 'input',
    cause: 'Nothing in a body can be read as the format that its path takes.',
    remedy: 'Send what the path takes: docs/MESSAGEPACK.md, docs/ARROW.md, docs/LINE-PROTOCOL.md.',
  },
  HF_ROUTE_UNKNOWN: {
    kind: 'input',
    cause: 'There is nothing at this path.',
    remedy: 'Look the path up in the documents; paths have no trailing words of their own.',
  },
  HF_METHOD: {
    kind: 'input',
    cause: 'The path exists, but not for this HTTP method.',
    remedy: 'Use a method from the Allow header of the answer.',
  },
  HF_HTTP: {
    kind: 'input',
    cause: 'The request is not well-formed HTTP, or asks for something that HTTP cannot give.',
    remedy: 'Look at the client that sent it.',
  },
  HF_DATABASE_UNKNOWN: {
    kind: 'input',
    cause: 'The database does not exist and ingest.create_databases is off.',
    remedy: 'Create it (`CREATE DATABASE`), or switch ingest.create_databases on.',
  },
  HF_LETTER_UNKNOWN: {
    kind: 'input',
    cause: 'No dead letter has that id, or it was dropped, or it was among the oldest that went.',
    remedy: 'List those that are there with `holdfast deadletter list --state all`.',
  },
  HF_NOT_LOCAL: {
    kind: 'auth',
    cause: 'A request to an open gateway does not come from a program of this machine.',
    remedy: 'Use http://127.0.0.1:8086 or http://localhost:8086, with no proxy in between.',
  },
  HF_RECOVERING: {
    kind: 'transient',
    cause: 'The write-ahead log is still being read after a start.',
    remedy: 'Senders try again by themselves; `/ready` shows the progress.',
  },
  HF_KEYS_LOADING: {
    kind: 'transient',
    cause: 'A request has an Idempotency-Key, and those of earlier requests are being read.',
    remedy: 'Senders try again by themselves; requests without such a key are taken meanwhile.',
  },
  HF_INGEST_MEMORY: {
    kind: 'overload',
    cause:
      'Buffers, queued flushes and requests fill ingest.memory: rows come faster than files go.',
    remedy: 'Senders try again by themselves; raise ingest.memory or look at the disk if it stays.',
  },
  HF_WAL_FULL: {
    kind: 'overload',
    cause: 'The write-ahead log has reached wal.size_max, because what it holds cannot be filed.',
    remedy: 'Look at the alarm flush_failing; senders try again by themselves once files are made.',
  },
  HF_WAL_STALLED: {
    kind: 'overload',
    cause:
      'The oldest write waits for its sync for more than four seconds: the disk is stuck or slow.',
    remedy: 'Senders try again by themselves; check the disk (`dmesg`, SMART) if it stays.',
  },
  HF_SHUTTING_DOWN: {
    kind: 'transient',
    cause: 'The gateway is stopping.',
    remedy: 'Senders try again by themselves once it runs again.',
  },
  HF_QUERY_TIMEOUT: {
    kind: 'input',
    cause: 'A query took longer than query.timeout.',
    remedy: 'Narrow its time range, or raise query.timeout.',
  },
  HF_QUERY_SYNTAX: {
    kind: 'input',
    cause: 'The SQL text does not parse; the message says where.',
    remedy: 'Correct the statement.',
  },
  HF_QUERY_REFUSED: {
    kind: 'input',
    cause: 'The statement is not one SELECT (or SHOW, DESCRIBE), or calls a function that is off.',
    remedy: 'Send one SELECT over measurements; files and settings are not reachable by SQL.',
  },
  HF_QUERY_INVALID: {
    kind: 'input',
    cause: 'The query engine refused the statement: unknown column, wrong types, bad parameter.',
    remedy: 'Correct the statement; `DESCRIBE measurement` lists the columns.',
  },
  HF_QUERY_UNKNOWN_MEASUREMENT: {
    kind: 'input',
    cause: 'A query names a measurement or database that does not exist, or is not unique.',
    remedy: 'Take one of the names that the message lists; quote it if it has odd characters.',
  },
  HF_QUERY_INTERNAL: {
    kind: 'auth',
    cause: 'A query names the database `_internal` without administrator rights.',
    remedy: 'Use a token with administrator rights.',
  },
  HF_QUERY_QUEUE_FULL: {
    kind: 'overload',
    cause: 'query.queue_max queries are waiting already.',
    remedy: 'Try again later; raise query.pool_size or query.queue_max if it stays so.',
  },
  HF_QUERY_MEMORY: {
    kind: 'overload',
    cause: 'The query needs more memory than query.memory leaves it, spilling included.',
    remedy: 'Narrow its time range or columns, or raise query.memory.',
  },
  HF_QUERY_CANCELLED: {
    kind: 'transient',
    cause: 'The client went away, or the query was cancelled.',
    remedy: 'None needed; send the query again if its answer is still wanted.',
  },
  HF_QUERY_FAILED: {
    kind: 'corrupt',
    cause: 'The query engine could not read a file or broke while it ran the query.',
    remedy: 'Look for alarms about quarantined files; report it if there are none.',
  },
  HF_QUERY_SNAPSHOT_GONE: {
    kind: 'transient',
    cause: 'The query engine was seeded anew and no longer knows the snapshot of the query.',
    remedy: 'None needed; the query starts anew by itself.',
  },
  HF_QUERY_ENGINE_DOWN: {
    kind: 'transient',
    cause: 'The query process is not running, or ended while it answered.',
    remedy: 'It restarts by itself; if it does not, the log says why.',
  },
  HF_PARQUET_FOOTER: {
    kind: 'corrupt',
    cause: 'The footer of a Parquet file is damaged, or Holdfast did not write the file.',
    remedy: 'The file is kept; move files of other programs out of the data directory.',
  },
  HF_ENCODE: {
    kind: 'transient',
    cause: 'An encoder could not make a Parquet file of buffered rows.',
    remedy: 'The flush is retried, the rows stay in the log; if it goes on, report the message.',
  },
  HF_ENCODER_LOST: {
    kind: 'transient',
    cause: 'An encoder thread ended in the middle of its work, usually for lack of memory.',
    remedy: 'A new thread starts and the flush is retried; if it goes on, lower ingest.memory.',
  },
  HF_ENCODER_QUEUE_FULL: {
    kind: 'overload',
    cause: 'More work waits for the encoders than their queue holds.',
    remedy: 'Try again; if it goes on, give the gateway more cores or write less.',
  },
  HF_UNREACHABLE: {
    kind: 'transient',
    cause: 'A command found no gateway at its address.',
    remedy: 'Start one (`holdfast serve`), or name its address with --url.',
  },
  HF_LISTEN: {
    kind: 'environment',
    cause: 'The address of server.listen is taken, or is not on this machine.',
    remedy: 'Stop the program that holds it (`ss -ltnp`), or choose another server.listen.',
  },
  HF_ANSWER: {
    kind: 'input',
    cause: 'The gateway refused what a command asked for; the message is its answer.',
    remedy: 'Do what the message says; the exit code of the command tells the kind.',
  },
} as const satisfies Record<string, CodeEntry>;

export type ErrorCode = keyof typeof errorCodes;
