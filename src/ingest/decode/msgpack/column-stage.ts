/**
 * One column of a columnar item on its way from the body's bytes into typed arrays.
 *
 * I1. A value is read once; no object is made per value.
 * I2. Memory follows what the body really holds: nulls take none.
 */
import { isUtf8 } from 'node:buffer';
import type { PhysicalType } from '../../../base/model/schema.ts';
import type { ColumnValues } from '../../../base/model/column-batch.ts';
import { present } from '../../../base/lib/assert.ts';
import { hashBytes, type ByteSpace } from '../bytes.ts';
import { ColumnBuilder } from '../column-builder.ts';
import { isExact } from '../columnar/stage-flow.ts';
import { placeholders, StagedColumn } from '../columnar/staged-column.ts';
import { DictionaryBuilder } from '../dictionary-builder.ts';
import {
  booleanForm,
  doubleForm,
  hugeExactForm,
  hugeForm,
  integerExactForm,
  integerForm,
  stringForm,
} from '../value-forms.ts';
import * as format from './formats.ts';
import type { HeadReader } from './head-reader.ts';
import type { KnownStrings } from './known-strings.ts';

/** UTF-8 bytes of one string; the limit of line protocol. */
export const stringBytesMax = 1_048_576;

/** Upper halves of int64 from minus this up to this minus one are exact as doubles. */
const highExact = 0x20_0000;

/**
 * Room at first for values of a form that stood in the first row; and of one that did not, which
 * may well be rare. A body of nulls must not take memory for values that do not come.
 */
const firstCapacity = 4096;
const lateCapacity = 16;

/** `take` met the end of the body, or a byte that begins no value. */
export const bodyBroken = -1;
/** `take` met a value that a column cannot have; `fault` says what. */
export const valueBad = -2;

/** What all columns of a request share. */
export interface StageContext {
  readonly strings: KnownStrings;
  readonly space: ByteSpace;
  readonly head: HeadReader;
  readonly seed: number;
}

export class ColumnStage extends StagedColumn {
  /** Values read so far, nulls too. */
  row = 0;
  fault = '';
  readonly #context: StageContext;
  #doubles: ColumnBuilder | undefined;
  #integers: ColumnBuilder | undefined;
  #huge: ColumnBuilder | undefined;
  #strings: ColumnBuilder | undefined;
  #booleans: ColumnBuilder | undefined;
  /** All values, if they are the same strings as last time; then there are no builders. */
  #known: ColumnValues | undefined;
  #startAt = 0;

  constructor(spelling: string, rowCount: number, context: StageContext) {
    super(spelling, 'unknown', rowCount, context.seed);
    this.#context = context;
  }

  /** Cells with a value. */
  get cells(): number {
    const known = this.#known?.values.length ?? 0;
    return this.#builders().reduce((sum, { count }) => sum + count, known);
  }

  /** The arrays that have values. */
  #builders(): ColumnBuilder[] {
    const all = [this.#doubles, this.#integers, this.#huge, this.#strings, this.#booleans];
    return all.filter((builder) => builder !== undefined && builder.count > 0) as ColumnBuilder[];
  }

