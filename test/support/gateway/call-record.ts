/**
 * A record of every changing call of the file layer, of all threads of a gateway in one file, in
 * the order in which they began and ended. Lines are appended whole, so several threads and the
 * test itself write to the same file.
 */
import { appendFileSync, readFileSync } from 'node:fs';
import type { FileCallKind, Interceptor } from '../intercept-files.ts';
import type { ThreadName } from './plan.ts';

export interface RecordedCall {
  readonly at: 'begin' | 'end';
  readonly thread: ThreadName;
  readonly kind: FileCallKind;
  readonly path: string;
  readonly to?: string;
  readonly position?: number;
  readonly bytes?: number;
}

/** A line of the test itself: request `request` was answered with success. */
export interface RecordedAnswer {
  readonly at: 'answered';
  readonly request: number;
}

/** A line of the WAL thread: these requests were appended as one group, up to this LSN. */
export interface RecordedGroup {
  readonly at: 'appended';
  readonly requests: readonly number[];
  readonly lastLsn: number;
}

/** A line of the commit thread: a commit that names these files is about to be written. */
export interface RecordedCommit {
  readonly at: 'committing';
  /** Relative to the data folder. */
  readonly paths: readonly string[];
  readonly lowWater: number | undefined;
}

/** A line of the commit thread: a fresh segment stands that starts with a snapshot. */
export interface RecordedSnapshot {
  readonly at: 'snapshot';
}

export type RecordedLine =
  | RecordedCall
  | RecordedAnswer
  | RecordedGroup
  | RecordedCommit
  | RecordedSnapshot;

const recorded = new Set<FileCallKind>([
  'open',
  'write',
  'sync',
  'truncate',
  'rename',
  'unlink',
  'makeDirectory',
  'syncDirectory',
]);

export function appendRecord(path: string, line: RecordedLine): void {
  appendFileSync(path, `${JSON.stringify(line)}\n`);
}

export function readRecord(path: string): readonly RecordedLine[] {
  const lines = readFileSync(path, 'utf8').split('\n').slice(0, -1);
  return lines.map((line) => JSON.parse(line) as RecordedLine);
}

export function callRecord(path: string, thread: ThreadName): Interceptor {
  const put = (at: 'begin' | 'end', { kind, path: file, to, position, bytes }: CallFacts): void => {
    const moved = to === undefined ? {} : { to };
    const placed = position === undefined ? {} : { position };
    const sized = bytes === undefined ? {} : { bytes };
    appendRecord(path, { at, thread, kind, path: file, ...moved, ...placed, ...sized });
  };
  return {
    before(call) {
      if (recorded.has(call.kind)) put('begin', call);
      return undefined;
    },
    after(call) {
      if (recorded.has(call.kind)) put('end', call);
    },
  };
}

type CallFacts = Parameters<NonNullable<Interceptor['after']>>[0];
