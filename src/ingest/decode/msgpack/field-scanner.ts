/**
 * Reads the fields of one row, a map or a list, into the arrays from which rows are placed. Field
 * keys are predicted: each knows which one followed it last time, so that a row of the usual shape
 * costs one comparison per key and no look-up. The row is whole: nothing here meets its end.
 */
import { isUtf8 } from 'node:buffer';
import { sameBytes, type ByteSpace } from '../bytes.ts';
import { FieldArrays } from '../field-arrays.ts';
import type { FieldSlot, MeasurementLayout } from '../layout.ts';
import type { SeriesCache } from '../series-cache.ts';
import { decodeText, parseFault, type Fault } from '../series-parser.ts';
import {
  booleanForm,
  doubleForm,
  hugeExactForm,
  hugeForm,
  integerExactForm,
  integerForm,
  stringForm,
} from '../value-forms.ts';
import { smallInteger, stringBytesMax } from './column-stage.ts';
import * as format from './formats.ts';
import { HeadReader } from './head-reader.ts';
import { isAscii, tokenProblem, type TokenLimits } from './scalar-text.ts';
import { isExact } from '../columnar/stage-flow.ts';

const { valueClasses } = format;
const twoTo32 = 4_294_967_296;

/** The value is null, or becomes null, and is not stored. */
const notStored = -3;

export class FieldScanner {
  readonly fields = new FieldArrays();
  /** Values of the row that were NaN or infinite. */
  nanCells = 0;
  fault: Fault = parseFault('');
  readonly #space: ByteSpace;
  readonly #head: HeadReader;
  readonly #limits: TokenLimits;
  #cache: SeriesCache;
  #serial = 0;
  #before: FieldSlot | undefined = undefined;
  /** Behind the key last read. */
  #keyEnd = 0;
  /** Behind a value that is not stored. */
  #nullEnd = 0;

  constructor(space: ByteSpace, cache: SeriesCache, limits: TokenLimits) {
    this.#space = space;
    this.#head = new HeadReader(space);
    this.#cache = cache;
    this.#limits = limits;
  }

  useCache(cache: SeriesCache): void {
    this.#cache = cache;
  }

  /**
   * Reads the map at `map` and the list at `list`, -1 where there is none; `serial` is the row's.
   * False: `fault` says why.
   */
  read(map: number, list: number, layout: MeasurementLayout, serial: number): boolean {
    this.fields.clear();
    this.nanCells = 0;
    this.#before = undefined;
    this.#serial = serial;
    const found = map < 0 ? 0 : this.#readFieldMap(map, layout);
    if (found < 0) return false;
    const more = list < 0 ? 0 : this.#readFieldList(list, layout);
    if (more < 0) return false;
    return found + more > 0 || this.#fail('missing fields');
  }

