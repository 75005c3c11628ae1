/**
 * Reads and rewrites a Parquet footer, which is a struct in Thrift's compact protocol
 * (github.com/apache/thrift, doc/specs/thrift-compact-protocol.md). Only as much as the footer's
 * key-values need: fields are found and skipped, not understood. The bytes may be damaged: reading
 * beyond them, or too deep, throws HF_PARQUET_FOOTER.
 */
import { GatewayError } from '../../base/errors/gateway-error.ts';

const wireType = {
  true: 1,
  false: 2,
  byte: 3,
  i16: 4,
  i32: 5,
  i64: 6,
  double: 7,
  binary: 8,
  list: 9,
  set: 10,
  map: 11,
  struct: 12,
} as const;

/** Parquet nests four deep; damaged bytes must not exhaust the stack. */
const depthMax = 32;

function broken(what: string): GatewayError {
  return new GatewayError('HF_PARQUET_FOOTER', `Parquet footer: ${what}`);
}

/** A field of a struct: its value stands in bytes[start .. end]. */
export interface ThriftField {
  readonly id: number;
  readonly type: number;
  readonly start: number;
  readonly end: number;
}

export class ThriftReader {
  readonly bytes: Uint8Array;
  position: number;

  constructor(bytes: Uint8Array, position = 0) {
    this.bytes = bytes;
    this.position = position;
  }

  byte(): number {
    const value = this.bytes[this.position];
    if (value === undefined) throw broken('ends too early');
    this.position += 1;
    return value;
  }

  /** Unsigned varint below 2^53. */
  varint(): number {
    let value = 0;
    for (let factor = 1; factor < 2 ** 63; factor *= 128) {
      const part = this.byte();
      value += (part & 0x7f) * factor;
      if (part < 0x80) return value;
    }
    throw broken('varint too long');
  }

  zigzag(): number {
    const value = this.varint();
    return value % 2 === 0 ? value / 2 : -(value + 1) / 2;
  }

  binary(): Uint8Array {
    const length = this.varint();
    const start = this.position;
    this.#advance(length);
    return this.bytes.subarray(start, start + length);
  }

  text(): string {
    return Buffer.from(this.binary()).toString('utf8');
  }

  listHeader(): { readonly type: number; readonly count: number } {
    const header = this.byte();
    const short = header >> 4;
    return { type: header & 0x0f, count: short === 15 ? this.varint() : short };
  }

  /** Fields of the struct at the position, which then stands behind it. */
  fields(depth = 0): readonly ThriftField[] {
    const fields: ThriftField[] = [];
    let id = 0;
    for (;;) {
      const header = this.byte();
      if (header === 0) return fields;
      const type = header & 0x0f;
      id = header >> 4 === 0 ? this.zigzag() : id + (header >> 4);
      const start = this.position;
      this.skip(type, depth + 1);
      fields.push({ id, type, start, end: this.position });
    }
  }

  skip(type: number, depth: number): void {
    if (depth > depthMax) throw broken('nested too deep');
    if (type === wireType.true || type === wireType.false) return;
    if (type === wireType.byte) this.#advance(1);
    else if (type >= wireType.i16 && type <= wireType.i64) this.varint();
    else if (type === wireType.double) this.#advance(8);
    else if (type === wireType.binary) this.#advance(this.varint());
    else if (type === wireType.list || type === wireType.set) this.#skipList(depth);
    else if (type === wireType.map) this.#skipMap(depth);
    else if (type === wireType.struct) this.fields(depth);
    else throw broken(`unknown type ${type}`);
  }

  #skipList(depth: number): void {
    const { type, count } = this.listHeader();
    const element = elementType(type);
    for (let index = 0; index < count; index += 1) this.skip(element, depth + 1);
  }

  #skipMap(depth: number): void {
    const count = this.varint();
    if (count === 0) return;
    const types = this.byte();
    const key = elementType(types >> 4);
    const value = elementType(types & 0x0f);
    for (let index = 0; index < count; index += 1) {
      this.skip(key, depth + 1);
      this.skip(value, depth + 1);
    }
  }

  #advance(bytes: number): void {
    this.position += bytes;
    if (this.position > this.bytes.length) throw broken('ends too early');
  }
}

