/**
 * The dictionaries of one stream: texts that columns name by index. Each text is looked at once,
 * when it comes; a batch whose rows use a good part of a dictionary shares it, another one gets the
 * texts that it uses.
 */
import { isUtf8 } from 'node:buffer';
import type { StringDictionary } from '../../../base/model/column-batch.ts';
import { hashBytes, type ByteSpace } from '../bytes.ts';
import { DictionaryBuilder } from '../dictionary-builder.ts';
import { stringForm } from '../value-forms.ts';
import type { ArrowColumn } from './arrow-column.ts';
import { presentRows, stepRows, type ColumnPlace } from './batch-buffers.ts';
import { arrowFault } from './flat-table.ts';
import type { ArrowType } from './metadata.ts';
import { integerAt, type RowRange } from './read-numbers.ts';
import type { TextBudget, TextFinder } from './read-texts.ts';

/** Bytes of texts that are looked at between two chances for a pause. */
const stepBytes = 131_072;

/** The index leads to a null. */
const noText = 0xffff_ffff;

/** Bytes of texts per row up to which a batch shares a dictionary: each is logged with its own. */
const sharedBytesPerRow = 16;

export class ArrowDictionary {
  readonly #builder = new DictionaryBuilder();
  readonly #seed: number;
  /** Codes of the distinct texts, by index. */
  #codes = new Uint32Array(16);
  #size = 0;
  #snapshot: StringDictionary | undefined;

  constructor(seed: number) {
    this.#seed = seed;
  }

  /** Indexes that there are. */
  get size(): number {
    return this.#size;
  }

  /** The code of the text at an index, or `noText`. */
  code(index: number): number {
    return this.#codes[index] ?? noText;
  }

  /** Takes the texts of a batch behind those that are there. */
  *add(
    space: ByteSpace,
    finder: TextFinder,
    place: ColumnPlace,
    name: string,
  ): Generator<undefined> {
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
    if (!isUtf8(this.#builder.finish().bytes)) {
      throw arrowFault(`invalid UTF-8 in the dictionary of column "${name}"`);
    }
  }

  /** All distinct texts; true for ever, whatever is added. */
  texts(): StringDictionary {
    if (this.#snapshot === undefined) {
      const { count, bytes, offsets } = this.#builder.finish();
      this.#snapshot = { count, bytes: bytes.slice(), offsets: offsets.slice() };
    }
    return this.#snapshot;
  }

  /** As `texts`, until more are added. */
  current(): StringDictionary {
    return this.#builder.finish();
  }

  free(): void {
    this.#builder.free();
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
  const values = new Uint32Array(present);
  // A null may stand in the dictionary too.
  let rows = found;
  let kept = 0;
  for (let index = 0; index < present; index += 1) {
    const row = found === undefined ? index : (found[index] ?? 0);
    const at = indexAt(space, place.valuesAt, indexes, from + row);
    if (at < 0 || at >= dictionary.size) {
      const where = `row ${from + row + 1} of column "${column.spelling}"`;
      throw arrowFault(`an index outside its dictionary in ${where}`);
    }
    const code = dictionary.code(at);
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
  const codes = values.subarray(0, kept);
  const all = dictionary.current();
  const isShared = all.count <= kept && all.bytes.length <= kept * sharedBytesPerRow;
  const texts = isShared ? dictionary.texts() : yield* usedTexts(codes, all, budget);
  column.put('string', codes, rows?.subarray(0, kept), texts);
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
  for (const [index, code] of used.entries()) {
    const text = bytes.subarray(offsets[code] ?? 0, offsets[code + 1] ?? 0);
    kept.set(text, at);
    at += text.length;
    ends[index + 1] = at;
    if (index % stepRows === stepRows - 1) yield;
  }
  return { count: used.length, bytes: kept, offsets: ends };
}