  #fail(reason: string, kind: Fault['kind'] = 'parse'): false {
    this.fault = { reason, kind };
    return false;
  }

  /** Reads `fields`; how many there are, or -1. */
  #readFieldMap(start: number, layout: MeasurementLayout): number {
    const head = this.#head;
    const kind = head.read(start);
    if (kind === valueClasses.nil) return 0;
    if (kind !== valueClasses.map) return this.#stop('fields that are no map');
    const pairs = head.length;
    let at = head.start;
    let predicted = layout.firstField;
    for (let pair = 0; pair < pairs; pair += 1) {
      const slot = this.#readKey(at, layout, predicted);
      if (slot === undefined) return -1;
      at = this.#readField(slot, this.#keyEnd);
      if (at < 0) return -1;
      predicted = slot.next;
    }
    return pairs;
  }

  /** Reads `f`, whose fields have numbers for names. */
  #readFieldList(start: number, layout: MeasurementLayout): number {
    const head = this.#head;
    const kind = head.read(start);
    if (kind === valueClasses.nil) return 0;
    if (kind !== valueClasses.array) return this.#stop('compact fields that are no array');
    const count = head.length;
    let at = head.start;
    for (let index = 0; index < count; index += 1) {
      const name = `field_${index}`;
      const slot = layout.field(name) ?? this.#newField(layout, name, writtenKey(name), name);
      at = this.#readField(slot, at);
      if (at < 0) return -1;
    }
    return count;
  }

  #stop(reason: string): -1 {
    this.#fail(reason);
    return -1;
  }

  #readKey(
    at: number,
    layout: MeasurementLayout,
    predicted: FieldSlot | undefined,
  ): FieldSlot | undefined {
    const { bytes } = this.#space;
    if (
      predicted !== undefined &&
      at + predicted.length <= bytes.length &&
      sameBytes(this.#space, at, predicted.written, 0, predicted.length)
    ) {
      this.#before = predicted;
      this.#keyEnd = at + predicted.length;
      return predicted;
    }
    const head = this.#head;
    if (head.read(at) !== valueClasses.string) {
      this.#fail('a field key that is no string');
      return undefined;
    }
    const { start, end } = head;
    this.#keyEnd = end;
    const key = bytes.subarray(start, end);
    // By its text alone: the same key may be written in several ways.
    const text = Buffer.from(key.buffer, key.byteOffset, key.length).toString('latin1');
    let slot = layout.field(text);
    if (slot === undefined) {
      const fault = tokenProblem('field key', key, this.#limits);
      if (fault !== undefined) {
        this.fault = fault;
        return undefined;
      }
      slot = this.#newField(layout, text, bytes.slice(at, end), decodeText(key));
    }
    if (this.#before === undefined) layout.firstField = slot;
    else this.#before.next = slot;
    this.#before = slot;
    return slot;
  }

  #newField(
    layout: MeasurementLayout,
    text: string,
    written: Uint8Array,
    spelling: string,
  ): FieldSlot {
    this.#cache.spend(300 + 3 * text.length);
    return layout.addField(text, written, spelling);
  }

  /** Reads the value of a field at `at`; returns the position behind it, or -1. */
  #readField(slot: FieldSlot, at: number): number {
    const { fields } = this;
    if (fields.count === fields.room) {
      const { columnsMax } = this.#limits;
      if (fields.room >= columnsMax) {
        this.#fail(`max columns per measurement exceeded: ${columnsMax}`, 'cap');
        return -1;
      }
      fields.grow(columnsMax);
    }
    if (slot.seenInLine === this.#serial) return this.#stop(`field "${slot.spelling}" twice`);
    const next = this.#readValue(at);
    if (next > 0) {
      fields.close(slot, this.#serial);
      return next;
    }
    // A null takes no field, and is one all the same if its key comes again.
    slot.seenInLine = this.#serial;
    if (next === notStored) return this.#nullEnd;
    this.fault = { ...this.fault, reason: `${this.fault.reason} in field "${slot.spelling}"` };
    return -1;
  }

  /** Enters the value at `at` at the next place; `notStored`: it is null, `#nullEnd` is behind. */
  #readValue(at: number): number {
    const { bytes, view } = this.#space;
    const { fields } = this;
    const first = bytes[at] ?? 0;
    switch (format.classOf[first]) {
      case valueClasses.double: {
        const isShort = first === format.float32;
        const value = isShort ? view.getFloat32(at + 1) : view.getFloat64(at + 1);
        this.#nullEnd = at + (isShort ? 5 : 9);
        if (value - value === 0) {
          fields.setNumber(doubleForm, value);
          return this.#nullEnd;
        }
        this.nanCells += 1;
        return notStored;
      }
      case valueClasses.integer:
        return this.#readInteger(first, at);
      case valueClasses.string:
        return this.#readString(at);
      case valueClasses.boolean:
        fields.setNumber(booleanForm, first - format.boolFalse);
        return at + 1;
      case valueClasses.nil:
        this.#nullEnd = at + 1;
        return notStored;
      case valueClasses.extension:
        return this.#stop('unknown extension');
      default:
        return this.#stop('a value that is a map or an array');
    }
  }

  #readInteger(first: number, at: number): number {
    const { view } = this.#space;
    const { fields } = this;
    if (first !== format.uint64 && first !== format.int64) {
      fields.setNumber(integerExactForm, smallInteger(first, view, at));
      return at + 1 + (format.plainSizes[first] ?? 0);
    }
    const low = view.getUint32(at + 5);
    const high = first === format.uint64 ? view.getUint32(at + 1) : view.getInt32(at + 1);
    const isHuge = high >= twoTo32 / 2;
    const exact = isExact(low, high);
    if (exact) {
      fields.setNumber(isHuge ? hugeExactForm : integerExactForm, high * twoTo32 + low);
    } else {
      const place = fields.count;
      fields.setNumber(isHuge ? hugeForm : integerForm, 0);
      fields.words[place * 2] = low;
      fields.words[place * 2 + 1] = high;
    }
    return at + 9;
  }

  #readString(at: number): number {
    const head = this.#head;
    head.read(at);
    const { start, length, end } = head;
    if (length > stringBytesMax) return this.#stop('string too long');
    if (!isAscii(this.#space, start, length)) {
      if (!isUtf8(this.#space.bytes.subarray(start, end))) return this.#stop('invalid UTF-8');
    }
    this.fields.setString(stringForm, start, length, 0);
    return end;
  }
}

/** `name`, of less than 32 bytes, as a MessagePack string. */
function writtenKey(name: string): Uint8Array {
  return Uint8Array.of(0xa0 + name.length, ...new TextEncoder().encode(name));
}
