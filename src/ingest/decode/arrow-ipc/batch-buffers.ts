/**
 * Where the columns of one record batch are in the body, checked: every buffer lies within its
 * message, and is as long as the rows need it. What buffers hold (offsets, indexes, views) is
 * checked by who reads it.
 */
import type { ByteSpace } from '../bytes.ts';
import { arrowFault } from './flat-table.ts';
import type { ArrowBatch, ArrowType } from './metadata.ts';

export interface Region {
  readonly at: number;
  readonly length: number;
}

/** One column of one batch; positions are in the request's body. */
export interface ColumnPlace {
  readonly rowCount: number;
  /** Where the bits are that say which rows have a value; -1: all have. */
  readonly validityAt: number;
  /** True if no row has a value: nothing else is to be read then. */
  readonly isEmpty: boolean;
  /** Values, indexes, offsets or views. */
  readonly valuesAt: number;
  /** Bytes that offsets or views point into. */
  readonly texts: readonly Region[];
}

/** Bytes of the values of `rows` rows. */
function valueBytes(type: ArrowType, rows: number): number {
  switch (type.name) {
    case 'bool':
      return Math.ceil(rows / 8);
    case 'int':
    case 'float':
      return (rows * type.bits) / 8;
    case 'timestamp':
      return rows * 8;
    case 'date':
      return rows * (type.unit === 'day' ? 4 : 8);
    case 'text':
      if (type.layout === 'views') return rows * 16;
      // An array of no rows may have no offsets at all.
      return rows === 0 ? 0 : (rows + 1) * (type.layout === 'offsets32' ? 4 : 8);
    default:
      return 0;
  }
}

export class BatchBuffers {
  readonly #batch: ArrowBatch;
  readonly #body: Region;
  #node = 0;
  #buffer = 0;
  #variadic = 0;

  /** `body` is where the message's own body is. */
  constructor(batch: ArrowBatch, body: Region) {
    this.#batch = batch;
    this.#body = body;
  }

  /**
   * Of the next column. One of nulls only may have shorter buffers, unless `isStrict`.
   * @throws HF_BODY_UNREADABLE
   */
  next(type: ArrowType, name: string, isStrict = false): ColumnPlace {
    const { nodes, variadic } = this.#batch;
    const rowCount = nodes[2 * this.#node] ?? -1;
    const nulls = nodes[2 * this.#node + 1] ?? -1;
    this.#node += 1;
    if (rowCount !== this.#batch.rowCount) throw arrowFault(`no rows of column "${name}"`);
    if (nulls < 0 || nulls > rowCount) throw arrowFault(`${nulls} nulls in column "${name}"`);
    const none = { rowCount, validityAt: -1, isEmpty: true, valuesAt: 0, texts: [] };
    if (type.name === 'null') return none;
    const validity = this.#next(name);
    const values = this.#next(name);
    const texts: Region[] = [];
    if (type.name === 'text') {
      const count = type.layout === 'views' ? (variadic[this.#variadic++] ?? -1) : 1;
      if (count < 0) throw arrowFault(`no count of buffers of column "${name}"`);
      for (let index = 0; index < count; index += 1) texts.push(this.#next(name));
    }
    const isShort = values.length < valueBytes(type, rowCount);
    if (isShort && isStrict) throw tooShort(name);
    if (nulls === rowCount) return none;
    if (nulls > 0 && validity.length < Math.ceil(rowCount / 8)) throw tooShort(name);
    if (isShort) throw tooShort(name);
    const validityAt = nulls === 0 ? -1 : validity.at;
    return { rowCount, validityAt, isEmpty: false, valuesAt: values.at, texts };
  }

  #next(name: string): Region {
    const { buffers } = this.#batch;
    const offset = buffers[2 * this.#buffer] ?? -1;
    const length = buffers[2 * this.#buffer + 1] ?? -1;
    this.#buffer += 1;
    if (offset < 0 || length < 0 || offset + length > this.#body.length) {
      throw arrowFault(`a buffer of column "${name}" outside its message`);
    }
    return { at: this.#body.at + offset, length };
  }
}

function tooShort(name: string) {
  return arrowFault(`a buffer of column "${name}" shorter than its rows`);
}

/** Rows between two chances for a pause. */
export const stepRows = 8192;

/**
 * Which of the `count` rows from `from` on have a value, counted from `from`; undefined: all have.
 * Yields for pauses.
 */
export function* presentRows(
  { bytes }: ByteSpace,
  { validityAt, isEmpty }: ColumnPlace,
  from: number,
  count: number,
): Generator<undefined, Uint32Array | undefined> {
  if (isEmpty) return new Uint32Array(0);
  if (validityAt < 0) return undefined;
  const rows = new Uint32Array(count);
  let found = 0;
  for (let index = 0; index < count; index += 1) {
    const row = from + index;
    if ((((bytes[validityAt + (row >>> 3)] ?? 0) >>> (row & 7)) & 1) === 1) {
      rows[found] = index;
      found += 1;
    }
    if (index % stepRows === stepRows - 1) yield;
  }
  return found === count ? undefined : rows.subarray(0, found);
}
