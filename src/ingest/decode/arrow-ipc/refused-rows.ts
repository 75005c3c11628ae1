/**
 * Rows of a record batch that are refused, as one columnar MessagePack item: whole in itself
 * whatever stream and request they came with, so that they can be sent once more.
 */
import type { ColumnValues } from '../../../base/model/column-batch.ts';
import type { StagedItem } from '../columnar/columnar-placer.ts';
import type { StagedColumn } from '../columnar/staged-column.ts';
import * as format from '../msgpack/formats.ts';

/** Rows between two chances for a pause. */
const stepRows = 2048;

const twoTo32 = 4_294_967_296;
const usPerSecond = 1_000_000n;

class PackWriter {
  #bytes = new Uint8Array(4096);
  #view = new DataView(this.#bytes.buffer);
  at = 0;

  /** Room for `more` bytes. */
  #reserve(more: number): void {
    if (this.at + more <= this.#bytes.length) return;
    const grown = new Uint8Array(Math.max(this.at + more, this.#bytes.length * 2));
    grown.set(this.#bytes);
    this.#bytes = grown;
    this.#view = new DataView(grown.buffer);
  }

  byte(value: number): void {
    this.#reserve(1);
    this.#bytes[this.at] = value;
    this.at += 1;
  }

  head(first: number, length: number): void {
    this.#reserve(5);
    this.#view.setUint8(this.at, first);
    this.#view.setUint32(this.at + 1, length);
    this.at += 5;
  }

  string(bytes: Uint8Array): void {
    if (bytes.length < 32) this.byte(0xa0 + bytes.length);
    else this.head(format.str32, bytes.length);
    this.#reserve(bytes.length);
    this.#bytes.set(bytes, this.at);
    this.at += bytes.length;
  }

  text(text: string): void {
    this.string(new TextEncoder().encode(text));
  }

  double(value: number): void {
    this.#reserve(9);
    this.#view.setUint8(this.at, format.float64);
    this.#view.setFloat64(this.at + 1, value);
    this.at += 9;
  }

  integer(value: bigint): void {
    if (value >= 0n && value < 128n) {
      this.byte(Number(value));
      return;
    }
    this.#reserve(9);
    this.#view.setUint8(this.at, value < 0n ? format.int64 : format.uint64);
    this.#view.setBigUint64(this.at + 1, BigInt.asUintN(64, value));
    this.at += 9;
  }

  /** A timestamp of MessagePack's own extension, of 12 bytes. */
  time(us: bigint): void {
    let seconds = us / usPerSecond;
    let rest = us % usPerSecond;
    if (rest < 0n) {
      seconds -= 1n;
      rest += usPerSecond;
    }
    this.#reserve(15);
    this.#view.setUint8(this.at, format.ext8);
    this.#view.setUint8(this.at + 1, 12);
    this.#view.setUint8(this.at + 2, format.timestampType);
    this.#view.setUint32(this.at + 3, Number(rest) * 1000);
    this.#view.setBigInt64(this.at + 7, seconds);
    this.at += 15;
  }

  finish(): Uint8Array {
    return this.#bytes.slice(0, this.at);
  }
}

export interface RefusedOptions {
  readonly measurement: string;
  /** 1 for each row that is meant; undefined: all are. */
  readonly marks: Uint8Array | undefined;
  readonly count: number;
  /** Of the item; where it ends up with more, it is left unfinished. */
  readonly bytesMax: number;
}

/** The item, and whether all rows are in it. Yields for pauses. */
export function* refusedRows(
  item: StagedItem,
  { measurement, marks, count, bytesMax }: RefusedOptions,
): Generator<undefined, { readonly bytes: Uint8Array; readonly isWhole: boolean }> {
  const writer = new PackWriter();
  const tags = item.stages.filter(({ kind }) => kind === 'tag').map(({ spelling }) => spelling);
  writer.byte(0x80 + (item.namesTags ? 3 : 2));
  writer.text('m');
  writer.text(measurement);
  if (item.namesTags) {
    writer.text('tags');
    writer.head(format.array32, tags.length);
    for (const tag of tags) writer.text(tag);
  }
  writer.text('columns');
  writer.head(format.map32, item.stages.length + (item.times === undefined ? 0 : 1));
  if (item.times !== undefined) yield* putTimes(writer, item.times, item, marks, count);
  for (const stage of item.stages) {
    if (writer.at > bytesMax) break;
    writer.text(stage.spelling);
    writer.head(format.array32, count);
    yield* putValues(writer, stage, marks, bytesMax);
  }
  return { bytes: writer.finish(), isWhole: writer.at <= bytesMax };
}

function* putTimes(
  writer: PackWriter,
  times: Int32Array,
  { left, rowCount }: StagedItem,
  marks: Uint8Array | undefined,
  count: number,
): Generator<undefined> {
  writer.text('time');
  writer.head(format.array32, count);
  for (let row = 0; row < rowCount; row += 1) {
    if (row % stepRows === stepRows - 1) yield;
    if (marks !== undefined && marks[row] !== 1) continue;
    const low = times[2 * row] ?? 0;
    const high = times[2 * row + 1] ?? 0;
    // What is no time has none here either.
    const isNone = left?.rows[row] === 1 && low === 0 && high === 0;
    if (isNone) writer.byte(format.nil);
    else writer.time(BigInt(high) * BigInt(twoTo32) + BigInt(low >>> 0));
  }
}

function* putValues(
  writer: PackWriter,
  stage: StagedColumn,
  marks: Uint8Array | undefined,
  bytesMax: number,
): Generator<undefined> {
  const columns = stage.columns().map((column) => ({ column, next: 0 }));
  for (let row = 0; row < stage.rowCount; row += 1) {
    if (row % stepRows === stepRows - 1) yield;
    if (writer.at > bytesMax) return;
    const isMeant = marks === undefined || marks[row] === 1;
    let isPut = false;
    for (const each of columns) {
      const { values, rows } = each.column;
      const at = each.next;
      if (at >= values.length || (rows === undefined ? at : rows[at]) !== row) continue;
      each.next = at + 1;
      if (isMeant) putValue(writer, each.column, at);
      isPut = true;
    }
    if (isMeant && !isPut) writer.byte(format.nil);
  }
}

function putValue(writer: PackWriter, { column, values, dictionary }: ColumnValues, at: number) {
  const value = values[at] ?? 0;
  switch (column.physical.type) {
    case 'double':
      writer.double(Number(value));
      return;
    case 'boolean':
      writer.byte(value === 1 ? format.boolTrue : format.boolFalse);
      return;
    case 'string': {
      const code = Number(value);
      const { bytes, offsets } = dictionary ?? { bytes: new Uint8Array(0), offsets: [] };
      writer.string(bytes.subarray(offsets[code] ?? 0, offsets[code + 1] ?? 0));
      return;
    }
    default:
      writer.integer(BigInt(value));
  }
}
