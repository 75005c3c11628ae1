/**
 * The dictionaries of one stream: texts that columns name by index. Each text is looked at once,
 * when it comes; a batch whose rows use a good part of a dictionary shares it, another one gets the
 * texts that it uses.
 */
import { isUtf8 } from 'node:buffer';
import type { StringDictionary } from '../../../base/model/column-batch.ts';
import { byteSpace, hashBytes, type ByteSpace } from '../bytes.ts';
import { DictionaryBuilder } from '../dictionary-builder.ts';
import type { KnownColumn, KnownStrings } from '../msgpack/known-strings.ts';
import { stringForm } from '../value-forms.ts';
import type { ArrowColumn } from './arrow-column.ts';
import { presentRows, stepRows, type ColumnPlace } from './batch-buffers.ts';
import { arrowFault } from './flat-table.ts';
import type { ArrowType } from './metadata.ts';
import { aligned, integerAt, type RowRange } from './read-numbers.ts';
import { writtenTexts, type TextBudget, type TextFinder } from './read-texts.ts';

/** Bytes of texts that are looked at between two chances for a pause. */
const stepBytes = 131_072;

/** The index leads to a null. */
const noText = 0xffff_ffff;

/** Bytes of texts per row up to which a batch shares a dictionary: each is logged with its own. */
const sharedBytesPerRow = 16;

const noCodes = new Uint32Array(0);

export class ArrowDictionary {
  /** Made for the first text that is not known. */
  #made: DictionaryBuilder | undefined;
  readonly #seed: number;
  /** Codes of the distinct texts, by index. */
  #codes: Uint32Array = noCodes;
  #size = 0;
  #snapshot: StringDictionary | undefined;
  /** All of it, if it is the same as last time; then nothing is in the builder. */
  #known: KnownColumn['column'] | undefined;
  /** True if each index is its own code. */
  #isPlain = true;

  constructor(seed: number) {
    this.#seed = seed;
  }

  /** Indexes that there are. */
  get size(): number {
    return this.#size;
  }

  /** True if each index is its own code, and none leads to a null. */
  get isPlain(): boolean {
    return this.#isPlain;
  }

  /** Codes of the texts by index, or `noText`. */
  get codes(): Uint32Array {
    return this.#codes;
  }

  /** Takes the texts of a batch behind those that are there. */
  *add(
    space: ByteSpace,
    finder: TextFinder,
    place: ColumnPlace,
    name: string,
    strings: KnownStrings,
  ): Generator<undefined> {
    const count = place.rowCount;
    const written = this.#size === 0 ? writtenTexts(space, finder.type, place) : undefined;
    const key = `dictionary ${written?.key ?? ''} ${name}`;
    if (written !== undefined) {
      const known = strings.same(key, space.bytes, written.at, count)?.column;
      if (known?.dictionary !== undefined) {
        this.#known = known;
        this.#codes = known.values as Uint32Array;
        this.#size = count;
        this.#isPlain = known.dictionary.count === count;
        return;
      }
    }
    yield* this.#unshare();
    yield* this.#take(space, finder, place);
    const all = this.#builder.finish();
    if (!isUtf8(all.bytes)) {
      throw arrowFault(`invalid UTF-8 in the dictionary of column "${name}"`);
    }
    this.#isPlain = all.count === this.#size;
    if (written === undefined) return;
    const bytes = space.bytes.subarray(written.at, written.end);
    strings.note(key, all, this.#codes.subarray(0, count), bytes);
  }

  /** What is known is put into arrays of its own, to which more can be added. */
  *#unshare(): Generator<undefined> {
    const known = this.#known?.dictionary;
    if (known === undefined) return;
    this.#known = undefined;
    this.#codes = this.#codes.slice();
    const space = byteSpace(known.bytes);
    let sinceYield = 0;
    for (let code = 0; code < known.count; code += 1) {
      const start = known.offsets[code] ?? 0;
      const length = (known.offsets[code + 1] ?? 0) - start;
      this.#builder.code(space, start, length, hashBytes(space, start, length, this.#seed));
      sinceYield += length + 16;
      if (sinceYield < stepBytes) continue;
      sinceYield = 0;
      yield;
    }
  }

  *#take(space: ByteSpace, finder: TextFinder, place: ColumnPlace): Generator<undefined> {
    const count = place.rowCount;
    const rows = yield* presentRows(space, place, 0, count);
    this.#snapshot = undefined;
    this.#reserve(count);
    this.#codes.fill(noText, this.#size, this.#size + count);
    let sinceYield = 0;
    for (let index = 0; index < (rows?.length ?? count); index += 1) {
      const row = rows === undefined ? index : (rows[index] ?? 0);
      finder.find(row);
      const { start, length } = finder;
      const hash = hashBytes(space, start, length, this.#seed);
      this.#codes[this.#size + row] = this.#builder.code(space, start, length, hash);
      sinceYield += length + 16;
      if (sinceYield < stepBytes) continue;
      sinceYield = 0;
      yield;
    }
    this.#size += count;
  }

  /** All distinct texts; true for ever, whatever is added. */
  texts(): StringDictionary {
    if (this.#known?.dictionary !== undefined) return this.#known.dictionary;
    if (this.#snapshot === undefined) {
      const { count, bytes, offsets } = this.#builder.finish();
      this.#snapshot = { count, bytes: bytes.slice(), offsets: offsets.slice() };
    }
    return this.#snapshot;
  }

  /** As `texts`, until more are added. */
  current(): StringDictionary {
    return this.#known?.dictionary ?? this.#builder.finish();
  }

  free(): void {
    this.#made?.free();
  }

  get #builder(): DictionaryBuilder {
    this.#made ??= new DictionaryBuilder();
    return this.#made;
  }

