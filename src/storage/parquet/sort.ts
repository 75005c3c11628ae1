/**
 * Order of rows in a file: by time, then by tags in ascending order of column id (null and the
 * empty string first, then by bytes), then as they came: versions of a point stand together.
 * Stable radix passes over typed arrays, last key first; rows that are in order already, which
 * most flushes of one sender are, cost one look at each.
 */
import type { ColumnValues, StringDictionary } from '../../base/model/column-batch.ts';
import type { ColumnRef } from '../../base/model/schema.ts';
import { present } from '../../base/lib/assert.ts';
import { dictionaryRanks } from './dictionary-order.ts';
import { halvesOf } from './hours.ts';
import type { RowSet } from './types.ts';

const digitBits = 11;
const digitCount = 1 << digitBits;

/** Number by code of a tag's value: 0 for the empty string, which is an absent tag. */
export type TagNumbers = (dictionary: StringDictionary) => Uint32Array;

/** From 1, in any order that tells values apart: cheaper than ranks. */
export const tagNumbers: TagNumbers = ({ count, offsets }) => {
  const numbers = new Uint32Array(count);
  for (let code = 0; code < count; code += 1) {
    numbers[code] = offsets[code] === offsets[code + 1] ? 0 : code + 1;
  }
  return numbers;
};

/** In the order of the bytes. */
function ranksOf(dictionary: StringDictionary): Uint32Array {
  const ranks = dictionaryRanks(dictionary);
  const { offsets } = dictionary;
  for (let code = 0; code < ranks.length; code += 1) {
    if (offsets[code] === offsets[code + 1]) ranks[code] = 0;
  }
  return ranks;
}

/** What `ranks` has for the tag's value by row; 0 where it has none. */
function byRow(tag: ColumnValues, ranks: Uint32Array, rowCount: number): Uint32Array {
  const codes = tag.values as Uint32Array;
  const found = new Uint32Array(rowCount);
  if (tag.rows === undefined) {
    for (let row = 0; row < rowCount; row += 1) found[row] = ranks[codes[row] as number] as number;
  } else {
    for (let index = 0; index < tag.rows.length; index += 1) {
      found[tag.rows[index] as number] = ranks[codes[index] as number] as number;
    }
  }
  return found;
}

function ranksByRow(tag: ColumnValues, rowCount: number): Uint32Array {
  return byRow(tag, ranksOf(dictionaryOf(tag)), rowCount);
}

function dictionaryOf(tag: ColumnValues): StringDictionary {
  return present(tag.dictionary, 'dictionary of a tag column');
}

/**
 * Looks at neighbours: 'sorted' if times rise strictly, 'unsorted' if one falls, else the rows
 * that have the time of the row before them.
 */
function timeTies(times: BigInt64Array): 'sorted' | 'unsorted' | Uint32Array {
  const halves = halvesOf(times);
  let ties = 0;
  for (let row = 1; row < times.length; row += 1) {
    const high = halves[2 * row + 1] as number;
    const highBefore = halves[2 * row - 1] as number;
    if (high < highBefore) return 'unsorted';
    if (high > highBefore) continue;
    const low = (halves[2 * row] as number) >>> 0;
    const lowBefore = (halves[2 * row - 2] as number) >>> 0;
    if (low < lowBefore) return 'unsorted';
    if (low === lowBefore) ties += 1;
  }
  if (ties === 0) return 'sorted';
  const rows = new Uint32Array(ties);
  let next = 0;
  for (let row = 1; row < times.length; row += 1) {
    if (halves[2 * row] !== halves[2 * row - 2]) continue;
    if (halves[2 * row + 1] !== halves[2 * row - 1]) continue;
    rows[next] = row;
    next += 1;
  }
  return rows;
}

/** True if in each tie the first tag that differs rises. Ties that a tag decides are dropped. */
function tiesInOrder(ties: Uint32Array, tags: readonly ColumnValues[], rowCount: number): boolean {
  let open = ties;
  for (const tag of tags) {
    if (open.length === 0) return true;
    const ranks = ranksByRow(tag, rowCount);
    let kept = 0;
    const still = new Uint32Array(open.length);
    for (const row of open) {
      const rank = ranks[row] as number;
      const before = ranks[row - 1] as number;
      if (rank < before) return false;
      if (rank === before) {
        still[kept] = row;
        kept += 1;
      }
    }
    open = still.subarray(0, kept);
  }
  return true;
}

/** Reorders rows stably by a 32-bit key; keeps two arrays so that passes need no allocation. */
class RadixSorter {
  order: Uint32Array;
  #spare: Uint32Array;
  readonly #counts = new Uint32Array(digitCount);

  /** @param rows the rows to sort, as they came; not kept */
  constructor(rows: Uint32Array) {
    this.order = rows.slice();
    this.#spare = new Uint32Array(rows.length);
  }

