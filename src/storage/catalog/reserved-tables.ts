/**
 * The measurements that Holdfast files for itself in `_internal`: their names and columns. The
 * registry knows all of them from the start, so that SQL over one without rows is no error.
 */
import { reservedMeasurements } from '../../base/model/schema.ts';
import type { ValueForm } from './number-parts.ts';

/** What a column of a reserved measurement holds. */
export type ReservedForm = Extract<ValueForm, 'string' | 'integerExact' | 'boolean'>;

export interface ReservedTable {
  readonly id: number;
  readonly name: string;
  readonly columns: Readonly<Record<string, ReservedForm>>;
}

const text = 'string';
const integer = 'integerExact';

/** What could not be taken; one row a piece of at most 64 KiB (docs/DEAD-LETTERS.md). */
export const deadLetters = {
  id: reservedMeasurements.deadLetters,
  name: 'dead_letters',
  columns: {
    database: text,
    dialect: text,
    line: integer,
    lines: integer,
    kind: text,
    reason: text,
    text,
    sender: text,
    precision: text,
    raw: text,
    id: text,
    part: integer,
    parts: integer,
    whole: 'boolean',
    format: text,
    agent: text,
  },
} as const satisfies ReservedTable;

/**
 * Keys of requests, each in the WAL record of its request (commit-protocol P2). Their `time` is the
 * one that they age by; `server_time` is the wall time in microseconds, for people.
 */
export const idempotencyKeys = {
  id: reservedMeasurements.idempotencyKeys,
  name: 'idempotency_keys',
  columns: {
    scope: text,
    database: text,
    key: text,
    body: text,
    answer: text,
    server_time: integer,
  },
} as const satisfies ReservedTable;

/** Which dead letters were sent once more, each in the WAL record of what came of it. */
export const deadLetterReplays = {
  id: reservedMeasurements.deadLetterReplays,
  name: 'dead_letter_replays',
  columns: { letter: text },
} as const satisfies ReservedTable;

/** Which dead letters a person dropped. */
export const deadLetterDrops = {
  id: reservedMeasurements.deadLetterDrops,
  name: 'dead_letter_drops',
  columns: { letter: text },
} as const satisfies ReservedTable;

export const reservedTables: readonly ReservedTable[] = [
  deadLetters,
  idempotencyKeys,
  deadLetterReplays,
  deadLetterDrops,
];
