/**
 * The rejected items of one request. Their bytes are kept whole, in pieces of at most 64 KiB, so
 * that they can be sent once more; beside them stands a text for people. After the first thousand
 * further bad items share entries, their bytes one behind the other, so that a body of millions of
 * bad items stays a bounded list.
 */
import { rejectionBytesMax } from '../rejection-list.ts';
import type { Fault } from '../series-parser.ts';
import type { Rejection } from '../types.ts';
import { excerptOf } from './excerpt.ts';

/** Rejections that keep an entry of their own. */
const singlesMax = 1000;

const textMax = 2000;

/** Bad items that are gathered in one entry. */
interface Gathered {
  readonly item: number;
  readonly fault: Fault;
  readonly bytes: Uint8Array;
  length: number;
  count: number;
}

export class ItemRejections {
  /** That of the items, if it is not the one of the request. */
  readonly #format: 'msgpack' | undefined;
  readonly #entries: Rejection[] = [];
  #gathered: Gathered | undefined;
  #count = 0;

  constructor(format?: 'msgpack') {
    this.#format = format;
  }

  /** Items, and rows of columnar items, rejected so far. */
  get count(): number {
    return this.#count;
  }

  /**
   * Keeps `bytes` that are not an item that can be sent once more: rows in them were taken, or they
   * are in the format of the request, of which `text` is then for people.
   */
  *addRest(
    bytes: Uint8Array,
    item: number,
    { reason, kind }: Fault,
    text?: string,
  ): Generator<undefined> {
    this.#count += 1;
    this.#flush();
    const raw = bytes.slice(0, rejectionBytesMax);
    const shown = text ?? excerptOf(raw, textMax);
    this.#entries.push({ line: item, text: shown, raw, reason, kind, count: 1, isCut: true });
    yield;
  }

  /**
   * Keeps `bytes`, which stand for `count` rejections on item `item`; 0: they go on with the bytes
   * before them. Yields for pauses.
   */
  *add(
    bytes: Uint8Array,
    item: number,
    fault: Fault,
    count = 1,
    isWhole = true,
  ): Generator<undefined> {
    this.#count += count;
    const isSmall = bytes.length <= rejectionBytesMax;
    if (this.#entries.length >= singlesMax && isSmall && isWhole) {
      this.#gather(bytes, item, fault, count);
      return;
    }
    this.#flush();
    const text = excerptOf(bytes, textMax);
    let left = count;
    // Also if there are no bytes: a body may break off where nothing is left of it.
    for (let from = 0; from === 0 || from < bytes.length; from += rejectionBytesMax) {
      const piece = bytes.slice(from, from + rejectionBytesMax);
      const { kind } = fault;
      const reason = from === 0 ? fault.reason : `${fault.reason} (continued)`;
      this.#push({
        line: item,
        text: from === 0 ? text : '',
        raw: piece,
        reason,
        kind,
        count: left,
        ...(!isWhole && { isCut: true }),
      });
      left = 0;
      if (bytes.length > rejectionBytesMax) yield;
    }
  }

  finish(): readonly Rejection[] {
    this.#flush();
    return this.#entries;
  }

  #push(rejection: Rejection): void {
    const format = this.#format;
    this.#entries.push(format === undefined ? rejection : { ...rejection, format });
  }

  #gather(bytes: Uint8Array, item: number, fault: Fault, count: number): void {
    if (this.#gathered !== undefined) {
      const fits = this.#gathered.length + bytes.length <= rejectionBytesMax;
      if (!fits || this.#gathered.fault.kind !== fault.kind) this.#flush();
    }
    this.#gathered ??= {
      item,
      fault,
      bytes: new Uint8Array(rejectionBytesMax),
      length: 0,
      count: 0,
    };
    this.#gathered.bytes.set(bytes, this.#gathered.length);
    this.#gathered.length += bytes.length;
    this.#gathered.count += count;
  }

  #flush(): void {
    const gathered = this.#gathered;
    if (gathered === undefined) return;
    this.#gathered = undefined;
    const { item, fault, count } = gathered;
    const bytes = gathered.bytes.slice(0, gathered.length);
    const { kind } = fault;
    const reason = count === 1 ? fault.reason : `${fault.reason} (and ${count - 1} more)`;
    this.#push({ line: item, text: excerptOf(bytes, textMax), raw: bytes, reason, kind, count });
  }
}
