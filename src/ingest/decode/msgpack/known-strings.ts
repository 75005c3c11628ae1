/**
 * What is remembered of columns of strings between requests, by spelling, whatever measurement they
 * are in. A sender that lists all of its hosts each time sends the same bytes each time: such a
 * column is compared as a whole and not read again. A cache: it may be empty at any time.
 *
 * I1. What is remembered was read and found good; it never changes, and requests share it.
 * I2. Memory is bounded, and so is the work of one comparison.
 */
import type { ColumnValues, StringDictionary } from '../../../base/model/column-batch.ts';

/** How many different strings a column had last time, and how long they were together. */
export interface StringSize {
  readonly count: number;
  readonly bytes: number;
}

/** A column as it was read, and the bytes that it was read from. */
export interface KnownColumn {
  readonly column: Pick<ColumnValues, 'values' | 'dictionary'>;
  readonly written: Buffer;
}

interface Entry {
  size: StringSize;
  known: KnownColumn | undefined;
  /** Requests whose column was another one than the one before, without one that was not. */
  misses: number;
}

const entriesMax = 4096;

/** Bytes and rows of a column that is remembered: what takes less than a millisecond to read. */
const writtenBytesMax = 65_536;
const rowsMax = 8192;

/** Bytes of all that is remembered, about. */
const bytesMax = 8 * 1024 * 1024;

/** A column that changed so many times in a row is remembered only once in a while. */
const missesMax = 8;
const missesBetween = 64;

export class KnownStrings {
  readonly #entries = new Map<string, Entry>();
  #bytes = 0;

  sizeOf(spelling: string): StringSize | undefined {
    return this.#entries.get(spelling)?.size;
  }

  /** The column of last time, if the bytes at `at` begin with just what it was read from. */
  same(spelling: string, body: Uint8Array, at: number, rowCount: number): KnownColumn | undefined {
    const entry = this.#entries.get(spelling);
    const known = entry?.known;
    if (entry === undefined || known?.column.values.length !== rowCount) return undefined;
    const { written } = known;
    const end = at + written.length;
    if (end > body.length || written.compare(body, at, end) !== 0) return undefined;
    entry.misses = 0;
    return known;
  }

  /**
   * Notes a column that was read.
   * @param codes by row, if every row has a string; copied, as are the others
   * @param written what it was read from
   */
  note(
    spelling: string,
    dictionary: StringDictionary,
    codes: Uint32Array | undefined,
    written: Uint8Array,
  ): void {
    const { count, bytes } = dictionary;
    const size = { count, bytes: bytes.length };
    const entry = this.#entry(spelling, size);
    entry.size = size;
    entry.misses += 1;
    const isDue = entry.misses <= missesMax || entry.misses % missesBetween === 0;
    if (codes === undefined || !isDue) return;
    if (written.length > writtenBytesMax || codes.length > rowsMax) return;
    const known: KnownColumn = {
      column: { values: codes.slice(), dictionary: copyOf(dictionary) },
      written: Buffer.from(new Uint8Array(written).buffer),
    };
    this.#bytes += bytesOf(known) - bytesOf(entry.known);
    entry.known = known;
    if (this.#bytes > bytesMax) this.#clear();
  }

  #entry(spelling: string, size: StringSize): Entry {
    const found = this.#entries.get(spelling);
    if (found !== undefined) return found;
    if (this.#entries.size >= entriesMax) this.#clear();
    const made: Entry = { size, known: undefined, misses: 0 };
    this.#entries.set(spelling, made);
    return made;
  }

  #clear(): void {
    this.#entries.clear();
    this.#bytes = 0;
  }
}

function copyOf({ count, bytes, offsets }: StringDictionary): StringDictionary {
  return { count, bytes: new Uint8Array(bytes), offsets: new Uint32Array(offsets) };
}

function bytesOf(known: KnownColumn | undefined): number {
  if (known === undefined) return 0;
  const { values, dictionary } = known.column;
  const strings = (dictionary?.bytes.length ?? 0) + (dictionary?.offsets.byteLength ?? 0);
  return known.written.length + values.byteLength + strings;
}
