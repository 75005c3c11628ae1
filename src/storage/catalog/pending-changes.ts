/**
 * What the registry knows and no commit holds yet. It rides in the first flush commit that needs
 * it; until a commit with it is confirmed it is offered again, so a refused commit loses nothing.
 *
 * I1. Column additions of a measurement are offered in the order of their ids, from the first
 *     unconfirmed one on: what commits hold of a measurement is always a prefix of its columns.
 */
import type {
  ColumnAddition,
  Commit,
  CommitProposal,
  KindChange,
  MeasurementAddition,
} from '../../base/model/commit.ts';

/** The part of a proposal that concerns names and columns; empty lists are left out. */
export type SchemaChanges = Pick<
  CommitProposal,
  'databases' | 'measurements' | 'columns' | 'kinds' | 'identified' | 'databaseTags'
>;

export class PendingChanges {
  readonly #databases = new Set<string>();
  readonly #measurements = new Map<number, MeasurementAddition>();
  readonly #columns = new Map<number, ColumnAddition[]>();
  readonly #kinds = new Map<number, Map<number, KindChange>>();
  readonly #identified = new Set<number>();
  readonly #databaseTags = new Map<string, Set<string>>();

  /** True if commits hold all that the registry knows. */
  get isEmpty(): boolean {
    const named = [this.#databases, this.#measurements, this.#columns];
    const sizes = [...named, this.#kinds, this.#identified, this.#databaseTags];
    return sizes.every(({ size }) => size === 0);
  }

  addDatabase(name: string): void {
    this.#databases.add(name);
  }

  addMeasurement(addition: MeasurementAddition): void {
    this.#measurements.set(addition.id, addition);
  }

  addColumn(addition: ColumnAddition): void {
    const known = this.#columns.get(addition.measurementId);
    if (known === undefined) this.#columns.set(addition.measurementId, [addition]);
    else known.push(addition);
  }

  setKind(change: KindChange): void {
    const { measurementId, logical } = change;
    const known = this.#kinds.get(measurementId) ?? new Map<number, KindChange>();
    known.set(logical, change);
    this.#kinds.set(measurementId, known);
  }

  addIdentified(measurementId: number): void {
    this.#identified.add(measurementId);
  }

  addDatabaseTag(database: string, tag: string): void {
    const known = this.#databaseTags.get(database) ?? new Set<string>();
    this.#databaseTags.set(database, known.add(tag));
  }

  /** All databases with their tags, and what concerns those measurements. Changes nothing here. */
  offer(measurementIds: Iterable<number>): SchemaChanges {
    const measurements: MeasurementAddition[] = [];
    const columns: ColumnAddition[] = [];
    const kinds: KindChange[] = [];
    const identified: number[] = [];
    for (const id of new Set(measurementIds)) {
      const measurement = this.#measurements.get(id);
      if (measurement !== undefined) measurements.push(measurement);
      columns.push(...(this.#columns.get(id) ?? []));
      kinds.push(...(this.#kinds.get(id)?.values() ?? []));
      if (this.#identified.has(id)) identified.push(id);
    }
    const databaseTags = Array.from(this.#databaseTags, ([database, tags]) => {
      return { database, tags: [...tags] };
    });
    return {
      ...(this.#databases.size > 0 && { databases: [...this.#databases] }),
      ...(measurements.length > 0 && { measurements }),
      ...(columns.length > 0 && { columns }),
      ...(kinds.length > 0 && { kinds }),
      ...(identified.length > 0 && { identified }),
      ...(databaseTags.length > 0 && { databaseTags }),
    };
  }

  /** Forgets what `commit` holds. */
  confirm(commit: Commit): void {
    for (const name of commit.databases ?? []) this.#databases.delete(name);
    for (const { id } of commit.measurements ?? []) this.#measurements.delete(id);
    for (const id of commit.identified ?? []) this.#identified.delete(id);
    const highest = new Map<number, number>();
    for (const { measurementId, columnId } of commit.columns ?? []) {
      highest.set(measurementId, Math.max(columnId, highest.get(measurementId) ?? 0));
    }
    for (const [id, last] of highest) {
      const rest = (this.#columns.get(id) ?? []).filter((each) => each.columnId > last);
      if (rest.length === 0) this.#columns.delete(id);
      else this.#columns.set(id, rest);
    }
    for (const { database, tags } of commit.databaseTags ?? []) {
      const known = this.#databaseTags.get(database);
      for (const tag of tags) known?.delete(tag);
      if (known?.size === 0) this.#databaseTags.delete(database);
    }
    for (const { measurementId, logical, kind, columnar, tagSince } of commit.kinds ?? []) {
      const known = this.#kinds.get(measurementId);
      const pending = known?.get(logical);
      const isSame = pending?.kind === kind && pending.columnar === columnar;
      if (isSame && pending.tagSince === tagSince) known?.delete(logical);
      if (known?.size === 0) this.#kinds.delete(measurementId);
    }
  }

  clear(): void {
    this.#databases.clear();
    this.#measurements.clear();
    this.#columns.clear();
    this.#kinds.clear();
    this.#identified.clear();
    this.#databaseTags.clear();
  }
}
