/**
 * Finds the end of a bad line. Strings behind the fault still count as strings, so that a newline
 * inside one never makes a row of text; but a quote where no value begins does not, so that one
 * stray quote does not swallow the good lines after it. Can stop and go on: a bad line may be as
 * long as the body.
 */
import { backslash, equals } from './series-parser.ts';
import type { FaultPlace } from './line-scanner.ts';

const newline = 10;
const carriageReturn = 13;
const quote = 34;

export class LineSkipper {
  /** Position reached; when the end was found, behind its newline. */
  at = 0;
  /** Newlines passed so far, the one at the end not counted. */
  innerLines = 0;
  readonly #bytes: Uint8Array;
  #place: FaultPlace = 'plain';

  constructor(bytes: Uint8Array) {
    this.#bytes = bytes;
  }

  /** Begins at a fault. */
  begin(at: number, place: FaultPlace): void {
    this.at = at;
    this.innerLines = 0;
    this.#place = place;
    // An escaped newline does not end a line: what follows it is no row of its own.
    if (place === 'plain' && this.#bytes[at] === newline && this.#bytes[at - 1] === backslash) {
      this.at += 1;
      this.innerLines += 1;
    }
  }

  /** Goes on for about `bytesMax` bytes; true when the end of the line or body was reached. */
  advance(bytesMax: number): boolean {
    const stop = Math.min(this.#bytes.length, this.at + bytesMax);
    while (this.at < stop) {
      switch (this.#place) {
        case 'plain':
          if (this.#skipPlain(stop)) return true;
          break;
        case 'inString':
          this.#skipString(stop);
          break;
        case 'afterString':
          if (this.#skipToNewline(stop)) return true;
          break;
      }
    }
    return this.at >= this.#bytes.length;
  }

  #skipPlain(stop: number): boolean {
    const bytes = this.#bytes;
    let { at } = this;
    for (; at < stop; at += 1) {
      const byte = bytes[at];
      if (byte === newline) {
        this.at = at + 1;
        return true;
      }
      if (byte === backslash) {
        at += 1;
        if (bytes[at] === newline) this.innerLines += 1;
      } else if (byte === equals && bytes[at + 1] === quote) {
        this.#place = 'inString';
        this.at = at + 2;
        return false;
      }
    }
    this.at = at;
    return false;
  }

  #skipString(stop: number): void {
    const bytes = this.#bytes;
    let { at } = this;
    for (; at < stop; at += 1) {
      const byte = bytes[at];
      if (byte === quote) {
        this.#place = endsValue(bytes[at + 1]) ? 'plain' : 'afterString';
        at += 1;
        break;
      }
      if (byte === backslash) at += 1;
      if (bytes[at] === newline) this.innerLines += 1;
    }
    this.at = at;
  }

  #skipToNewline(stop: number): boolean {
    const bytes = this.#bytes;
    let { at } = this;
    while (at < stop && bytes[at] !== newline) at += 1;
    this.at = at;
    if (at === stop) return false;
    this.at = at + 1;
    return true;
  }
}

function endsValue(byte: number | undefined): boolean {
  return byte === 44 || byte === 32 || byte === newline || byte === carriageReturn;
}
