/**
 * Mistakes that a suite composes into a real gateway: each breaks one rule of the commit protocol
 * and must be noticed. They are wrong file layers, logs and ports of single threads.
 */
import { closeSync, openSync } from 'node:fs';
import { nodeFiles } from '../../../src/base/disk/files.ts';
import { idempotencyKeys } from '../../../src/storage/catalog/reserved-tables.ts';
import type { AppendLog, LogRecord } from '../../../src/log/log-types.ts';
import { decodeRequest } from '../../../src/log/wal/request-record.ts';
import type { CommitOrder } from '../../../src/ingest/buffer/flush-order.ts';
import type { FileCall, Interceptor } from '../intercept-files.ts';
import { readPlan, type BugName, type ThreadName } from './plan.ts';

export interface Bug {
  readonly files?: Partial<Record<ThreadName, () => Interceptor>>;
  readonly log?: Partial<Record<ThreadName, (log: AppendLog) => AppendLog>>;
  readonly commitOrder?: CommitOrder;
  /** Spoils a record that replay gives on. */
  readonly replayed?: (record: LogRecord) => void;
  /** Changes a message to the commit thread. */
  readonly toCommitter?: (message: ToCommitterShape) => ToCommitterShape;
}

/** As much of the commit thread's messages as the mistakes touch. */
export interface ToCommitterShape {
  readonly kind: string;
  readonly proposal?: { readonly lowWater?: number };
  readonly lsn?: number;
}

/** Skips every call that `matches`. */
function skipping(matches: (call: FileCall) => boolean): () => Interceptor {
  return () => ({ before: (call) => (matches(call) ? 'skip' : undefined) });
}

/** The log with one method replaced. */
function replaceMethod<Name extends keyof AppendLog>(
  log: AppendLog,
  name: Name,
  method: AppendLog[Name],
): AppendLog {
  return new Proxy(log, {
    get(target, key) {
      if (key === name) return method;
      const value: unknown = Reflect.get(target, key, target);
      return typeof value === 'function' ? (value.bind(target) as unknown) : value;
    },
  });
}

const isSync = (call: FileCall, path: RegExp): boolean =>
  call.kind === 'sync' && path.test(call.path);

/** Everything that is encoded goes, whatever stands before it. */
const anyOrder: CommitOrder = (queues) => queues.flat().filter(({ encoded }) => encoded);

/** The first encoder thread of the process is so slow that others overtake it. */
function slowEncoder(): Interceptor {
  const isFirst = takeName(`${readPlan().orderFile ?? ''}.slow`);
  const pause = new Int32Array(new SharedArrayBuffer(4));
  return {
    before(call) {
      if (isFirst && isSync(call, /\.tmp-/)) Atomics.wait(pause, 0, 0, 200);
      return undefined;
    },
  };
}

/** True for the first caller, of all threads. */
function takeName(path: string): boolean {
  try {
    closeSync(openSync(path, 'wx'));
    return true;
  } catch {
    return false;
  }
}

export const bugs: Readonly<Record<BugName, Bug>> = {
  'journal-not-synced': { files: { commit: skipping((call) => isSync(call, /\.journal$/)) } },
  'wal-recycled-before-commit': {
    log: {
      wal: (log) =>
        replaceMethod(log, 'append', (group) => {
          const numbers = log.append(group);
          log.release(log.syncedTo);
          return numbers;
        }),
    },
  },
  'parquet-not-synced': { files: { encoder: skipping((call) => isSync(call, /\.tmp-/)) } },
  'directory-not-synced': {
    files: {
      encoder: skipping((call) => call.kind === 'syncDirectory'),
      wal: skipping((call) => call.kind === 'syncDirectory'),
      commit: skipping((call) => call.kind === 'syncDirectory'),
    },
  },
  'acknowledged-before-sync': { files: { wal: skipping((call) => isSync(call, /\.wal$/)) } },
  'flushes-out-of-order': { files: { encoder: slowEncoder }, commitOrder: anyOrder },
  'low-water-ahead': {
    toCommitter: lowWaterAhead(),
  },
  'journal-dropped-early': {
    log: {
      commit: (log) =>
        replaceMethod(log, 'rotate', (first) => {
          const number = log.rotate(first);
          if (number !== undefined) log.release(number - 1);
          return number;
        }),
    },
  },
  'snapshot-trusted-unread': snapshotTrusted(),
  'keys-forgotten': { replayed: forgetKeys },
};

/** No key of the log fits a request after a start. */
function forgetKeys({ payload }: LogRecord): void {
  for (const { measurementId, columns } of decodeRequest(payload).batches) {
    if (measurementId !== idempotencyKeys.id) continue;
    for (const { column, dictionary } of columns) {
      if (column.spelling === 'body') dictionary?.bytes.fill(0x30);
    }
  }
}

/** The low-water mark is what the log has synced, not what is filed. */
function lowWaterAhead(): (message: ToCommitterShape) => ToCommitterShape {
  let synced = 0;
  return (message) => {
    if (message.kind === 'walSynced') synced = Math.max(synced, message.lsn ?? 0);
    if (message.kind !== 'propose' || message.proposal?.lowWater === undefined) return message;
    return { ...message, proposal: { ...message.proposal, lowWater: synced } };
  };
}

/** The disk spoils the snapshot, and nobody reads it back. */
function snapshotTrusted(): Bug {
  let isRotating = false;
  let snapshot: Parameters<AppendLog['rotate']>[0];
  return {
    files: {
      commit: () => ({
        before(call) {
          if (!isRotating || call.kind !== 'write' || (call.position ?? 0) === 0) return undefined;
          const spoiled = Buffer.concat(call.parts ?? []);
          spoiled.fill(0xff, 100, 140);
          const file = nodeFiles.open(call.path, 'write');
          file.write([spoiled], call.position ?? 0);
          file.close();
          return 'skip';
        },
      }),
    },
    log: {
      commit: (log) =>
        replaceMethod(
          replaceMethod(log, 'rotate', (first) => {
            snapshot = first;
            isRotating = first !== undefined;
            try {
              return log.rotate(first);
            } finally {
              isRotating = false;
            }
          }),
          'readBack',
          (number) => snapshot && { ...snapshot, number, snapshot: true },
        ),
    },
  };
}
