/**
 * One physical column of a row buffer. It is dense (value i belongs to row i) until a row lacks a
 * value; from then on it keeps the rows that have one, so a column that few rows have costs only
 * these. Values are appended by copying whole arrays.
 */
import type { ColumnArray, ColumnValues } from '../../base/model/column-batch.ts';
import type { ColumnRef } from '../../base/model/schema.ts';
import { present } from '../../base/lib/assert.ts';
import { atOnce, type Steps } from '../../base/lib/turns.ts';
import { DictionaryBuffer } from './dictionary-buffer.ts';
import { EnteredCount, type Entering } from './entered-count.ts';
import { copying, copyInto, grownCapacity, sharedColumn, sharedUint32 } from './shared-arrays.ts';
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

/** Values that are put in one go of `appending`. */
const valuesPerStep = 65_536;

/** 0, 1, 2, ... up to `count` at the start of `rows`; yields between pieces. */
function* ascending(rows: Uint32Array, count: number): Steps {
  for (let row = 0; row < count; row += 1) {
    rows[row] = row;
    if (row % valuesPerStep === valuesPerStep - 1) yield;
  }
}

/** Codes of the batch's strings in the column: each the batch's plus `shift`, or by `codes`. */
interface Recoding {
  readonly shift: number;
  readonly codes: Uint32Array | undefined;
}

const unchanged: Recoding = { shift: 0, codes: undefined };

export interface ColumnBufferDeps {
  /** Mixes the hash table of the dictionary. */
  readonly hashSeed: number;
  readonly memory: RowMemory;
  readonly entering: Entering;
}

export class ColumnBuffer {
  readonly #memory: RowMemory;
  #column: ColumnRef;
  #values: ColumnArray;
  readonly #count: EnteredCount;
  /** Row by value; undefined while the column is dense. */
  #rows: Uint32Array | undefined;
  readonly #dictionary: DictionaryBuffer | undefined;

  /** @param firstRow row of the set at which the column is seen first */
  constructor(column: ColumnRef, firstRow: number, deps: ColumnBufferDeps) {
    const { hashSeed, memory, entering } = deps;
    const { type } = column.physical;
    this.#column = column;
    this.#memory = memory;
    this.#count = new EnteredCount(entering);
    this.#values = sharedColumn(memory, type, grownCapacity(0, 1));
    this.#rows = firstRow === 0 ? undefined : new Uint32Array(0);
    this.#dictionary = type === 'string' ? new DictionaryBuffer(hashSeed, memory) : undefined;
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

  /** True if a whole record brought a value. */
  get isSeen(): boolean {
    return this.#count.seen > 0;
  }

  /** Appends the values of batch rows that become rows `firstRow`, `firstRow + 1`, ... */
  append(source: ColumnValues, firstRow: number, rowCount: number, scratch: CodeScratch): void {
    this.#takeKind(source);
    const count = source.rows?.length ?? rowCount;
    const isSparse = this.#isSparse(source, firstRow);
    if (this.#needsRoom(count, isSparse)) atOnce(this.#reserving(count, isSparse));
    const recoding = this.#recode(source, scratch) ?? unchanged;
    this.#put(source, firstRow, 0, count, recoding);
    this.#count.add(count);
  }

  /** As `append`, for any number of values: yields between pieces of the work. */
  *appending(source: ColumnValues, firstRow: number, rowCount: number): Steps {
    this.#takeKind(source);
    const count = source.rows?.length ?? rowCount;
    yield* this.#reserving(count, this.#isSparse(source, firstRow));
    const recoding = yield* this.#recoding(source);
    for (let from = 0; from < count; from += valuesPerStep) {
      this.#put(source, firstRow, from, Math.min(count, from + valuesPerStep), recoding);
      yield;
    }
    this.#count.add(count);
  }

  /** The values of rows below `rowCount`, which is the count of the whole set as readers see it. */
  view(rowCount: number): ColumnValues {
    return this.#view(rowCount, this.#count.seen);
  }

  /** As `view`, with the values of the record that is entering: `rowCount` counts its rows too. */
  viewAll(rowCount: number): ColumnValues {
    return this.#view(rowCount, this.#count.all);
  }

  /** Gives all shared memory back; nothing is asked of the column after that. */
  free(): void {
    this.#memory.give(this.#values.buffer);
    if (this.#rows !== undefined) this.#memory.give(this.#rows.buffer);
    this.#dictionary?.free();
  }

  #takeKind({ column }: ColumnValues): void {
    const isKindKnown = this.#column.kind !== 'unknown';
    if (!isKindKnown || column.kind !== 'unknown') this.#column = column;
  }

  #view(rowCount: number, count: number): ColumnValues {
    const rows = this.#rows?.subarray(0, count);
    return {
      column: this.#column,
      values: this.#values.subarray(0, count),
      rows: rows ?? (count < rowCount ? firstRows(count) : undefined),
      dictionary: this.#dictionary?.view(),
    };
  }

  /** True if the values of `source` cannot do without their row numbers. */
  #isSparse(source: ColumnValues, firstRow: number): boolean {
    const isDense = this.#rows === undefined && source.rows === undefined;
    return !(isDense && this.#count.all === firstRow);
  }

  /** How the strings of a batch stand here; undefined if there are none. */
  #recode({ dictionary: source }: ColumnValues, scratch: CodeScratch): Recoding | undefined {
    const own = this.#dictionary;
    if (own === undefined) return undefined;
    const merged = present(source, 'dictionary of a string column');
    const shift = merged.count < shiftedStringsMin ? undefined : own.shift(merged);
    if (shift !== undefined) return { shift, codes: undefined };
    const codes = scratch.codes(merged.count);
    own.merge(merged, codes);
    return { shift: 0, codes };
  }

