/**
 * Row sets for encoder and buffer tests, made from plain values, and the plain values that a row
 * set stands for. Arrays are backed by shared memory, as the product's are.
 */
import type { ColumnArray, ColumnValues } from '../../src/base/model/column-batch.ts';
import type { ColumnKind, ColumnRef, PhysicalType } from '../../src/base/model/schema.ts';
import type { PlannedFile, RowSet } from '../../src/storage/parquet/types.ts';
import { countHours } from '../../src/storage/parquet/hours.ts';
import { planFiles } from '../../src/storage/parquet/partition-plan.ts';

export type Value = bigint | number | boolean | string | null;

export interface ColumnSpec {
  readonly column: ColumnRef;
  /** One per row. */
  readonly values: readonly Value[];
}

/** A column reference whose logical and physical names are `name` unless told otherwise. */
export function columnRef(
  id: number,
  kind: ColumnKind,
  type: PhysicalType,
  name: string,
  physicalName = name,
): ColumnRef {
  return {
    kind,
    spelling: name,
    sqlName: physicalName,
    physical: { id, name: physicalName, type },
  };
}

function shared(bytes: Uint8Array): Uint8Array {
  const copy = new Uint8Array(new SharedArrayBuffer(bytes.length));
  copy.set(bytes);
  return copy;
}

function arrayFor(type: PhysicalType, length: number): ColumnArray {
  const bytes = new SharedArrayBuffer(
    length * (type === 'boolean' ? 1 : type === 'string' ? 4 : 8),
  );
  if (type === 'int64') return new BigInt64Array(bytes);
  if (type === 'uint64') return new BigUint64Array(bytes);
  if (type === 'double') return new Float64Array(bytes);
  return type === 'boolean' ? new Uint8Array(bytes) : new Uint32Array(bytes);
}

function dictionaryOf(values: readonly string[]) {
  const codes = new Map<string, number>();
  for (const value of values) if (!codes.has(value)) codes.set(value, codes.size);
  const parts = [...codes.keys()].map((text) => Buffer.from(text, 'utf8'));
  const offsets = new Uint32Array(new SharedArrayBuffer(4 * (parts.length + 1)));
  parts.forEach((part, index) => {
    offsets[index + 1] = (offsets[index] ?? 0) + part.length;
  });
  return {
    codes,
    dictionary: { count: parts.length, bytes: shared(Buffer.concat(parts)), offsets },
  };
}

/** Columns of typed arrays; a column with null in some row becomes sparse. */
export function columnValues({ column, values }: ColumnSpec): ColumnValues {
  const { type } = column.physical;
  const rows = values.flatMap((value, row) => (value === null ? [] : [row]));
  const held = values.filter((value) => value !== null);
  const array = arrayFor(type, held.length);
  const strings = type === 'string' ? dictionaryOf(held as string[]) : undefined;
  held.forEach((value, index) => {
    if (strings !== undefined) array[index] = strings.codes.get(value as string) as number;
    else if (type === 'boolean') array[index] = value === true ? 1 : 0;
    else array[index] = value as never;
  });
  const dense = held.length === values.length;
  return {
    column,
    values: array,
    rows: dense ? undefined : Uint32Array.from(rows),
    dictionary: strings?.dictionary,
  };
}

/** `_seq` of row i is `firstSeq + i`. */
export function rowSet(
  times: readonly bigint[],
  columns: readonly ColumnSpec[],
  firstSeq = 1000,
): RowSet {
  const array = new BigInt64Array(new SharedArrayBuffer(8 * times.length));
  times.forEach((time, row) => {
    array[row] = time;
  });
  return {
    rowCount: times.length,
    times: array,
    columns: columns.map(columnValues),
    seqRuns: Float64Array.of(0, firstSeq),
    repeats: undefined,
  };
}

/** The files that the flusher would plan, with ids from `firstId`. */
export function plannedFiles(
  rows: RowSet,
  hourFileMinRows = 1000,
  firstId = 4_294_967_296,
): readonly PlannedFile[] {
  const counts = [new Map<number, number>(), new Map<number, number>()] as const;
  for (let row = 0; row < rows.rowCount; row += 1) {
    countHours(rows.times, row, row + 1, counts[rows.repeats?.[row] === 1 ? 1 : 0]);
  }
  const plans = [
    ...planFiles(counts[0], hourFileMinRows),
    ...planFiles(counts[1], hourFileMinRows, true),
  ];
  return plans.map((plan, index) => ({ ...plan, fileId: firstId + index }));
}

/** Plain values of the rows: time first, then one value per column in the set's order. */
export function plainRows(rows: RowSet): Value[][] {
  const plain: Value[][] = Array.from(rows.times, (time) => [time]);
  for (const { column, values, rows: places, dictionary } of rows.columns) {
    for (const row of plain) row.push(null);
    const count = places?.length ?? rows.rowCount;
    for (let index = 0; index < count; index += 1) {
      const row = plain[places?.[index] ?? index];
      if (row === undefined) throw new Error('a value beyond the rows');
      let value: Value = values[index] as bigint | number;
      if (column.physical.type === 'boolean') value = value !== 0;
      if (dictionary !== undefined) {
        const bytes = dictionary.bytes.slice(
          dictionary.offsets[Number(value)],
          dictionary.offsets[Number(value) + 1],
        );
        value = Buffer.from(bytes).toString('utf8');
      }
      row[row.length - 1] = value;
    }
  }
  return plain;
}
