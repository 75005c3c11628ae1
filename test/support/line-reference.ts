/**
 * A slow reading of line protocol to hold the decoder against: one regular expression per token,
 * one object per row, the whole body at a time. Knows no caps; numbers are compared by their exact
 * decimal text, so that the column they end up in does not matter.
 */
import { isUtf8 } from 'node:buffer';

export interface ReferenceRow {
  readonly measurement: string;
  /** Microseconds, undefined if the line had none. */
  readonly timeUs: bigint | undefined;
  readonly tags: ReadonlyMap<string, string>;
  /** `string:...`, `boolean:1`, or `number:` and the exact value. */
  readonly fields: ReadonlyMap<string, string>;
}

export interface ReferenceBad {
  readonly line: number;
  /** One character per byte. */
  readonly text: string;
}

type Place = 'plain' | 'inString' | 'afterString';

class Bad extends Error {
  readonly at: number;
  readonly place: Place;

  constructor(at: number, place: Place = 'plain') {
    super('bad line');
    this.at = at;
    this.place = place;
  }
}

const tokens = {
  measurement: /(?:\\[, ]|\\(?![, ])|[^, \n\\])*/y,
  tagPart: /(?:\\[,= ]|\\(?![,= ])|[^,= \n\\])*/y,
  fieldKey: /(?:\\[,= ]|\\(?![,= ])|[^,= \r\n\\])*/y,
  spaces: / */y,
  integer: /(-?)(\d+)(i|u)(?=[, \r\n]|$)/y,
  float: /-?(?:\d+\.?\d*|\.\d+)(?:[eE][+-]?\d+)?(?=[, \r\n]|$)/y,
  boolean: /(?:t|T|true|True|TRUE|f|F|false|False|FALSE)(?=[, \r\n]|$)/y,
  stringStart: /"/y,
  string: /((?:\\["\\]|\\(?!["\\])|[^"\\])*)"/y,
  time: /(-?\d+)? *(?:\r?\n|\r?$)/y,
  plainRest: /(?:\\[\s\S]|(?!=")[^\n\\])*/y,
  stringRest: /(?:\\[\s\S]|[^"\\])*/y,
};

/** Text from latin-1, one character per byte, to what the bytes say. */
const utf8 = (text: string): string => Buffer.from(text, 'latin1').toString('utf8');

export function exactNumber(value: number | bigint): string {
  if (typeof value === 'bigint') return `number:${value}`;
  if (Object.is(value, -0)) return 'number:-0';
  return Number.isInteger(value) ? `number:${BigInt(value)}` : `number:${value}`;
}

export class LineReference {
  readonly rows: ReferenceRow[] = [];
  readonly bad: ReferenceBad[] = [];
  readonly #text: string;
  readonly #classes = new Map<string, string>();
  #at = 0;

  constructor(body: Uint8Array) {
    this.#text = Buffer.from(body).toString('latin1');
    while (this.#at < this.#text.length) this.#readNext();
  }

  #match(token: keyof typeof tokens): RegExpExecArray | undefined {
    const pattern = tokens[token];
    pattern.lastIndex = this.#at;
    const match = pattern.exec(this.#text);
    if (match === null) return undefined;
    this.#at = pattern.lastIndex;
    return match;
  }

  #readNext(): void {
    const character = this.#text[this.#at] ?? '';
    if (' \t\r\n'.includes(character)) {
      this.#at += 1;
      return;
    }
    if (character === '#') {
      const end = this.#text.indexOf('\n', this.#at);
      this.#at = end < 0 ? this.#text.length : end + 1;
      return;
    }
    const start = this.#at;
    try {
      const row = this.#readLine();
      const line = Buffer.from(this.#text.slice(start, this.#at), 'latin1');
      if (line.includes(0) || !isUtf8(line)) throw new Bad(this.#at);
      this.#accept(row);
      this.rows.push(row);
    } catch (error) {
      if (!(error instanceof Bad)) throw error;
      if (this.#at !== error.at || this.#text[error.at - 1] !== '\n') this.#skip(error);
      const line = this.#text.slice(0, start).split('\n').length;
      this.bad.push({ line, text: this.#text.slice(start, this.#at).replace(/\r?\n?$/, '') });
    }
  }

  #readLine(): ReferenceRow {
    const { measurement, tags } = this.#readSeries();
    this.#match('spaces');
    const fields = new Map<string, string>();
    do {
      const key = this.#readFieldKey();
      this.#at += 1;
      fields.set(utf8(unescape(key)), this.#readValue());
    } while (this.#text[this.#at] === ',' && (this.#at += 1) > 0);
    this.#match('spaces');
    const start = this.#at;
    const time = this.#match('time');
    if (time === undefined) {
      while (/[-0-9 ]/.test(this.#text[this.#at] ?? '')) this.#at += 1;
      throw new Bad(this.#at);
    }
    const ns = time[1] === undefined ? undefined : BigInt(time[1]);
    if (ns !== undefined && (ns > 2n ** 63n - 2n || ns < 2n - 2n ** 63n)) {
      this.#at = start;
      throw new Bad(start);
    }
    const timeUs = ns === undefined ? undefined : (ns - (((ns % 1000n) + 1000n) % 1000n)) / 1000n;
    return { measurement: utf8(measurement.replace(/\\([, ])/g, '$1')), timeUs, tags, fields };
  }

  #readSeries(): { measurement: string; tags: Map<string, string> } {
    const end = this.#seriesEnd();
    const measurement = this.#match('measurement')?.[0] ?? '';
    const parts = [measurement];
    const tags = new Map<string, string>();
    let fault = measurement === '';
    while (!fault && this.#at < end) {
      this.#at += 1;
      const key = this.#match('tagPart')?.[0] ?? '';
      const isTag = this.#text[this.#at] === '=';
      this.#at += 1;
      const value = this.#match('tagPart')?.[0] ?? '';
      const known = tags.has(utf8(unescape(key)));
      fault = key === '' || value === '' || !isTag || this.#text[this.#at] === '=' || known;
      tags.set(utf8(unescape(key)), utf8(unescape(value)));
      parts.push(key, value);
    }
    if (fault || parts.some(hasControl)) throw new Bad(end);
    return { measurement, tags };
  }

  /** Position of the space behind the series. */
  #seriesEnd(): number {
    const pattern = /(?:\\[,= ]|\\(?![,= ])|[^ \n\\])*/y;
    pattern.lastIndex = this.#at;
    pattern.exec(this.#text);
    if (this.#text[pattern.lastIndex] !== ' ') throw new Bad(pattern.lastIndex);
    return pattern.lastIndex;
  }

  #readFieldKey(): string {
    const start = this.#at;
    const key = this.#match('fieldKey')?.[0] ?? '';
    if (key === '' || this.#text[this.#at] !== '=') throw new Bad(this.#at);
    if (hasControl(key)) throw new Bad(start);
    return key;
  }

  #readValue(): string {
    const start = this.#at;
    const integer = this.#match('integer');
    if (integer !== undefined) {
      const [, sign = '', digits = '', suffix] = integer;
      const value = BigInt(`${sign}${digits}`);
      const wrapped = suffix === 'u' ? BigInt.asUintN(64, value) : BigInt.asIntN(64, value);
      if (wrapped !== value || (suffix === 'u' && sign !== '')) throw new Bad(start);
      return exactNumber(value);
    }
    const float = this.#match('float');
    if (float !== undefined) {
      const value = Number(float[0]);
      if (!Number.isFinite(value)) throw new Bad(start);
      return exactNumber(value);
    }
    const boolean = this.#match('boolean');
    if (boolean !== undefined) return `boolean:${/^t/i.test(boolean[0]) ? 1 : 0}`;
    if (this.#match('stringStart') === undefined) throw new Bad(start);
    const string = this.#match('string');
    if (string === undefined) throw new Bad(this.#at, 'inString');
    if (!/[, \r\n]/.test(this.#text[this.#at] ?? '\n')) throw new Bad(this.#at, 'afterString');
    return `string:${utf8((string[1] ?? '').replace(/\\(["\\])/g, '$1'))}`;
  }

  /** Types as the registry decides them: strings, booleans, any number. */
  #accept(row: ReferenceRow): void {
    for (const key of row.tags.keys()) {
      if (key.toUpperCase() === 'TIME') throw new Bad(this.#at);
    }
    const own = [...row.fields].map(([key, value]) => {
      return [`${row.measurement}\0${key}`, value.split(':', 1)[0] ?? ''] as const;
    });
    for (const [key, kind] of own) {
      const known = this.#classes.get(key);
      if (known !== undefined && known !== kind) throw new Bad(this.#at);
    }
    for (const [key, kind] of own) this.#classes.set(key, kind);
  }

  /** Moves behind the end of a bad line. */
  #skip({ at, place }: Bad): void {
    this.#at = at;
    let now = place;
    const escaped = this.#text[at] === '\n' && this.#text[at - 1] === '\\';
    if (now === 'plain' && escaped) this.#at += 1;
    while (this.#at < this.#text.length) {
      if (now === 'afterString') {
        const end = this.#text.indexOf('\n', this.#at);
        this.#at = end < 0 ? this.#text.length : end + 1;
        return;
      }
      this.#match(now === 'plain' ? 'plainRest' : 'stringRest');
      if (this.#at >= this.#text.length) return;
      if (now === 'inString') {
        this.#at += 1;
        now = /[, \r\n]/.test(this.#text[this.#at] ?? '') ? 'plain' : 'afterString';
      } else if (this.#text[this.#at] === '\n') {
        this.#at += 1;
        return;
      } else {
        // A string behind an equals sign, or a backslash at the very end.
        if (this.#text[this.#at] === '=') now = 'inString';
        this.#at += 2;
      }
    }
    this.#at = Math.min(this.#at, this.#text.length);
  }
}

const hasControl = (text: string): boolean => /[\x00-\x1f\x7f]/.test(text);

const unescape = (text: string): string => text.replace(/\\([,= ])/g, '$1');
