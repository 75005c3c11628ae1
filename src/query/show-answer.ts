/** Answers to SHOW and DESCRIBE, made from the schema on the main thread. */
import { GatewayError } from '../base/errors/gateway-error.ts';
import type { LogicalColumn } from '../base/model/schema.ts';
import type { ShowStatement } from './sql/show.ts';
import { namedParts, shownColumns } from './sql/scan-columns.ts';
import { shownType } from './sql/scan-terms.ts';
import {
  resolveDatabase,
  resolveMeasurement,
  visibleDatabases,
  type NameSource,
} from './resolve.ts';

/** A small table of texts. */
export interface TextTable {
  readonly columns: readonly string[];
  readonly rows: readonly (readonly (string | null)[])[];
}

/**
 * The rows that `statement` asks for.
 * @throws HF_QUERY_UNKNOWN_MEASUREMENT, HF_QUERY_INTERNAL
 */
export function showAnswer(
  statement: ShowStatement,
  source: NameSource,
  defaultDatabase: string,
  admin: boolean,
): TextTable {
  if (statement.kind === 'databases') {
    const names = visibleDatabases(source, admin).toSorted();
    return { columns: ['database'], rows: names.map((name) => [name]) };
  }
  if (statement.kind === 'tables') {
    const database = showDatabase(source, statement.database, defaultDatabase, admin);
    const schemas = database === undefined ? [] : source.measurements(database);
    const names = schemas.map((schema) => schema.name).toSorted();
    return {
      columns: ['database', 'table_name'],
      rows: names.map((name) => [database ?? defaultDatabase, name]),
    };
  }
  const database = statement.database ?? defaultDatabase;
  const schema = resolveMeasurement(source, database, statement.measurement, admin);
  const nameOf = new Map(namedParts(schema).map((part) => [part.physical.id, part.name]));
  const parts = (column: LogicalColumn) => {
    const names = column.parts.map((part) => nameOf.get(part.id));
    return names.filter((name) => name !== undefined).join(', ');
  };
  return {
    columns: ['column_name', 'column_type', 'kind', 'spelling', 'parts'],
    rows: [
      ['time', 'TIMESTAMP', 'time', 'time', ''],
      ...shownColumns(schema).map((column) => [
        column.sqlName,
        shownType(column),
        column.kind,
        column.spelling,
        parts(column),
      ]),
    ],
  };
}

/** A default database that nobody has written to yet is empty, not an error. */
function showDatabase(
  source: NameSource,
  named: string | undefined,
  defaultDatabase: string,
  admin: boolean,
): string | undefined {
  if (named !== undefined) return resolveDatabase(source, named, admin);
  try {
    return resolveDatabase(source, defaultDatabase, admin);
  } catch (error) {
    const empty = error instanceof GatewayError && error.code === 'HF_QUERY_UNKNOWN_MEASUREMENT';
    if (empty) return undefined;
    throw error;
  }
}
