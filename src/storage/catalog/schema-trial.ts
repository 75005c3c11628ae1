/**
 * A view of the schema registry in which a request is decided on trial: it starts as the registry
 * is and grows with the request's rows, and the registry sees nothing of it until `apply`. So a
 * request that is refused whole leaves nothing behind, whatever others do meanwhile. Main thread;
 * one trial per request.
 *
 * I1. A measurement is copied when the trial first touches it; the registry may go on without it.
 * I2. `apply` is one tick: either the registry has a place for every row that the trial admitted,
 *     or it is unchanged. Columns never go and never change their type, so what stands once is
 *     there when the request is decided for good.
 */
import { assert } from '../../base/lib/assert.ts';
import { MeasurementEntry, type ColumnWish, type Refusal } from './measurement-entry.ts';
import { PendingChanges } from './pending-changes.ts';
import {
  admitRow,
  type Admitted,
  type RowAdmission,
  type SchemaRegistryOptions,
  type SchemaView,
} from './row-admission.ts';

/** What was asked for and admitted. */
interface Admission {
  readonly database: string;
  readonly measurement: string;
  readonly wishes: readonly ColumnWish[];
}

export class SchemaTrial implements SchemaView, RowAdmission {
  readonly options: SchemaRegistryOptions;
  readonly #registry: SchemaView & RowAdmission;
  readonly #pending = new PendingChanges();
  /** By database and name: measurements as the trial has them. */
  readonly #entries = new Map<string, Map<string, MeasurementEntry>>();
  readonly #newDatabases = new Set<string>();
  /** Measurements that the registry had not when it had `#countedAt` of them. */
  #drafts: MeasurementEntry[] = [];
  #countedAt = 0;
  /** Given to drafts, so that they differ from each other and from all that stand. */
  #lastId = 0;
  readonly #admissions: Admission[] = [];

  constructor(registry: SchemaView & RowAdmission) {
    this.#registry = registry;
    this.options = registry.options;
  }

  get generation(): number {
    return this.#registry.generation;
  }

  /** True if every row found all its columns in the registry: what it was given is no draft. */
  get isUnchanged(): boolean {
    return this.#pending.isEmpty;
  }

  get databaseCount(): number {
    const made = [...this.#newDatabases].filter((name) => !this.#registry.hasDatabase(name));
    return this.#registry.databaseCount + made.length;
  }

  get measurementCount(): number {
    const standing = this.#registry.measurementCount;
    if (standing !== this.#countedAt) {
      // What others made meanwhile must not count twice.
      this.#drafts = this.#drafts.filter(
        ({ database, name }) => this.#registry.peek(database, name) === undefined,
      );
      this.#countedAt = standing;
    }
    return standing + this.#drafts.length;
  }

  hasDatabase(name: string): boolean {
    return this.#newDatabases.has(name) || this.#registry.hasDatabase(name);
  }

  databaseTags(database: string): ReadonlySet<string> {
    return this.#registry.databaseTags(database);
  }

  peek(database: string, name: string): MeasurementEntry | undefined {
    const tried = this.#entries.get(database)?.get(name);
    if (tried !== undefined) return tried;
    const copy = this.#registry.peek(database, name)?.copy(this.#pending);
    if (copy !== undefined) this.#put(copy);
    return copy;
  }

  create(database: string, name: string): MeasurementEntry {
    if (!this.hasDatabase(database)) this.#newDatabases.add(database);
    this.#lastId -= 1;
    const databaseTags = this.databaseTags(database);
    const place = { id: this.#lastId, database, name, databaseTags };
    const draft = new MeasurementEntry(place, this.#pending);
    this.#pending.addMeasurement({ id: this.#lastId, database, name });
    this.#drafts.push(draft);
    this.#put(draft);
    return draft;
  }

  admit(database: string, measurement: string, wishes: readonly ColumnWish[]): Admitted | Refusal {
    const admitted = admitRow(this, database, measurement, wishes);
    if (!('reason' in admitted)) this.#admissions.push({ database, measurement, wishes });
    return admitted;
  }

  /**
   * True: the registry has now what the rows of the trial need (I2). False: others have taken what
   * they need meanwhile; a new trial will find the row that has no place any more.
   */
  apply(): boolean {
    const again = new SchemaTrial(this.#registry);
    for (const { database, measurement, wishes } of this.#admissions) {
      if ('reason' in admitRow(again, database, measurement, wishes)) return false;
    }
    for (const { database, measurement, wishes } of this.#admissions) {
      const admitted = this.#registry.admit(database, measurement, wishes);
      assert(!('reason' in admitted), 'a row that was admitted on trial is refused');
    }
    return true;
  }

  #put(entry: MeasurementEntry): void {
    const siblings = this.#entries.get(entry.database) ?? new Map<string, MeasurementEntry>();
    siblings.set(entry.name, entry);
    this.#entries.set(entry.database, siblings);
  }
}
