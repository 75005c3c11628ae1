/**
 * Column batches back to rows, for comparing them with what was sent.
 */
import type { ColumnBatch, ColumnValues } from '../../src/base/model/column-batch.ts';
import type { Decoded } from '../../src/ingest/decode/types.ts';
import { exactNumber } from './line-reference.ts';

export interface PlainRow {
  readonly timeUs: bigint;
  readonly tags: ReadonlyMap<string, string>;
  /** By spelling: `string:...`, `boolean:1`, or `number:` and the exact value. */
  readonly fields: ReadonlyMap<string, string>;
}

/** Rows per measurement in their order. Throws if a column breaks a rule of its type. */
export function plainRows(batches: readonly ColumnBatch[]): Map<string, PlainRow[]> {
  const result = new Map<string, PlainRow[]>();
  for (const batch of batches) {
    const rows = Array.from(batch.times, (timeUs) => ({
      timeUs,
      tags: new Map<string, string>(),
      fields: new Map<string, string>(),
    }));
    if (rows.length !== batch.rowCount || rows.length === 0) throw new Error('row count');
    for (const column of batch.columns) spread(column, rows);
    result.set(batch.measurement, [...(result.get(batch.measurement) ?? []), ...rows]);
  }
  return result;
}

function spread(
  column: ColumnValues,
  rows: { tags: Map<string, string>; fields: Map<string, string> }[],
): void {
  const { kind, spelling, sqlName } = column.column;
  const count = column.values.length;
  if (count !== (column.rows?.length ?? rows.length)) throw new Error(`length of ${sqlName}`);
  let last = -1;
  for (let index = 0; index < count; index += 1) {
    const row = column.rows?.[index] ?? index;
    if (row <= last) throw new Error(`rows of ${sqlName} do not ascend`);
    last = row;
    const target = kind === 'tag' ? rows[row]?.tags : rows[row]?.fields;
    if (target === undefined) throw new Error(`row ${row} of ${sqlName}`);
    if (target.has(spelling)) throw new Error(`two values of ${spelling} in a row`);
    const text = cell(column, index);
    target.set(spelling, kind === 'tag' ? text.replace(/^string:/, '') : text);
  }
}

function cell({ column, values, dictionary }: ColumnValues, index: number): string {
  const value = values[index];
  if (value === undefined) throw new Error('no value');
  switch (column.physical.type) {
    case 'boolean':
      if (value !== 0 && value !== 1) throw new Error(`boolean ${value}`);
      return `boolean:${value}`;
    case 'string': {
      if (dictionary === undefined) throw new Error('no dictionary');
      const code = Number(value);
      if (code >= dictionary.count) throw new Error(`code ${code}`);
      const [start = 0, end = 0] = dictionary.offsets.subarray(code, code + 2);
      const bytes = dictionary.bytes.subarray(start, end);
      return `string:${new TextDecoder('utf-8', { fatal: true, ignoreBOM: true }).decode(bytes)}`;
    }
    default:
      return exactNumber(value);
  }
}

/** Rows of all batches as `[time, tags, fields]`, by measurement. */
export function rowsOf(decoded: Decoded): Record<string, unknown[]> {
  const rows = [...plainRows(decoded.batches)].map(([name, list]) => [
    name,
    list.map(({ timeUs, tags, fields }) => [
      timeUs,
      Object.fromEntries(tags),
      Object.fromEntries(fields),
    ]),
  ]);
  return Object.fromEntries(rows) as Record<string, unknown[]>;
}

/** `[line, reason]` of each rejection. */
export function reasons({ rejected }: Decoded): (string | number)[][] {
  return rejected.map(({ line, reason }) => [line, reason]);
}
