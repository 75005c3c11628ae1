/** MessagePack as text for people: like JSON, cut where it gets long. Not meant to be read back. */
import { isUtf8 } from 'node:buffer';
import { byteSpace } from '../bytes.ts';
import { boolTrue, float32, int64, uint64, valueClasses } from './formats.ts';
import { smallInteger } from './column-stage.ts';
import { HeadReader } from './head-reader.ts';

const depthMax = 16;
const bytesShown = 64;
const ellipsis = '...';

/** The values in `bytes`, one behind the other, in about `lengthMax` characters at most. */
export function excerptOf(bytes: Uint8Array, lengthMax: number): string {
  const writer = new ExcerptWriter(bytes, lengthMax);
  let at = 0;
  while (at >= 0 && at < bytes.length && !writer.isFull) at = writer.value(at, 0);
  return writer.text;
}

class ExcerptWriter {
  text = '';
  readonly #bytes: Uint8Array;
  readonly #view: DataView;
  readonly #head: HeadReader;
  readonly #lengthMax: number;

  constructor(bytes: Uint8Array, lengthMax: number) {
    const space = byteSpace(bytes);
    this.#bytes = bytes;
    this.#view = space.view;
    this.#head = new HeadReader(space);
    this.#lengthMax = lengthMax;
  }

  get isFull(): boolean {
    return this.text.length >= this.#lengthMax;
  }

  /** Writes the value at `at`; returns the position behind it, or -1 where it gave up. */
  value(at: number, depth: number): number {
    const head = this.#head;
    const kind = head.read(at);
    if (kind === 0) return this.#giveUp();
    const { first, start, length, end } = head;
    if (kind === valueClasses.array || kind === valueClasses.map) {
      if (depth === depthMax) return this.#giveUp();
      return this.#container(kind === valueClasses.map, start, length, depth);
    }
    this.text += this.#scalar(kind, first, at, start, end);
    return end;
  }

  #container(isMap: boolean, start: number, length: number, depth: number): number {
    this.text += isMap ? '{' : '[';
    let at = start;
    for (let index = 0; index < length; index += 1) {
      if (this.isFull) return this.#giveUp();
      if (index > 0) this.text += ',';
      at = this.value(at, depth + 1);
      if (isMap && at >= 0) {
        this.text += ':';
        at = this.value(at, depth + 1);
      }
      if (at < 0) return at;
    }
    this.text += isMap ? '}' : ']';
    return at;
  }

  #giveUp(): -1 {
    this.text += ellipsis;
    return -1;
  }

  #scalar(kind: number, first: number, at: number, start: number, end: number): string {
    const view = this.#view;
    switch (kind) {
      case valueClasses.nil:
        return 'null';
      case valueClasses.boolean:
        return first === boolTrue ? 'true' : 'false';
      case valueClasses.double:
        return String(first === float32 ? view.getFloat32(at + 1) : view.getFloat64(at + 1));
      case valueClasses.integer:
        if (first === uint64) return String(view.getBigUint64(at + 1));
        if (first === int64) return String(view.getBigInt64(at + 1));
        return String(smallInteger(first, view, at));
      case valueClasses.string:
        return this.#string(start, end);
      default:
        return `ext(${this.#hex(start, end)})`;
    }
  }

  #string(start: number, end: number): string {
    const stop = Math.min(end, start + this.#lengthMax);
    const bytes = this.#bytes.subarray(start, stop);
    const cut = stop < end ? ellipsis : '';
    if (cut === '' && !isUtf8(bytes)) return `bin(${this.#hex(start, end)})`;
    const text = new TextDecoder().decode(bytes).slice(0, this.#lengthMax);
    return `${JSON.stringify(text)}${cut}`;
  }

  #hex(start: number, end: number): string {
    const shown = this.#bytes.subarray(start, Math.min(end, start + bytesShown));
    return Buffer.from(shown).toString('hex') + (end - start > bytesShown ? ellipsis : '');
  }
}
