/**
 * The SELECT that stands in the place of a measurement: its files and hot chunks, grouped by the
 * columns that they hold, under the logical columns of its schema. Pure.
 *
 * One plain `read_parquet` a group and UNION ALL over the groups, with NULL for what a group lacks:
 * the engine never looks into files to learn their columns, and one odd file cannot change a type.
 * Parts of a logical column are shown as one: whole numbers of both kinds as DECIMAL(20,0), whole
 * numbers with floats as DOUBLE. Sources that may hold several versions of a point are one more
 * branch (merge-scan.ts), or one for each set of tags that tells their points apart; where there
 * are none, the text knows nothing of versions.
 */
import type { MeasurementSchema } from '../../base/model/schema.ts';
import { foldName } from '../../base/model/names.ts';
import { mergeSql } from './merge-scan.ts';
import { namedParts, shownColumns } from './scan-columns.ts';
import {
  columnSql,
  partSql,
  shownTime,
  sourceSql,
  type ScanSources,
  type TimeRange,
} from './scan-terms.ts';
import type { TagBound } from './tag-bounds.ts';
import { quoteName } from './tokens.ts';

export interface ScanColumns {
  /** Folded words of the query; columns beyond them are left out unless `all`. */
  readonly words: ReadonlySet<string>;
  readonly all: boolean;
}

/** What the query proves of every row that counts. */
export interface ScanBounds {
  readonly range: TimeRange;
  /** By column as written; those that are no tags are left to the query. */
  readonly tags: readonly TagBound[];
}

export interface Scan {
  readonly sql: string;
  /** Names of parts that the scan shows too, because the query names them. */
  readonly partNames: readonly string[];
}

/** The scan over `sources`; without any it has the right columns and no rows. */
export function buildScan(
  schema: MeasurementSchema,
  sources: ScanSources,
  columns: ScanColumns,
  { range, tags }: ScanBounds,
): Scan {
  const shown = shownColumns(schema).filter(
    (column) => columns.all || columns.words.has(foldName(column.sqlName)),
  );
  const parts = namedParts(schema).filter((part) => columns.words.has(foldName(part.name)));
  const select = (time: string, ids: ReadonlySet<number>) => {
    const items = [`${time} AS "time"`];
    for (const column of shown) {
      items.push(`${columnSql(column, ids)} AS ${quoteName(column.sqlName)}`);
    }
    for (const { name, physical } of parts) {
      items.push(`${partSql(physical, ids)} AS ${quoteName(name)}`);
    }
    return `SELECT ${items.join(', ')}`;
  };
  const branches = sources.plain.map(
    (group) => `${select(shownTime('"time"'), group.columnIds)} ${sourceSql(group, range)}`,
  );
  for (const merge of sources.merges) {
    branches.push(mergeSql({ schema, shown, parts, range, tags }, merge));
  }
  if (branches.length === 0) {
    branches.push(`${select('CAST(NULL AS TIMESTAMP)', new Set())} WHERE false`);
  }
  return { sql: branches.join(' UNION ALL '), partNames: parts.map((part) => part.name) };
}
