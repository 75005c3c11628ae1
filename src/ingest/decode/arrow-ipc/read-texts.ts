/**
 * Texts of a record batch: with offsets into one buffer, or as views into several. Each text is
 * looked up in the dictionary of its column, so that equal ones stand there once.
 */
import { isUtf8 } from 'node:buffer';
import { hashBytes, type ByteSpace } from '../bytes.ts';
import { stringForm } from '../value-forms.ts';
import { stringBytesMax } from '../msgpack/column-stage.ts';
import type { KnownStrings } from '../msgpack/known-strings.ts';
import type { ArrowColumn } from './arrow-column.ts';
import { presentRows, type ColumnPlace } from './batch-buffers.ts';
import { arrowFault } from './flat-table.ts';
import type { ArrowType } from './metadata.ts';
import type { RowRange } from './read-numbers.ts';

/** Bytes of texts that are looked at between two chances for a pause. */
const stepBytes = 131_072;

/** Views up to this length have their text within them. */
const inlineMax = 12;

/**
 * Bytes of texts that a request may make us look at: views and dictionaries may name the same bytes
 * again and again, so a short body could be made to cost any time.
 */
export class TextBudget {
  #left: number;

  constructor(bodyBytes: number) {
    this.#left = 16 * bodyBytes + 1_048_576;
  }

  /** @throws HF_BODY_UNREADABLE when it is used up */
  spend(bytes: number): void {
    this.#left -= bytes;
    if (this.#left < 0) throw arrowFault('texts that are used again too often for their length');
  }
}

type TextType = Extract<ArrowType, { name: 'text' }>;

/** Finds texts by their rows; of one column of one batch. */
export class TextFinder {
  /** Of the text found last. */
  start = 0;
  length = 0;
  readonly type: TextType;
  readonly #space: ByteSpace;
  readonly #place: ColumnPlace;
  readonly #name: string;
  readonly #budget: TextBudget;

  constructor(
    space: ByteSpace,
    place: ColumnPlace,
    type: TextType,
    name: string,
    budget: TextBudget,
  ) {
    this.#space = space;
    this.#place = place;
    this.type = type;
    this.#name = name;
    this.#budget = budget;
  }

  /** @throws HF_BODY_UNREADABLE if it is not within its buffer, or none */
  find(row: number): void {
    const { layout } = this.type;
    if (layout === 'views') this.#findView(row);
    else this.#findOffsets(row, layout === 'offsets64');
    if (this.length > stringBytesMax) throw this.#fault('string too long', row);
    const first = this.#space.bytes[this.start] ?? 0;
    if (this.length > 0 && (first & 0xc0) === 0x80) throw this.#fault('invalid UTF-8', row);
  }

  #findOffsets(row: number, isWide: boolean): void {
    const { view } = this.#space;
    const { valuesAt, texts } = this.#place;
    const at = valuesAt + row * (isWide ? 8 : 4);
    const start = isWide ? this.#wide(at) : view.getInt32(at, true);
    const end = isWide ? this.#wide(at + 8) : view.getInt32(at + 4, true);
    const text = texts[0];
    if (start < 0 || end < start || text === undefined || end > text.length) {
      throw this.#fault('an offset outside its buffer', row);
    }
    this.start = text.at + start;
    this.length = end - start;
  }

  /** An offset of 64 bits; one that is not exact is outside anyway. */
  #wide(at: number): number {
    const { view } = this.#space;
    return view.getInt32(at + 4, true) * 4_294_967_296 + view.getUint32(at, true);
  }

  #findView(row: number): void {
    const { view } = this.#space;
    const { valuesAt, texts } = this.#place;
    const at = valuesAt + row * 16;
    const length = view.getInt32(at, true);
    this.length = length;
    if (length >= 0 && length <= inlineMax) {
      this.start = at + 4;
      return;
    }
    const text = texts[view.getInt32(at + 8, true)];
    const start = view.getInt32(at + 12, true);
    if (length < 0 || start < 0 || text === undefined || start + length > text.length) {
      throw this.#fault('a view outside its buffer', row);
    }
    this.start = text.at + start;
    this.#budget.spend(length);
  }

  #fault(reason: string, row: number) {
    return arrowFault(`${reason} in row ${row + 1} of column "${this.#name}"`);
  }
}

/** Where the offsets and texts of a column are, one behind the other. */
interface WrittenTexts {
  readonly at: number;
  readonly end: number;
  /** Columns with equal bytes there are equal if this is the same too. */
  readonly key: string;
}

/** Undefined if they are not one behind the other, or not every row has a text. */
export function writtenTexts(
  { bytes }: ByteSpace,
  { layout }: TextType,
  { validityAt, isEmpty, valuesAt: at, texts, rowCount }: ColumnPlace,
): WrittenTexts | undefined {
  const [text] = texts;
  if (layout !== 'offsets32' || validityAt >= 0 || isEmpty || text === undefined) return undefined;
  const end = text.at + text.length;
  const isBehind = text.at >= at + 4 * (rowCount + 1) && end <= bytes.length;
  return isBehind ? { at, end, key: `${text.at - at}` } : undefined;
}

/** Reads texts into the dictionary of their column. */
export function* readTexts(
  column: ArrowColumn,
  space: ByteSpace,
  finder: TextFinder,
  place: ColumnPlace,
  { from, count }: RowRange,
  seed: number,
  strings: KnownStrings,
): Generator<undefined> {
  const isWhole = from === 0 && count === place.rowCount;
  const written = isWhole ? writtenTexts(space, finder.type, place) : undefined;
  const key = `${written?.key ?? ''} ${column.spelling}`;
  if (written !== undefined) {
    const known = strings.same(key, space.bytes, written.at, count)?.column;
    if (known?.dictionary !== undefined) {
      column.note(stringForm, 0);
      column.share('string', known.values, known.dictionary);
      return;
    }
  }
  const rows = yield* presentRows(space, place, from, count);
  const present = rows?.length ?? count;
  if (present === 0) return;
  const builder = column.builder('string', present);
  const { dictionary } = builder;
  if (dictionary === undefined) return;
  let sinceYield = 0;
  for (let index = 0; index < present; index += 1) {
    const row = rows === undefined ? index : (rows[index] ?? 0);
    finder.find(from + row);
    const { start, length } = finder;
    const hash = hashBytes(space, start, length, seed);
    builder.pushCode(row, dictionary.code(space, start, length, hash));
    sinceYield += length + 16;
    if (sinceYield < stepBytes) continue;
    sinceYield = 0;
    yield;
  }
  column.note(stringForm, rows?.[0] ?? 0);
  // None of them begins within a character, so they are valid if they are one after the other.
  const all = dictionary.finish();
  if (!isUtf8(all.bytes)) throw arrowFault(`invalid UTF-8 in column "${column.spelling}"`);
  if (written === undefined) return;
  const codes = builder.finish(count).values as Uint32Array;
  strings.note(key, all, codes, space.bytes.subarray(written.at, written.end));
}
