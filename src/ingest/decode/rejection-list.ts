/**
 * The rejected lines of one request. Nothing that a sender sent disappears without being kept:
 * texts are whole up to 64 KiB a line; after the first thousand rejections further bad lines share
 * one entry per 64 KiB of text, so that a body of millions of bad lines stays a bounded list.
 */
import { isUtf8 } from 'node:buffer';
import type { Fault } from './series-parser.ts';
import type { Rejection, RejectionKind } from './types.ts';

export const rejectionBytesMax = 65_536;

/** Rejections that keep an entry of their own. */
const singlesMax = 1000;

const newline = 10;

/** Bad lines that are gathered in one entry. */
interface Gathered {
  readonly line: number;
  readonly fault: Fault;
  readonly text: Buffer;
  length: number;
  count: number;
}

export class RejectionList {
  readonly #body: Buffer;
  readonly #entries: Rejection[] = [];
  #gathered: Gathered | undefined;
  #lines = 0;

  constructor(body: Buffer) {
    this.#body = body;
  }

  /** Lines rejected so far. */
  get lines(): number {
    return this.#lines;
  }

  /**
   * Adds the line of the body in [start, end), which begins on line number `line`. What is longer
   * than an entry is left to the generator that is returned, a bounded piece of work each time.
   */
  add(start: number, end: number, line: number, fault: Fault): Generator<undefined> | undefined {
    this.#lines += 1;
    if (end - start > rejectionBytesMax) {
      this.#flush();
      return this.#addLong(start, end, line, fault);
    }
    if (this.#entries.length < singlesMax) {
      this.#push(this.#body.subarray(start, end), line, fault, 1);
    } else {
      this.#gather(this.#body.subarray(start, end), line, fault);
    }
    return undefined;
  }

  finish(): readonly Rejection[] {
    this.#flush();
    return this.#entries;
  }

  #push(bytes: Buffer, line: number, { reason, kind }: Fault, count: number, isCut = false): void {
    // The bytes are copied: a rejection outlives the body.
    const raw = isUtf8(bytes) ? undefined : new Uint8Array(bytes);
    const text = bytes.toString('utf8');
    this.#entries.push({ line, text, raw, reason, kind, count, ...(isCut && { isCut }) });
  }

  /**
   * A bad line with newlines in it (an unbalanced quote may draw in all that follows) is kept in
   * pieces that end at newlines; of one that has none the first 64 KiB are kept.
   */
  *#addLong(start: number, end: number, line: number, fault: Fault): Generator<undefined> {
    let from = start;
    let number = line;
    let count = 1;
    while (from < end) {
      const bound = Math.min(end, from + rejectionBytesMax);
      const last = bound === end ? end : this.#body.lastIndexOf(newline, bound);
      const to = last > from ? last : this.#characterStart(bound);
      const { reason, kind } = fault;
      const text = count === 1 ? reason : `${reason} (continued)`;
      const next = this.#body.indexOf(newline, to);
      const isCut = to < end && next !== to;
      this.#push(this.#body.subarray(from, to), number, { reason: text, kind }, count, isCut);
      number += this.#newlines(from, to) + 1;
      from = next < 0 ? end : next + 1;
      count = 0;
      yield;
    }
  }

  #newlines(from: number, to: number): number {
    let count = 0;
    for (let at = from; at < to; at += 1) if (this.#body[at] === newline) count += 1;
    return count;
  }

  /** The start of the character that `position` stands in, so that no character is cut. */
  #characterStart(position: number): number {
    let at = position;
    while (at > position - 4 && ((this.#body[at] ?? 0) & 0xc0) === 0x80) at -= 1;
    return at;
  }

  #gather(bytes: Buffer, line: number, fault: Fault): void {
    if (this.#gathered !== undefined) {
      const fits = this.#gathered.length + 1 + bytes.length <= rejectionBytesMax;
      if (!fits || this.#gathered.fault.kind !== fault.kind) this.#flush();
    }
    this.#gathered ??= {
      line,
      fault,
      text: Buffer.allocUnsafe(rejectionBytesMax),
      length: 0,
      count: 0,
    };
    const gathered = this.#gathered;
    if (gathered.count > 0) {
      gathered.text[gathered.length] = newline;
      gathered.length += 1;
    }
    gathered.text.set(bytes, gathered.length);
    gathered.length += bytes.length;
    gathered.count += 1;
  }

  #flush(): void {
    const gathered = this.#gathered;
    if (gathered === undefined) return;
    this.#gathered = undefined;
    const { line, fault, text, length, count } = gathered;
    const reason = count === 1 ? fault.reason : `${fault.reason} (and ${count - 1} lines more)`;
    const kind: RejectionKind = fault.kind;
    this.#push(text.subarray(0, length), line, { reason, kind }, count);
  }
}
