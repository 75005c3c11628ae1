/**
 * Whether a row may have the database, measurement and columns that it asks for: the rules and
 * caps, over whatever view of the schema they are asked of (the registry itself, or a trial of it).
 * Main thread.
 *
 * I1. All or nothing: a refused row leaves no database, measurement or column behind.
 */
import { foldName, nameProblem } from '../../base/model/names.ts';
import { internalDatabase, type ColumnRef } from '../../base/model/schema.ts';
import type { ColumnWish, MeasurementEntry, Refusal } from './measurement-entry.ts';

export interface SchemaRegistryOptions {
  /** Physical columns of one measurement. */
  readonly columnsMax: number;
  /** Measurements of all databases together. */
  readonly measurementsMax: number;
  readonly databasesMax: number;
  /** UTF-8 bytes of a name. */
  readonly nameBytesMax: number;
  /** False: a row for an unknown database is refused. */
  readonly createDatabases: boolean;
}

/** The columns for a row's wishes, in their order. */
export interface Admitted {
  readonly entry: MeasurementEntry;
  readonly columns: readonly ColumnRef[];
}

/** Gives rows their columns, or says why not: what a decoder asks. */
export interface RowAdmission {
  readonly options: SchemaRegistryOptions;
  /** Grows when entries handed out before are no longer valid; caches of them must go. */
  readonly generation: number;
  /** Columns for all values of a row, or the first refusal (I1). */
  admit(database: string, measurement: string, wishes: readonly ColumnWish[]): Admitted | Refusal;
}

/** The schema that the rules are asked of. */
export interface SchemaView {
  readonly options: SchemaRegistryOptions;
  /** Databases and measurements of senders. */
  readonly databaseCount: number;
  readonly measurementCount: number;
  hasDatabase(name: string): boolean;
  /** Tags named for all measurements of a database; the set grows. */
  databaseTags(database: string): ReadonlySet<string>;
  /** The senders' measurement of that name if there is one; never `_internal`. */
  peek(database: string, name: string): MeasurementEntry | undefined;
  /** Makes a measurement that the rules allow, with its database. */
  create(database: string, name: string): MeasurementEntry;
}

const timeFolded = foldName('time');

/** See `RowAdmission.admit`. */
export function admitRow(
  view: SchemaView,
  database: string,
  measurement: string,
  wishes: readonly ColumnWish[],
): Admitted | Refusal {
  const known = view.peek(database, measurement);
  if (known === undefined) {
    const refusal = measurementProblem(view, database, measurement);
    if (refusal !== undefined) return refusal;
  }
  const refusal = wishProblem(view.options, known, measurement, wishes);
  if (refusal !== undefined) return refusal;
  const entry = known ?? view.create(database, measurement);
  const columns: ColumnRef[] = [];
  for (const [index, wish] of wishes.entries()) {
    const column = entry.column(wish);
    // Two wishes of one row may meet in a column that was free before: a string and a number.
    if ('reason' in column) return { ...column, wish: index };
    columns.push(column);
  }
  return { entry, columns };
}

/** Why a database cannot be made; undefined if it can. */
export function databaseProblem(view: SchemaView, name: string): Refusal | undefined {
  const { databasesMax, nameBytesMax } = view.options;
  const reason = nameProblem('database', name, nameBytesMax);
  if (reason !== undefined) return { kind: 'parse', reason };
  if (name === internalDatabase) {
    return { kind: 'parse', reason: `database "${name}" is reserved` };
  }
  if (view.databaseCount < databasesMax) return undefined;
  return { kind: 'cap', reason: `max databases exceeded: ${databasesMax}` };
}

/** Why no column of any measurement can be a tag of that name; undefined if one can. */
export function tagNameProblem({ options }: SchemaView, name: string): Refusal | undefined {
  const reason = nameProblem('tag key', name, options.nameBytesMax);
  if (reason !== undefined) return { kind: 'parse', reason };
  if (foldName(name) !== timeFolded) return undefined;
  return { kind: 'conflict', reason: `invalid tag key: "${name}" is the time of a row` };
}

/** Why a measurement cannot be made; undefined if it can. */
export function measurementProblem(
  view: SchemaView,
  database: string,
  name: string,
): Refusal | undefined {
  const { createDatabases, measurementsMax, nameBytesMax } = view.options;
  if (database === internalDatabase || !view.hasDatabase(database)) {
    const refusal = databaseProblem(view, database);
    if (refusal !== undefined) return refusal;
    if (!createDatabases) return { kind: 'cap', reason: `database not found: "${database}"` };
  }
  const reason = nameProblem('measurement', name, nameBytesMax);
  if (reason !== undefined) return { kind: 'parse', reason };
  if (view.measurementCount < measurementsMax) return undefined;
  return { kind: 'cap', reason: `max measurements exceeded: ${measurementsMax}` };
}

function wishProblem(
  { columnsMax, nameBytesMax }: SchemaRegistryOptions,
  entry: MeasurementEntry | undefined,
  measurement: string,
  wishes: readonly ColumnWish[],
): Refusal | undefined {
  let count = entry?.columnCount ?? 0;
  for (const [index, wish] of wishes.entries()) {
    const outlook = entry?.outlook(wish) ?? 'adds';
    if (outlook === 'fits') continue;
    if (outlook !== 'adds') return { ...outlook, wish: index };
    const what = wish.kind === 'tag' ? 'tag key' : 'field key';
    const reason = nameProblem(what, wish.spelling, nameBytesMax);
    if (reason !== undefined) return { kind: 'parse', reason };
    // A row has one time; a tag of that name is a mistake of the sender, not a second one.
    if (wish.kind === 'tag' && foldName(wish.spelling) === timeFolded) {
      const what = `input tag "${wish.spelling}" on measurement "${measurement}"`;
      return { kind: 'conflict', reason: `invalid tag key: ${what} is invalid` };
    }
    count += 1;
  }
  if (count <= Math.max(columnsMax, entry?.columnCount ?? 0)) return undefined;
  return { kind: 'cap', reason: `max columns per measurement exceeded: ${columnsMax}` };
}
