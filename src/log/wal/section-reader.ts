/**
 * Reads one section of a request record as views of its memory. Nothing is trusted: each length
 * is checked against the section, each row index against the rows, each string code against its
 * dictionary. Format: docs/format/wal.md ("Request record"). Used by request-record.ts.
 */
import { isUtf8 } from 'node:buffer';
import type { ColumnBatch, ColumnValues, StringDictionary } from '../../base/model/column-batch.ts';
import {
  badRecord,
  columnFlags,
  kindCodes,
  padded,
  sectionFlags,
  sectionHeader,
  typeCodes,
  valueBytes,
  valueView,
} from './request-layout.ts';

/** Reads one section. Positions count from the start of the payload. */
export class SectionReader {
  readonly #payload: Uint8Array;
  readonly #bytes: Buffer;
  #descriptor = 0;
  #descriptorEnd = 0;
  #name = 0;
  #nameEnd = 0;
  #eight = 0;
  #eightEnd = 0;
  #four = 0;
  #fourEnd = 0;
  #one = 0;
  #oneEnd = 0;

  constructor(payload: Uint8Array) {
    this.#payload = payload;
    this.#bytes = Buffer.from(payload.buffer as ArrayBuffer, payload.byteOffset, payload.length);
  }

  /** Position behind the last section read. */
  end = 0;