  override columns(): ColumnValues[] {
    if (this.#known !== undefined) return [this.#known];
    return this.#builders().map((builder) => builder.finish(this.rowCount));
  }

  override free(): void {
    for (const builder of this.#builders()) builder.free();
  }

  /**
   * Reads values from `at` on until `rowStop` or `byteStop` is reached; returns the position behind
   * them, or `bodyBroken` or `valueBad`.
   */
  take(at: number, rowStop: number, byteStop: number): number {
    const { bytes } = this.#context.space;
    let next = at;
    while (this.row < rowStop && next >= 0 && next < byteStop) {
      const first = bytes[next];
      if (first === undefined) return bodyBroken;
      switch (format.classOf[first]) {
        case format.valueClasses.double:
          next = this.#takeDoubles(next, rowStop);
          break;
        case format.valueClasses.integer:
          next = this.#takeIntegers(next, rowStop);
          break;
        case format.valueClasses.string:
          next = this.row === 0 ? this.#takeKnown(next) : next;
          next = this.#takeStrings(next, rowStop, byteStop);
          break;
        case format.valueClasses.nil:
          this.row += 1;
          next += 1;
          break;
        case format.valueClasses.boolean:
          this.#booleans ??= this.#builder('boolean', booleanForm);
          this.#booleans.pushBoolean(this.row, first - format.boolFalse);
          this.row += 1;
          next += 1;
          break;
        default:
          next = this.#refuse(next);
      }
    }
    return next;
  }

  /** Why the strings are none; asked once, after the last value, behind which `end` is. */
  stringFault(end: number): string | undefined {
    const dictionary = this.#strings?.dictionary?.finish();
    if (dictionary === undefined) return undefined;
    // None of them begins within a character, so they are valid if they are one after the other.
    if (!isUtf8(dictionary.bytes)) return this.#about('invalid UTF-8');
    const { strings, space } = this.#context;
    const columns = this.columns();
    const whole = columns.length === 1 && columns[0]?.rows === undefined ? columns[0] : undefined;
    const written = space.bytes.subarray(this.#startAt, end);
    strings.note(this.spelling, dictionary, whole?.values as Uint32Array | undefined, written);
    return undefined;
  }

  #builder(type: PhysicalType, form: number): ColumnBuilder {
    this.note(form, this.row);
    return new ColumnBuilder(placeholders[type], this.#capacity());
  }

  #stringBuilder(): ColumnBuilder {
    this.note(stringForm, this.row);
    const capacity = this.#capacity();
    const { strings, space } = this.#context;
    const { count, bytes } = strings.sizeOf(this.spelling) ?? { count: 1, bytes: 0 };
    // Never more than can still come.
    const entries = Math.min(count, this.rowCount);
    const room = Math.min(Math.ceil((bytes / count) * entries), space.bytes.length);
    const dictionary = new DictionaryBuilder(entries, room);
    return new ColumnBuilder(placeholders.string, capacity, dictionary);
  }

  #capacity(): number {
    return this.row === 0 ? Math.min(this.rowCount, firstCapacity) : lateCapacity;
  }

  #about(reason: string): string {
    return `${reason} in column "${this.spelling}"`;
  }

  #takeDoubles(start: number, rowStop: number): number {
    const { bytes, view } = this.#context.space;
    const end = bytes.length;
    const column = (this.#doubles ??= new ColumnBuilder(placeholders.double, this.#capacity()));
    let at = start;
    let { row } = this;
    for (; row < rowStop; row += 1) {
      const first = bytes[at];
      let value = 0;
      if (first === format.float64) {
        if (at + 9 > end) return bodyBroken;
        value = view.getFloat64(at + 1);
        at += 9;
      } else if (first === format.float32) {
        if (at + 5 > end) return bodyBroken;
        value = view.getFloat32(at + 1);
        at += 5;
      } else {
        break;
      }
      // Not a number and the infinities, and nothing else.
      if (value - value !== 0) {
        this.nanCells += 1;
        continue;
      }
      if (column.count === 0) this.firstRows[doubleForm] = row;
      column.pushDouble(row, value);
    }
    this.row = row;
    return at;
  }

