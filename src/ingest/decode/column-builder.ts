/**
 * One physical column of one measurement in one request. Values are appended in row order; as long
 * as every row has one the column is dense and notes no row numbers.
 */
import type { ColumnArray, ColumnValues } from '../../base/model/column-batch.ts';
import type { ColumnRef } from '../../base/model/schema.ts';
import { freeMemory } from '../../base/lib/free-memory.ts';
import { DictionaryBuilder } from './dictionary-builder.ts';

const noRows = new Uint32Array(0);
const noDoubles = new Float64Array(0);
const noWords = new Int32Array(0);
const noBytes = new Uint8Array(0);
const noCodes = new Uint32Array(0);

const twoTo32 = 4_294_967_296;

/** Only the array of the column's own type is used; one class keeps the hot loop monomorphic. */
export class ColumnBuilder {
  readonly ref: ColumnRef;
  readonly dictionary: DictionaryBuilder | undefined;
  count = 0;
  #capacity: number;
  #sparse = false;
  #rows = noRows;
  #doubles = noDoubles;
  /** int64 and uint64, low half first. */
  #words = noWords;
  #bytes = noBytes;
  #codes = noCodes;

  /** `dictionary`: an empty one for a column of strings, if there is one at hand. */
  constructor(ref: ColumnRef, capacity: number, dictionary?: DictionaryBuilder) {
    this.ref = ref;
    this.#capacity = capacity;
    const isString = ref.physical.type === 'string';
    this.dictionary = isString ? (dictionary ?? new DictionaryBuilder()) : undefined;
    switch (ref.physical.type) {
      case 'double':
        this.#doubles = new Float64Array(capacity);
        break;
      case 'int64':
      case 'uint64':
        this.#words = new Int32Array(capacity * 2);
        break;
      case 'boolean':
        this.#bytes = new Uint8Array(capacity);
        break;
      case 'string':
        this.#codes = new Uint32Array(capacity);
        break;
    }
  }

  pushDouble(row: number, value: number): void {
    const at = this.#next(row);
    this.#doubles[at] = value;
  }

  /** A whole number below 2^64 that is exact as a double; negative ones from -2^63. */
  pushInteger(row: number, value: number): void {
    const at = this.#next(row);
    const high = Math.floor(value / twoTo32);
    this.#words[at * 2] = (value - high * twoTo32) | 0;
    this.#words[at * 2 + 1] = high | 0;
  }

  /** A 64 bit integer by halves. */
  pushWords(row: number, low: number, high: number): void {
    const at = this.#next(row);
    this.#words[at * 2] = low;
    this.#words[at * 2 + 1] = high;
  }

  pushBoolean(row: number, value: number): void {
    const at = this.#next(row);
    this.#bytes[at] = value;
  }

  pushCode(row: number, code: number): void {
    const at = this.#next(row);
    this.#codes[at] = code;
  }

  /** The column of a batch of `rowCount` rows. */
  finish(rowCount: number): ColumnValues {
    if (this.count < rowCount && !this.#sparse) this.#makeSparse();
    return {
      column: this.ref,
      values: this.#values(),
      rows: this.#sparse ? this.#rows.subarray(0, this.count) : undefined,
      dictionary: this.dictionary?.finish(),
    };
  }

  /** Gives all memory back; what `finish` gave is empty then. */
  free(): void {
    for (const array of [this.#rows, this.#doubles, this.#words, this.#bytes, this.#codes]) {
      freeMemory(array);
    }
    this.dictionary?.free();
  }

  #values(): ColumnArray {
    const { count } = this;
    switch (this.ref.physical.type) {
      case 'double':
        return this.#doubles.subarray(0, count);
      case 'int64':
        return new BigInt64Array(this.#words.buffer, 0, count);
      case 'uint64':
        return new BigUint64Array(this.#words.buffer, 0, count);
      case 'boolean':
        return this.#bytes.subarray(0, count);
      case 'string':
        return this.#codes.subarray(0, count);
    }
  }

  /** Index for the value of `row`. */
  #next(row: number): number {
    const at = this.count;
    if (at === this.#capacity) this.#grow();
    if (at !== row && !this.#sparse) this.#makeSparse();
    if (this.#sparse) this.#rows[at] = row;
    this.count = at + 1;
    return at;
  }

  #makeSparse(): void {
    this.#sparse = true;
    this.#rows = new Uint32Array(this.#capacity);
    for (let row = 0; row < this.count; row += 1) this.#rows[row] = row;
  }

  #grow(): void {
    this.#capacity *= 2;
    if (this.#sparse) this.#rows = copied(this.#rows, new Uint32Array(this.#capacity));
    switch (this.ref.physical.type) {
      case 'double':
        this.#doubles = copied(this.#doubles, new Float64Array(this.#capacity));
        break;
      case 'int64':
      case 'uint64':
        this.#words = copied(this.#words, new Int32Array(this.#capacity * 2));
        break;
      case 'boolean':
        this.#bytes = copied(this.#bytes, new Uint8Array(this.#capacity));
        break;
      case 'string':
        this.#codes = copied(this.#codes, new Uint32Array(this.#capacity));
        break;
    }
  }
}

function copied<T extends ArrayBufferView & { set(from: T): void }>(from: T, to: T): T {
  to.set(from);
  freeMemory(from);
  return to;
}
