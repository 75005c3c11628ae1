/**
 * The schema registry: which databases, measurements and columns there are, and in which column a
 * value is stored. All of it is decided here, once, when a row comes in; log, files and SQL only
 * repeat it. Main thread only. The decoders keep its answers in caches; `generation` says when to
 * drop them.
 *
 * I1. Ids of measurements are given in order from `firstMeasurementId` and never given again.
 * I2. What no commit holds yet is offered by `takeChanges` until `confirm` saw it in a commit.
 * I3. What the catalog has lost is missing and nothing else: `load` takes the rest, and no id that
 *     any part of the catalog speaks of is given again.
 * I4. `adopt` takes what a WAL record says, also where a cap or rule of today would refuse it:
 *     the row was acknowledged.
 */
import type { ColumnBatch, RequestBatch } from '../../base/model/column-batch.ts';
import type { CatalogState, Commit } from '../../base/model/commit.ts';
import { matchName, type NameMatch } from '../../base/model/names.ts';
import {
  firstMeasurementId,
  internalDatabase,
  type MeasurementSchema,
} from '../../base/model/schema.ts';
import { assert, present } from '../../base/lib/assert.ts';
import { MeasurementEntry, type ColumnWish, type Refusal } from './measurement-entry.ts';
import { PendingChanges, type SchemaChanges } from './pending-changes.ts';
import { reservedTables } from './reserved-tables.ts';
import {
  admitRow,
  databaseProblem,
  measurementProblem,
  tagNameProblem,
  type Admitted,
  type RowAdmission,
  type SchemaRegistryOptions,
  type SchemaView,
} from './row-admission.ts';

/** Of positions, files and columns too: a damaged journal may have lost the name and kept these. */
function highestMeasurementId({ positions, columns, files, removed }: CatalogState): number {
  let highest = 0;
  for (const [id] of positions) highest = Math.max(highest, id);
  for (const list of [columns, files, removed]) {
    for (const { measurementId } of list) highest = Math.max(highest, measurementId);
  }
  return highest;
}

export class SchemaRegistry implements SchemaView, RowAdmission {
  readonly options: SchemaRegistryOptions;
  readonly #pending = new PendingChanges();
  readonly #databases = new Map<string, Map<string, MeasurementEntry>>();
  readonly #byId = new Map<number, MeasurementEntry>();
  /** Tags named for all measurements of a database, by database. */
  readonly #databaseTags = new Map<string, Set<string>>();
  #nextId = firstMeasurementId;
  #generation = 0;

  constructor(options: SchemaRegistryOptions) {
    this.options = options;
    this.#addReserved();
    this.#addReservedColumns();
  }

  /** Grows when entries handed out before are no longer valid; caches of them must go. */
  get generation(): number {
    return this.#generation;
  }

  /** Starts over from the catalog's state; what was pending is forgotten. */
  load(state: CatalogState): void {
    this.#pending.clear();
    this.#databases.clear();
    this.#byId.clear();
    this.#databaseTags.clear();
    this.#nextId = firstMeasurementId;
    this.#generation += 1;
    for (const name of state.databases) this.#databases.set(name, new Map());
    for (const { database, tags } of state.databaseTags) {
      for (const tag of tags) this.#tagsOf(database).add(tag);
    }
    for (const { id, database, name } of state.measurements) this.#insert(id, database, name);
    this.#addReserved();
    const columns = [...state.columns].sort(
      (a, b) => a.measurementId - b.measurementId || a.columnId - b.columnId,
    );
    for (const column of columns) this.#byId.get(column.measurementId)?.restore(column);
    for (const id of state.identified) this.#byId.get(id)?.restoreIdentity();
    for (const { measurementId, namings = 0 } of state.files) {
      if (namings > 0) this.#byId.get(measurementId)?.raiseNamings(namings);
    }
    this.#addReservedColumns();
    this.#nextId = Math.max(this.#nextId, highestMeasurementId(state) + 1);
  }

  /** Databases of senders: `_internal` is not counted. */
  get databaseCount(): number {
    return this.#databases.size - 1;
  }

