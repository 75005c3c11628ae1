/** Bodies of the benches in MessagePack, written as Python's client writes them. */

export type Cell = string | number | { readonly float: number };

/** A row: its time is written later, into the eight bytes kept for it. */
export interface BenchRow {
  readonly tags: readonly (readonly [string, string])[];
  readonly fields: readonly (readonly [string, Cell])[];
}

/** A body, and where the microseconds of its rows stand, as 64 bits of big-endian. */
export interface MessageTemplate {
  readonly body: Buffer;
  readonly timesAt: Uint32Array;
}

class Writer {
  readonly #buffer = Buffer.allocUnsafe(8 * 1024 * 1024);
  at = 0;

  head(small: number, wide: number, length: number): void {
    if (length < 16) this.at = this.#buffer.writeUInt8(small + length, this.at);
    else {
      this.at = this.#buffer.writeUInt8(wide, this.at);
      this.at = this.#buffer.writeUInt16BE(length, this.at);
    }
  }

  map(pairs: number): void {
    this.head(0x80, 0xde, pairs);
  }

  array(length: number): void {
    this.head(0x90, 0xdc, length);
  }

  cell(cell: Cell): void {
    if (typeof cell === 'string') {
      this.at = this.#buffer.writeUInt8(0xa0 + cell.length, this.at);
      this.at += this.#buffer.write(cell, this.at, 'latin1');
    } else if (typeof cell === 'object') {
      this.at = this.#buffer.writeUInt8(0xcb, this.at);
      this.at = this.#buffer.writeDoubleBE(cell.float, this.at);
    } else if (cell < 0x80) {
      this.at = this.#buffer.writeUInt8(cell, this.at);
    } else {
      this.at = this.#buffer.writeUInt8(0xce, this.at);
      this.at = this.#buffer.writeUInt32BE(cell, this.at);
    }
  }

  /** Returns where the time stands. */
  time(): number {
    this.at = this.#buffer.writeUInt8(0xcf, this.at);
    this.at += 8;
    return this.at - 8;
  }

  finish(): Buffer {
    return Buffer.from(this.#buffer.subarray(0, this.at));
  }
}

/** One columnar item. All rows have the same tags and fields. */
export function columnarBody(measurement: string, rows: readonly BenchRow[]): MessageTemplate {
  const writer = new Writer();
  const timesAt = new Uint32Array(rows.length);
  const cells = rows.map(({ tags, fields }) => [...tags, ...fields]);
  const names = (cells[0] ?? []).map(([name]) => name);
  writer.map(2);
  writer.cell('m');
  writer.cell(measurement);
  writer.cell('columns');
  writer.map(names.length + 1);
  writer.cell('time');
  writer.array(rows.length);
  for (let row = 0; row < rows.length; row++) timesAt[row] = writer.time();
  for (const [column, name] of names.entries()) {
    writer.cell(name);
    writer.array(rows.length);
    for (const row of cells) writer.cell(row[column]?.[1] ?? 0);
  }
  return { body: writer.finish(), timesAt };
}

/** A list of rows. */
export function rowsBody(measurement: string, rows: readonly BenchRow[]): MessageTemplate {
  const writer = new Writer();
  const timesAt = new Uint32Array(rows.length);
  writer.array(rows.length);
  for (const [row, { tags, fields }] of rows.entries()) {
    writer.map(4);
    writer.cell('m');
    writer.cell(measurement);
    writer.cell('t');
    timesAt[row] = writer.time();
    for (const [part, pairs] of [['tags', tags] as const, ['fields', fields] as const]) {
      writer.cell(part);
      writer.map(pairs.length);
      for (const [name, cell] of pairs) {
        writer.cell(name);
        writer.cell(cell);
      }
    }
  }
  return { body: writer.finish(), timesAt };
}