/**
 * What an element of a list or map is: there a boolean is one byte. So each element takes a byte
 * at least, and a damaged count ends with the bytes.
 */
function elementType(type: number): number {
  return type <= wireType.false ? wireType.byte : type;
}

function varintBytes(value: number): number[] {
  const bytes: number[] = [];
  let rest = value;
  while (rest >= 128) {
    bytes.push((rest % 128) + 128);
    rest = Math.floor(rest / 128);
  }
  bytes.push(rest);
  return bytes;
}

function binaryBytes(text: string): Uint8Array {
  const bytes = Buffer.from(text, 'utf8');
  return Buffer.concat([Uint8Array.from(varintBytes(bytes.length)), bytes]);
}

/** Bytes of a list of Parquet `KeyValue` structs. */
function keyValueList(entries: readonly (readonly [key: string, value: string])[]): Uint8Array {
  const { length } = entries;
  const header =
    length < 15
      ? [(length << 4) | wireType.struct]
      : [0xf0 | wireType.struct, ...varintBytes(length)];
  const parts: Uint8Array[] = [Uint8Array.from(header)];
  for (const [key, value] of entries) {
    // Field 1 (key) and field 2 (value), each one id above the field before; then the end mark.
    const field = Uint8Array.of((1 << 4) | wireType.binary);
    parts.push(field, binaryBytes(key), field, binaryBytes(value), Uint8Array.of(0));
  }
  return Buffer.concat(parts);
}

/** Id of `key_value_metadata` in Parquet's FileMetaData. */
const keyValuesId = 5;
const rowCountId = 3;

/** Returns FileMetaData `footer` with exactly these key-values instead of those it had. */
export function replaceKeyValues(
  footer: Uint8Array,
  entries: readonly (readonly [key: string, value: string])[],
): Uint8Array {
  const kept = new ThriftReader(footer).fields().filter(({ id }) => id !== keyValuesId);
  const after = kept.findIndex(({ id }) => id > keyValuesId);
  const split = after < 0 ? kept.length : after;
  const parts: Uint8Array[] = [];
  let id = 0;
  const put = (field: number, type: number, value: Uint8Array) => {
    // All ids of FileMetaData lie within 15 of each other: the short form always fits.
    parts.push(Uint8Array.of(((field - id) << 4) | type), value);
    id = field;
  };
  const copy = (field: ThriftField) => {
    put(field.id, field.type, footer.subarray(field.start, field.end));
  };
  kept.slice(0, split).forEach(copy);
  put(keyValuesId, wireType.list, keyValueList(entries));
  kept.slice(split).forEach(copy);
  parts.push(Uint8Array.of(0));
  return Buffer.concat(parts);
}

/** Row count and key-values of FileMetaData `footer`; a key without a value is left out. */
export function readFileMetadata(footer: Uint8Array): {
  readonly rows: number;
  readonly keyValues: ReadonlyMap<string, string>;
} {
  const keyValues = new Map<string, string>();
  let rows: number | undefined;
  for (const field of new ThriftReader(footer).fields()) {
    const reader = new ThriftReader(footer, field.start);
    if (field.id === rowCountId && field.type === wireType.i64) rows = reader.zigzag();
    if (field.id !== keyValuesId || field.type !== wireType.list) continue;
    const { type, count } = reader.listHeader();
    if (type !== wireType.struct) throw broken('key-values are no structs');
    for (let index = 0; index < count; index += 1) {
      const [key, value] = reader.fields();
      if (key?.type !== wireType.binary || value?.type !== wireType.binary) continue;
      const name = new ThriftReader(footer, key.start).text();
      keyValues.set(name, new ThriftReader(footer, value.start).text());
    }
  }
  if (rows === undefined) throw broken('no row count');
  return { rows, keyValues };
}
