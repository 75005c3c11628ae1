/** A column of a record batch as it was read: arrays of the body itself, or arrays made of them. */
import type { PhysicalType } from '../../../base/model/schema.ts';
import type {
  ColumnArray,
  ColumnValues,
  StringDictionary,
} from '../../../base/model/column-batch.ts';
import { freeMemory } from '../../../base/lib/free-memory.ts';
import { ColumnBuilder } from '../column-builder.ts';
import { placeholders, StagedColumn } from '../columnar/staged-column.ts';

export class ArrowColumn extends StagedColumn {
  readonly #builders: ColumnBuilder[] = [];
  readonly #arrays: ColumnValues[] = [];
  /** True if others use the arrays too. */
  #isShared = false;

  /** Cells with a value. */
  get cells(): number {
    return this.columns().reduce((sum, { values }) => sum + values.length, 0);
  }

  /** Values to come, at most `capacity` of them. */
  builder(type: PhysicalType, capacity: number): ColumnBuilder {
    const builder = new ColumnBuilder(placeholders[type], Math.max(1, capacity));
    this.#builders.push(builder);
    return builder;
  }

  /** Takes arrays as they are. */
  put(
    type: PhysicalType,
    values: ColumnArray,
    rows: Uint32Array | undefined,
    dictionary?: StringDictionary,
  ): void {
    if (values.length === 0) return;
    this.#arrays.push({ column: placeholders[type], values, rows, dictionary });
  }

  /** Takes arrays that others use too. */
  share(type: PhysicalType, values: ColumnArray, dictionary: StringDictionary): void {
    this.#isShared = true;
    this.put(type, values, undefined, dictionary);
  }

  /** Puts texts in the place of all values. */
  replace(values: Uint32Array, rows: Uint32Array | undefined, dictionary: StringDictionary): void {
    this.free();
    this.#builders.length = 0;
    this.#arrays.length = 0;
    this.#isShared = false;
    this.firstRows.fill(-1);
    this.put('string', values, rows, dictionary);
  }

  override columns(): ColumnValues[] {
    const filled = this.#builders.filter(({ count }) => count > 0);
    return [...this.#arrays, ...filled.map((builder) => builder.finish(this.rowCount))];
  }

  override free(): void {
    for (const builder of this.#builders) builder.free();
    if (this.#isShared) return;
    for (const { values, rows } of this.#arrays) {
      freeMemory(values);
      if (rows !== undefined) freeMemory(rows);
    }
  }
}