  #takeIntegers(start: number, rowStop: number): number {
    const { bytes, view } = this.#context.space;
    const end = bytes.length;
    let at = start;
    while (this.row < rowStop) {
      const first = bytes[at] ?? format.nil;
      const size = format.plainSizes[first] ?? 0;
      if (format.classOf[first] !== format.valueClasses.integer) break;
      if (at + 1 + size > end) return bodyBroken;
      if (size === 8) {
        const high = view.getInt32(at + 1);
        const low = view.getInt32(at + 5);
        if (first === format.uint64 && high < 0) this.#pushHuge(low, high);
        else if (high < highExact && high >= -highExact) this.#pushExact(low, high);
        else this.#pushWide(low, high);
      } else {
        const value = smallInteger(first, view, at);
        this.#pushExact(value | 0, value < 0 ? -1 : 0);
      }
      this.row += 1;
      at += 1 + size;
    }
    return at;
  }

  #pushExact(low: number, high: number): void {
    this.#integers ??= this.#builder('int64', integerExactForm);
    this.note(integerExactForm, this.row);
    this.#integers.pushWords(this.row, low, high);
  }

  /** An int64 that may be beyond what is exact as a double. */
  #pushWide(low: number, high: number): void {
    const form = isExact(low, high) ? integerExactForm : integerForm;
    this.#integers ??= this.#builder('int64', form);
    this.note(form, this.row);
    this.#integers.pushWords(this.row, low, high);
  }

  #pushHuge(low: number, high: number): void {
    const form = isExact(low, high >>> 0) ? hugeExactForm : hugeForm;
    this.#huge ??= this.#builder('uint64', form);
    this.note(form, this.row);
    this.#huge.pushWords(this.row, low, high);
  }

  /** Takes the whole column if it has the same bytes as last time; else nothing. */
  #takeKnown(at: number): number {
    this.#startAt = at;
    const { strings, space } = this.#context;
    const known = strings.same(this.spelling, space.bytes, at, this.rowCount);
    if (known === undefined) return at;
    this.note(stringForm, this.row);
    this.#known = { column: placeholders.string, rows: undefined, ...known.column };
    this.row = this.rowCount;
    return at + known.written.length;
  }

  #takeStrings(start: number, rowStop: number, byteStop: number): number {
    const { space, head, seed } = this.#context;
    const { bytes } = space;
    const end = bytes.length;
    if (this.row >= rowStop) return start;
    const column = (this.#strings ??= this.#stringBuilder());
    const dictionary = present(column.dictionary, 'dictionary of a string column');
    let at = start;
    while (this.row < rowStop && at < byteStop) {
      const first = bytes[at] ?? format.nil;
      let from = at + 1;
      let length = first - 0xa0;
      if (length < 0 || length > 31) {
        if (format.classOf[first] !== format.valueClasses.string) break;
        if (head.read(at) === 0) return bodyBroken;
        ({ start: from, length } = head);
        if (length > stringBytesMax) return this.#fail('string too long');
      }
      if (from + length > end) return bodyBroken;
      if (length > 0 && ((bytes[from] ?? 0) & 0xc0) === 0x80) return this.#fail('invalid UTF-8');
      const hash = hashBytes(space, from, length, seed);
      column.pushCode(this.row, dictionary.code(space, from, length, hash));
      this.row += 1;
      at = from + length;
    }
    return at;
  }

  #fail(reason: string): number {
    this.fault = this.#about(reason);
    return valueBad;
  }

  #refuse(at: number): number {
    const kind = this.#context.head.read(at);
    if (kind === 0) return bodyBroken;
    if (kind !== format.valueClasses.extension) {
      const what = kind === format.valueClasses.map ? 'a map' : 'an array';
      return this.#fail(`a value that is ${what}`);
    }
    return this.#fail('unknown extension');
  }
}

/** An integer of less than 64 bits; the body has all of it. */
export function smallInteger(first: number, view: DataView, at: number): number {
  switch (first) {
    case format.uint8:
      return view.getUint8(at + 1);
    case format.uint16:
      return view.getUint16(at + 1);
    case format.uint32:
      return view.getUint32(at + 1);
    case format.int8:
      return view.getInt8(at + 1);
    case format.int16:
      return view.getInt16(at + 1);
    case format.int32:
      return view.getInt32(at + 1);
    default:
      return first < format.negativeFixint ? first : first - 256;
  }
}
