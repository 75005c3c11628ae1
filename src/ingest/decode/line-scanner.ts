/**
 * Reads one line of line protocol at a time into arrays that are used again for the next: its
 * series, field keys, values and time. It decides what the bytes say and nothing else; whether the
 * row is taken is `RowPlacer`'s business. Not reentrant; used between two yields only.
 *
 * The bytes end with a newline (the decoder sees to it), and nothing but a quoted string passes a
 * newline, so scanning loops need no other bound. Error texts are those of InfluxDB 1.
 */
import { sameBytes, type ByteSpace } from './bytes.ts';
import { FieldArrays } from './field-arrays.ts';
import type { FieldSlot, MeasurementLayout } from './layout.ts';
import { divideExactly, parseBoolean, parseInteger, powersOfTen } from './number-text.ts';
import type { Series, SeriesCache } from './series-cache.ts';
import {
  backslash,
  comma,
  decodeText,
  equals,
  parseFault,
  parseSeries,
  space,
  unescapeToken,
  type Fault,
  type SeriesLimits,
} from './series-parser.ts';
import type { TimeReader } from './time-reader.ts';
import { booleanForm, doubleForm, integerExactForm, stringForm } from './value-forms.ts';

const newline = 10;
const carriageReturn = 13;
const quote = 34;
const minus = 45;
const dot = 46;

/** Where a fault left the line, which says how its end is found. */
export type FaultPlace = 'plain' | 'inString' | 'afterString';

export interface ScanLimits extends SeriesLimits {
  readonly lineBytesMax: number;
  readonly stringBytesMax: number;
  readonly fieldsMax: number;
}

/** Numbers all lines of a decoder, so that slots shared by its requests can tell them apart. */
export interface LineSerials {
  line: number;
}

export class LineScanner {
  /** Filled by `scan`: the line's series and fields. */
  series: Series | undefined = undefined;
  readonly fields = new FieldArrays();
  /** Position behind the line's newline. */
  next = 0;
  /** Newlines inside the line's strings. */
  innerLines = 0;

  /** Position of a newline that the line's end, or one of its strings, cannot lie before. */
  guard = -1;

  fault: Fault = parseFault('');
  faultAt = 0;
  faultPlace: FaultPlace = 'plain';

  #cache: SeriesCache;
  readonly #line: ByteSpace;
  readonly #buffer: Buffer;
  readonly #end: number;
  readonly #limits: ScanLimits;
  readonly #time: TimeReader;
  readonly #serials: LineSerials;
  #serial = 0;
  #limit = 0;
  #previous: Series | undefined = undefined;
  #predicted: FieldSlot | undefined = undefined;

  /** `line.bytes` ends with a newline. */
  constructor(
    line: ByteSpace,
    cache: SeriesCache,
    time: TimeReader,
    limits: ScanLimits,
    serials: LineSerials,
  ) {
    const { bytes } = line;
    this.#line = line;
    this.#buffer = Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength);
    this.#end = bytes.length;
    this.#cache = cache;
    this.#time = time;
    this.#limits = limits;
    this.#serials = serials;
  }

