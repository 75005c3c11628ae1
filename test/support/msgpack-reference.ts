/**
 * A second reading of MessagePack bodies, as plain as can be: values become objects, items become
 * rows one by one, with Arc's rules written out once more. It shares nothing with the product but
 * the words of this file's types; property tests compare the two.
 */
import { exactNumber } from './line-reference.ts';

/** A value as read: maps as lists of pairs, integers as bigint, floats as number. */
export type Value =
  | null
  | boolean
  | bigint
  | number
  | string
  | { readonly kind: 'list'; readonly items: readonly Value[] }
  | { readonly kind: 'map'; readonly pairs: readonly (readonly [Value, Value])[] }
  | { readonly kind: 'ext'; readonly type: number; readonly bytes: Uint8Array }
  | { readonly kind: 'bytes'; readonly bytes: Uint8Array };

/** Thrown where the body breaks. */
export class Broken extends Error {}

export class Reader {
  at = 0;
  readonly #bytes: Buffer;

  constructor(bytes: Uint8Array) {
    this.#bytes = Buffer.from(bytes);
  }

  get isAtEnd(): boolean {
    return this.at >= this.#bytes.length;
  }

  #take(length: number): Buffer {
    if (this.at + length > this.#bytes.length) throw new Broken();
    this.at += length;
    return this.#bytes.subarray(this.at - length, this.at);
  }

  #length(size: number): number {
    return this.#take(size).readUIntBE(0, size);
  }

  /** The next value, all of it. */
  value(): Value {
    const first = this.#length(1);
    if (first < 0x80) return BigInt(first);
    if (first >= 0xe0) return BigInt(first - 256);
    if (first < 0x90) return this.#map(first - 0x80);
    if (first < 0xa0) return this.#list(first - 0x90);
    if (first < 0xc0) return this.#string(first - 0xa0);
    return this.#long(first);
  }

  #long(first: number): Value {
    switch (first) {
      case 0xc0:
        return null;
      case 0xc2:
        return false;
      case 0xc3:
        return true;
      case 0xca:
        return this.#take(4).readFloatBE(0);
      case 0xcb:
        return this.#take(8).readDoubleBE(0);
      case 0xcf:
        return this.#take(8).readBigUInt64BE(0);
      case 0xd3:
        return this.#take(8).readBigInt64BE(0);
    }
    if (first >= 0xc4 && first <= 0xc6) return this.#string(this.#length(2 ** (first - 0xc4)));
    if (first >= 0xc7 && first <= 0xc9) return this.#ext(this.#length(2 ** (first - 0xc7)));
    if (first >= 0xcc && first <= 0xce) return BigInt(this.#length(2 ** (first - 0xcc)));
    if (first >= 0xd0 && first <= 0xd2) {
      const size = 2 ** (first - 0xd0);
      return BigInt(this.#take(size).readIntBE(0, size));
    }
    if (first >= 0xd4 && first <= 0xd8) return this.#ext(2 ** (first - 0xd4));
    if (first >= 0xd9 && first <= 0xdb) return this.#string(this.#length(2 ** (first - 0xd9)));
    if (first === 0xdc || first === 0xdd) return this.#list(this.#length(first === 0xdc ? 2 : 4));
    if (first === 0xde || first === 0xdf) return this.#map(this.#length(first === 0xde ? 2 : 4));
    throw new Broken();
  }

  #list(count: number): Value {
    const items: Value[] = [];
    for (let index = 0; index < count; index += 1) items.push(this.value());
    return { kind: 'list', items };
  }

  #map(count: number): Value {
    const pairs: [Value, Value][] = [];
    for (let index = 0; index < count; index += 1) pairs.push([this.value(), this.value()]);
    return { kind: 'map', pairs };
  }

  #string(length: number): Value {
    const bytes = this.#take(length);
    try {
      return new TextDecoder('utf-8', { fatal: true, ignoreBOM: true }).decode(bytes);
    } catch {
      return { kind: 'bytes', bytes };
    }
  }

  #ext(length: number): Value {
    const type = this.#take(1).readInt8(0);
    return { kind: 'ext', type, bytes: this.#take(length) };
  }
}

/** A row, or an item that is none: `undefined`. */
export interface ReferenceRow {
  readonly measurement: string;
  readonly timeUs: bigint;
  readonly tags: ReadonlyMap<string, string>;
  /** As `PlainRow` of decoded-rows.ts has them. */
  readonly fields: ReadonlyMap<string, string>;
}

const nsLimit = 2n ** 63n - 1n;

