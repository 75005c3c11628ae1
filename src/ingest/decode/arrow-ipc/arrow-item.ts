/** Rows of one record batch, read into staged columns; nothing is decided here but their times. */
import { freeMemory } from '../../../base/lib/free-memory.ts';
import type { RefusedRows, StagedItem } from '../columnar/columnar-placer.ts';
import type { ByteSpace } from '../bytes.ts';
import type { KnownStrings } from '../msgpack/known-strings.ts';
import type { TokenLimits } from '../msgpack/scalar-text.ts';
import { parseFault } from '../series-parser.ts';
import type { Precision } from '../types.ts';
import { ArrowColumn } from './arrow-column.ts';
import { BatchBuffers, type ColumnPlace, type Region } from './batch-buffers.ts';
import { ArrowDictionary, readIndexes } from './dictionaries.ts';
import { arrowFault } from './flat-table.ts';
import type { ArrowBatch } from './metadata.ts';
import { readBooleans, readFloats, readIntegers, type RowRange } from './read-numbers.ts';
import { readTexts, TextFinder, type TextBudget } from './read-texts.ts';
import { ArrowTimes, readTimes } from './read-times.ts';
import type { StreamColumn, StreamPlan } from './stream-plan.ts';
import { makeTags } from './tag-texts.ts';

/** What reading a batch takes besides its bytes. */
export interface ArrowContext {
  readonly space: ByteSpace;
  readonly seed: number;
  readonly budget: TextBudget;
  readonly strings: KnownStrings;
  readonly limits: TokenLimits;
  readonly precision: Precision;
}

/** A batch whose buffers are known to be there. */
export interface PlacedBatch {
  readonly plan: StreamPlan;
  readonly rowCount: number;
  readonly columns: readonly { readonly column: StreamColumn; readonly place: ColumnPlace }[];
}

/** Columns between two chances for a pause. */
const stepColumns = 256;

/** @throws HF_BODY_UNREADABLE if the buffers of `batch` are compressed one by one */
export function refuseCompression({ compression }: ArrowBatch): void {
  if (compression === undefined) return;
  const remedy = 'write it without (the request may be compressed as a whole)';
  throw arrowFault(`buffers compressed with ${compression}, which are not taken: ${remedy}`);
}

/** Finds the columns of `batch`, whose body is at `body`. @throws HF_BODY_UNREADABLE */
export function* placeBatch(
  plan: StreamPlan,
  batch: ArrowBatch,
  body: Region,
): Generator<undefined, PlacedBatch> {
  refuseCompression(batch);
  const buffers = new BatchBuffers(batch, body);
  const columns: { column: StreamColumn; place: ColumnPlace }[] = [];
  for (const column of plan.columns) {
    const { name, type, dictionary } = column.field;
    columns.push({ column, place: buffers.next(dictionary?.indexes ?? type, name) });
    if (columns.length % stepColumns === 0) yield;
  }
  return { plan, rowCount: batch.rowCount, columns };
}

export class ArrowItem implements StagedItem {
  readonly rowCount: number;
  readonly stages: ArrowColumn[] = [];
  times: Int32Array | undefined;
  cutTimes = 0;
  cells = 0;
  readonly namesTags: boolean;
  left: RefusedRows | undefined;
  readonly mayOwn = true;
  readonly #batch: PlacedBatch;
  readonly #range: RowRange;
  readonly #context: ArrowContext;

  constructor(batch: PlacedBatch, range: RowRange, context: ArrowContext) {
    this.rowCount = range.count;
    this.namesTags = batch.plan.namesTags;
    this.#batch = batch;
    this.#range = range;
    this.#context = context;
  }

  free(): void {
    for (const stage of this.stages) stage.free();
    if (this.times !== undefined) freeMemory(this.times);
  }