  /** Goes on with another cache, and forgets what the last one predicted. */
  useCache(cache: SeriesCache): void {
    if (cache === this.#cache) return;
    this.#cache = cache;
    this.#previous = undefined;
  }

  /** Reads the line at `start`, which is no space. False: `fault` says why, and `faultAt` where. */
  scan(start: number): boolean {
    this.#serials.line += 1;
    this.#serial = this.#serials.line;
    this.#limit = start + this.#limits.lineBytesMax;
    this.fields.clear();
    this.innerLines = 0;
    this.faultPlace = 'plain';
    let at = this.#readSeries(start);
    if (at < 0) return false;
    at = this.#skipSpaces(at);
    at = this.#readFields(at);
    if (at < 0) return false;
    if (at > this.#limit) return this.#fail(at, 'line too long') > 0;
    return this.#readEnd(at);
  }

  /** Notes a fault; returns what the reading methods return for it. */
  #fail(at: number, reason: string): number {
    this.fault = parseFault(reason);
    this.faultAt = at;
    return -1;
  }

  #skipSpaces(start: number): number {
    let at = start;
    while (this.#line.bytes[at] === space) at += 1;
    return at;
  }

  /** Position of the space behind the series. */
  #readSeries(start: number): number {
    const previous = this.#previous;
    const predicted = previous === undefined ? this.#cache.first : previous.next;
    if (predicted !== undefined && this.#isSeries(predicted, start)) {
      this.series = predicted;
      this.#previous = predicted;
      return start + predicted.length;
    }
    const end = this.#seriesEnd(start);
    if (end < 0) return end;
    const { length, hash } = { length: end - start, hash: this.#hash(start, end) };
    let found: Series | Fault | undefined = this.#cache.find(this.#line, start, length, hash);
    if (found === undefined) {
      found = parseSeries(this.#line, start, end, hash, this.#cache, this.#limits);
      if ('reason' in found) {
        this.#fail(end, '');
        this.fault = found;
        return -1;
      }
    }
    // A series of bad lines is not kept by those before it, or they would chain up without end.
    if (found.admitted) {
      if (previous === undefined) this.#cache.first = found;
      else previous.next = found;
    }
    this.series = found;
    this.#previous = found;
    return end;
  }

  #hash(start: number, end: number): number {
    return this.#cache.hash(this.#line, start, end - start);
  }

  #isSeries(series: Series, start: number): boolean {
    const end = start + series.length;
    return (
      end < this.#end &&
      this.#line.bytes[end] === space &&
      sameBytes(this.#line, start, series.space, series.offset, series.length)
    );
  }

  /** First unescaped space; a newline before it means that there are no fields. */
  #seriesEnd(start: number): number {
    const { bytes } = this.#line;
    let at = start;
    for (;;) {
      const byte = bytes[at] ?? newline;
      if (byte === space) return at;
      if (byte === newline) return this.#endInSeries(start, at);
      at += byte === backslash && isEscape(bytes[at + 1] ?? 0) ? 2 : 1;
    }
  }

  /** The line ends at `end` before any field: the first thing that is wrong with it. */
  #endInSeries(start: number, end: number): number {
    const last = this.#line.bytes[end - 1] === carriageReturn ? end - 1 : end;
    const read = parseSeries(this.#line, start, last, 0, this.#cache, this.#limits);
    this.#fail(end, 'missing fields');
    if ('reason' in read) this.fault = read;
    return -1;
  }

  #readFields(start: number): number {
    const { bytes } = this.#line;
    const { fields } = this;
    const layout = this.series?.layout;
    if (layout === undefined) return this.#fail(start, 'missing measurement');
    let at = start;
    let before: FieldSlot | undefined = undefined;
    this.#predicted = layout.firstField;
    for (;;) {
      if (fields.count === fields.room && !this.#grow(at)) return -1;
      const slot = this.#readKey(at, layout, before);
      if (slot === undefined) return -1;
      at = this.#readValue(at + slot.length);
      if (at < 0) return -1;
      fields.close(slot, this.#serial);
      if (bytes[at] !== comma) return at;
      if (at > this.#limit) return this.#fail(at, 'line too long');
      before = slot;
      this.#predicted = slot.next;
      at += 1;
    }
  }

  #readKey(
    start: number,
    layout: MeasurementLayout,
    before: FieldSlot | undefined,
  ): FieldSlot | undefined {
    const predicted = this.#predicted;
    if (
      predicted !== undefined &&
      start + predicted.length <= this.#end &&
      sameBytes(this.#line, start, predicted.written, 0, predicted.length)
    ) {
      return predicted;
    }
    const length = this.#keyLength(start);
    if (length < 0) return undefined;
    const written = this.#text(start, start + length);
    const slot = layout.field(written) ?? this.#newField(layout, written, start);
    if (slot === undefined) return undefined;
    if (before === undefined) layout.firstField = slot;
    else before.next = slot;
    return slot;
  }

  /** Length of the key at `start` with its `=`. */
  #keyLength(start: number): number {
    const { bytes } = this.#line;
    let at = start;
    for (;;) {
      const byte = bytes[at] ?? newline;
      if (byte === equals) break;
      if (byte === newline || byte === space || byte === comma || byte === carriageReturn) {
        return this.#fail(at, 'invalid field format');
      }
      at += byte === backslash && isEscape(bytes[at + 1] ?? 0) ? 2 : 1;
    }
    if (at === start) return this.#fail(at, 'missing field key');
    return at + 1 - start;
  }

  #newField(layout: MeasurementLayout, written: string, start: number): FieldSlot | undefined {
    const bytes = this.#line.bytes.slice(start, start + written.length);
    const key = unescapeToken(bytes.subarray(0, -1), true);
    const { nameBytesMax } = this.#limits;
    if (key.length > nameBytesMax) {
      this.#fail(start, `max field key length exceeded: ${key.length} > ${nameBytesMax}`);
      return undefined;
    }
    if (key.some((byte) => byte < 32 || byte === 127)) {
      this.#fail(start, 'control character in field key');
      return undefined;
    }
    this.#cache.spend(300 + 3 * written.length);
    return layout.addField(written, bytes, decodeText(key));
  }

