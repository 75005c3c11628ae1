/**
 * Takes a columnar item that was read into the request's columns. What can stay in the arrays that
 * it was read into becomes a batch of its own; small items of one measurement are joined, and so
 * are those of which the registry refuses some rows.
 *
 * I1. The rows that fit are kept; a row with a value that fits no column is refused, and alone.
 */
import type { ColumnValues } from '../../../base/model/column-batch.ts';
import { freeMemory } from '../../../base/lib/free-memory.ts';
import { present } from '../../../base/lib/assert.ts';
import type { Admitted, RowAdmission } from '../../../storage/catalog/row-admission.ts';
import { noSeries } from '../batch-builder.ts';
import { ColumnBuilder } from '../column-builder.ts';
import type { RequestBatches } from '../request-batches.ts';
import type { RequestDays } from '../request-days.ts';
import type { CellCount } from '../row-placer.ts';
import type { Fault } from '../series-parser.ts';
import type { StagedColumn } from './staged-column.ts';

/** Rows from which an item is worth a batch of its own. */
const ownBatchRows = 256;

/** Rows of a joined batch for which there is room at first. */
const joinedRowsFirst = 32;

/** Work between two chances for a pause. */
const stepRows = 8192;

const twoTo32 = 4_294_967_296;

/** Some rows of an item, all for one reason. */
export interface RefusedRows {
  readonly fault: Fault;
  /** 1 for each of them; those that were left out before may be marked too, and do not count. */
  readonly rows: Uint8Array;
  readonly count: number;
}

/** An item whose columns were read. */
export interface StagedItem {
  readonly rowCount: number;
  /** All but the times. */
  readonly stages: readonly StagedColumn[];
  /** Microseconds by halves; undefined: the item brings no times. */
  readonly times: Int32Array | undefined;
  readonly cutTimes: number;
  /** Cells with a value. */
  readonly cells: number;
  /** True if the item names its tags: its rows have identity (commit-protocol P17). */
  readonly namesTags: boolean;
  /** Rows that its reader refuses. */
  readonly left: RefusedRows | undefined;
  /** False: its arrays are better poured into those of other items. */
  readonly mayOwn: boolean;
  free(): void;
}

interface StagedWish {
  readonly stage: StagedColumn;
  readonly form: number;
  readonly wish: ReturnType<StagedColumn['wishes']>[number]['wish'];
}

interface Placed {
  /** Undefined: every row is refused. */
  readonly admitted: Admitted | undefined;
  readonly refused: RefusedRows | undefined;
}

export interface ColumnarOptions {
  readonly registry: RowAdmission;
  readonly database: string;
  readonly nowUs: number;
  /** Those of the whole request. */
  readonly days: RequestDays;
  readonly cells: CellCount;
  /** Those of the whole request. */
  readonly batches: RequestBatches;
}

export class ColumnarPlacer {
  rows = 0;
  nanCells = 0;
  cutTimeDigits = 0;
  integersAsFloats = 0;
  readonly #options: ColumnarOptions;
  readonly #owned: { free(): void }[] = [];

  constructor(options: ColumnarOptions) {
    this.#options = options;
  }

