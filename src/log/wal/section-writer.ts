/**
 * Writes one section of a request record: the rows of one measurement, in columns. Sizes first,
 * then every byte once, with pauses where a section is large. Format: docs/format/wal.md ("Request
 * record"). Used by request-record.ts, on the main thread.
 */
import { assert } from '../../base/lib/assert.ts';
import type { Steps } from '../../base/lib/turns.ts';
import type {
  ColumnArray,
  ColumnBatch,
  ColumnValues,
  StringDictionary,
} from '../../base/model/column-batch.ts';
import type { PhysicalType } from '../../base/model/schema.ts';
import {
  columnFlags,
  columnsMax,
  kindCodes,
  nameBytesMax,
  padded,
  sectionFlags,
  sectionHeader,
  typeCodes,
  valueBytes,
  valuesFit,
  valueView,
} from './request-layout.ts';

/** What the arrays of one section take, in elements of eight, four and one bytes. */
export interface SectionSize {
  descriptorBytes: number;
  nameBytes: number;
  eightCount: number;
  fourCount: number;
  byteCount: number;
}

function dictionaryBytes(dictionary: StringDictionary): number {
  return dictionary.offsets[dictionary.count] ?? 0;
}

const namingsOf = ({ namings = 0 }: ColumnBatch) => namings;

function addColumnSize(size: SectionSize, values: ColumnValues, rowCount: number): void {
  const { column, rows, dictionary } = values;
  const { name, type } = column.physical;
  const count = values.values.length;
  assert(valuesFit(type, values.values), `column ${name}: array and type ${type} differ`);
  assert(count === (rows?.length ?? rowCount), `column ${name}: count of values`);
  assert((type === 'string') === (dictionary !== undefined), `column ${name}: dictionary`);
  size.descriptorBytes += 4;
  size.nameBytes += Buffer.byteLength(column.spelling);
  if (column.sqlName !== column.spelling) {
    size.descriptorBytes += 2;
    size.nameBytes += Buffer.byteLength(column.sqlName);
  }
  if (name !== column.sqlName) {
    size.descriptorBytes += 2;
    size.nameBytes += Buffer.byteLength(name);
  }
  if (rows !== undefined) {
    size.descriptorBytes += 4;
    size.fourCount += count;
  }
  if (dictionary !== undefined) {
    size.descriptorBytes += 8;
    size.fourCount += dictionary.count + 1;
    size.byteCount += dictionaryBytes(dictionary);
  }
  const width = valueBytes(type);
  if (width === 8) size.eightCount += count;
  else if (width === 4) size.fourCount += count;
  else size.byteCount += count;
}

/** Sizes of the section of `batch`, found before a byte is written. */
export function sectionSize(batch: ColumnBatch): SectionSize {
  assert(batch.rowCount > 0, 'a section has rows');
  assert(batch.times.length === batch.rowCount, 'one time per row');
  assert(batch.columns.length <= columnsMax, 'too many columns for a record');
  const size: SectionSize = {
    descriptorBytes: 0,
    nameBytes: Buffer.byteLength(batch.database) + Buffer.byteLength(batch.measurement),
    eightCount: batch.rowCount,
    fourCount: 0,
    byteCount: 0,
  };
  if (namingsOf(batch) > 0) size.descriptorBytes += 4;
  for (const column of batch.columns) addColumnSize(size, column, batch.rowCount);
  return size;
}

/** Bytes of a section, header and padding included. */
export function sectionBytes(size: SectionSize): number {
  const described = padded(sectionHeader.bytes + size.descriptorBytes + size.nameBytes);
  return described + padded(size.eightCount * 8 + size.fourCount * 4 + size.byteCount);
}

/** Elements that are copied in one go. */
const copiedMax = 131_072;

/** An array of more elements than are copied in one go. */
interface LongCopy {
  readonly target: Uint32Array | Uint8Array | Float64Array;
  readonly source: Uint32Array | Uint8Array | Float64Array;
}

/** Writes sections into one zeroed buffer; holds the positions at which the next parts go. */
export class SectionWriter {
  readonly #bytes: Buffer;
  readonly #buffer: ArrayBuffer;
  #descriptor = 0;
  #name = 0;
  #eight = 0;
  #four = 0;
  #one = 0;
  /** Of what was written last. */
  #long: LongCopy[] = [];

  constructor(buffer: ArrayBuffer) {
    this.#buffer = buffer;
    this.#bytes = Buffer.from(buffer);
  }

