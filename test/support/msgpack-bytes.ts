/**
 * MessagePack for tests, written and read the plainest way, independently of the product's walker.
 * The writer takes exactly the format that a test names; the reader makes plain values of bytes.
 */

/** A value written in a format of the test's choice: its bytes. */
export class Raw {
  readonly bytes: readonly number[];
  constructor(bytes: readonly number[]) {
    this.bytes = bytes;
  }
}

/** A map whose keys may be anything, and may come twice. */
export class Pairs {
  readonly pairs: readonly (readonly [unknown, unknown])[];
  constructor(pairs: readonly (readonly [unknown, unknown])[]) {
    this.pairs = pairs;
  }
}

/** A number as a float, also where it is whole. */
export class Float {
  readonly value: number;
  readonly bits: 32 | 64;
  constructor(value: number, bits: 32 | 64 = 64) {
    this.value = value;
    this.bits = bits;
  }
}

const bytesOf = (size: number, set: (view: DataView) => void): number[] => {
  const view = new DataView(new ArrayBuffer(size));
  set(view);
  return [...new Uint8Array(view.buffer)];
};
const u16 = (value: number) => bytesOf(2, (view) => view.setUint16(0, value));
const u32 = (value: number) => bytesOf(4, (view) => view.setUint32(0, value));

export const uint64 = (value: bigint) =>
  new Raw([0xcf, ...bytesOf(8, (view) => view.setBigUint64(0, value))]);
export const int64 = (value: bigint) =>
  new Raw([0xd3, ...bytesOf(8, (view) => view.setBigInt64(0, value))]);
export const ext = (type: number, bytes: readonly number[]) =>
  new Raw([0xc7, bytes.length, type & 255, ...bytes]);
export const bin = (bytes: readonly number[]) => new Raw([0xc4, bytes.length, ...bytes]);
/** A string of those bytes, UTF-8 or not. */
export const rawString = (bytes: readonly number[]) => new Raw([0xd9, bytes.length, ...bytes]);

/** MessagePack's own timestamp, in its shortest, middle or longest form. */
export function timestamp(seconds: bigint, nanoseconds: number, size: 4 | 8 | 12): Raw {
  if (size === 4) return new Raw([0xd6, 0xff, ...u32(Number(seconds))]);
  if (size === 8) {
    const value = (BigInt(nanoseconds) << 34n) | seconds;
    return new Raw([0xd7, 0xff, ...bytesOf(8, (view) => view.setBigUint64(0, value))]);
  }
  const whole = bytesOf(8, (view) => view.setBigInt64(0, seconds));
  return new Raw([0xc7, 12, 0xff, ...u32(nanoseconds), ...whole]);
}

/** The bytes of a value. Numbers are integers where they are whole; bigints take 64 bits. */
export function packed(value: unknown): Uint8Array {
  const out: number[] = [];
  put(out, value);
  return Uint8Array.from(out);
}

function put(out: number[], value: unknown): void {
  if (value instanceof Raw) for (const byte of value.bytes) out.push(byte);
  else if (value === null || value === undefined) out.push(0xc0);
  else if (typeof value === 'boolean') out.push(value ? 0xc3 : 0xc2);
  else if (typeof value === 'bigint') put(out, value < 0n ? int64(value) : uint64(value));
  else if (typeof value === 'number') putNumber(out, value);
  else if (value instanceof Float) putFloat(out, value);
  else if (typeof value === 'string') putString(out, value);
  else if (Array.isArray(value)) {
    if (value.length < 16) out.push(0x90 + value.length);
    else if (value.length < 65_536) out.push(0xdc, ...u16(value.length));
    else out.push(0xdd, ...u32(value.length));
    for (const each of value) put(out, each);
  } else {
    const pairs = value instanceof Pairs ? value.pairs : Object.entries(value);
    if (pairs.length < 16) out.push(0x80 + pairs.length);
    else out.push(0xde, ...u16(pairs.length));
    for (const [key, each] of pairs) {
      put(out, key);
      put(out, each);
    }
  }
}

function putNumber(out: number[], value: number): void {
  if (!Number.isInteger(value) || Object.is(value, -0)) putFloat(out, new Float(value));
  else if (value >= 0 && value < 128) out.push(value);
  else if (value < 0 && value >= -32) out.push(value & 255);
  else if (value >= 0 && value < 256) out.push(0xcc, value);
  else if (value >= 0 && value < 65_536) out.push(0xcd, ...u16(value));
  else if (value >= 0 && value < 2 ** 32) out.push(0xce, ...u32(value));
  else if (value >= -128 && value < 0) out.push(0xd0, value & 255);
  else if (value >= -32_768 && value < 0) out.push(0xd1, ...u16(value & 65_535));
  else if (value >= -(2 ** 31) && value < 0) out.push(0xd2, ...u32(value >>> 0));
  else put(out, BigInt(value));
}

function putFloat(out: number[], { value, bits }: Float): void {
  if (bits === 32) out.push(0xca, ...bytesOf(4, (view) => view.setFloat32(0, value)));
  else out.push(0xcb, ...bytesOf(8, (view) => view.setFloat64(0, value)));
}

function putString(out: number[], value: string): void {
  const bytes = new TextEncoder().encode(value);
  if (bytes.length < 32) out.push(0xa0 + bytes.length);
  else if (bytes.length < 256) out.push(0xd9, bytes.length);
  else if (bytes.length < 65_536) out.push(0xda, ...u16(bytes.length));
  else out.push(0xdb, ...u32(bytes.length));
  for (const byte of bytes) out.push(byte);
}