  /** Gives the memory of batches of their own back. */
  free(): void {
    for (const each of this.#owned) each.free();
  }

  /**
   * Takes the rows of the item that its reader does not refuse; returns those that are refused
   * here, or why it cannot be taken. Owns the item if it takes any row of it.
   */
  *place(item: StagedItem, name: string): Generator<undefined, RefusedRows | Fault | undefined> {
    const left = item.left?.count ?? 0;
    if (item.rowCount === left) return undefined;
    if (!(yield* this.#noteDays(item, name))) {
      return { kind: 'cap', reason: this.#options.days.reason };
    }
    const placed = yield* this.#admit(item, name);
    if ('reason' in placed) return placed;
    const { admitted, refused } = placed;
    if (admitted === undefined) return refused;
    const isWhole = refused === undefined && left === 0;
    const isOwn = isWhole && item.mayOwn && item.rowCount >= ownBatchRows;
    if (isOwn) yield* this.#placeOwn(item, admitted);
    else yield* this.#join(item, admitted, refused?.rows ?? item.left?.rows);
    this.rows += item.rowCount - left - (refused?.count ?? 0);
    this.#options.cells.count += item.cells;
    for (const stage of item.stages) this.nanCells += stage.nanCells;
    this.cutTimeDigits += item.cutTimes;
    return refused;
  }

  /** False if the item has rows of more days than there is room for. */
  *#noteDays({ times, rowCount, left }: StagedItem, name: string): Generator<undefined, boolean> {
    const { days, nowUs } = this.#options;
    const own = days.of(name);
    const halves = times ?? Int32Array.of(nowUs % twoTo32 | 0, Math.floor(nowUs / twoTo32));
    for (let row = 0; row < (times === undefined ? 1 : rowCount); row += 1) {
      const low = halves[2 * row] ?? 0;
      const high = halves[2 * row + 1] ?? 0;
      if (left?.rows[row] !== 1 && !own.has(low, high)) {
        if (!days.allows(own, low, high)) return false;
        days.note(own, low, high);
      }
      if (row % stepRows === stepRows - 1) yield;
    }
    return true;
  }

  *#admit(item: StagedItem, name: string): Generator<undefined, Placed | Fault> {
    const { registry, database } = this.#options;
    let wishes: StagedWish[] = [];
    for (const stage of item.stages) {
      for (const { form, wish } of stage.wishes()) wishes.push({ stage, form, wish });
    }
    const { left } = item;
    if (left !== undefined) wishes = yield* wanted(wishes, left.rows);
    let refused: { fault: Fault; rows: Uint8Array; count: number } | undefined;
    for (;;) {
      const answer = registry.admit(
        database,
        name,
        wishes.map(({ wish }) => wish),
      );
      if (!('reason' in answer)) {
        for (const [index, { stage, form }] of wishes.entries()) {
          stage.refs[form] = answer.columns[index];
        }
        return { admitted: answer, refused };
      }
      const fault: Fault = { kind: answer.kind, reason: answer.reason };
      if (answer.kind !== 'conflict' || answer.wish === undefined) return fault;
      const { stage, form } = present(wishes[answer.wish], 'wish that is refused');
      refused ??= { fault, rows: left?.rows.slice() ?? new Uint8Array(item.rowCount), count: 0 };
      refused.count += yield* stage.mark(form, refused.rows);
      const gone = refused.count + (left?.count ?? 0);
      if (gone === item.rowCount) return { admitted: undefined, refused };
      wishes = yield* wanted(wishes, refused.rows);
    }
  }

  /** A batch of the arrays that the item was read into. */
  *#placeOwn(item: StagedItem, { entry }: Admitted): Generator<undefined> {
    const { rowCount } = item;
    const { batches } = this.#options;
    // With the columns: while it gives way the owner may name tags that these rows have not.
    const { namings, ...kind } = batches.kind(entry, item.namesTags || entry.identified);
    const columns: ColumnValues[] = [];
    this.#owned.push(item);
    for (const stage of item.stages) {
      const inPlace = stage.inPlace();
      if (inPlace !== undefined) {
        columns.push(...inPlace);
        yield;
        continue;
      }
      const builders = new Map<number, ColumnBuilder>();
      this.integersAsFloats += yield* stage.pour(
        (ref) => {
          const builder = builders.get(ref.physical.id) ?? new ColumnBuilder(ref, rowCount);
          builders.set(ref.physical.id, builder);
          return builder;
        },
        0,
        undefined,
      );
      this.#owned.push(...builders.values());
      for (const builder of builders.values()) columns.push(builder.finish(rowCount));
      yield;
    }
    batches.add({
      ...kind,
      ...(namings > 0 && { namings }),
      rowCount,
      times: this.#times(item),
      columns: columns.sort((a, b) => a.column.physical.id - b.column.physical.id),
    });
  }

  #times(item: StagedItem): BigInt64Array {
    const { times, rowCount } = item;
    if (times !== undefined) {
      return new BigInt64Array(times.buffer, times.byteOffset, rowCount);
    }
    const made = new BigInt64Array(rowCount).fill(BigInt(Math.floor(this.#options.nowUs)));
    this.#owned.push({
      free: () => {
        freeMemory(made);
      },
    });
    return made;
  }

  /** Puts the rows that are not left out behind those of other items of the measurement. */
  *#join(
    item: StagedItem,
    { entry }: Admitted,
    left: Uint8Array | undefined,
  ): Generator<undefined> {
    const room = Math.max(joinedRowsFirst, item.rowCount);
    const hasIdentity = item.namesTags || entry.identified;
    const builder = this.#options.batches.builder(entry, hasIdentity, room);
    const offset = builder.rowCount;
    for (const stage of item.stages) {
      this.integersAsFloats += yield* stage.pour((ref) => builder.field(ref), offset, left);
    }
    const { times } = item;
    const now = Math.floor(this.#options.nowUs);
    const nowHigh = Math.floor(now / twoTo32);
    for (let row = 0; row < item.rowCount; row += 1) {
      if (left?.[row] === 1) continue;
      if (times === undefined) builder.endRow(noSeries, (now - nowHigh * twoTo32) | 0, nowHigh);
      else builder.endRow(noSeries, times[row * 2] ?? 0, times[row * 2 + 1] ?? 0);
      if (row % 16_384 === 16_383) yield;
    }
    item.free();
  }
}

/** Those that a row which is not marked asks for. */
function* wanted(
  wishes: readonly StagedWish[],
  marks: Uint8Array,
): Generator<undefined, StagedWish[]> {
  const kept: StagedWish[] = [];
  for (const each of wishes) {
    if (yield* each.stage.stands(each.form, marks)) kept.push(each);
  }
  return kept;
}
