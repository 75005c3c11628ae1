/**
 * Reads one map of a row, `{m, t, h, fields, tags}`, into the arrays from which rows are placed.
 * A first walk finds where its parts are and that they are whole; the second reads them. Tags are
 * taken apart once per series: the bytes of name, host and tags are looked up in the cache.
 *
 * I1. A row is a bounded piece of work: what is longer than a line may be is refused.
 * I2. Nothing of a bad row is remembered but its field keys, which the cache's budget counts.
 */
import { present } from '../../../base/lib/assert.ts';
import { byteSpace, type ByteSpace } from '../bytes.ts';
import type { FieldArrays } from '../field-arrays.ts';
import type { MeasurementLayout, TagSlot } from '../layout.ts';
import { Series, type SeriesCache } from '../series-cache.ts';
import { decodeText, keepValues, parseFault, type Fault } from '../series-parser.ts';
import { FieldScanner } from './field-scanner.ts';
import * as format from './formats.ts';
import { HeadReader } from './head-reader.ts';
import type { ItemTime } from './item-time.ts';
import { nameAt, scalarText, tokenProblem, type TokenLimits } from './scalar-text.ts';
import { ValueSkipper } from './value-skipper.ts';

const { valueClasses } = format;

const noSpace = byteSpace(new Uint8Array(0));

/** What the map at hand turned out to be. */
export type RowOutcome = 'row' | 'fault' | 'columnar' | 'batch' | 'broken';

export interface RowLimits extends TokenLimits {
  readonly rowBytesMax: number;
}

/** Grows with every row that any request reads. */
export interface RowSerials {
  row: number;
}

/** Where the parts of the row are; -1: it has none. */
interface Parts {
  m: number;
  mEnd: number;
  t: number;
  h: number;
  hEnd: number;
  fields: number;
  compact: number;
  tags: number;
  tagsEnd: number;
}

type PartName = 'm' | 't' | 'h' | 'fields' | 'f' | 'tags' | 'columns' | 'batch';

