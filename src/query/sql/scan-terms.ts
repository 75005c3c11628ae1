/**
 * The pieces of SQL that every branch of a scan is made of: values of logical columns out of the
 * physical ones, the files of a group, proven bounds on time. Pure.
 */
import type { LogicalColumn, PhysicalColumn, PhysicalType } from '../../base/model/schema.ts';
import { quoteName } from './tokens.ts';

/** Files that hold the same physical columns. */
export interface FileGroup {
  /** Name of the session variable that holds the list of their paths. */
  readonly variable: string;
  readonly columnIds: ReadonlySet<number>;
}

/** Where the rows of a measurement are. */
export interface ScanSources {
  /** Rows that are their point's only version. */
  readonly plain: readonly FileGroup[];
  /** No point has versions in two of these: other tags tell the points of each apart. */
  readonly merges: readonly MergeSources[];
}

/** Rows that may be versions of each other. */
export interface MergeSources {
  /** Tags are those that the rows of so many namings know (`isTagAt`). */
  readonly namings: number;
  /** Rows of points that stand once among them; `versions` may hold newer versions of them. */
  readonly older: readonly FileGroup[];
  /** Rows with the version column; any number of a point. */
  readonly versions: readonly FileGroup[];
}

/** Microseconds since 1970 UTC, both included; undefined is open. */
export interface TimeRange {
  readonly from: bigint | undefined;
  readonly to: bigint | undefined;
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

/** The value of `column` where `valueOf` has its parts; null exactly if none has a value. */
export function joinedParts(
  column: LogicalColumn,
  valueOf: (part: PhysicalColumn) => string | undefined,
): string {
  const type = shownType(column);
  const values = column.parts.flatMap((part) => {
    const value = valueOf(part);
    if (value === undefined) return [];
    return sqlTypes[part.type] === type ? [value] : [`CAST(${value} AS ${type})`];
  });
  const [first] = values;
  if (first === undefined) return `CAST(NULL AS ${type})`;
  return values.length === 1 ? first : `coalesce(${values.join(', ')})`;
}

/** The value of `column` in files that hold the columns `ids`. */
export function columnSql(column: LogicalColumn, ids: ReadonlySet<number>): string {
  return joinedParts(column, (part) => (ids.has(part.id) ? quoteName(part.name) : undefined));
}

/** The value of one physical column in files that hold the columns `ids`. */
export function partSql(part: PhysicalColumn, ids: ReadonlySet<number>): string {
  return ids.has(part.id) ? quoteName(part.name) : `CAST(NULL AS ${sqlTypes[part.type]})`;
}

function boundsSql(range: TimeRange, more: readonly string[]): string {
  const conditions: string[] = [];
  const instant = (us: bigint) => `CAST(make_timestamp(${String(us)}) AS TIMESTAMPTZ)`;
  if (range.from !== undefined) conditions.push(`"time" >= ${instant(range.from)}`);
  if (range.to !== undefined) conditions.push(`"time" <= ${instant(range.to)}`);
  conditions.push(...more);
  return conditions.length === 0 ? '' : ` WHERE ${conditions.join(' AND ')}`;
}

/** FROM and WHERE: the rows of a group's files that lie in `range` and meet `conditions`. */
export function sourceSql(
  { variable }: FileGroup,
  range: TimeRange,
  conditions: readonly string[] = [],
): string {
  const source = `read_parquet(getvariable('${variable}'), hive_partitioning = false)`;
  return `FROM ${source}${boundsSql(range, conditions)}`;
}

/** An instant as the files hold it, as SQL shows it. */
export function shownTime(time: string): string {
  return `make_timestamp(epoch_us(${time}))`;
}
