/**
 * The idempotency keys of files, read at a start in order of age: an hour at a time, so that no
 * answer of the query process is large.
 */
import type { FileFacts } from '../../base/model/commit.ts';
import { hourUs } from '../../base/model/partition.ts';
import { internalDatabase } from '../../base/model/schema.ts';
import { idempotencyKeys } from '../../storage/catalog/reserved-tables.ts';
import type { KeyRow } from './request-keys.ts';

/** Rows of a SELECT over `_internal`, some at a time. */
export type AskInternal = (
  sql: string,
  parameters?: readonly (string | number)[],
) => AsyncIterable<readonly (readonly unknown[])[]>;

/** The newest time of a key in `files` (key-time.ts); undefined if they hold none. */
export function newestKeyUs(files: Iterable<FileFacts>): number | undefined {
  let newest: number | undefined;
  for (const { measurementId, hours } of files) {
    if (measurementId !== idempotencyKeys.id) continue;
    for (const [hour, , offset] of hours) {
      newest = Math.max(newest ?? -Infinity, hour * Number(hourUs) + offset);
    }
  }
  return newest;
}

/** The hours, ascending, of which a file holds keys that count where `newestUs` is the newest. */
export function keyHours(
  files: Iterable<FileFacts>,
  newestUs: number,
  ageUsMax: number,
): readonly number[] {
  const first = Math.floor((newestUs - ageUsMax) / Number(hourUs));
  const hours = new Set<number>();
  for (const { measurementId, hours: spans } of files) {
    if (measurementId !== idempotencyKeys.id) continue;
    for (const [hour] of spans) if (hour >= first) hours.add(hour);
  }
  return [...hours].sort((a, b) => a - b);
}

/** The keys of these hours, in order of age. */
export async function* readKeys(
  ask: AskInternal,
  hours: readonly number[],
): AsyncGenerator<readonly KeyRow[]> {
  const table = `${internalDatabase}.${idempotencyKeys.name}`;
  for (const hour of hours) {
    const [from, to] = [hour, hour + 1].map(timestampOf);
    const sql =
      'SELECT epoch_us("time"), "scope", "database", "key", "body", "answer" ' +
      `FROM ${table} WHERE "time" >= ${from} AND "time" < ${to} ORDER BY "time"`;
    for await (const rows of ask(sql)) yield rows.map(keyRow);
  }
}

function timestampOf(hour: number): string {
  const text = new Date((hour * Number(hourUs)) / 1000).toISOString();
  return `TIMESTAMP '${text.replace('T', ' ').replace('Z', '')}'`;
}

function keyRow(cells: readonly unknown[]): KeyRow {
  const [timeUs, scope, database, key, body, answer] = cells;
  const text = (value: unknown) => (typeof value === 'string' ? value : '');
  return {
    timeUs: Number(timeUs),
    scope: text(scope),
    database: text(database),
    key: text(key),
    body: text(body),
    answer: typeof answer === 'string' ? answer : undefined,
  };
}
