/**
 * Rejected lines as rows of the reserved measurement for dead letters (`_internal.dead_letters`):
 * they ride in the WAL record of their request and are filed like any other row. The columns hold
 * what is needed to list them, to export them and to write them once more. A letter is a rejection
 * with those that continue it: rows of one `id`, numbered by `part`.
 */
import { randomBytes } from 'node:crypto';
import type { ColumnBatch } from '../../base/model/column-batch.ts';
import { deadLetters } from '../../storage/catalog/reserved-tables.ts';
import type { SchemaRegistry } from '../../storage/catalog/schema-registry.ts';
import { reservedBatch } from './reserved-rows.ts';
import type { Precision, Rejection } from './types.ts';

/** Where the rejected lines came from; replaying them needs all of it but the sender. */
export interface RejectedRequest {
  readonly dialect: string;
  readonly format?: string;
  readonly database: string;
  readonly precision: Precision;
  /** Address. */
  readonly sender: string;
  /** What the sender calls itself. */
  readonly agent?: string;
}

interface Place {
  readonly letter: number;
  readonly part: number;
}

/** A rejection that stands for no line of its own continues the one before it. */
function placesOf(rejected: readonly Rejection[]): readonly Place[] {
  let letter = -1;
  let part = 0;
  return rejected.map(({ count }) => {
    if (count > 0 || letter < 0) {
      letter += 1;
      part = 0;
    } else {
      part += 1;
    }
    return { letter, part };
  });
}

/**
 * One row per rejection, at the time of arrival; at least one rejection. `raw` holds, in base64,
 * what is not UTF-8. `seed` makes the ids of these letters, which nothing else has.
 */
export function rejectedBatch(
  registry: SchemaRegistry,
  rejected: readonly Rejection[],
  request: RejectedRequest,
  nowUs: number,
  seed = randomBytes(9).toString('base64url'),
): ColumnBatch {
  const places = placesOf(rejected);
  const parts = new Map<number, number>();
  const cut = new Set<number>();
  for (const [index, { letter }] of places.entries()) {
    parts.set(letter, (parts.get(letter) ?? 0) + 1);
    if (rejected[index]?.isCut === true) cut.add(letter);
  }
  const all = <T>(value: T): readonly T[] => new Array<T>(rejected.length).fill(value);
  const each = <T>(value: (rejection: Rejection) => T): readonly T[] => rejected.map(value);
  return reservedBatch(
    registry,
    deadLetters,
    { nowUs, rowCount: rejected.length },
    {
      database: all(request.database),
      dialect: all(request.dialect),
      line: each(({ line }) => line),
      lines: each(({ count }) => count),
      kind: each(({ kind }) => kind),
      reason: each(({ reason }) => reason),
      text: each(({ text }) => text),
      sender: all(request.sender),
      precision: all(request.precision),
      raw: each(({ raw }) => (raw === undefined ? undefined : Buffer.from(raw).toString('base64'))),
      id: places.map(({ letter }) => `${seed}-${letter}`),
      part: places.map(({ part }) => part),
      parts: places.map(({ letter }) => parts.get(letter)),
      whole: places.map(({ letter }) => !cut.has(letter)),
      format: each(({ format }) => format ?? request.format ?? 'line'),
      agent: all(request.agent),
    },
  );
}
