/**
 * Finds the end of a value without looking at what it means, however long and however deeply
 * nested it is: it counts the values that are still to come, so it needs no stack. Resumable, a
 * bounded piece of work at a time.
 */
import type { ByteSpace } from '../bytes.ts';
import {
  array16,
  array32,
  bin8,
  bin32,
  classOf,
  ext8,
  ext32,
  map16,
  map32,
  plainSizes,
  sizeOpen,
  str8,
  str32,
  valueClasses,
} from './formats.ts';

export type SkipState = 'going' | 'done' | 'broken';

export class ValueSkipper {
  /** Behind what was read so far; at `done` behind the value. */
  at = 0;
  readonly #space: ByteSpace;
  readonly #end: number;
  #left = 0;

  constructor(space: ByteSpace) {
    this.#space = space;
    this.#end = space.bytes.length;
  }

  /** Begins anew, before the first of `count` values. */
  begin(at: number, count = 1): void {
    this.at = at;
    this.#left = count;
  }

  /** Goes on for at most `values` values. `broken`: the body ends before, or it is none. */
  advance(values: number): SkipState {
    const { bytes } = this.#space;
    const end = this.#end;
    let at = this.at;
    let left = this.#left;
    for (let done = 0; left > 0 && done < values; done += 1) {
      // Each value takes a byte at least, which bounds what a body can claim.
      if (left > end - at) return 'broken';
      const first = bytes[at] ?? 0;
      at += 1;
      left -= 1;
      const size = plainSizes[first] ?? 0;
      if (size !== sizeOpen) {
        at += size;
        if (first >= 0x80 && first < 0xa0) left += first < 0x90 ? (first & 15) * 2 : first & 15;
      } else {
        const head = this.#openHead(first, at);
        if (head < 0) return 'broken';
        at += head;
        left += this.#children;
      }
      if (at > end) return 'broken';
    }
    this.at = at;
    this.#left = left;
    return left === 0 ? 'done' : 'going';
  }

  #children = 0;

  /** Bytes behind the first one of a value that says its length; what it holds in `#children`. */
  #openHead(first: number, at: number): number {
    const { view } = this.#space;
    this.#children = 0;
    const lengthBytes = lengthBytesOf(first);
    if (lengthBytes === 0 || at + lengthBytes > this.#end) return -1;
    const length = readLength(view, at, lengthBytes);
    switch (classOf[first]) {
      case valueClasses.array:
        this.#children = length;
        return lengthBytes;
      case valueClasses.map:
        this.#children = length * 2;
        return lengthBytes;
      case valueClasses.extension:
        return lengthBytes + 1 + length;
      default:
        return lengthBytes + length;
    }
  }
}

/** Bytes of the length behind a first byte; 0 if there is none. */
export function lengthBytesOf(first: number): 0 | 1 | 2 | 4 {
  if (first >= bin8 && first <= bin32) return lengthSizes[first - bin8] ?? 0;
  if (first >= ext8 && first <= ext32) return lengthSizes[first - ext8] ?? 0;
  if (first >= str8 && first <= str32) return lengthSizes[first - str8] ?? 0;
  if (first === array16 || first === map16) return 2;
  return first === array32 || first === map32 ? 4 : 0;
}

const lengthSizes: readonly (1 | 2 | 4)[] = [1, 2, 4];

/** A big-endian length. */
export function readLength(view: DataView, at: number, bytes: 1 | 2 | 4): number {
  if (bytes === 1) return view.getUint8(at);
  return bytes === 2 ? view.getUint16(at) : view.getUint32(at);
}
