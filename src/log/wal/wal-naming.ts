/**
 * What the write-ahead log's files are called: `worker-1-<sequence>.wal`, one series per ingest
 * lane, of which there is one. Shared by the thread that writes them and the offline reader.
 */
import type { LogOptions } from '../log-types.ts';

export const walNaming = {
  prefix: 'worker-1-',
  suffix: '.wal',
  kind: 'wal',
} as const satisfies Partial<LogOptions>;
