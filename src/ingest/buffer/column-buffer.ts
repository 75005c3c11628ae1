/**
 * One physical column of a row buffer. It is dense (value i belongs to row i) until a row lacks a
 * value; from then on it keeps the rows that have one, so a column that few rows have costs only
 * these. Values are appended by copying whole arrays.
 */
import type { ColumnArray, ColumnValues } from '../../base/model/column-batch.ts';
import type { ColumnRef } from '../../base/model/schema.ts';
import { present } from '../../base/lib/assert.ts';
import { DictionaryBuffer } from './dictionary-buffer.ts';
import { copyInto, grownCapacity, sharedColumn, sharedUint32 } from './shared-arrays.ts';
import type { RowMemory } from './shared-memory.ts';

/** What the objects of a column cost besides its arrays; an estimate on the safe side. */
const objectBytes = 1024;

/** Fewer strings are merged one by one faster than they are compared at once. */
const shiftedStringsMin = 32;

/** Room for the codes of one merged dictionary; shared by all columns, used within one call. */
export class CodeScratch {
  #codes = new Uint32Array(1024);

  codes(count: number): Uint32Array {
    if (count > this.#codes.length) {
      this.#codes = new Uint32Array(grownCapacity(this.#codes.length, count));
    }
    return this.#codes;
  }
}

/** 0, 1, 2, ... up to `count` at the start of `rows`. */
function ascending(rows: Uint32Array, count: number): Uint32Array {
  for (let row = 0; row < count; row += 1) rows[row] = row;
  return rows;
}

export class ColumnBuffer {
  readonly #memory: RowMemory;
  #column: ColumnRef;
  #values: ColumnArray;
  #count = 0;
  /** Row by value; undefined while the column is dense. */
  #rows: Uint32Array | undefined;
  readonly #dictionary: DictionaryBuffer | undefined;

  /** @param firstRow row of the set at which the column is seen first */
  constructor(column: ColumnRef, firstRow: number, seed: number, memory: RowMemory) {
    const { type } = column.physical;
    this.#column = column;
    this.#memory = memory;
    this.#values = sharedColumn(memory, type, grownCapacity(0, 1));
    this.#rows = firstRow === 0 ? undefined : new Uint32Array(0);
    this.#dictionary = type === 'string' ? new DictionaryBuffer(seed, memory) : undefined;
  }

  /** As the last rows that name its kind brought it, whatever rows came in late behind them. */
  get column(): ColumnRef {
    return this.#column;
  }

  /** Bytes of memory taken. */
  get bytes(): number {
    const rows = this.#rows?.byteLength ?? 0;
    return objectBytes + this.#values.byteLength + rows + (this.#dictionary?.bytes ?? 0);
  }

  /** Appends the values of batch rows that become rows `firstRow`, `firstRow + 1`, ... */
  append(source: ColumnValues, firstRow: number, rowCount: number, scratch: CodeScratch): void {
    const isKindKnown = this.#column.kind !== 'unknown';
    if (!isKindKnown || source.column.kind !== 'unknown') this.#column = source.column;
    const count = source.rows?.length ?? rowCount;
    const isDense = this.#rows === undefined && source.rows === undefined;
    if (!(isDense && this.#count === firstRow)) this.#appendRows(source, firstRow, count);
    this.#reserve(this.#count + count);
    if (this.#dictionary === undefined) copyInto(this.#values, source.values, this.#count);
    else this.#appendCodes(source, count, scratch, this.#dictionary);
    this.#count += count;
  }

  /** The values of rows below `rowCount`, which is the count of the whole set now. */
  view(rowCount: number): ColumnValues {
    const rows = this.#rows?.subarray(0, this.#count);
    return {
      column: this.#column,
      values: this.#values.subarray(0, this.#count),
      rows: rows ?? (this.#count < rowCount ? this.#firstRows() : undefined),
      dictionary: this.#dictionary?.view(),
    };
  }

  /** Gives all shared memory back; nothing is asked of the column after that. */
  free(): void {
    this.#memory.give(this.#values.buffer);
    if (this.#rows !== undefined) this.#memory.give(this.#rows.buffer);
    this.#dictionary?.free();
  }

  /** The rows of a dense column that ended; not shared, since a view is handed over once. */
  #firstRows(): Uint32Array {
    return ascending(new Uint32Array(this.#count), this.#count);
  }

  #appendCodes(
    source: ColumnValues,
    count: number,
    scratch: CodeScratch,
    dictionary: DictionaryBuffer,
  ): void {
    const merged = present(source.dictionary, 'dictionary of a string column');
    const from = source.values as Uint32Array;
    const to = this.#values as Uint32Array;
    const start = this.#count;
    const shift = merged.count < shiftedStringsMin ? undefined : dictionary.shift(merged);
    if (shift === 0) {
      to.set(from, start);
      return;
    }
    if (shift !== undefined) {
      for (let index = 0; index < count; index += 1) {
        to[start + index] = (from[index] as number) + shift;
      }
      return;
    }
    const codes = scratch.codes(merged.count);
    dictionary.merge(merged, codes);
    for (let index = 0; index < count; index += 1) {
      to[start + index] = codes[from[index] as number] as number;
    }
  }

  #appendRows(source: ColumnValues, firstRow: number, count: number): void {
    let rows = (this.#rows ??= ascending(
      sharedUint32(this.#memory, this.#values.length),
      this.#count,
    ));
    if (this.#count + count > rows.length) {
      const grown = sharedUint32(this.#memory, grownCapacity(rows.length, this.#count + count));
      grown.set(rows.subarray(0, this.#count));
      this.#memory.give(rows.buffer);
      this.#rows = grown;
      rows = grown;
    }
    const start = this.#count;
    for (let index = 0; index < count; index += 1) {
      const row = source.rows === undefined ? index : (source.rows[index] as number);
      rows[start + index] = firstRow + row;
    }
  }

  #reserve(count: number): void {
    if (count <= this.#values.length) return;
    const capacity = grownCapacity(this.#values.length, count);
    const grown = sharedColumn(this.#memory, this.#column.physical.type, capacity);
    copyInto(grown, this.#values.subarray(0, this.#count), 0);
    this.#memory.give(this.#values.buffer);
    this.#values = grown;
  }
}
