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
  HF_LOG_APPEND: {
    kind: 'environment',
    cause: 'A write or sync of a log failed, or the log has no segment that it can write to.',
    remedy: 'Senders try again by themselves; check the disk (`dmesg`, SMART, free space).',
  },
  HF_WAL_RECORD_BAD: {
    kind: 'corrupt',
    cause: 'The content of a WAL record makes no sense although its checksum holds.',
    remedy: 'Keep a copy of wal/ and report it with the output of `holdfast wal inspect`.',
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
} as const satisfies Record<string, CodeEntry>;

export type ErrorCode = keyof typeof errorCodes;