/** Microseconds of a time, or undefined. `unit`: what the first of its column said. */
function timeOf(value: Value, unit?: string): bigint | undefined {
  if (typeof value === 'object' && value !== null) {
    return value.kind === 'ext' ? timestampOf(value.type, value.bytes) : undefined;
  }
  if (typeof value !== 'bigint' && typeof value !== 'number') return undefined;
  if (typeof value === 'number' && !Number.isFinite(value)) return undefined;
  const whole = typeof value === 'bigint' ? value : BigInt(Math.trunc(value));
  const scale = unit ?? unitOf(value) ?? 's';
  const ns = whole * { s: 1_000_000_000n, ms: 1_000_000n, us: 1000n, n: 1n }[scale as 's'];
  return inRange(ns);
}

function inRange(ns: bigint): bigint | undefined {
  const us = ns / 1000n - (ns % 1000n < 0n ? 1n : 0n);
  return us > nsLimit / 1000n || us < -nsLimit / 1000n ? undefined : us;
}

function unitOf(value: Value): string | undefined {
  if (typeof value !== 'bigint' && typeof value !== 'number') return undefined;
  if (typeof value === 'number' && !Number.isFinite(value)) return undefined;
  const whole = typeof value === 'bigint' ? value : BigInt(Math.trunc(value));
  if (whole < 10n ** 10n) return 's';
  if (whole < 10n ** 13n) return 'ms';
  return whole < 10n ** 16n ? 'us' : 'n';
}

function timestampOf(type: number, bytes: Uint8Array): bigint | undefined {
  const view = Buffer.from(bytes);
  if (type !== -1) return undefined;
  if (view.length === 4) return inRange(BigInt(view.readUInt32BE(0)) * 1_000_000_000n);
  const isShort = view.length === 8;
  if (!isShort && view.length !== 12) return undefined;
  const all = isShort ? view.readBigUInt64BE(0) : 0n;
  const nanoseconds = isShort ? all >> 34n : BigInt(view.readUInt32BE(0));
  const seconds = isShort ? all & (2n ** 34n - 1n) : view.readBigInt64BE(4);
  if (nanoseconds > 999_999_999n) return undefined;
  if (seconds >= 9_223_372_036n || seconds < -9_223_372_036n) return undefined;
  return inRange(seconds * 1_000_000_000n + nanoseconds);
}

/** The text of a field's value; null if it is not stored, undefined if it is none. */
function cellOf(value: Value): string | null | undefined {
  if (value === null) return null;
  if (typeof value === 'boolean') return `boolean:${value ? 1 : 0}`;
  if (typeof value === 'string') return `string:${value}`;
  if (typeof value === 'bigint') return `number:${value}`;
  if (typeof value === 'number') return Number.isFinite(value) ? exactNumber(value) : null;
  return undefined;
}

/** A map's pairs by key; undefined if a key is no string or comes twice. */
function keyed(value: Value): Map<string, Value> | undefined {
  if (typeof value !== 'object' || value?.kind !== 'map') return undefined;
  const found = new Map<string, Value>();
  for (const [key, each] of value.pairs) {
    if (typeof key !== 'string' || found.has(key)) return undefined;
    found.set(key, each);
  }
  return found;
}

function nameOf(value: Value | undefined, prefix: string): string | undefined {
  if (typeof value === 'bigint') return `${prefix}${value}`;
  return typeof value === 'string' ? value : undefined;
}

const isText = (text: string) => text !== '' && !/[\x00-\x1f\x7f]/.test(text);

/** The tags that a columnar item names; undefined if it names none, `bad` if they are no names. */
function tagNamesOf(value: Value | undefined): ReadonlySet<string> | 'bad' | undefined {
  if (typeof value !== 'object' || value?.kind !== 'list') return undefined;
  const names = value.items.filter((item) => typeof item === 'string');
  return names.length === value.items.length ? new Set(names) : 'bad';
}

/** All rows of a columnar item, or undefined. */
function columnarRows(item: Map<string, Value>, nowUs: bigint): ReferenceRow[] | undefined {
  const columns = keyed(item.get('columns') ?? null);
  const measurement = nameOf(item.get('m'), 'measurement_');
  const tagNames = tagNamesOf(item.get('tags'));
  if (columns === undefined || measurement === undefined) return undefined;
  if (tagNames === 'bad') return undefined;
  const lists = new Map<string, readonly Value[]>();
  for (const [name, list] of columns) {
    if (typeof list !== 'object' || list?.kind !== 'list') return undefined;
    if (name !== 'time' || list.items.length > 0) lists.set(name, list.items);
  }
  const lengths = new Set([...lists.values()].map(({ length }) => length));
  if (lengths.size > 1) return undefined;
  const count = [...lengths][0] ?? 0;
  const times = lists.get('time');
  const unit = unitOf(times?.[0] ?? null);
  lists.delete('time');
  const rows: ReferenceRow[] = [];
  for (let row = 0; row < count; row += 1) {
    const timeUs = times === undefined ? nowUs : timeOf(times[row] ?? null, unit);
    if (timeUs === undefined) return undefined;
    const fields = new Map<string, string>();
    const tags = new Map<string, string>();
    for (const [name, values] of lists) {
      const cell = cellOf(values[row] ?? null);
      if (cell === undefined || !isText(name)) return undefined;
      if (cell === null) continue;
      if (tagNames?.has(name) !== true) {
        fields.set(name, cell);
        continue;
      }
      const text = /^string:(.*)$/s.exec(cell)?.[1];
      if (text === undefined || (text !== '' && !isText(text))) return undefined;
      if (text !== '') tags.set(name, text);
    }
    const isRefused = [...tags.keys()].some((name) => name.toLowerCase() === 'time');
    if (!isRefused) rows.push({ measurement, timeUs, tags, fields });
  }
  return count > 0 && !isText(measurement) ? undefined : rows;
}

