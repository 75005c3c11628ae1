/**
 * Names in SQL to databases and measurements: the exact spelling first, then the only one that is
 * equal but for case, else an error that lists what there is. Main thread; pure but for the host.
 */
import { GatewayError } from '../base/errors/gateway-error.ts';
import { foldName } from '../base/model/names.ts';
import { internalDatabase, type MeasurementSchema } from '../base/model/schema.ts';
import type { QueryHost } from './query-host.ts';

export type NameSource = Pick<QueryHost, 'databases' | 'measurements' | 'find'>;

/** Names in an error message; more are counted. */
const namesListedMax = 10;

/** Characters of each of them: a name may have 64 KiB. */
const nameShownMax = 80;

function shortened(name: string): string {
  return name.length > nameShownMax ? `${name.slice(0, nameShownMax)}...` : name;
}

function listNames(names: readonly string[]): string {
  if (names.length === 0) return 'there are none';
  const shown = names.slice(0, namesListedMax).map((name) => `"${shortened(name)}"`);
  const rest = names.length - shown.length;
  return `there are ${shown.join(', ')}${rest > 0 ? ` and ${String(rest)} more` : ''}`;
}

function unknown(message: string, candidates: readonly string[], isAbsent: boolean): GatewayError {
  const details = { candidates: candidates.slice(0, namesListedMax), isAbsent };
  return new GatewayError('HF_QUERY_UNKNOWN_MEASUREMENT', message, { details });
}

/** Who asks for one of these asks for a file. */
const fileNames = /[/\\*]|\.(parquet|csv|tsv|txt|json|jsonl|ndjson|db|duckdb|xlsx)(\.\w+)?$/iu;

/** True if a name means nothing that there is (and not several things). */
export function isAbsence(error: unknown): error is GatewayError {
  return error instanceof GatewayError && error.details['isAbsent'] === true;
}

/** The only one of `names` that equals `name` but for case, or an error naming `what`. */
function uniqueByCase(what: string, name: string, names: readonly string[]): string {
  const folded = foldName(name);
  const equal = names.filter((other) => foldName(other) === folded);
  const [only] = equal;
  if (only !== undefined && equal.length === 1) return only;
  if (equal.length > 1)
    throw unknown(`${what} "${shortened(name)}" is not unique: ${listNames(equal)}`, equal, false);
  throw unknown(`${what} not found: "${shortened(name)}"; ${listNames(names)}`, names, true);
}

/** Databases that a query may name. */
export function visibleDatabases(source: NameSource, admin: boolean): readonly string[] {
  return source.databases().filter((name) => admin || name !== internalDatabase);
}

/**
 * The exact name of the database that `name` means.
 * @throws HF_QUERY_UNKNOWN_MEASUREMENT, HF_QUERY_INTERNAL
 */
export function resolveDatabase(source: NameSource, name: string, admin: boolean): string {
  if (!admin && foldName(name) === foldName(internalDatabase)) {
    throw new GatewayError('HF_QUERY_INTERNAL', `${internalDatabase} needs an administrator`);
  }
  const names = visibleDatabases(source, admin);
  return names.includes(name) ? name : uniqueByCase('database', name, names);
}

function existingMeasurement(
  source: NameSource,
  database: string,
  name: string,
  admin: boolean,
): MeasurementSchema {
  const exact = resolveDatabase(source, database, admin);
  const found = source.find(exact, name);
  if (found !== undefined) return found;
  const names = source.measurements(exact).map((schema) => schema.name);
  const only = uniqueByCase(`measurement of database "${exact}"`, name, names);
  const schema = source.find(exact, only);
  if (schema === undefined) throw new GatewayError('HF_BUG', `measurement ${only} has no schema`);
  return schema;
}

/**
 * The measurement that `database`.`name` means.
 * @throws HF_QUERY_UNKNOWN_MEASUREMENT, HF_QUERY_INTERNAL; HF_QUERY_REFUSED for the name of a file
 */
export function resolveMeasurement(
  source: NameSource,
  database: string,
  name: string,
  admin: boolean,
): MeasurementSchema {
  try {
    return existingMeasurement(source, database, name, admin);
  } catch (error) {
    if (!isAbsence(error) || !fileNames.test(name)) throw error;
    const message = `"${name}" is no measurement, and SQL reaches no files`;
    throw new GatewayError('HF_QUERY_REFUSED', message, { cause: error });
  }
}