export class RowScanner {
  series: Series | undefined = undefined;
  fault: Fault = parseFault('');
  /** Behind the row, once its end is known. */
  next = 0;
  readonly #space: ByteSpace;
  readonly #head: HeadReader;
  readonly #skipper: ValueSkipper;
  /** Made for the first row: bodies of columns have none, and its arrays cost more than a few. */
  #fieldScanner: FieldScanner | undefined;
  readonly #time: ItemTime;
  readonly #nowUs: number;
  readonly #limits: RowLimits;
  readonly #serials: RowSerials;
  readonly #parts: Parts = {
    ...{ m: -1, mEnd: -1, t: -1, h: -1, hEnd: -1 },
    ...{ fields: -1, compact: -1, tags: -1, tagsEnd: -1 },
  };
  #cache: SeriesCache;
  #key: ByteSpace = noSpace;
  #limit = 0;
  #serial = 0;

  constructor(
    space: ByteSpace,
    cache: SeriesCache,
    time: ItemTime,
    nowUs: number,
    limits: RowLimits,
    serials: RowSerials,
  ) {
    this.#space = space;
    this.#head = new HeadReader(space);
    this.#skipper = new ValueSkipper(space);
    this.#cache = cache;
    this.#time = time;
    this.#nowUs = nowUs;
    this.#limits = limits;
    this.#serials = serials;
  }

  get fields(): FieldArrays {
    return this.#scanner().fields;
  }

  /** Values of the row that were NaN or infinite. */
  get nanCells(): number {
    return this.#scanner().nanCells;
  }

  useCache(cache: SeriesCache): void {
    this.#cache = cache;
    this.#fieldScanner?.useCache(cache);
  }

  /**
   * Reads the map of `pairs` pairs whose content begins at `start`. `columnar` and `batch`: it is
   * none of a row, and nothing was read. After a fault its end may not be known.
   */
  scan(start: number, pairs: number): RowOutcome {
    this.#serials.row += 1;
    this.#serial = this.#serials.row;
    this.#limit = start + this.#limits.rowBytesMax;
    const found = this.#findParts(start, pairs);
    if (found !== 'row') return found;
    if (!this.#readTime() || !this.#readSeries()) return 'fault';
    const { fields, compact } = this.#parts;
    const layout = present(this.series, 'series of a row').layout;
    const scanner = this.#scanner();
    if (scanner.read(fields, compact, layout, this.#serial)) return 'row';
    this.fault = scanner.fault;
    return 'fault';
  }

  #scanner(): FieldScanner {
    this.#fieldScanner ??= new FieldScanner(this.#space, this.#cache, this.#limits);
    return this.#fieldScanner;
  }

  #fail(reason: string, kind: Fault['kind'] = 'parse'): false {
    this.fault = { reason, kind };
    return false;
  }

  /** Notes where each part is. */
  #findParts(start: number, pairs: number): RowOutcome {
    const parts = this.#parts;
    parts.m = parts.mEnd = parts.t = parts.h = parts.hEnd = -1;
    parts.fields = parts.compact = parts.tags = parts.tagsEnd = -1;
    let at = start;
    for (let pair = 0; pair < pairs; pair += 1) {
      const kind = this.#head.read(at);
      if (kind === 0) return 'broken';
      if (kind !== valueClasses.string) {
        this.#fail('a key that is no string');
        return 'fault';
      }
      const name = this.#partName(this.#head.start, this.#head.length);
      if (name === 'columns') return 'columnar';
      if (name === 'batch') return 'batch';
      const value = this.#head.end;
      const end = this.#skip(value);
      if (end < 0) return end === -1 ? 'broken' : 'fault';
      if (name !== undefined && !this.#notePart(name, value, end)) return 'fault';
      at = end;
    }
    this.next = at;
    return 'row';
  }

  /** Behind the value at `at`; -1: the body breaks, -2: the row is too long. */
  #skip(at: number): number {
    const skipper = this.#skipper;
    skipper.begin(at);
    for (;;) {
      const state = skipper.advance(4096);
      if (state === 'broken') return -1;
      if (skipper.at > this.#limit) {
        this.#fail(`max row length exceeded: ${this.#limits.rowBytesMax}`);
        return -2;
      }
      if (state === 'done') return skipper.at;
    }
  }

  #partName(start: number, length: number): PartName | undefined {
    if (length === 0 || length > 7) return undefined;
    const { bytes } = this.#space;
    const names = partNames[length];
    if (names === undefined) return undefined;
    for (const { name, codes } of names) {
      let index = 0;
      while (index < length && bytes[start + index] === codes[index]) index += 1;
      if (index === length) return name;
    }
    return undefined;
  }

  #notePart(name: PartName, value: number, end: number): boolean {
    const parts = this.#parts;
    const place = name === 'f' ? 'compact' : (name as 'm' | 't' | 'h' | 'fields' | 'tags');
    if (parts[place] >= 0) return this.#fail(`key "${name}" twice`);
    parts[place] = value;
    if (name === 'm') parts.mEnd = end;
    else if (name === 'h') parts.hEnd = end;
    else if (name === 'tags') parts.tagsEnd = end;
    return true;
  }

  #readTime(): boolean {
    const { t } = this.#parts;
    if (t < 0 || this.#space.bytes[t] === format.nil) {
      this.#time.setUs(this.#nowUs);
      return true;
    }
    this.#time.unit = undefined;
    const fault = this.#time.read(t);
    return fault === undefined || this.#fail(fault);
  }

  /** The series of the row, from the cache or taken apart. */
  #readSeries(): boolean {
    const { m, mEnd, h, hEnd, tags, tagsEnd } = this.#parts;
    if (m < 0) return this.#fail('missing measurement');
    const tagsBytes = tags < 0 ? 0 : tagsEnd - tags;
    const hostBytes = h < 0 ? 0 : hEnd - h;
    const length = tagsBytes + hostBytes + mEnd - m;
    if (this.#key.bytes.length < length)
      this.#key = byteSpace(new Uint8Array(Math.max(256, length * 2)));
    const key = this.#key;
    copy(this.#space.bytes, m, mEnd - m, key.bytes, 0);
    copy(this.#space.bytes, h, hostBytes, key.bytes, mEnd - m);
    copy(this.#space.bytes, tags, tagsBytes, key.bytes, mEnd - m + hostBytes);
    const hash = this.#cache.hash(key, 0, length);
    const found = this.#cache.find(key, 0, length, hash);
    if (found !== undefined) {
      this.series = found;
      return true;
    }
    return this.#newSeries(length, hash);
  }

  #newSeries(length: number, hash: number): boolean {
    const { m, h, tags } = this.#parts;
    const name = this.#measurementName(m);
    if (name === undefined) return false;
    const layout = this.#cache.layout(decodeText(name));
    const slots: TagSlot[] = [];
    const values: Uint8Array[] = [];
    if (tags >= 0 && !this.#readTags(tags, layout, slots, values)) return false;
    if (h >= 0 && !this.#readHost(h, layout, slots, values)) return false;
    const written = this.#cache.arena.keep(this.#key.bytes.subarray(0, length));
    const { tags: places, kept } = keepValues(values, this.#cache);
    this.series = new Series(layout, hash, written, length, slots, places, kept);
    return true;
  }

  #measurementName(at: number): Uint8Array | undefined {
    const name = nameAt(this.#space, this.#head, at, 'measurement_');
    if (name === undefined) {
      this.#fail('a measurement that is no name');
      return undefined;
    }
    return this.#isToken('measurement', name) ? name : undefined;
  }

  #isToken(what: string, token: Uint8Array): boolean {
    const fault = tokenProblem(what, token, this.#limits);
    if (fault === undefined) return true;
    this.fault = fault;
    return false;
  }

  #readTags(
    start: number,
    layout: MeasurementLayout,
    slots: TagSlot[],
    values: Uint8Array[],
  ): boolean {
    const head = this.#head;
    const kind = head.read(start);
    if (kind === valueClasses.nil) return true;
    if (kind !== valueClasses.map) return this.#fail('tags that are no map');
    const { length: pairs } = head;
    const { columnsMax } = this.#limits;
    const seen = new Set<TagSlot>();
    let at = head.start;
    for (let pair = 0; pair < pairs; pair += 1) {
      if (pair === columnsMax) {
        return this.#fail(`max columns per measurement exceeded: ${columnsMax}`, 'cap');
      }
      if (head.read(at) !== valueClasses.string) return this.#fail('a tag key that is no string');
      const key = this.#space.bytes.subarray(head.start, head.end);
      if (!this.#isToken('tag key', key)) return false;
      const slot = layout.tag(decodeText(key));
      if (seen.has(slot)) return this.#fail(`tag "${slot.spelling}" twice`);
      seen.add(slot);
      const value = head.end;
      const text = scalarText(this.#space, head, value);
      if (text === undefined)
        return this.#fail(`a value of tag "${slot.spelling}" that is no text`);
      at = head.end;
      // An empty tag is an absent tag.
      if (text.length === 0) continue;
      if (!this.#isToken('tag value', text)) return false;
      slots.push(slot);
      values.push(text);
    }
    return true;
  }

  /** `h` is the tag `host`, unless the tags have one of their own. */
  #readHost(
    start: number,
    layout: MeasurementLayout,
    slots: TagSlot[],
    values: Uint8Array[],
  ): boolean {
    if (this.#space.bytes[start] === format.nil) return true;
    const text = nameAt(this.#space, this.#head, start, 'host_');
    if (text === undefined) return this.#fail('a host that is no name');
    const slot = layout.tag('host');
    if (text.length === 0 || slots.includes(slot)) return true;
    if (!this.#isToken('tag value', text)) return false;
    slots.push(slot);
    values.push(text);
    return true;
  }
}

const partNames: readonly ({ name: PartName; codes: Uint8Array }[] | undefined)[] = makePartNames();

function makePartNames(): ({ name: PartName; codes: Uint8Array }[] | undefined)[] {
  const all: readonly PartName[] = ['m', 't', 'h', 'f', 'fields', 'tags', 'columns', 'batch'];
  const byLength: ({ name: PartName; codes: Uint8Array }[] | undefined)[] = [];
  for (const name of all) {
    while (byLength.length <= name.length) byLength.push(undefined);
    const codes = new TextEncoder().encode(name);
    byLength[name.length] = [...(byLength[name.length] ?? []), { name, codes }];
  }
  return byLength;
}

function copy(from: Uint8Array, start: number, length: number, to: Uint8Array, at: number): void {
  if (length > 64) to.set(from.subarray(start, start + length), at);
  else for (let index = 0; index < length; index += 1) to[at + index] = from[start + index] ?? 0;
}