  /**
   * Writes the section of `batch` at `start`; returns the position behind it. Yields between pieces
   * of the work.
   */
  *section(batch: ColumnBatch, size: SectionSize, start: number): Steps<number> {
    const bytes = this.#bytes;
    const end = start + sectionBytes(size);
    this.#descriptor = start + sectionHeader.bytes;
    this.#name = this.#descriptor + size.descriptorBytes;
    this.#eight = padded(this.#name + size.nameBytes);
    this.#four = this.#eight + size.eightCount * 8;
    this.#one = this.#four + size.fourCount * 4;
    bytes.writeUInt32LE(end - start, start + sectionHeader.totalBytes);
    bytes.writeUInt32LE(batch.measurementId, start + sectionHeader.measurementId);
    bytes.writeUInt32LE(batch.rowCount, start + sectionHeader.rowCount);
    bytes.writeUInt16LE(batch.columns.length, start + sectionHeader.columnCount);
    const isNamed = namingsOf(batch) > 0;
    bytes[start + sectionHeader.flags] =
      (batch.hasIdentity ? sectionFlags.hasIdentity : 0) |
      (isNamed ? sectionFlags.namingsGiven : 0);
    bytes.writeUInt16LE(this.#putName(batch.database), start + sectionHeader.databaseBytes);
    bytes.writeUInt16LE(this.#putName(batch.measurement), start + sectionHeader.measurementBytes);
    bytes.writeUInt32LE(size.nameBytes, start + sectionHeader.nameBytes);
    bytes.writeUInt32LE(size.eightCount, start + sectionHeader.eightCount);
    bytes.writeUInt32LE(size.fourCount, start + sectionHeader.fourCount);
    bytes.writeUInt32LE(size.byteCount, start + sectionHeader.byteCount);
    bytes.writeUInt32LE(size.descriptorBytes, start + sectionHeader.descriptorBytes);
    this.#putEight('int64', batch.times);
    if (isNamed) this.#putLong(namingsOf(batch));
    for (const column of batch.columns) {
      if (this.#long.length > 0) yield* this.#copyLong();
      this.#column(column);
      yield;
    }
    yield* this.#copyLong();
    return end;
  }

  *#copyLong(): Steps {
    for (const { target, source } of this.#long) {
      for (let from = 0; from < source.length; from += copiedMax) {
        target.set(source.subarray(from, from + copiedMax), from);
        yield;
      }
    }
    this.#long = [];
  }

  /** Arrays of the same type. */
  #copy(target: LongCopy['target'], source: LongCopy['source']): void {
    if (source.length <= copiedMax) target.set(source);
    else this.#long.push({ target, source });
  }

  #column(values: ColumnValues): void {
    const { column, rows, dictionary } = values;
    const { name, type } = column.physical;
    const bytes = this.#bytes;
    const at = this.#descriptor;
    let flags = column.columnar === true ? columnFlags.columnar : 0;
    bytes[at] = kindCodes.indexOf(column.kind) | (typeCodes.indexOf(type) << 4);
    bytes.writeUInt16LE(this.#putName(column.spelling), at + 2);
    this.#descriptor += 4;
    if (column.sqlName !== column.spelling) {
      flags |= columnFlags.sqlNameGiven;
      this.#putShort(this.#putName(column.sqlName));
    }
    if (name !== column.sqlName) {
      flags |= columnFlags.physicalNameGiven;
      this.#putShort(this.#putName(name));
    }
    if (rows !== undefined) {
      flags |= columnFlags.sparse;
      this.#putLong(rows.length);
      this.#putFour(rows);
    }
    bytes[at + 1] = flags;
    this.#putValues(values);
    if (dictionary !== undefined) this.#putDictionary(dictionary);
  }

  #putValues(values: ColumnValues): void {
    const { values: array, column } = values;
    if (array instanceof Uint32Array) this.#putFour(array);
    else if (array instanceof Uint8Array) this.#putOne(array);
    else this.#putEight(column.physical.type, array);
  }

  #putDictionary(dictionary: StringDictionary): void {
    const { count, offsets } = dictionary;
    const byteCount = dictionaryBytes(dictionary);
    this.#putLong(count);
    this.#putLong(byteCount);
    this.#putFour(offsets.length === count + 1 ? offsets : offsets.subarray(0, count + 1));
    const { bytes } = dictionary;
    this.#putOne(bytes.length === byteCount ? bytes : bytes.subarray(0, byteCount));
  }

  #putName(name: string): number {
    const count = this.#bytes.write(name, this.#name);
    assert(count <= nameBytesMax, 'name too long for a record');
    this.#name += count;
    return count;
  }

  #putShort(value: number): void {
    this.#bytes.writeUInt16LE(value, this.#descriptor);
    this.#descriptor += 2;
  }

  #putLong(value: number): void {
    this.#bytes.writeUInt32LE(value, this.#descriptor);
    this.#descriptor += 4;
  }

  #putEight(type: PhysicalType, array: Exclude<ColumnArray, Uint8Array | Uint32Array>): void {
    const target = valueView(type, this.#buffer, this.#eight, array.length);
    this.#copy(target as Float64Array, array as Float64Array);
    this.#eight += array.length * 8;
  }

  #putFour(array: Uint32Array): void {
    this.#copy(new Uint32Array(this.#buffer, this.#four, array.length), array);
    this.#four += array.length * 4;
  }

  #putOne(array: Uint8Array): void {
    this.#copy(this.#bytes.subarray(this.#one, this.#one + array.length), array);
    this.#one += array.length;
  }
}