  #reserve(more: number): void {
    if (this.#size + more <= this.#codes.length) return;
    const grown = new Uint32Array(Math.max(this.#size + more, this.#codes.length * 2));
    grown.set(this.#codes);
    this.#codes = grown;
  }
}

/** Reads indexes into `dictionary`, of the type `indexes`. */
export function* readIndexes(
  column: ArrowColumn,
  space: ByteSpace,
  place: ColumnPlace,
  indexes: ArrowType,
  dictionary: ArrowDictionary,
  { from, count }: RowRange,
  budget: TextBudget,
): Generator<undefined> {
  const found = yield* presentRows(space, place, from, count);
  const present = found?.length ?? count;
  const isNarrow = indexes.name === 'int' && indexes.bits === 32;
  if (found === undefined && isNarrow && dictionary.isPlain && count > 0) {
    yield* readPlainIndexes(
      column,
      space,
      place.valuesAt + 4 * from,
      dictionary,
      from,
      count,
      budget,
    );
    return;
  }
  const { codes } = dictionary;
  const values = new Uint32Array(present);
  // A null may stand in the dictionary too.
  let rows = found;
  let kept = 0;
  for (let index = 0; index < present; index += 1) {
    const row = found === undefined ? index : (found[index] ?? 0);
    const at = indexAt(space, place.valuesAt, indexes, from + row);
    if (at < 0 || at >= dictionary.size) {
      throw outside(column, from + row);
    }
    const code = codes[at] ?? noText;
    if (code === noText) {
      rows ??= firstRows(kept, present);
      continue;
    }
    values[kept] = code;
    if (rows !== undefined) rows[kept] = row;
    kept += 1;
    if (index % stepRows === stepRows - 1) yield;
  }
  if (kept === 0) return;
  column.note(stringForm, rows?.[0] ?? 0);
  const own = values.subarray(0, kept);
  const texts = isShareable(dictionary, kept)
    ? dictionary.texts()
    : yield* usedTexts(own, dictionary.current(), budget);
  column.put('string', own, rows?.subarray(0, kept), texts);
}

/** As `readIndexes`: `count` indexes at `at`, of 32 bits, without nulls, that are codes. */
function* readPlainIndexes(
  column: ArrowColumn,
  space: ByteSpace,
  at: number,
  dictionary: ArrowDictionary,
  from: number,
  count: number,
  budget: TextBudget,
): Generator<undefined> {
  const { buffer, byteOffset } = aligned(space, at, 4 * count);
  const values = new Uint32Array(buffer as ArrayBuffer, byteOffset, count);
  const { size } = dictionary;
  for (let row = 0; row < count; row += 1) {
    if ((values[row] ?? 0) >= size) throw outside(column, from + row);
    if (row % stepRows === stepRows - 1) yield;
  }
  column.note(stringForm, 0);
  if (isShareable(dictionary, count)) {
    column.put('string', values, undefined, dictionary.texts());
    return;
  }
  const own = values.slice();
  const texts = yield* usedTexts(own, dictionary.current(), budget);
  column.put('string', own, undefined, texts);
}

function outside({ spelling }: ArrowColumn, row: number) {
  return arrowFault(`an index outside its dictionary in row ${row + 1} of column "${spelling}"`);
}

function isShareable(dictionary: ArrowDictionary, rows: number): boolean {
  const { count, bytes } = dictionary.current();
  return count <= rows && bytes.length <= rows * sharedBytesPerRow;
}

/** The rows 0, 1, ... of `count` values, in memory for `room`. */
function firstRows(count: number, room: number): Uint32Array {
  const rows = new Uint32Array(room);
  for (let row = 0; row < count; row += 1) rows[row] = row;
  return rows;
}

function indexAt(space: ByteSpace, start: number, type: ArrowType, row: number): number {
  if (type.name !== 'int') return -1;
  if (type.bits !== 64) return integerAt(space, start, type, row);
  const { view } = space;
  const high = view.getInt32(start + row * 8 + 4, true);
  return high === 0 ? view.getUint32(start + row * 8, true) : -1;
}

/** The texts that `codes` use, by new codes that take the place of those. */
function* usedTexts(
  codes: Uint32Array,
  { count, bytes, offsets }: StringDictionary,
  budget: TextBudget,
): Generator<undefined, StringDictionary> {
  // A large dictionary of which little is used must not cost its size for each batch.
  const table = count <= 4 * codes.length + 1024 ? new Int32Array(count).fill(-1) : undefined;
  const map = new Map<number, number>();
  const used: number[] = [];
  let length = 0;
  for (let index = 0; index < codes.length; index += 1) {
    const code = codes[index] ?? 0;
    let own = (table === undefined ? map.get(code) : table[code]) ?? -1;
    if (own < 0) {
      own = used.length;
      used.push(code);
      if (table === undefined) map.set(code, own);
      else table[code] = own;
      length += (offsets[code + 1] ?? 0) - (offsets[code] ?? 0);
    }
    codes[index] = own;
    if (index % stepRows === stepRows - 1) yield;
  }
  budget.spend(length);
  const kept = new Uint8Array(length);
  const ends = new Uint32Array(used.length + 1);
  let at = 0;
  let sinceYield = 0;
  for (const [index, code] of used.entries()) {
    const text = bytes.subarray(offsets[code] ?? 0, offsets[code + 1] ?? 0);
    kept.set(text, at);
    at += text.length;
    ends[index + 1] = at;
    sinceYield += text.length + 16;
    if (sinceYield < stepBytes) continue;
    sinceYield = 0;
    yield;
  }
  return { count: used.length, bytes: kept, offsets: ends };
}