  /** Measurements of senders. */
  get measurementCount(): number {
    return this.#byId.size - reservedTables.length;
  }

  /** True if there is a database of exactly that name (`_internal` included). */
  hasDatabase(name: string): boolean {
    return this.#databases.has(name);
  }

  /** Names of the senders' databases, sorted; `_internal` is not among them. */
  databases(): readonly string[] {
    return [...this.#databases.keys()].filter((name) => name !== internalDatabase).sort();
  }

  /** Makes a database; it is pending until a commit holds it. Returns why not, if it cannot. */
  createDatabase(name: string): Refusal | undefined {
    if (this.#databases.has(name) && name !== internalDatabase) return undefined;
    const refusal = databaseProblem(this, name);
    if (refusal === undefined) this.#addDatabase(name);
    return refusal;
  }

  /** Measurements of a database, sorted by name. */
  measurements(database: string): readonly MeasurementSchema[] {
    const entries = [...(this.#databases.get(database)?.values() ?? [])];
    return entries.map((entry) => entry.schema).sort((a, b) => (a.name < b.name ? -1 : 1));
  }

  /** The measurement of exactly that name. */
  find(database: string, name: string): MeasurementSchema | undefined {
    return this.#databases.get(database)?.get(name)?.schema;
  }

  byId(id: number): MeasurementSchema | undefined {
    return this.#byId.get(id)?.schema;
  }

  /** As SQL names measurements: exactly, else the only one equal but for case. */
  match(database: string, name: string): NameMatch<MeasurementSchema> {
    const entries = this.#databases.get(database) ?? new Map<string, MeasurementEntry>();
    const match = matchName(entries, name);
    return match.found === undefined ? match : { found: match.found.schema };
  }

  /** As SQL names databases. */
  matchDatabase(name: string): NameMatch<string> {
    return matchName(new Map([...this.#databases.keys()].map((each) => [each, each])), name);
  }

  /** The measurement that rows of senders go to, made (with its database) if it is new. */
  measurement(database: string, name: string): MeasurementEntry | Refusal {
    return (
      this.peek(database, name) ??
      measurementProblem(this, database, name) ??
      this.create(database, name)
    );
  }

  /** The senders' measurement of that name if there is one; never `_internal`. */
  peek(database: string, name: string): MeasurementEntry | undefined {
    if (database === internalDatabase) return undefined;
    return this.#databases.get(database)?.get(name);
  }

  databaseTags(database: string): ReadonlySet<string> {
    return this.#tagsOf(database);
  }

  /** Makes a measurement, and its database, without asking the rules. */
  create(database: string, name: string, id = this.#nextId): MeasurementEntry {
    if (!this.#databases.has(database)) this.#addDatabase(database);
    this.#pending.addMeasurement({ id, database, name });
    return this.#insert(id, database, name);
  }

  /** A measurement that Holdfast files for itself. */
  reserved(id: number): MeasurementEntry {
    const isReserved = reservedTables.some((table) => table.id === id);
    assert(isReserved, `measurement ${id} is not reserved`);
    return this.#entry(id);
  }

  /**
   * Columns for all values of a row, or the first refusal. All or nothing: a refused row leaves no
   * measurement and no column behind.
   */
  admit(database: string, measurement: string, wishes: readonly ColumnWish[]): Admitted | Refusal {
    return admitRow(this, database, measurement, wishes);
  }

  /**
   * The owner names tags of a measurement (P17); rows of dialects that name none have identity from
   * now on. All or nothing: a refusal leaves no measurement, column or tag behind.
   */
  nameTags(
    database: string,
    measurement: string,
    tags: readonly string[],
  ): MeasurementEntry | Refusal {
    const known = this.peek(database, measurement);
    for (const spelling of tags) {
      const reason = known?.tagProblem(spelling);
      if (reason !== undefined) return { kind: 'conflict', reason };
    }
    const wishes = tags.map((spelling) => ({ kind: 'tag', spelling, form: 'string' }) as const);
    const admitted = this.admit(database, measurement, wishes);
    if ('reason' in admitted) return admitted;
    admitted.entry.identify();
    return admitted.entry;
  }

  /**
   * The owner names tags of all measurements of a database, present and future, which is made if it
   * is new. All or nothing. Returns the ids of its measurements, or why not.
   */
  nameDatabaseTags(database: string, tags: readonly string[]): readonly number[] | Refusal {
    const refusal = this.#tagsProblem(database, tags) ?? this.createDatabase(database);
    if (refusal !== undefined) return refusal;
    const entries = [...(this.#databases.get(database)?.values() ?? [])];
    const known = this.#tagsOf(database);
    const added = tags.filter((tag) => !known.has(tag));
    for (const entry of entries) for (const tag of added) entry.nameTag(tag);
    for (const tag of added) {
      known.add(tag);
      this.#pending.addDatabaseTag(database, tag);
    }
    return entries.map(({ id }) => id);
  }

  #tagsProblem(database: string, tags: readonly string[]): Refusal | undefined {
    for (const tag of tags) {
      const refusal = tagNameProblem(this, tag);
      if (refusal !== undefined) return refusal;
      for (const entry of this.#databases.get(database)?.values() ?? []) {
        const reason = entry.tagProblem(tag);
        if (reason === undefined) continue;
        return { kind: 'conflict', reason: `measurement "${entry.name}": ${reason}` };
      }
    }
    return undefined;
  }

  /**
   * Learns the names and columns of a WAL record and returns it with the ids of its columns; the
   * values are not touched. Records are given in LSN order, after `load`.
   */
  adopt(request: RequestBatch): RequestBatch {
    return { ...request, batches: request.batches.map((batch) => this.#adoptBatch(batch)) };
  }

  /** What no commit holds yet: databases, and what the rows of those measurements need. */
  takeChanges(measurementIds: Iterable<number>): SchemaChanges {
    return this.#pending.offer(measurementIds);
  }

  /** Called with each commit, in order. */
  confirm(commit: Commit): void {
    this.#pending.confirm(commit);
  }

  #adoptBatch(batch: ColumnBatch): ColumnBatch {
    const { measurementId, database, measurement } = batch;
    // A name that meanwhile belongs to another id keeps that id: rows follow the name.
    const entry =
      this.#byId.get(measurementId) ??
      this.#databases.get(database)?.get(measurement) ??
      this.create(database, measurement, measurementId);
    const { hasIdentity, namings = 0 } = batch;
    entry.raiseNamings(namings);
    const columns = batch.columns.map((column) => {
      // Only in a measurement whose tags are named can rows with identity have such a column.
      if (hasIdentity && column.column.kind === 'unknown') entry.identify();
      const adopted = entry.adopt(column.column, hasIdentity ? namings : undefined);
      return { ...column, column: adopted };
    });
    return { ...batch, measurementId: entry.id, columns };
  }

  #entry(id: number): MeasurementEntry {
    return present(this.#byId.get(id), `measurement ${id}`);
  }

  #insert(id: number, database: string, name: string): MeasurementEntry {
    const place = { id, database, name, databaseTags: this.#tagsOf(database) };
    const entry = new MeasurementEntry(place, this.#pending);
    const siblings = this.#databases.get(database) ?? new Map<string, MeasurementEntry>();
    siblings.set(name, entry);
    this.#databases.set(database, siblings);
    this.#byId.set(id, entry);
    this.#nextId = Math.max(this.#nextId, id + 1);
    return entry;
  }

  #tagsOf(database: string): Set<string> {
    const tags = this.#databaseTags.get(database) ?? new Set<string>();
    this.#databaseTags.set(database, tags);
    return tags;
  }

  #addDatabase(name: string): void {
    this.#databases.set(name, new Map());
    this.#pending.addDatabase(name);
  }

  #addReserved(): void {
    for (const { id, name } of reservedTables) {
      if (!this.#byId.has(id)) this.create(internalDatabase, name, id);
    }
  }

  #addReservedColumns(): void {
    for (const { id, columns } of reservedTables) {
      for (const [spelling, form] of Object.entries(columns)) {
        this.#entry(id).column({ kind: 'field', spelling, form });
      }
    }
  }
}
