/**
 * The branch of a scan that merges versions of points (commit-protocol P19, P20). Pure.
 *
 * I1. A point is its series and time: the values of all physical columns that are tags by the
 *     schema of its rows' own file, where null and empty text are the same absent tag, and the
 *     microsecond. What became a tag later is a field here.
 * I2. Merging is by logical column: the newest version with a value in any part supplies all parts.
 * I3. Of the query's conditions only those on time and tags come in here: a version that breaks one
 *     on a field still hides the older one that would not.
 *
 * Rows of `versions` are grouped, which takes memory for each of them. Rows of `older` only stream
 * past the result, since each of their points stands there once and is older than every version. So
 * an hour of a million rows with a few repeats costs a few groups, and a probe a row.
 *
 * Inside, columns have names of their own: t (time), k (key: part of a tag), f (field), p (part of
 * a field that the query names), v (version).
 */
import {
  isTagAt,
  type LogicalColumn,
  type MeasurementSchema,
  type PhysicalColumn,
} from '../../base/model/schema.ts';
import { foldName } from '../../base/model/names.ts';
import { versionColumn } from '../../base/model/versions.ts';
import {
  columnSql,
  joinedParts,
  partSql,
  shownTime,
  sourceSql,
  type FileGroup,
  type MergeSources,
  type TimeRange,
} from './scan-terms.ts';
import type { NamedPart } from './scan-columns.ts';
import type { TagBound } from './tag-bounds.ts';
import { quoteName, quoteText } from './tokens.ts';

export interface MergeTarget {
  readonly schema: MeasurementSchema;
  /** What the scan shows, in this order. */
  readonly shown: readonly LogicalColumn[];
  readonly parts: readonly NamedPart[];
  readonly range: TimeRange;
  readonly tags: readonly TagBound[];
}

/** What a row has inside the branch. */
interface Terms {
  readonly keys: readonly PhysicalColumn[];
  readonly fields: readonly FieldTerm[];
  /** Rows of points that the query asks for have one of the texts in each of these. */
  readonly bounds: readonly (readonly [PhysicalColumn, readonly string[]])[];
}

interface FieldTerm {
  readonly name: string;
  readonly column: LogicalColumn;
  readonly parts: readonly PhysicalColumn[];
}

const keyName = (part: PhysicalColumn) => `k${String(part.id)}`;
const partName = (part: PhysicalColumn) => `p${String(part.id)}`;

/** The bounds that are about tags which hold nothing but text. */
function textBounds(
  tags: readonly LogicalColumn[],
  bounds: readonly TagBound[],
): readonly (readonly [PhysicalColumn, readonly string[]])[] {
  return bounds.flatMap(({ column, values }) => {
    const name = foldName(column);
    const tag = tags.find(({ sqlName }) => foldName(sqlName) === name);
    const [part] = tag?.parts ?? [];
    const isText = tag?.parts.length === 1 && part?.type === 'string';
    return isText ? [[part, values] as const] : [];
  });
}

function termsOf({ schema, shown, parts, tags: bounds }: MergeTarget, namings: number): Terms {
  const tags = schema.columns.filter((column) => isTagAt(column, namings));
  const asked = new Set([...shown, ...parts.map(({ column }) => column)]);
  const fields = [...asked].filter((column) => !isTagAt(column, namings));
  return {
    keys: tags.flatMap((column) => column.parts),
    bounds: textBounds(tags, bounds),
    fields: fields.map((column, index) => ({
      name: `f${String(index)}`,
      column,
      parts: parts.filter((part) => part.column === column).map(({ physical }) => physical),
    })),
  };
}

/** Rows of `groups` as terms. */
function rowsSql(
  groups: readonly FileGroup[],
  { keys, fields, bounds }: Terms,
  range: TimeRange,
  more: readonly string[],
): string {
  const branches = groups.map((group) => {
    const ids = group.columnIds;
    const key = (part: PhysicalColumn) => {
      const text = part.type === 'string' && ids.has(part.id);
      return text ? `nullif(${partSql(part, ids)}, '')` : partSql(part, ids);
    };
    const items = [
      '"time" AS t',
      ...keys.map((part) => `${key(part)} AS ${keyName(part)}`),
      ...fields.map(({ name, column }) => `${columnSql(column, ids)} AS ${name}`),
      ...fields.flatMap(({ parts }) =>
        parts.map((part) => `${partSql(part, ids)} AS ${partName(part)}`),
      ),
      ...more,
    ];
    const conditions = bounds.map(([part, values]) => {
      return `${partSql(part, ids)} IN (${values.map(quoteText).join(', ')})`;
    });
    return `SELECT ${items.join(', ')} ${sourceSql(group, range, conditions)}`;
  });
  return branches.join(' UNION ALL ');
}

/** One row a point of `groups`, with its newest values. */
function newestSql(groups: readonly FileGroup[], terms: Terms, range: TimeRange): string {
  const rows = rowsSql(groups, terms, range, [`${quoteName(versionColumn)} AS v`]);
  const point = ['t', ...terms.keys.map(keyName)];
  const values = terms.fields.flatMap(({ name, parts }) => [
    `arg_max(${name}, v) AS ${name}`,
    ...parts.map((part) => {
      const newest = `arg_max_null(${partName(part)}, v) FILTER (${name} IS NOT NULL)`;
      return `${newest} AS ${partName(part)}`;
    }),
  ]);
  return `SELECT ${[...point, ...values].join(', ')} FROM (${rows}) GROUP BY ${point.join(', ')}`;
}

/** Points of `older` under the newer values of `newest`, and the points that only that has. */
function overlaidSql(older: string, newest: string, { keys, fields }: Terms): string {
  const items = [
    'coalesce(o.t, n.t) AS t',
    ...keys.map(keyName).map((key) => `coalesce(o.${key}, n.${key}) AS ${key}`),
    ...fields.map(({ name }) => `coalesce(n.${name}, o.${name}) AS ${name}`),
    ...fields.flatMap(({ name, parts }) =>
      parts.map(partName).map((part) => {
        return `CASE WHEN n.${name} IS NOT NULL THEN n.${part} ELSE o.${part} END AS ${part}`;
      }),
    ),
  ];
  const same = keys.map(keyName).map((key) => ` AND o.${key} IS NOT DISTINCT FROM n.${key}`);
  const join = `FROM (${older}) o FULL JOIN (${newest}) n ON o.t = n.t${same.join('')}`;
  return `SELECT ${items.join(', ')} ${join}`;
}

/** The rows of `older` and `versions`, one a point, as the scan shows them. */
export function mergeSql(target: MergeTarget, { namings, older, versions }: MergeSources): string {
  const { shown, parts, range } = target;
  const terms = termsOf(target, namings);
  const newest = newestSql(versions, terms, range);
  const points =
    older.length === 0 ? newest : overlaidSql(rowsSql(older, terms, range, []), newest, terms);
  const fieldNames = new Map(terms.fields.map(({ name, column }) => [column, name]));
  const items = [
    `${shownTime('t')} AS "time"`,
    ...shown.map((column) => {
      const value = fieldNames.get(column) ?? joinedParts(column, keyName);
      return `${value} AS ${quoteName(column.sqlName)}`;
    }),
    ...parts.map(({ name, physical, column }) => {
      const value = fieldNames.has(column) ? partName(physical) : keyName(physical);
      return `${value} AS ${quoteName(name)}`;
    }),
  ];
  return `SELECT ${items.join(', ')} FROM (${points})`;
}