  section(start: number): ColumnBatch {
    const bytes = this.#bytes;
    this.#measure(start);
    const rowCount = bytes.readUInt32LE(start + sectionHeader.rowCount);
    const columnCount = bytes.readUInt16LE(start + sectionHeader.columnCount);
    const flags = bytes[start + sectionHeader.flags] as number;
    if (
      flags > (sectionFlags.hasIdentity | sectionFlags.namingsGiven) ||
      bytes[start + sectionHeader.zero] !== 0
    ) {
      throw badRecord('unknown section flags', start);
    }
    if (rowCount === 0) throw badRecord('section without rows', start);
    const database = this.#takeName(bytes.readUInt16LE(start + sectionHeader.databaseBytes));
    const measurement = this.#takeName(bytes.readUInt16LE(start + sectionHeader.measurementBytes));
    const times = new BigInt64Array(this.#buffer, this.#takeEight(rowCount), rowCount);
    const isNamed = (flags & sectionFlags.namingsGiven) !== 0;
    const named = isNamed ? { namings: this.#takeLong() } : {};
    if (named.namings === 0) throw badRecord('namings given that are none', start);
    const columns: ColumnValues[] = [];
    for (let index = 0; index < columnCount; index++) columns.push(this.#column(rowCount));
    this.#finish();
    return {
      measurementId: bytes.readUInt32LE(start + sectionHeader.measurementId),
      database,
      measurement,
      hasIdentity: (flags & sectionFlags.hasIdentity) !== 0,
      ...named,
      rowCount,
      times,
      columns,
    };
  }

  get #buffer(): ArrayBufferLike {
    return this.#payload.buffer;
  }

  /** Sets all positions from the header at `start`, after checking that they fit. */
  #measure(start: number): void {
    const bytes = this.#bytes;
    if (start + sectionHeader.bytes > bytes.length) throw badRecord('section cut off', start);
    this.#descriptor = start + sectionHeader.bytes;
    this.#descriptorEnd =
      this.#descriptor + bytes.readUInt32LE(start + sectionHeader.descriptorBytes);
    this.#name = this.#descriptorEnd;
    this.#nameEnd = this.#name + bytes.readUInt32LE(start + sectionHeader.nameBytes);
    this.#eight = padded(this.#nameEnd);
    this.#eightEnd = this.#eight + bytes.readUInt32LE(start + sectionHeader.eightCount) * 8;
    this.#four = this.#eightEnd;
    this.#fourEnd = this.#four + bytes.readUInt32LE(start + sectionHeader.fourCount) * 4;
    this.#one = this.#fourEnd;
    this.#oneEnd = this.#one + bytes.readUInt32LE(start + sectionHeader.byteCount);
    this.end = padded(this.#oneEnd);
    if (this.end > bytes.length) throw badRecord('section longer than its record', start);
    if (bytes.readUInt32LE(start + sectionHeader.totalBytes) !== this.end - start) {
      throw badRecord('section length', start);
    }
    if (!isUtf8(bytes.subarray(this.#name, this.#nameEnd))) {
      throw badRecord('name that is not UTF-8', this.#name);
    }
  }

  #column(rowCount: number): ColumnValues {
    const at = this.#takeDescriptor(4);
    const code = this.#bytes[at] as number;
    const flags = this.#bytes[at + 1] as number;
    const kind = kindCodes[code & 15];
    const type = typeCodes[code >> 4];
    if (kind === undefined || type === undefined || flags > 15) {
      throw badRecord('unknown kind, type or flag of a column', at);
    }
    const spelling = this.#takeName(this.#bytes.readUInt16LE(at + 2));
    const sqlNameGiven = (flags & columnFlags.sqlNameGiven) !== 0;
    const sqlName = sqlNameGiven ? this.#takeName(this.#takeShort()) : spelling;
    const nameGiven = (flags & columnFlags.physicalNameGiven) !== 0;
    const name = nameGiven ? this.#takeName(this.#takeShort()) : sqlName;
    const sparse = (flags & columnFlags.sparse) !== 0;
    const count = sparse ? this.#takeLong() : rowCount;
    const rows = sparse ? this.#rows(count, rowCount) : undefined;
    const width = valueBytes(type);
    const offset =
      width === 8
        ? this.#takeEight(count)
        : width === 4
          ? this.#takeFour(count)
          : this.#takeOne(count);
    const values = valueView(type, this.#buffer, offset, count);
    const dictionary = type === 'string' ? this.#dictionary(values as Uint32Array) : undefined;
    const columnar = (flags & columnFlags.columnar) !== 0;
    const marks = columnar ? ({ columnar: true } as const) : {};
    const column = { kind, spelling, sqlName, ...marks, physical: { id: -1, name, type } };
    return { column, values, rows, dictionary };
  }

  #rows(count: number, rowCount: number): Uint32Array {
    const at = this.#takeFour(count);
    const rows = new Uint32Array(this.#buffer, at, count);
    let previous = -1;
    for (let index = 0; index < count; index++) {
      const row = rows[index] as number;
      if (row <= previous) throw badRecord('rows of a sparse column out of order', at);
      previous = row;
    }
    if (previous >= rowCount) throw badRecord('row of a sparse column out of range', at);
    return rows;
  }

  #dictionary(codes: Uint32Array): StringDictionary {
    const count = this.#takeLong();
    const byteCount = this.#takeLong();
    const at = this.#takeFour(count + 1);
    const offsets = new Uint32Array(this.#buffer, at, count + 1);
    let previous = 0;
    for (let index = 0; index <= count; index++) {
      const offset = offsets[index] as number;
      if (offset < previous) throw badRecord('dictionary out of order', at);
      previous = offset;
    }
    if (offsets[0] !== 0 || previous !== byteCount) throw badRecord('dictionary length', at);
    let highest = -1;
    for (let index = 0; index < codes.length; index++) {
      const code = codes[index] as number;
      if (code > highest) highest = code;
    }
    if (highest >= count) throw badRecord('string code out of range', at);
    return {
      count,
      bytes: new Uint8Array(this.#buffer, this.#takeOne(byteCount), byteCount),
      offsets,
    };
  }

  /** All that the header announced must have been taken, else columns are missing. */
  #finish(): void {
    const whole =
      this.#descriptor === this.#descriptorEnd &&
      this.#name === this.#nameEnd &&
      this.#eight === this.#eightEnd &&
      this.#four === this.#fourEnd &&
      this.#one === this.#oneEnd;
    if (!whole) throw badRecord('section with bytes that no column takes', this.#descriptor);
  }

  #takeDescriptor(bytes: number): number {
    const at = this.#descriptor;
    this.#descriptor += bytes;
    if (this.#descriptor > this.#descriptorEnd) throw badRecord('column descriptor cut off', at);
    return at;
  }

  #takeShort(): number {
    return this.#bytes.readUInt16LE(this.#takeDescriptor(2));
  }

  #takeLong(): number {
    return this.#bytes.readUInt32LE(this.#takeDescriptor(4));
  }

  #takeName(bytes: number): string {
    const at = this.#name;
    this.#name += bytes;
    if (this.#name > this.#nameEnd) throw badRecord('name cut off', at);
    return this.#bytes.toString('utf8', at, this.#name);
  }

  /** Offsets that these return are from the start of the memory, for views. */
  #takeEight(count: number): number {
    const at = this.#eight;
    this.#eight += count * 8;
    if (this.#eight > this.#eightEnd) throw badRecord('values cut off', at);
    return this.#payload.byteOffset + at;
  }

  #takeFour(count: number): number {
    const at = this.#four;
    this.#four += count * 4;
    if (this.#four > this.#fourEnd) throw badRecord('values cut off', at);
    return this.#payload.byteOffset + at;
  }

  #takeOne(count: number): number {
    const at = this.#one;
    this.#one += count;
    if (this.#one > this.#oneEnd) throw badRecord('values cut off', at);
    return this.#payload.byteOffset + at;
  }
}
