/**
 * Values of a staged column on their way into columns that are not the arrays they stand in: of an
 * item that is joined with others, of a column whose integers and floats meet, of an item of which
 * some rows are refused. Row by row; the common case does not come here.
 */
import type { ColumnValues } from '../../../base/model/column-batch.ts';
import type { ColumnRef } from '../../../base/model/schema.ts';
import { present } from '../../../base/lib/assert.ts';
import { byteSpace, hashBytes, type ByteSpace } from '../bytes.ts';
import type { ColumnBuilder } from '../column-builder.ts';
import {
  booleanForm,
  doubleForm,
  hugeExactForm,
  hugeForm,
  integerExactForm,
  integerForm,
  stringForm,
} from '../value-forms.ts';

const twoTo32 = 4_294_967_296;

/** Upper halves of int64 from minus this up to this minus one are exact as doubles. */
const highExact = 0x20_0000;

/** Rows between two chances for a pause. */
const stepRows = 16_384;

/** True if the integer is the same as a double; `high` is signed or unsigned, as it is meant. */
export function isExact(low: number, high: number): boolean {
  if (high < highExact && high >= -highExact) return true;
  const value = (BigInt(high) << 32n) | BigInt(low >>> 0);
  return BigInt(Number(value)) === value;
}

/** One array of a staged column. */
class Source {
  readonly column: ColumnValues;
  /** int64 and uint64, low half first. */
  readonly words: Int32Array | undefined;
  /** Strings by code, and the codes that they have in their new column. */
  readonly strings: ByteSpace | undefined;
  readonly codes: Int32Array | undefined;
  next = 0;

  constructor(column: ColumnValues) {
    this.column = column;
    const { values, dictionary } = column;
    if (values instanceof BigInt64Array || values instanceof BigUint64Array) {
      this.words = new Int32Array(values.buffer, values.byteOffset, values.length * 2);
    }
    if (dictionary !== undefined) {
      this.strings = byteSpace(dictionary.bytes);
      this.codes = new Int32Array(dictionary.count).fill(-1);
    }
  }

  form(index: number): number {
    const { words } = this;
    switch (this.column.column.physical.type) {
      case 'double':
        return doubleForm;
      case 'string':
        return stringForm;
      case 'boolean':
        return booleanForm;
      case 'int64': {
        const exact = isExact(words?.[index * 2] ?? 0, words?.[index * 2 + 1] ?? 0);
        return exact ? integerExactForm : integerForm;
      }
      case 'uint64': {
        const exact = isExact(words?.[index * 2] ?? 0, (words?.[index * 2 + 1] ?? 0) >>> 0);
        return exact ? hugeExactForm : hugeForm;
      }
    }
  }
}

/**
 * Sets a mark for each row of `column` that has a value of `form`; returns how many were not marked
 * before. Yields for pauses.
 */
export function* markRows(
  column: ColumnValues,
  form: number,
  marks: Uint8Array,
): Generator<undefined, number> {
  const source = new Source(column);
  let count = 0;
  for (let index = 0; index < column.values.length; index += 1) {
    const row = column.rows?.[index] ?? index;
    if (source.form(index) === form && marks[row] === 0) {
      marks[row] = 1;
      count += 1;
    }
    if (index % stepRows === stepRows - 1) yield;
  }
  return count;
}

function isEmpty({ column }: Source, code: number): boolean {
  const offsets = column.dictionary?.offsets;
  return offsets?.[code] === offsets?.[code + 1];
}

/** True if `column` has the empty string among its strings. */
export function hasEmptyString({ dictionary }: ColumnValues): boolean {
  const { count = 0, offsets } = dictionary ?? {};
  for (let code = 0; code < count; code += 1) {
    if (offsets?.[code] === offsets?.[code + 1]) return true;
  }
  return false;
}

export class StageFlow {
  integersAsFloats = 0;
  readonly #sources: readonly Source[];
  readonly #refs: readonly (ColumnRef | undefined)[];
  readonly #target: (ref: ColumnRef) => ColumnBuilder;
  readonly #seed: number;
  readonly #isTag: boolean;
  /** By form. */
  readonly #targets: (ColumnBuilder | undefined)[] = [];

  constructor(
    columns: readonly ColumnValues[],
    refs: readonly (ColumnRef | undefined)[],
    target: (ref: ColumnRef) => ColumnBuilder,
    seed: number,
  ) {
    this.#sources = columns.map((column) => new Source(column));
    this.#refs = refs;
    this.#target = target;
    this.#seed = seed;
    this.#isTag = refs[stringForm]?.kind === 'tag';
  }

  /** Moves all values; rows marked in `left` are left out, the others close up. */
  *run(rowCount: number, offset: number, left: Uint8Array | undefined): Generator<undefined> {
    const sources = this.#sources;
    // Which source has the value of a row: its place and one.
    const owners = new Uint8Array(rowCount);
    for (const [place, { column }] of sources.entries()) {
      const { rows } = column;
      if (rows === undefined) owners.fill(place + 1);
      for (let index = 0; index < (rows?.length ?? 0); index += 1) {
        owners[rows?.[index] ?? 0] = place + 1;
        if (index % stepRows === stepRows - 1) yield;
      }
      yield;
    }
    let target = offset;
    for (let row = 0; row < rowCount; row += 1) {
      const source = sources[(owners[row] ?? 0) - 1];
      if (left?.[row] === 1) {
        if (source !== undefined) source.next += 1;
      } else {
        if (source !== undefined) this.#move(source, target);
        target += 1;
      }
      if (row % stepRows === stepRows - 1) yield;
    }
  }

  #move(source: Source, row: number): void {
    const index = source.next;
    source.next = index + 1;
    const form = source.form(index);
    const value = source.column.values[index] ?? 0;
    // An empty tag is an absent tag.
    if (form === stringForm && this.#isTag && isEmpty(source, Number(value))) return;
    const column = (this.#targets[form] ??= this.#target(
      present(this.#refs[form], 'column of a value'),
    ));
    const { words } = source;
    if (words !== undefined) {
      const low = words[index * 2] ?? 0;
      const high = words[index * 2 + 1] ?? 0;
      if (column.ref.physical.type === 'double') {
        const upper = form === hugeExactForm ? high >>> 0 : high;
        column.pushDouble(row, upper * twoTo32 + (low >>> 0));
        this.integersAsFloats += 1;
      } else {
        column.pushWords(row, low, high);
      }
    } else if (form === stringForm) {
      column.pushCode(row, this.#code(source, Number(value), column));
    } else if (form === booleanForm) {
      column.pushBoolean(row, Number(value));
    } else {
      column.pushDouble(row, Number(value));
    }
  }

  #code(source: Source, code: number, column: ColumnBuilder): number {
    const codes = present(source.codes, 'codes of strings');
    const known = codes[code] ?? -1;
    if (known >= 0) return known;
    const strings = present(source.strings, 'strings');
    const offsets = source.column.dictionary?.offsets;
    const start = offsets?.[code] ?? 0;
    const length = (offsets?.[code + 1] ?? 0) - start;
    const hash = hashBytes(strings, start, length, this.#seed);
    const made = present(column.dictionary, 'dictionary').code(strings, start, length, hash);
    codes[code] = made;
    return made;
  }
}
