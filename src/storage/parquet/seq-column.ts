/**
 * The column `_seq`, which orders versions of a point (base/model/versions.ts): the LSN plus
 * ordinal of each row, for flagged files and hot chunks. Runs on encoder threads.
 */
import type { ColumnRef } from '../../base/model/schema.ts';
import { firstVersion, versionColumn } from '../../base/model/versions.ts';
import type { ColumnSlice } from './gather.ts';
import { halvesOf } from './hours.ts';
import type { RowSet } from './types.ts';

const highUnit = 4_294_967_296;

/** No column of the schema: it has no id and stands in no footer. */
export const seqColumn: ColumnRef = {
  kind: 'unknown',
  spelling: versionColumn,
  sqlName: versionColumn,
  physical: { id: -1, name: versionColumn, type: 'int64' },
};

/** LSN plus ordinal by row. */
export function seqsByRow({
  rowCount,
  seqRuns,
}: Pick<RowSet, 'rowCount' | 'seqRuns'>): Float64Array {
  const seqs = new Float64Array(rowCount);
  for (let run = 0; run < seqRuns.length; run += 2) {
    const end = Math.min(rowCount, seqRuns[run + 2] ?? rowCount);
    let seq = seqRuns[run + 1] as number;
    for (let row = seqRuns[run] as number; row < end; row += 1) {
      seqs[row] = seq;
      seq += 1;
    }
  }
  return seqs;
}

/** Version numbers of rows `from` to `to` (exclusive) as hot chunks have them. */
export function hotVersions(rows: RowSet, from: number, to: number): Float64Array {
  const versions = seqsByRow(rows).subarray(from, to);
  const { repeats } = rows;
  for (let index = 0; index < versions.length; index += 1) {
    if (repeats?.[from + index] === 1) continue;
    versions[index] = (versions[index] as number) + firstVersion;
  }
  return versions;
}

/** Whole numbers within ±2^53 as the column's slice. */
export function seqSlice(numbers: Float64Array): ColumnSlice {
  const values = new BigInt64Array(numbers.length);
  const halves = halvesOf(values);
  for (let row = 0; row < numbers.length; row += 1) {
    const number = numbers[row] as number;
    halves[2 * row] = number >>> 0;
    halves[2 * row + 1] = Math.floor(number / highUnit);
  }
  return {
    column: seqColumn,
    length: numbers.length,
    values,
    validity: undefined,
    nullCount: 0,
    dictionary: undefined,
    copied: true,
  };
}