  /**
   * Reads the rows. False: they have more than `cellsMax` cells, and not all were read. Yields for
   * pauses.
   * @throws HF_BODY_UNREADABLE
   */
  *read(
    dictionaries: ReadonlyMap<number, ArrowDictionary | string>,
    cellsMax: number,
  ): Generator<undefined, boolean> {
    const marks = new RowMarks(this.rowCount);
    for (const { column, place } of this.#batch.columns) {
      if (column.role === 'time') {
        yield* this.#readTimes(column, place, marks);
        continue;
      }
      if (place.isEmpty) continue;
      const stage = yield* this.#readColumn(column, place, dictionaries, marks);
      this.cells += stage.cells;
      if (this.cells > cellsMax) return false;
      yield;
    }
    if (marks.count > 0) {
      this.left = { fault: parseFault(marks.reason), rows: marks.rows(), count: marks.count };
    }
    return true;
  }

  *#readTimes({ field }: StreamColumn, place: ColumnPlace, marks: RowMarks): Generator<undefined> {
    const { space, precision } = this.#context;
    const read = yield* readTimes(space, place, field.type, this.#range, precision);
    this.times = read.times;
    this.cutTimes = read.cut;
    marks.take(read);
  }

  *#readColumn(
    { field, role }: StreamColumn,
    place: ColumnPlace,
    dictionaries: ReadonlyMap<number, ArrowDictionary | string>,
    marks: RowMarks,
  ): Generator<undefined, ArrowColumn> {
    const { seed, limits } = this.#context;
    const kind = role === 'time' ? 'unknown' : role;
    const stage = new ArrowColumn(field.name, kind, this.rowCount, seed);
    this.stages.push(stage);
    yield* this.#readValues(stage, field, place, dictionaries);
    if (role === 'tag') {
      yield* makeTags(stage, seed, limits, (row, reason) => {
        marks.refuse(row, `${reason} in column "${field.name}"`);
      });
    }
    return stage;
  }

  *#readValues(
    stage: ArrowColumn,
    { type, dictionary, name }: StreamColumn['field'],
    place: ColumnPlace,
    dictionaries: ReadonlyMap<number, ArrowDictionary | string>,
  ): Generator<undefined> {
    const { space, budget, seed, strings } = this.#context;
    const range = this.#range;
    if (dictionary !== undefined) {
      const known = dictionaries.get(dictionary.id);
      if (!(known instanceof ArrowDictionary)) {
        const why = known === undefined ? '' : ` (${known})`;
        throw arrowFault(`no dictionary for column "${name}" before its rows${why}`);
      }
      yield* readIndexes(stage, space, place, dictionary.indexes, known, range, budget);
      return;
    }
    switch (type.name) {
      case 'int':
        return yield* readIntegers(stage, space, place, type, range);
      case 'float':
        return yield* readFloats(stage, space, place, type, range);
      case 'bool':
        return yield* readBooleans(stage, space, place, range);
      case 'text': {
        const finder = new TextFinder(space, place, type, name, budget);
        return yield* readTexts(stage, space, finder, place, range, seed, strings);
      }
      default:
        throw arrowFault(`column "${name}" of a type that cannot be stored`);
    }
  }
}

/** Rows that are refused while they are read. */
class RowMarks {
  count = 0;
  reason = '';
  readonly #rowCount: number;
  #rows: Uint8Array | undefined;

  constructor(rowCount: number) {
    this.#rowCount = rowCount;
  }

  rows(): Uint8Array {
    this.#rows ??= new Uint8Array(this.#rowCount);
    return this.#rows;
  }

  refuse(row: number, reason: string): void {
    const rows = this.rows();
    if (rows[row] === 1) return;
    if (this.count === 0) this.reason = reason;
    rows[row] = 1;
    this.count += 1;
  }

  /** Takes over the rows that have no time. */
  take({ refused, refusedCount, reason }: ArrowTimes): void {
    if (refused === undefined) return;
    if (this.count === 0) {
      this.#rows = refused;
      this.count = refusedCount;
      this.reason = reason;
      return;
    }
    for (let row = 0; row < refused.length; row += 1) {
      if (refused[row] === 1) this.refuse(row, reason);
    }
  }
}
