/**
 * The batches of one request in the making. Main thread.
 *
 * I1. Rows of one measurement that may be versions of a point stand in the order in which they
 *     came, whatever shapes they came in: of versions the last one counts.
 * I2. All rows of a batch know of the same namings (commit-protocol P17).
 */
import type { ColumnBatch } from '../../base/model/column-batch.ts';
import type { Steps } from '../../base/lib/turns.ts';
import type { MeasurementEntry } from '../../storage/catalog/measurement-entry.ts';
import { BatchBuilder, type BatchKind } from './batch-builder.ts';

/** Numbers the builders of a decoder, so that what its requests share can tell them apart. */
export interface BuilderSerials {
  builder: number;
}

/** What a batch needs to know of its measurement. */
export type BatchOwner = Pick<MeasurementEntry, 'id' | 'name' | 'namings'>;

/** Builders whose memory is given back without a pause. */
const freedPerTurn = 256;

export class RequestBatches {
  readonly #database: string;
  readonly #serials: BuilderSerials;
  readonly #all: (BatchBuilder | ColumnBatch)[] = [];
  /** Those that take more rows, by measurement: with identity, and without. */
  readonly #open = [new Map<number, BatchBuilder>(), new Map<number, BatchBuilder>()] as const;

  constructor(database: string, serials: BuilderSerials) {
    this.#database = database;
    this.#serials = serials;
  }

  /** What a batch of rows that are decided now has in common. */
  kind({ id, name, namings }: BatchOwner, hasIdentity: boolean): BatchKind {
    const known = hasIdentity ? namings : 0;
    const database = this.#database;
    return { measurementId: id, database, measurement: name, hasIdentity, namings: known };
  }

  /** The builder for the rows to come; a new one has room for `capacity` rows at first. */
  builder(owner: BatchOwner, hasIdentity: boolean, capacity: number): BatchBuilder {
    const kind = this.kind(owner, hasIdentity);
    const open = this.#openOf(hasIdentity);
    const known = open.get(owner.id);
    if (known?.kind.namings === kind.namings) return known;
    this.#close(owner.id, hasIdentity);
    this.#serials.builder += 1;
    const made = new BatchBuilder(kind, this.#serials.builder, capacity);
    open.set(owner.id, made);
    this.#all.push(made);
    return made;
  }

  /** Takes a batch that is made already, behind the rows before it. */
  add(batch: ColumnBatch): void {
    this.#close(batch.measurementId, batch.hasIdentity);
    this.#all.push(batch);
  }

  /** All batches; yields for pauses. */
  *finish(): Generator<undefined, readonly ColumnBatch[]> {
    const batches: ColumnBatch[] = [];
    for (const each of this.#all) {
      batches.push(each instanceof BatchBuilder ? yield* each.finish() : each);
    }
    return batches;
  }

  /**
   * Gives the memory of all builders back; what `finish` gave of them is empty then. What a request
   * of usual size holds goes at once, more of it in turns with other work.
   */
  free(): void {
    const steps = this.#freeing();
    const turn = () => {
      if (steps.next().done !== true) setImmediate(turn);
    };
    turn();
  }

  /** Yields for pauses. */
  *#freeing(): Steps {
    for (const [index, each] of this.#all.entries()) {
      if (each instanceof BatchBuilder) yield* each.freeing();
      if (index % freedPerTurn === freedPerTurn - 1) yield;
    }
  }

  #openOf(hasIdentity: boolean): Map<number, BatchBuilder> {
    return this.#open[hasIdentity ? 0 : 1];
  }

  #close(id: number, hasIdentity: boolean): void {
    const open = this.#openOf(hasIdentity);
    const builder = open.get(id);
    if (builder !== undefined) builder.isOpen = false;
    open.delete(id);
  }
}

/** Cells in columns whose SQL name is not their spelling. */
export function renamedCellsOf(batches: readonly ColumnBatch[]): number {
  let cells = 0;
  for (const { columns } of batches) {
    for (const { column, values } of columns) {
      if (column.sqlName !== column.spelling) cells += values.length;
    }
  }
  return cells;
}
