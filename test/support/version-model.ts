/**
 * What repeated points come to, worked out row by row on plain values: the model that merging in
 * flushes, files and queries is held against. A point is (time, set of tags); a field is a logical
 * column, whose parts all come from the newest version that has any of them.
 */
import type { ColumnRef } from '../../src/base/model/schema.ts';
import type { Value } from './row-sets.ts';

/** Nulls first, then by bytes or number. */
export function compareValues(a: Value, b: Value): number {
  if (a === null || b === null) return Number(b === null) - Number(a === null);
  if (typeof a === 'string') return Buffer.compare(Buffer.from(a), Buffer.from(b as string));
  return a < b ? -1 : Number(a > b);
}

/** An empty tag is an absent one. */
export function tagValue(value: Value | undefined): Value {
  return value === '' ? null : (value ?? null);
}

/** Places (in a row whose first value is the time) of the tags, in ascending order of column id. */
function tagPlaces(columns: readonly ColumnRef[]): readonly number[] {
  return columns
    .map((column, index) => ({ column, place: index + 1 }))
    .filter(({ column }) => column.kind === 'tag')
    .sort((a, b) => a.column.physical.id - b.column.physical.id)
    .map(({ place }) => place);
}

/** Order of files: time, then tags, then as they came. `rows` hold the time first. */
export function inFileOrder(
  columns: readonly ColumnRef[],
  rows: readonly (readonly Value[])[],
): readonly (readonly Value[])[] {
  const places = tagPlaces(columns);
  return [...rows].sort((a, b) => {
    const byTime = compareValues(a[0] ?? null, b[0] ?? null);
    if (byTime !== 0) return byTime;
    for (const place of places) {
      const byTag = compareValues(tagValue(a[place]), tagValue(b[place]));
      if (byTag !== 0) return byTag;
    }
    return 0;
  });
}

/** Text that names the point of a row. */
export function pointOf(columns: readonly ColumnRef[], row: readonly Value[]): string {
  const tags = tagPlaces(columns).map((place) => {
    const value = tagValue(row[place]);
    return value === null ? null : [columns[place - 1]?.physical.name, value];
  });
  return JSON.stringify([String(row[0]), tags]);
}

/** `newer` over `older`, field by field. */
function overlaid(
  columns: readonly ColumnRef[],
  older: readonly Value[],
  newer: readonly Value[],
): readonly Value[] {
  const fields = new Set(
    columns.filter((_, index) => newer[index + 1] !== null).map(({ sqlName }) => sqlName),
  );
  return older.map((value, place) => {
    const field = columns[place - 1]?.sqlName;
    return field !== undefined && fields.has(field) ? (newer[place] ?? null) : value;
  });
}

/** One row per point, in file order; `rows` stand in the order of their versions. */
export function mergedPlainRows(
  columns: readonly ColumnRef[],
  rows: readonly (readonly Value[])[],
): readonly (readonly Value[])[] {
  const points = new Map<string, readonly Value[]>();
  for (const row of rows) {
    const point = pointOf(columns, row);
    const older = points.get(point);
    points.set(point, older === undefined ? row : overlaid(columns, older, row));
  }
  return inFileOrder(columns, [...points.values()]);
}