  /** As `#recode`; yields between pieces of the work. */
  *#recoding({ dictionary: source }: ColumnValues): Steps<Recoding> {
    const own = this.#dictionary;
    if (own === undefined) return unchanged;
    const merged = present(source, 'dictionary of a string column');
    const shift = own.shift(merged);
    yield;
    if (shift !== undefined) return { shift, codes: undefined };
    const codes = new Uint32Array(merged.count);
    yield* own.merging(merged, codes);
    return { shift: 0, codes };
  }

  /** Puts values `from` to `to` (exclusive) of the source behind those that are in. */
  #put(source: ColumnValues, firstRow: number, from: number, to: number, recoding: Recoding): void {
    const start = this.#count.all;
    const rows = this.#rows;
    if (rows !== undefined) {
      for (let index = from; index < to; index += 1) {
        const row = source.rows === undefined ? index : (source.rows[index] as number);
        rows[start + index] = firstRow + row;
      }
    }
    const { shift, codes } = recoding;
    if (codes === undefined && shift === 0) {
      const { values } = source;
      const isWhole = from === 0 && to === values.length;
      copyInto(this.#values, isWhole ? values : values.subarray(from, to), start + from);
      return;
    }
    const own = this.#values as Uint32Array;
    const given = source.values as Uint32Array;
    if (codes === undefined) {
      for (let index = from; index < to; index += 1) {
        own[start + index] = (given[index] as number) + shift;
      }
      return;
    }
    for (let index = from; index < to; index += 1) {
      own[start + index] = codes[given[index] as number] as number;
    }
  }

  #needsRoom(more: number, isSparse: boolean): boolean {
    const count = this.#count.all + more;
    return count > this.#values.length || (isSparse && count > (this.#rows?.length ?? 0));
  }

  /** Makes room for `more` values, and for their rows. Yields between pieces of copying. */
  *#reserving(more: number, isSparse: boolean): Steps {
    const used = this.#count.all;
    const count = used + more;
    if (count > this.#values.length) {
      const capacity = grownCapacity(this.#values.length, count);
      const grown = sharedColumn(this.#memory, this.#column.physical.type, capacity);
      yield* copying(grown, this.#values.subarray(0, used));
      this.#memory.give(this.#values.buffer);
      this.#values = grown;
    }
    const rows = this.#rows;
    if (!isSparse || (rows !== undefined && count <= rows.length)) return;
    const grown = sharedUint32(this.#memory, this.#values.length);
    if (rows === undefined) {
      yield* ascending(grown, used);
    } else {
      yield* copying(grown, rows.subarray(0, used));
      this.#memory.give(rows.buffer);
    }
    this.#rows = grown;
  }
}

/** The rows of a dense column that ended; not shared, since a view is handed over once. */
function firstRows(count: number): Uint32Array {
  const rows = new Uint32Array(count);
  atOnce(ascending(rows, count));
  return rows;
}