function rowOf(item: Map<string, Value>, nowUs: bigint): ReferenceRow | undefined {
  const measurement = nameOf(item.get('m'), 'measurement_');
  const time = item.get('t') ?? null;
  const timeUs = time === null ? nowUs : timeOf(time);
  const tags = tagsOf(item);
  const fields = fieldsOf(item);
  if (measurement === undefined || timeUs === undefined || !isText(measurement)) return undefined;
  return tags && fields && { measurement, timeUs, tags, fields };
}

function tagsOf(item: Map<string, Value>): Map<string, string> | undefined {
  const given = item.get('tags') ?? null;
  const tags = given === null ? new Map<string, Value>() : keyed(given);
  if (tags === undefined) return undefined;
  const found = new Map<string, string>();
  for (const [key, value] of tags) {
    if (!isText(key) || (typeof value === 'object' && value !== null)) return undefined;
    const text = value === null ? '' : String(value);
    if (text === '') continue;
    if (!isText(text) || key.toLowerCase() === 'time') return undefined;
    found.set(key, text);
  }
  const host = item.get('h') ?? null;
  if (host === null) return found;
  const name = nameOf(host, 'host_');
  if (name === undefined) return undefined;
  if (name !== '' && !found.has('host')) {
    if (!isText(name)) return undefined;
    found.set('host', name);
  }
  return found;
}

function fieldsOf(item: Map<string, Value>): Map<string, string> | undefined {
  const given = item.get('fields') ?? null;
  const list = item.get('f') ?? null;
  const map = given === null ? new Map<string, Value>() : keyed(given);
  if (map === undefined) return undefined;
  if (list !== null && (typeof list !== 'object' || list.kind !== 'list')) return undefined;
  const compact = list === null ? [] : (list as { items: readonly Value[] }).items;
  const found = new Map<string, string>();
  for (const [index, value] of compact.entries()) {
    if (map.has(`field_${index}`)) return undefined;
    map.set(`field_${index}`, value);
  }
  for (const [key, value] of map) {
    const cell = cellOf(value);
    if (cell === undefined || !isText(key)) return undefined;
    if (cell !== null) found.set(key, cell);
  }
  return map.size === 0 ? undefined : found;
}

/** What a body comes to: its rows, and how many items are bad. */
export interface ReferenceBody {
  readonly rows: readonly ReferenceRow[];
  readonly bad: number;
}

const shapeKeys = new Set(['m', 't', 'h', 'f', 'fields', 'tags', 'columns', 'batch']);

/**
 * The rows of whole values, without what the schema says of them. Where a map has a key of a shape
 * twice, or of several shapes, it is not for this reading to say: `undefined`.
 */
export function referenceRows(value: Value, nowUs: bigint): ReferenceBody {
  if (typeof value === 'object' && value?.kind === 'list') {
    const all = value.items.map((item) => referenceRows(item, nowUs));
    return {
      rows: all.flatMap(({ rows }) => rows),
      bad: all.reduce((sum, { bad }) => sum + bad, 0),
    };
  }
  const item = keyed(value);
  if (item === undefined) return { rows: [], bad: 1 };
  const known = new Map([...item].filter(([key]) => shapeKeys.has(key)));
  const batch = known.get('batch');
  if (batch !== undefined) {
    const isList = typeof batch === 'object' && batch?.kind === 'list';
    return isList ? referenceRows(batch, nowUs) : { rows: [], bad: 1 };
  }
  if (known.has('columns')) {
    const rows = columnarRows(known, nowUs);
    return rows === undefined ? { rows: [], bad: 1 } : { rows, bad: 0 };
  }
  const row = rowOf(known, nowUs);
  return row === undefined ? { rows: [], bad: 1 } : { rows: [row], bad: 0 };
}
