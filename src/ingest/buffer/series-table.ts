/**
 * Numbers for series keys: the same bytes give the same number, from 0 in order of first sight.
 * Hashed, compared exactly. Senders repeat their series in the same order, so the key after the one
 * found last is tried before the hash is worked out. Main thread.
 */
import { SlotTable } from '../../base/lib/slot-table.ts';
import type { Steps } from '../../base/lib/turns.ts';

/** Bytes of keys that stand together; a longer key has a piece of its own. */
const pieceBytes = 65_536;

/** Numbers in `#places` per series. */
const placeNumbers = 3;

/** Series of a block of `#places`; a power of two. */
const seriesPerBlock = 16_384;

/** Series between two chances for a pause. */
export const seriesPerStep = 1024;

/** Bytes of a key while it is made; grows, used within one call. */
export class KeyScratch {
  bytes: Buffer = Buffer.alloc(1024);
  length = 0;

  /** Room for `count` more bytes. */
  reserve(count: number): void {
    const needed = this.length + count;
    if (needed <= this.bytes.length) return;
    const grown = Buffer.alloc(Math.max(needed, 2 * this.bytes.length));
    this.bytes.copy(grown, 0, 0, this.length);
    this.bytes = grown;
  }

  putNumber(value: number): void {
    this.reserve(4);
    this.bytes.writeUInt32LE(value, this.length);
    this.length += 4;
  }

  /** A loop: values are short, and a call out of JavaScript costs more than ten bytes. */
  putBytes(source: Uint8Array, from: number, to: number): void {
    this.reserve(to - from);
    const { bytes } = this;
    let { length } = this;
    for (let index = from; index < to; index += 1) {
      bytes[length] = source[index] as number;
      length += 1;
    }
    this.length = length;
  }
}

export class SeriesTable {
  readonly #seed: number;
  /** Keys back to back; pieces never move, so that growing copies none. */
  readonly #pieces: Buffer[] = [];
  #pieceUsed = pieceBytes;
  #keyBytes = 0;
  /**
   * By series: the piece of its key, where the key begins in it, and its length. In blocks that
   * never move either; only the first one starts small.
   */
  readonly #places = [new Uint32Array(placeNumbers * 16)];
  #placeBytes = 4 * placeNumbers * 16;
  readonly #table = new SlotTable();
  #count = 0;
  #last = 0;

  /** @param seed mixes the hash, so that a sender cannot choose keys that collide */
  constructor(seed: number) {
    this.#seed = seed | 0;
  }

  get count(): number {
    return this.#count;
  }

  get bytes(): number {
    return this.#keyBytes + this.#placeBytes + this.#table.bytes;
  }

  /** Number of the key, or undefined if it has none. */
  find({ bytes, length }: KeyScratch): number | undefined {
    const guess = this.#last + 1;
    if (guess < this.#count && this.#equals(guess, bytes, length)) {
      this.#last = guess;
      return guess;
    }
    const series = this.#found(this.#hash(bytes, length), bytes, length);
    if (series !== undefined) this.#last = series;
    return series;
  }

  /** Number of the key, given now if it has none. */
  number(key: KeyScratch): number {
    return this.find(key) ?? this.#add(key);
  }

  /**
   * A table of these series only, numbered by their place in the list. Yields between pieces of the
   * work.
   */
  *only(series: Uint32Array): Steps<SeriesTable> {
    const table = new SeriesTable(this.#seed);
    const key = new KeyScratch();
    for (let index = 0; index < series.length; index += 1) {
      const each = series[index] as number;
      const places = this.#placesOf(each);
      const at = placeOf(each);
      const start = places[at + 1] as number;
      key.length = 0;
      key.putBytes(
        this.#pieces[places[at] as number] as Buffer,
        start,
        start + (places[at + 2] as number),
      );
      table.#add(key);
      if (index % seriesPerStep === seriesPerStep - 1) yield;
    }
    return table;
  }

  #add({ bytes, length }: KeyScratch): number {
    const series = this.#count;
    if (this.#pieceUsed + length > (this.#pieces.at(-1)?.length ?? 0)) this.#addPiece(length);
    const piece = this.#pieces.length - 1;
    bytes.copy(this.#pieces[piece] as Buffer, this.#pieceUsed, 0, length);
    const places = this.#placesFor(series);
    const at = placeOf(series);
    places[at] = piece;
    places[at + 1] = this.#pieceUsed;
    places[at + 2] = length;
    this.#pieceUsed += length;
    this.#table.add(this.#hash(bytes, length), series);
    this.#count += 1;
    this.#last = series;
    return series;
  }

  #equals(series: number, bytes: Buffer, length: number): boolean {
    const places = this.#placesOf(series);
    const at = placeOf(series);
    if (places[at + 2] !== length) return false;
    const start = places[at + 1] as number;
    const piece = this.#pieces[places[at] as number] as Buffer;
    return piece.compare(bytes, 0, length, start, start + length) === 0;
  }

  #placesOf(series: number): Uint32Array {
    return this.#places[Math.floor(series / seriesPerBlock)] as Uint32Array;
  }

  #found(hash: number, bytes: Buffer, length: number): number | undefined {
    const table = this.#table;
    for (let series = table.first(hash); series >= 0; series = table.next(hash, series)) {
      if (this.#equals(series, bytes, length)) return series;
    }
    return undefined;
  }

  #hash(bytes: Uint8Array, length: number): number {
    let hash = this.#seed;
    for (let position = 0; position < length; position += 1) {
      hash = Math.imul(hash ^ (bytes[position] as number), 0x5bd1e995);
      hash ^= hash >>> 15;
    }
    hash = Math.imul(hash ^ (hash >>> 13), 0x5bd1e995);
    return (hash ^ (hash >>> 15)) >>> 0;
  }

  /** The first piece is as small as the first key: most measurements have few series. */
  #addPiece(length: number): void {
    const last = this.#pieces.at(-1)?.length ?? 128;
    const piece = Buffer.alloc(Math.max(length, Math.min(pieceBytes, 2 * last)));
    this.#pieces.push(piece);
    this.#pieceUsed = 0;
    this.#keyBytes += piece.length;
  }

  /** The block of a series, with room for it. */
  #placesFor(series: number): Uint32Array {
    const block = Math.floor(series / seriesPerBlock);
    const known = this.#places[block];
    if (known !== undefined && placeOf(series) < known.length) return known;
    const length = block > 0 ? placeNumbers * seriesPerBlock : 2 * (known?.length ?? 0);
    const made = new Uint32Array(length);
    if (known !== undefined) made.set(known);
    this.#places[block] = made;
    this.#placeBytes += made.byteLength - (known?.byteLength ?? 0);
    return made;
  }
}

/** Place of a series in its block. */
function placeOf(series: number): number {
  return placeNumbers * (series % seriesPerBlock);
}
