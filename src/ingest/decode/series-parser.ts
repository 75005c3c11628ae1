/**
 * Takes `measurement,tag=value,...` apart: done once per series, then the cache knows it. Escapes
 * are those of InfluxDB 1 and of the Go implementation: a backslash before a comma, a space or (in
 * tags) an equals sign; any other backslash stands for itself, also before another backslash.
 */
import type { ByteSpace } from './bytes.ts';
import type { TagSlot } from './layout.ts';
import { tagStride } from './batch-builder.ts';
import { Series, type SeriesCache } from './series-cache.ts';
import type { RejectionKind } from './types.ts';

export const backslash = 92;
export const comma = 44;
export const equals = 61;
export const space = 32;

/** Why a line is bad. */
export interface Fault {
  readonly reason: string;
  readonly kind: RejectionKind;
}

export function parseFault(reason: string): Fault {
  return { reason, kind: 'parse' };
}

export interface SeriesLimits {
  /** UTF-8 bytes of a measurement, tag key or tag value. */
  readonly nameBytesMax: number;
  readonly tagsMax: number;
}

/** Reads tokens of one series; `end` is the position of the space behind it. */
class TokenReader {
  position: number;
  /** Unescaped bytes of all tokens so far, if any had an escape. */
  escaped = false;
  readonly #bytes: Uint8Array;
  readonly #end: number;

  constructor(bytes: Uint8Array, start: number, end: number) {
    this.#bytes = bytes;
    this.position = start;
    this.#end = end;
  }

  /** Moves to the first unescaped comma, or equals sign if that counts, or to the end. */
  skipToken(equalsCounts: boolean): { readonly control: boolean } {
    const bytes = this.#bytes;
    const end = this.#end;
    let control = false;
    let at = this.position;
    this.escaped = false;
    while (at < end) {
      const byte = bytes[at] ?? 0;
      if (byte === comma || (equalsCounts && byte === equals)) break;
      if (byte < 32 || byte === 127) control = true;
      if (byte === backslash && isEscape(bytes[at + 1] ?? 0, equalsCounts) && at + 1 < end) {
        this.escaped = true;
        at += 2;
      } else {
        at += 1;
      }
    }
    this.position = at;
    return { control };
  }
}

function isEscape(next: number, equalsCounts: boolean): boolean {
  return next === comma || next === space || (equalsCounts && next === equals);
}

/** Bytes of a token without its escapes. */
export function unescapeToken(token: Uint8Array, equalsCounts: boolean): Uint8Array {
  const result = new Uint8Array(token.length);
  let length = 0;
  for (let at = 0; at < token.length; at += 1) {
    const byte = token[at] ?? 0;
    if (byte === backslash && isEscape(token[at + 1] ?? 0, equalsCounts)) at += 1;
    result[length] = token[at] ?? 0;
    length += 1;
  }
  return result.subarray(0, length);
}

export function decodeText(bytes: Uint8Array): string {
  return Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength).toString('utf8');
}

/**
 * The series written in [start, end), not yet in the cache, or why it is none. `hash` is that of
 * its bytes. Asks nothing of the registry: whether the names may be used is decided with the row.
 */
export function parseSeries(
  line: ByteSpace,
  start: number,
  end: number,
  hash: number,
  cache: SeriesCache,
  limits: SeriesLimits,
): Series | Fault {
  const reader = new TokenReader(line.bytes, start, end);
  const token = (from: number, equalsCounts: boolean) => {
    const written = line.bytes.subarray(from, reader.position);
    return reader.escaped ? unescapeToken(written, equalsCounts) : written;
  };
  const { control } = reader.skipToken(false);
  const name = token(start, false);
  const fault = tokenFault('measurement', name, control, limits);
  if (fault !== undefined) return fault;
  const layout = cache.layout(decodeText(name));

  const slots: TagSlot[] = [];
  const values: Uint8Array[] = [];
  while (reader.position < end) {
    if (slots.length === limits.tagsMax) {
      return { kind: 'cap', reason: `max columns per measurement exceeded: ${limits.tagsMax}` };
    }
    const tag = readTag(reader, token, line.bytes, limits);
    if ('reason' in tag) return tag;
    slots.push(layout.tag(tag.key));
    values.push(tag.value);
  }
  if (new Set(slots).size !== slots.length) return parseFault('duplicate tags');
  const written = cache.arena.keep(line.bytes.subarray(start, end));
  const { tags, kept } = keepValues(values, cache);
  return new Series(layout, hash, written, end - start, slots, tags, kept);
}

function readTag(
  reader: TokenReader,
  token: (from: number, equalsCounts: boolean) => Uint8Array,
  bytes: Uint8Array,
  limits: SeriesLimits,
): { readonly key: string; readonly value: Uint8Array } | Fault {
  const keyStart = reader.position + 1;
  reader.position = keyStart;
  const keyScan = reader.skipToken(true);
  const key = token(keyStart, true);
  const keyFault = tokenFault('tag key', key, keyScan.control, limits);
  if (keyFault !== undefined) return keyFault;
  if (bytes[reader.position] !== equals) return parseFault('missing tag value');
  const valueStart = reader.position + 1;
  reader.position = valueStart;
  const valueScan = reader.skipToken(true);
  const value = token(valueStart, true);
  if (bytes[reader.position] === equals) return parseFault('invalid tag format');
  const valueFault = tokenFault('tag value', value, valueScan.control, limits);
  if (valueFault !== undefined) return valueFault;
  return { key: decodeText(key), value };
}

/** Why a measurement, tag key or tag value is none; undefined if it is one. */
export function tokenFault(
  what: string,
  token: Uint8Array,
  control: boolean,
  { nameBytesMax }: SeriesLimits,
): Fault | undefined {
  if (token.length === 0) return parseFault(`missing ${what}`);
  if (control) return parseFault(`control character in ${what}`);
  if (token.length <= nameBytesMax) return undefined;
  return parseFault(`max ${what} length exceeded: ${token.length} > ${nameBytesMax}`);
}

/** Copies the values behind each other, and notes where each is and its hash. */
export function keepValues(
  values: readonly Uint8Array[],
  cache: SeriesCache,
): { readonly tags: Int32Array; readonly kept: ByteSpace } {
  const all = new Uint8Array(values.reduce((sum, value) => sum + value.length, 0));
  let length = 0;
  for (const value of values) {
    all.set(value, length);
    length += value.length;
  }
  const tags = new Int32Array(values.length * tagStride);
  const { space: kept, offset } = cache.arena.keep(all);
  let at = offset;
  for (const [index, value] of values.entries()) {
    tags[index * tagStride] = at;
    tags[index * tagStride + 1] = value.length;
    tags[index * tagStride + 2] = cache.hash(kept, at, value.length);
    at += value.length;
  }
  return { tags, kept };
}