  /** Reads a value into the next place; returns the position behind it. */
  #readValue(start: number): number {
    const first = this.#line.bytes[start] ?? newline;
    if ((first >= 48 && first <= 57) || first === minus || first === dot) {
      return this.#readNumber(start);
    }
    if (first === quote) return this.#readString(start + 1);
    if (isValueEnd(first)) return this.#fail(start, 'missing field value');
    return this.#readBoolean(start);
  }

  #readNumber(start: number): number {
    const { bytes } = this.#line;
    const negative = bytes[start] === minus;
    let at = negative ? start + 1 : start;
    const digits = at;
    let value = 0;
    let digit = (bytes[at] ?? 0) - 48;
    while (digit >= 0 && digit <= 9) {
      value = value * 10 + digit;
      at += 1;
      digit = (bytes[at] ?? 0) - 48;
    }
    const whole = at - digits;
    let fraction = 0;
    let byte = bytes[at] ?? newline;
    if (byte === dot) {
      at += 1;
      digit = (bytes[at] ?? 0) - 48;
      while (digit >= 0 && digit <= 9) {
        value = value * 10 + digit;
        fraction += 1;
        at += 1;
        digit = (bytes[at] ?? 0) - 48;
      }
      byte = bytes[at] ?? newline;
    } else if (byte === 105 || byte === 117) {
      return this.#endInteger(start, digits, at, value);
    }
    const count = whole + fraction;
    if (count === 0) return this.#fail(at, 'invalid number');
    if (count > 15 || !isValueEnd(byte)) return this.#endLongFloat(start, digits, at, fraction);
    // Both the digits and the power of ten are exact, so the quotient is rounded once: right.
    const size = fraction === 0 ? value : value / (powersOfTen[fraction] ?? 1);
    return this.#setNumber(doubleForm, negative ? -size : size, at);
  }

  #setNumber(form: number, value: number, next: number): number {
    this.fields.setNumber(form, value);
    return next;
  }

  /** Floats of more than 15 digits or with an exponent. `at` is behind the fraction. */
  #endLongFloat(start: number, digits: number, at: number, fraction: number): number {
    const { bytes } = this.#line;
    let end = at;
    if ((bytes[end] ?? 0) === 101 || bytes[end] === 69) {
      end += 1;
      if (bytes[end] === minus || bytes[end] === 43) end += 1;
      const exponent = end;
      while ((bytes[end] ?? 0) >= 48 && (bytes[end] ?? 0) <= 57) end += 1;
      if (end === exponent) return this.#failExponent(end);
    }
    if (!isValueEnd(bytes[end] ?? newline)) return this.#fail(end, 'invalid number');
    let value = end === at ? this.#divided(digits, at, fraction) : Number.NaN;
    if (bytes[start] === minus) value = -value;
    if (Number.isNaN(value)) value = Number(this.#text(start, end));
    if (!Number.isFinite(value)) return this.#fail(start, 'invalid float');
    return this.#setNumber(doubleForm, value, end);
  }

  /** InfluxDB tells letters that no number has from an exponent that is none. */
  #failExponent(at: number): number {
    const { bytes } = this.#line;
    let end = at;
    for (let byte = bytes[end] ?? newline; isDigitOrExponent(byte); byte = bytes[end] ?? newline) {
      end += 1;
    }
    const isFloat = isValueEnd(bytes[end] ?? newline);
    return this.#fail(at, isFloat ? 'invalid float' : 'invalid number');
  }

  /** The digits in [start, end), at most 19 and with one dot, as a double; NaN if not provable. */
  #divided(start: number, end: number, fraction: number): number {
    const { bytes } = this.#line;
    const count = end - start - (fraction > 0 ? 1 : 0);
    if (count > 19 || fraction > 22) return Number.NaN;
    let leading = 0;
    let trailing = 0;
    let seen = 0;
    for (let at = start; at < end; at += 1) {
      const byte = bytes[at] ?? 0;
      if (byte === dot) continue;
      if (seen < 15) leading = leading * 10 + byte - 48;
      else trailing = trailing * 10 + byte - 48;
      seen += 1;
    }
    return divideExactly(leading, trailing, Math.max(0, seen - 15), fraction);
  }

  /** Integers; `at` is the position of the `i` or `u`. */
  #endInteger(start: number, digits: number, at: number, value: number): number {
    const { bytes } = this.#line;
    const unsigned = bytes[at] === 117;
    const negative = digits > start;
    const count = at - digits;
    if (count === 0 || (unsigned && negative) || !isValueEnd(bytes[at + 1] ?? newline)) {
      return this.#fail(at, 'invalid number');
    }
    if (count <= 15) {
      return this.#setNumber(integerExactForm, negative && value > 0 ? -value : value, at + 1);
    }
    const parsed = parseInteger(this.#text(digits, at), negative, unsigned);
    if (parsed === undefined) {
      const text = this.#text(start, Math.min(at, start + 40));
      const [what, parser] = unsigned ? ['unsigned', 'ParseUint'] : ['integer', 'ParseInt'];
      const reason = `strconv.${parser}: parsing "${text}": value out of range`;
      return this.#fail(start, `unable to parse ${what} ${text}: ${reason}`);
    }
    this.fields.wide[this.fields.count] = BigInt.asIntN(64, parsed.value);
    return this.#setNumber(parsed.form, Number(parsed.value), at + 1);
  }

  #text(start: number, end: number): string {
    return this.#buffer.toString('latin1', start, end);
  }

  #readBoolean(start: number): number {
    const { bytes } = this.#line;
    let end = start;
    while (!isValueEnd(bytes[end] ?? newline) && end - start < 6) end += 1;
    const text = this.#text(start, end);
    const value = parseBoolean(text);
    if (value !== undefined) return this.#setNumber(booleanForm, value, end);
    return this.#fail(start, /^[nN]/.test(text) ? 'invalid number' : 'invalid boolean');
  }

  /** Reads a string from behind its opening quote. */
  #readString(start: number): number {
    const { bytes } = this.#line;
    const bound = Math.min(this.#end - 1, this.#limit);
    let at = start;
    let escaped = 0;
    for (; at < bound; at += 1) {
      const byte = bytes[at] ?? 0;
      if (byte === quote) break;
      if (byte === newline) {
        this.innerLines += 1;
      } else if (byte === backslash) {
        const following = bytes[at + 1] ?? 0;
        if (following === quote || following === backslash) {
          escaped = 1;
          at += 1;
        }
      }
    }
    if (at > this.guard) this.guard = this.#buffer.indexOf(newline, at);
    if (at >= bound || this.guard > this.#limit) {
      this.faultPlace = 'inString';
      return this.#fail(at, at >= this.#end - 1 ? 'unbalanced quotes' : 'line too long');
    }
    if (!isValueEnd(bytes[at + 1] ?? newline)) {
      this.faultPlace = 'afterString';
      return this.#fail(at + 1, 'invalid field format');
    }
    const { stringBytesMax } = this.#limits;
    if (at - start > stringBytesMax) {
      return this.#fail(at + 1, `max string length exceeded: ${at - start} > ${stringBytesMax}`);
    }
    this.fields.setString(stringForm, start, at - start, escaped);
    return at + 1;
  }

  /** Time and line end. */
  #readEnd(start: number): boolean {
    const { bytes } = this.#line;
    let at = this.#skipSpaces(start);
    const byte = bytes[at] ?? newline;
    if (byte === newline || byte === carriageReturn) {
      this.#time.setMissing();
    } else {
      const reason = this.#time.read(this.#line, at);
      at = this.#skipSpaces(this.#time.next);
      if (reason !== undefined) return this.#fail(at, reason) > 0;
    }
    if (bytes[at] === carriageReturn && bytes[at + 1] === newline) at += 1;
    if (bytes[at] !== newline) {
      const second = bytes[at - 1] === space && bytes[at] !== carriageReturn;
      return this.#fail(at, second ? 'point is invalid' : 'bad timestamp') > 0;
    }
    this.next = at + 1;
    return true;
  }

  /** Makes room for more fields, up to the cap. */
  #grow(at: number): boolean {
    const { fieldsMax } = this.#limits;
    if (this.fields.room < fieldsMax) {
      this.fields.grow(fieldsMax);
      return true;
    }
    const reason = `max columns per measurement exceeded: ${fieldsMax}`;
    this.#fail(at, reason);
    this.fault = { kind: 'cap', reason };
    return false;
  }
}

function isEscape(next: number): boolean {
  return next === comma || next === equals || next === space;
}

function isDigitOrExponent(byte: number): boolean {
  return (byte >= 48 && byte <= 57) || byte === 101 || byte === 69;
}

function isValueEnd(byte: number): boolean {
  return byte === comma || byte === space || byte === newline || byte === carriageReturn;
}
