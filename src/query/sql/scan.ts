/**
 * The SELECT that stands in the place of a measurement: its files and hot chunks, grouped by the
 * columns that they hold, under the logical columns of its schema. Pure.
 *
 * One plain `read_parquet` a group and UNION ALL over the groups, with NULL for what a group lacks:
 * the engine never looks into files to learn their columns, and one odd file cannot change a type.
 * Parts of a logical column are shown as one: whole numbers of both kinds as DECIMAL(20,0), whole
 * numbers with floats as DOUBLE.
 */
import type { LogicalColumn, MeasurementSchema, PhysicalType } from '../../base/model/schema.ts';
import { foldName } from '../../base/model/names.ts';
import { quoteName } from './tokens.ts';

/** Files that hold the same physical columns. */
export interface FileGroup {
  /** Name of the session variable that holds the list of their paths. */
  readonly variable: string;
  readonly columnIds: ReadonlySet<number>;
}

/** Microseconds since 1970 UTC, both included; undefined is open. */
export interface TimeRange {
  readonly from: bigint | undefined;
  readonly to: bigint | undefined;
}

export interface ScanColumns {
  /** Folded words of the query; columns beyond them are left out unless `all`. */
  readonly words: ReadonlySet<string>;
  readonly all: boolean;
}

export interface Scan {
  readonly sql: string;
  /** Names of parts that the scan shows too, because the query names them. */
  readonly partNames: readonly string[];
}

const sqlTypes: Readonly<Record<PhysicalType, string>> = {
  int64: 'BIGINT',
  double: 'DOUBLE',
  boolean: 'BOOLEAN',
  string: 'VARCHAR',
  uint64: 'DECIMAL(20,0)',
};

/** Type under which SQL shows a column with these parts. */
export function shownType(column: LogicalColumn): string {
  const types = new Set(column.parts.map((part) => part.type));
  const [only] = types;
  if (types.size <= 1) return sqlTypes[only ?? 'string'];
  return types.has('double') ? 'DOUBLE' : 'DECIMAL(20,0)';
}

/** Columns in the order in which `*` shows them, time left out: tags, then all others. */
export function shownColumns(schema: MeasurementSchema): readonly LogicalColumn[] {
  const tags = schema.columns.filter((column) => column.kind === 'tag');
  return [...tags, ...schema.columns.filter((column) => column.kind !== 'tag')];
}

export interface NamedPart {
  readonly name: string;
  readonly physical: { readonly id: number; readonly name: string; readonly type: PhysicalType };
}

/**
 * Parts with the names by which SQL reaches them: their own, or, for a part that is called like its
 * column, that name with the type added. Columns of one part have none.
 */
export function namedParts(schema: MeasurementSchema): readonly NamedPart[] {
  const taken = new Set(schema.columns.map((column) => foldName(column.sqlName)));
  for (const column of schema.columns) {
    for (const part of column.parts) taken.add(foldName(part.name));
  }
  return schema.columns.flatMap((column) => {
    if (column.parts.length < 2) return [];
    return column.parts.flatMap((physical) => {
      if (foldName(physical.name) !== foldName(column.sqlName)) {
        return [{ name: physical.name, physical }];
      }
      const name = `${column.sqlName}__${physical.type}`;
      return taken.has(foldName(name)) ? [] : [{ name, physical }];
    });
  });
}

function columnSql(column: LogicalColumn, ids: ReadonlySet<number>): string {
  const type = shownType(column);
  const values = column.parts
    .filter((part) => ids.has(part.id))
    .map((part) => {
      const name = quoteName(part.name);
      return sqlTypes[part.type] === type ? name : `CAST(${name} AS ${type})`;
    });
  const [first] = values;
  if (first === undefined) return `CAST(NULL AS ${type})`;
  return values.length === 1 ? first : `coalesce(${values.join(', ')})`;
}

function boundsSql(range: TimeRange): string {
  const conditions: string[] = [];
  const instant = (us: bigint) => `CAST(make_timestamp(${String(us)}) AS TIMESTAMPTZ)`;
  if (range.from !== undefined) conditions.push(`"time" >= ${instant(range.from)}`);
  if (range.to !== undefined) conditions.push(`"time" <= ${instant(range.to)}`);
  return conditions.length === 0 ? '' : ` WHERE ${conditions.join(' AND ')}`;
}

/** The scan over `groups`; without any it has the right columns and no rows. */
export function buildScan(
  schema: MeasurementSchema,
  groups: readonly FileGroup[],
  columns: ScanColumns,
  range: TimeRange,
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
    for (const part of parts) {
      const type = sqlTypes[part.physical.type];
      const held = ids.has(part.physical.id);
      const value = held ? quoteName(part.physical.name) : `CAST(NULL AS ${type})`;
      items.push(`${value} AS ${quoteName(part.name)}`);
    }
    return `SELECT ${items.join(', ')}`;
  };
  const branches = groups.map(({ variable, columnIds }) => {
    const head = select('make_timestamp(epoch_us("time"))', columnIds);
    const source = `read_parquet(getvariable('${variable}'), hive_partitioning = false)`;
    return `${head} FROM ${source}${boundsSql(range)}`;
  });
  if (branches.length === 0) {
    branches.push(`${select('CAST(NULL AS TIMESTAMP)', new Set())} WHERE false`);
  }
  return { sql: branches.join(' UNION ALL '), partNames: parts.map((part) => part.name) };
}
