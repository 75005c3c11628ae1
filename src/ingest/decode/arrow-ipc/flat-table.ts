/**
 * Reads FlatBuffers, the metadata of Arrow messages, from bytes that nobody vouches for.
 *
 * F1. Nothing is read outside the bytes, and no length is believed before its bytes are there.
 * F2. Tables may point at each other in any way: what one message may cost is bounded.
 */
import { isUtf8 } from 'node:buffer';
import { GatewayError } from '../../../base/errors/gateway-error.ts';
import { decodeText } from '../series-parser.ts';

/** An error that says why bytes are no Arrow; its message is a part of a sentence. */
export function arrowFault(reason: string): GatewayError {
  return new GatewayError('HF_BODY_UNREADABLE', reason);
}

/** Tables of one message that are looked at, beyond one per 16 bytes of it. */
const tablesFirst = 256;

/** Bytes of texts that are read, beyond four times those of the message: some may be shared. */
const textBytesFirst = 65_536;

const exactMax = Number.MAX_SAFE_INTEGER;

interface FlatBytes {
  readonly bytes: Uint8Array;
  readonly view: DataView;
  tablesLeft: number;
  textBytesLeft: number;
}

/** Where the first element is, and how many there are: their bytes are there. */
interface FlatVector {
  readonly at: number;
  readonly length: number;
}

export class FlatTable {
  readonly #source: FlatBytes;
  readonly #at: number;
  readonly #slots: number;
  readonly #slotsEnd: number;

  private constructor(source: FlatBytes, at: number) {
    this.#source = source;
    source.tablesLeft -= 1;
    if (source.tablesLeft < 0) throw arrowFault('too many tables in its metadata');
    check(source, at, 4);
    const slots = at - source.view.getInt32(at, true);
    check(source, slots, 4);
    const length = source.view.getUint16(slots, true);
    if (length < 4) throw broken();
    check(source, slots, length);
    this.#at = at;
    this.#slots = slots + 4;
    this.#slotsEnd = slots + length;
  }

  /** The table that `bytes` are. @throws HF_BODY_UNREADABLE, as every call here */
  static root(bytes: Uint8Array): FlatTable {
    const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.length);
    const tablesLeft = tablesFirst + (bytes.length >>> 4);
    const textBytesLeft = textBytesFirst + 4 * bytes.length;
    const source = { bytes, view, tablesLeft, textBytesLeft };
    return new FlatTable(source, target(source, 0));
  }

  uint8(slot: number): number {
    const at = this.#field(slot, 1);
    return at < 0 ? 0 : this.#source.view.getUint8(at);
  }

  int16(slot: number, absent = 0): number {
    const at = this.#field(slot, 2);
    return at < 0 ? absent : this.#source.view.getInt16(at, true);
  }

  int32(slot: number): number {
    const at = this.#field(slot, 4);
    return at < 0 ? 0 : this.#source.view.getInt32(at, true);
  }

  /** An integer of 64 bits that is exact as a number. */
  int64(slot: number): number {
    const at = this.#field(slot, 8);
    return at < 0 ? 0 : exact(this.#source.view, at);
  }

  table(slot: number): FlatTable | undefined {
    const at = this.#field(slot, 4);
    return at < 0 ? undefined : new FlatTable(this.#source, target(this.#source, at));
  }

  text(slot: number): string | undefined {
    const vector = this.#vector(slot, 1);
    if (vector === undefined) return undefined;
    this.#source.textBytesLeft -= vector.length;
    if (this.#source.textBytesLeft < 0) throw arrowFault('too much text in its metadata');
    const bytes = this.#source.bytes.subarray(vector.at, vector.at + vector.length);
    if (!isUtf8(bytes)) throw arrowFault('invalid UTF-8 in its metadata');
    return decodeText(bytes);
  }

  /** A vector whose elements take `size` bytes each. */
  #vector(slot: number, size: number): FlatVector | undefined {
    const at = this.#field(slot, 4);
    if (at < 0) return undefined;
    const start = target(this.#source, at);
    check(this.#source, start, 4);
    const length = this.#source.view.getUint32(start, true);
    check(this.#source, start + 4, length * size);
    return { at: start + 4, length };
  }

  /** The tables of a vector, one after the other. */
  *tables(slot: number): Generator<FlatTable, undefined> {
    const vector = this.#vector(slot, 4);
    for (let index = 0; index < (vector?.length ?? 0); index += 1) {
      const at = (vector?.at ?? 0) + 4 * index;
      yield new FlatTable(this.#source, target(this.#source, at));
    }
  }

  /** The integers of a vector of structs that are `count` of them each, of 64 bits. */
  integers(slot: number, count: number): Float64Array {
    const vector = this.#vector(slot, 8 * count) ?? { at: 0, length: 0 };
    const integers = new Float64Array(vector.length * count);
    const { view } = this.#source;
    for (let index = 0; index < integers.length; index += 1) {
      integers[index] = exact(view, vector.at + 8 * index);
    }
    return integers;
  }

  /** Where the value of a slot is; -1: it has the value that is meant without one. */
  #field(slot: number, size: number): number {
    const at = this.#slots + 2 * slot;
    if (at + 2 > this.#slotsEnd) return -1;
    const offset = this.#source.view.getUint16(at, true);
    if (offset === 0) return -1;
    check(this.#source, this.#at + offset, size);
    return this.#at + offset;
  }
}

function broken(): GatewayError {
  return arrowFault('its metadata points outside itself');
}

function check({ bytes }: FlatBytes, at: number, length: number): void {
  if (at < 0 || at + length > bytes.length) throw broken();
}

/** Where the offset at `at` leads. */
function target(source: FlatBytes, at: number): number {
  check(source, at, 4);
  return at + source.view.getUint32(at, true);
}

function exact(view: DataView, at: number): number {
  const value = view.getInt32(at + 4, true) * 4_294_967_296 + view.getUint32(at, true);
  if (Math.abs(value) > exactMax) throw arrowFault(`a length of ${value} in its metadata`);
  return value;
}
