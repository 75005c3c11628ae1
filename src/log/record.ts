/**
 * Bytes of a log record and of a group (docs/format/wal.md, "Record").
 *
 * I1 A record starts on a multiple of 8 bytes in its file, and so does its payload.
 * I2 The checksum covers everything but magic and checksum itself: salt, number and mark too.
 * I3 A group ends with zeros up to the page boundary, so no page is read before it is written,
 *    and no bytes of an earlier life of the file stand in a page that was written.
 */
import { crc32 } from 'node:zlib';
import { assert } from '../base/lib/assert.ts';
import { pageBytes } from './log-rules.ts';
import type { LogRecord } from './log-types.ts';

export const recordHeaderBytes = 40;
const magic = 0x31524648; // "HFR1"
const saltWord = 8; // its index in u32 words from the record's start
const flagSnapshot = 1;
const wordRange = 2 ** 32;
const zeros = new Uint8Array(pageBytes);

/** A valid record and where it stands in its segment. */
export interface FoundRecord extends LogRecord {
  readonly mark: number;
  readonly salt: number;
  readonly position: number;
  /** Position behind its padding. */
  readonly end: number;
}

/** Bytes that a record with this payload takes in a segment. */
export function recordBytes(payloadBytes: number): number {
  return recordHeaderBytes + Math.ceil(payloadBytes / 8) * 8;
}

/** Sets a u64 below 2^53. */
export function setNumber(view: DataView, at: number, value: number): void {
  view.setUint32(at, value % wordRange, true);
  view.setUint32(at + 4, Math.floor(value / wordRange), true);
}

/** Gets a u64; values from 2^53 on come back inexact and fail `Number.isSafeInteger`. */
export function getNumber(view: DataView, at: number): number {
  return view.getUint32(at, true) + view.getUint32(at + 4, true) * wordRange;
}

/**
 * Parts to write, in order, for a group of records with numbers, filled up to a page boundary by
 * `pad` zero bytes. `markOf` gives the mark of each record.
 */
export function encodeGroup(
  records: readonly LogRecord[],
  salt: number,
  markOf: (record: LogRecord) => number,
  pad: number,
): Uint8Array[] {
  const headers = new Uint8Array(records.length * recordHeaderBytes);
  const view = new DataView(headers.buffer);
  const parts: Uint8Array[] = [];
  for (const [index, record] of records.entries()) {
    const at = index * recordHeaderBytes;
    const { length } = record.payload;
    assert(length < wordRange && record.count < wordRange, 'log record is below 4 GiB');
    view.setUint32(at, magic, true);
    view.setUint32(at + 8, length, true);
    view.setUint32(at + 12, record.count, true);
    setNumber(view, at + 16, record.number);
    setNumber(view, at + 24, markOf(record));
    view.setUint32(at + 32, salt, true);
    view.setUint32(at + 36, record.snapshot ? flagSnapshot : 0, true);
    const head = headers.subarray(at, at + recordHeaderBytes);
    view.setUint32(at + 4, crc32(record.payload, crc32(head.subarray(8))), true);
    parts.push(head, record.payload);
    const rest = recordBytes(length) - recordHeaderBytes - length;
    if (rest > 0) parts.push(zeros.subarray(0, rest));
  }
  if (pad > 0) parts.push(zeros.subarray(0, pad));
  return parts;
}

/**
 * Finds valid records in the bytes of a whole segment, one after the other. Where none stands it
 * looks on in steps of 8 bytes, so it passes padding, torn and rotten ranges alike.
 */
export class RecordScanner {
  readonly #bytes: Uint8Array;
  readonly #words: Uint32Array;
  readonly #view: DataView;
  readonly #salt: number | undefined;
  #position: number;

  /** `bytes` begin at byte 0 of the segment; `salt` undefined accepts any. */
  constructor(bytes: Uint8Array, from: number, salt: number | undefined) {
    const { buffer, byteOffset, length } = bytes;
    this.#bytes = bytes;
    this.#words = new Uint32Array(buffer, byteOffset, Math.floor(length / 4));
    this.#view = new DataView(buffer, byteOffset, length);
    this.#salt = salt;
    this.#position = from;
  }

  /** Position behind the last record found. */
  get position(): number {
    return this.#position;
  }

  /** The next valid record, or undefined at the end of the bytes. */
  next(): FoundRecord | undefined {
    const words = this.#words;
    const last = words.length - recordHeaderBytes / 4;
    for (let word = this.#position / 4; word <= last; word += 2) {
      if (words[word] !== magic) continue;
      if (this.#salt !== undefined && words[word + saltWord] !== this.#salt) continue;
      const record = this.#read(word * 4);
      if (record === undefined) continue;
      this.#position = record.end;
      return record;
    }
    return undefined;
  }

  /** True if at `position` a record of this segment was begun, valid or not. */
  begunAt(position: number): boolean {
    const word = position / 4;
    return this.#words[word] === magic && this.#words[word + saltWord] === this.#salt;
  }

  #read(position: number): FoundRecord | undefined {
    const view = this.#view;
    const payloadAt = position + recordHeaderBytes;
    const length = view.getUint32(position + 8, true);
    if (length > this.#bytes.length - payloadAt) return undefined;
    const payload = this.#bytes.subarray(payloadAt, payloadAt + length);
    const head = this.#bytes.subarray(position + 8, payloadAt);
    if (crc32(payload, crc32(head)) !== view.getUint32(position + 4, true)) return undefined;
    const count = view.getUint32(position + 12, true);
    const number = getNumber(view, position + 16);
    if (count < 1 || number < 1 || !Number.isSafeInteger(number + count)) return undefined;
    return {
      number,
      count,
      payload,
      snapshot: (view.getUint32(position + 36, true) & flagSnapshot) !== 0,
      mark: getNumber(view, position + 24),
      salt: view.getUint32(position + saltWord * 4, true),
      position,
      end: Math.min(position + recordBytes(length), this.#bytes.length),
    };
  }
}