  /** Sorts by `keys[row]`, looking only at bits that differ between rows. */
  by(keys: Uint32Array): void {
    // Keys of rows that are not sorted cost a pass at most; looking them up by row costs more.
    const first = keys[0] ?? 0;
    let different = 0;
    for (let row = 1; row < keys.length; row += 1) different |= (keys[row] as number) ^ first;
    for (let shift = 0; shift < 32; shift += digitBits) {
      if (((different >>> shift) & (digitCount - 1)) !== 0) this.#pass(keys, shift);
    }
  }

  #pass(keys: Uint32Array, shift: number): void {
    const counts = this.#counts.fill(0);
    const mask = digitCount - 1;
    const { order } = this;
    const isWhole = order.length === keys.length;
    for (let index = 0; index < order.length; index += 1) {
      const row = isWhole ? index : (order[index] as number);
      const digit = ((keys[row] as number) >>> shift) & mask;
      counts[digit] = (counts[digit] as number) + 1;
    }
    let start = 0;
    for (let digit = 0; digit < digitCount; digit += 1) {
      const count = counts[digit] as number;
      counts[digit] = start;
      start += count;
    }
    const target = this.#spare;
    for (let index = 0; index < order.length; index += 1) {
      const row = order[index] as number;
      const digit = ((keys[row] as number) >>> shift) & mask;
      const position = counts[digit] as number;
      counts[digit] = position + 1;
      target[position] = row;
    }
    this.#spare = order;
    this.order = target;
  }
}

/** Low and high halves of the times as unsigned keys that sort as the times do. */
function timeKeys(times: BigInt64Array): readonly [low: Uint32Array, high: Uint32Array] {
  const halves = halvesOf(times);
  const low = new Uint32Array(times.length);
  const high = new Uint32Array(times.length);
  for (let row = 0; row < times.length; row += 1) {
    low[row] = halves[2 * row] as number;
    // Turning the sign bit makes negative times the smaller unsigned numbers.
    high[row] = (halves[2 * row + 1] as number) ^ 0x80000000;
  }
  return [low, high];
}

/** True for columns that are part of a series. */
export function isTag({ kind, physical }: ColumnRef): boolean {
  return kind === 'tag' && physical.type === 'string';
}

/** The tag columns of a row set, in the order in which they sort. */
export function tagColumns(columns: readonly ColumnValues[]): readonly ColumnValues[] {
  return columns
    .filter(({ column }) => isTag(column))
    .sort((a, b) => a.column.physical.id - b.column.physical.id);
}

/** 0, 1, 2, ...; `Uint32Array.from` takes longer than a pass of the sort. */
export function allRows(count: number): Uint32Array {
  const rows = new Uint32Array(count);
  for (let row = 0; row < count; row += 1) rows[row] = row;
  return rows;
}

/** Returns the rows in file order, or undefined if they stand in it already. */
export function sortedRows(rows: RowSet): Uint32Array | undefined {
  const { rowCount, times } = rows;
  const tags = tagColumns(rows.columns);
  const ties = timeTies(times);
  if (ties === 'sorted') return undefined;
  if (ties !== 'unsorted' && tiesInOrder(ties, tags, rowCount)) return undefined;
  return sortRows(rows, allRows(rowCount));
}

/**
 * Some rows of the set, given as they came, in file order.
 * @param numbers order of a tag's values
 */
export function sortRows(
  rows: RowSet,
  some: Uint32Array,
  numbers: TagNumbers = ranksOf,
): Uint32Array {
  const tags = tagColumns(rows.columns);
  const sorter = new RadixSorter(some);
  for (let index = tags.length - 1; index >= 0; index -= 1) {
    const tag = present(tags[index], 'tag');
    sorter.by(byRow(tag, numbers(dictionaryOf(tag)), rows.rowCount));
  }
  const [low, high] = timeKeys(rows.times);
  sorter.by(low);
  sorter.by(high);
  return sorter.order;
}

/**
 * Returns the places, ascending, at which rows in file order hold a version of the point before
 * them: the same time and the same tags.
 * @param order rows in file order; undefined if all rows of the set stand in it
 */
export function versionPlaces(rows: RowSet, order: Uint32Array | undefined): Uint32Array {
  const { times, rowCount } = rows;
  const halves = halvesOf(times);
  const length = order?.length ?? rowCount;
  let places = new Uint32Array(length);
  let kept = 0;
  for (let place = 1; place < length; place += 1) {
    const row = order === undefined ? place : (order[place] as number);
    const before = order === undefined ? place - 1 : (order[place - 1] as number);
    if (halves[2 * row] !== halves[2 * before]) continue;
    if (halves[2 * row + 1] !== halves[2 * before + 1]) continue;
    places[kept] = place;
    kept += 1;
  }
  places = places.subarray(0, kept);
  for (const tag of tagColumns(rows.columns)) {
    if (kept === 0) break;
    const values = byRow(tag, tagNumbers(dictionaryOf(tag)), rowCount);
    kept = 0;
    for (const place of places) {
      const row = order === undefined ? place : (order[place] as number);
      const before = order === undefined ? place - 1 : (order[place - 1] as number);
      if (values[row] !== values[before]) continue;
      places[kept] = place;
      kept += 1;
    }
    places = places.subarray(0, kept);
  }
  return places;
}
