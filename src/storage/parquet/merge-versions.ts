/**
 * Merges the versions of each point that one flush holds (commit-protocol P19): a row with all the
 * fields of its versions, each from the newest version that has it. A field is a logical column:
 * the newest version with a value in any of its physical parts supplies all of them. Runs on
 * encoder threads; sets without repeated points pass through untouched.
 */
import type { ColumnArray, ColumnValues } from '../../base/model/column-batch.ts';
import { present } from '../../base/lib/assert.ts';
import { copyValues, sameType } from './copy-values.ts';
import { seqsByRow } from './seq-column.ts';
import { allRows, sortedRows, versionPlaces } from './sort.ts';
import type { FlushSet, MergedRows, RowSet } from './types.ts';

const none = 0xffffffff;

/** Versions of point i are order[starts[i] .. starts[i + 1]], oldest first. */
interface Points {
  readonly order: Uint32Array;
  readonly starts: Uint32Array;
}

/** Returns the rows of `set` as they are filed. */
export function mergeVersions(set: Pick<FlushSet, 'rows' | 'hasIdentity'>): MergedRows {
  const { rows, hasIdentity } = set;
  const order = sortedRows(rows);
  const places = hasIdentity ? versionPlaces(rows, order) : undefined;
  if (places === undefined || places.length === 0) return { rows, order, seqs: seqsByRow(rows) };
  const points = pointsOf(order, places, rows.rowCount);
  return { ...merged(rows, points), order: undefined };
}

function pointsOf(order: Uint32Array | undefined, places: Uint32Array, rowCount: number): Points {
  const starts = new Uint32Array(rowCount - places.length + 1);
  let point = 0;
  let next = 0;
  for (let place = 0; place < rowCount; place += 1) {
    if (places[next] === place) {
      next += 1;
      continue;
    }
    starts[point] = place;
    point += 1;
  }
  starts[point] = rowCount;
  return { order: order ?? allRows(rowCount), starts };
}

function merged(rows: RowSet, points: Points): Omit<MergedRows, 'order'> {
  const { order, starts } = points;
  const rowCount = starts.length - 1;
  const oldest = Uint32Array.from({ length: rowCount }, (_, point) => {
    return order[starts[point] as number] as number;
  });
  const times = new BigInt64Array(rowCount);
  copyValues(rows.times, oldest, times, undefined, rowCount);
  const all = seqsByRow(rows);
  // Versions stand as they came, so the last one is the newest.
  const seqs = Float64Array.from({ length: rowCount }, (_, point) => {
    return all[order[(starts[point + 1] as number) - 1] as number] as number;
  });
  const byField = new Map<string, ColumnValues[]>();
  for (const column of rows.columns) {
    const { sqlName } = column.column;
    byField.set(sqlName, [...(byField.get(sqlName) ?? []), column]);
  }
  const columns = new Map<ColumnValues, ColumnValues>();
  for (const parts of byField.values()) mergeField(parts, points, rows.rowCount, columns);
  return {
    rows: {
      rowCount,
      times,
      columns: rows.columns.map((column) => present(columns.get(column), 'merged column')),
      repeats: rows.repeats && repeatsOf(rows.repeats, points),
    },
    seqs,
  };
}

/** A point is a repeat only if all of its versions are. */
function repeatsOf(repeats: Uint8Array, { order, starts }: Points): Uint8Array {
  const found = new Uint8Array(starts.length - 1);
  for (let point = 0; point < found.length; point += 1) {
    let isRepeat = 1;
    for (let place = starts[point] as number; place < (starts[point + 1] as number); place += 1) {
      isRepeat &= repeats[order[place] as number] as number;
    }
    found[point] = isRepeat;
  }
  return found;
}

/** Index of the column's value by row; `none` where it has none. */
function valueIndexes({ rows }: ColumnValues, rowCount: number): Uint32Array | undefined {
  if (rows === undefined) return undefined;
  const indexes = new Uint32Array(rowCount).fill(none);
  for (let index = 0; index < rows.length; index += 1) indexes[rows[index] as number] = index;
  return indexes;
}

/** The parts of one field: for each point from the newest row that has any of them. */
function mergeField(
  parts: readonly ColumnValues[],
  { order, starts }: Points,
  rowCount: number,
  merged: Map<ColumnValues, ColumnValues>,
): void {
  const indexes = parts.map((part) => valueIndexes(part, rowCount));
  const owners = new Uint32Array(starts.length - 1).fill(none);
  for (let point = 0; point < owners.length; point += 1) {
    for (let place = (starts[point + 1] as number) - 1; place >= (starts[point] as number); ) {
      const row = order[place] as number;
      if (indexes.some((each) => each === undefined || each[row] !== none)) {
        owners[point] = row;
        break;
      }
      place -= 1;
    }
  }
  parts.forEach((part, index) => {
    merged.set(part, partOf(part, indexes[index], owners));
  });
}

/** The values of the owners' rows. */
function partOf(
  part: ColumnValues,
  indexes: Uint32Array | undefined,
  owners: Uint32Array,
): ColumnValues {
  const points = new Uint32Array(owners.length);
  const sources = new Uint32Array(owners.length);
  let count = 0;
  for (let point = 0; point < owners.length; point += 1) {
    const owner = owners[point] as number;
    const index = owner === none || indexes === undefined ? owner : (indexes[owner] as number);
    if (index === none) continue;
    points[count] = point;
    sources[count] = index;
    count += 1;
  }
  const values: ColumnArray = sameType(part.values, count);
  copyValues(part.values, sources, values, undefined, count);
  const rows = count === owners.length ? undefined : points.slice(0, count);
  return { column: part.column, values, rows, dictionary: part.dictionary };
}
