/**
 * The idempotency keys that are remembered, in memory of a fixed size: a ring in order of arrival
 * over typed arrays and an open-addressed index into it, with no object per key. Main thread.
 *
 * K1. Of a key the newest request counts: `put` takes the place of what was there.
 * K2. What leaves is always the oldest, for its age or to stay within the limits; only the latter
 *     counts as dropped.
 * K3. `bytes` never exceeds `bytesMax`, but for the moment in which the arrays grow.
 */
import { assert } from '../../base/lib/assert.ts';

export interface KeyTableOptions {
  readonly entriesMax: number;
  readonly bytesMax: number;
  /** Microseconds after which a key is forgotten. */
  readonly ageUsMax: number;
}

/** What is known of a key. */
export type KnownKey =
  /** The request came with this body; `answer` is undefined for a plain success. */
  { readonly isSame: true; readonly answer: string | undefined } | { readonly isSame: false };

/** Words of 32 bits: four of the key's hash, four of the body's. */
const entryWords = 8;

const firstCapacity = 1024;

/** Bytes of an entry in the ring, and at most of its places in the index. */
const bytesPerEntry = entryWords * 4 + 8 + 3 * 4;

/** An answer's text, and what a map needs to hold it. */
function answerBytes(answer: string): number {
  return 2 * answer.length + 96;
}

function indexSize(capacity: number): number {
  return 2 ** Math.ceil(Math.log2(capacity * 1.5));
}

export class KeyTable {
  readonly #options: KeyTableOptions;
  readonly #capacityMax: number;
  readonly #answerBytesMax: number;
  #words: Int32Array;
  #times: Float64Array;
  /** Slot + 1 by hash, linear probing; 0 is free. */
  #index: Int32Array;
  /** Slot of the oldest entry, and its number since the start. */
  #first = 0;
  #firstNumber = 0;
  #count = 0;
  #live = 0;
  #dropped = 0;
  /** Answers that are not plain success, by the number of their entry. */
  readonly #answers = new Map<number, string>();
  #answerBytes = 0;

  constructor(options: KeyTableOptions) {
    this.#options = options;
    const fits = Math.floor((options.bytesMax * 0.75) / bytesPerEntry);
    this.#capacityMax = Math.max(1, Math.min(options.entriesMax, fits));
    this.#answerBytesMax = Math.floor(options.bytesMax / 4);
    const capacity = Math.min(firstCapacity, this.#capacityMax);
    this.#words = new Int32Array(capacity * entryWords);
    this.#times = new Float64Array(capacity);
    this.#index = new Int32Array(indexSize(capacity));
  }

  /** Keys that are remembered. */
  get size(): number {
    return this.#live;
  }

  get bytes(): number {
    const { length } = this.#words;
    return length * 4 + this.#times.length * 8 + this.#index.length * 4 + this.#answerBytes;
  }

  /** Keys that were forgotten before their time, to stay within the limits. */
  get dropped(): number {
    return this.#dropped;
  }

  /** What is known of `key` at `nowUs`; both digests have 16 bytes or more, of which 16 count. */
  find(key: Buffer, body: Buffer, nowUs: number): KnownKey | undefined {
    this.#forgetOld(nowUs);
    const slot = this.#slotAt(this.#placeOf(key));
    if (slot < 0 || this.#isOld(slot, nowUs)) return undefined;
    for (let word = 0; word < 4; word += 1) {
      if (this.#words[slot * entryWords + 4 + word] !== body.readInt32LE(word * 4)) {
        return { isSame: false };
      }
    }
    return { isSame: true, answer: this.#answers.get(this.#numberOf(slot)) };
  }

  /** Remembers the request that `key` was used for. */
  put(key: Buffer, body: Buffer, timeUs: number, answer: string | undefined): void {
    const words = new Int32Array(entryWords);
    for (let word = 0; word < 4; word += 1) {
      words[word] = key.readInt32LE(word * 4);
      words[4 + word] = body.readInt32LE(word * 4);
    }
    this.#putWords(words, timeUs, answer);
  }

  /** Puts all that `newer` remembers, in its order. */
  append(newer: KeyTable): void {
    for (let position = 0; position < newer.#count; position += 1) {
      const slot = (newer.#first + position) % newer.#times.length;
      const words = newer.#words.subarray(slot * entryWords, (slot + 1) * entryWords);
      if (newer.#slotAt(newer.#place(words, 0)) !== slot) continue;
      const answer = newer.#answers.get(newer.#firstNumber + position);
      this.#putWords(words, newer.#times[slot] ?? 0, answer);
    }
  }

  #putWords(words: Int32Array, timeUs: number, answer: string | undefined): void {
    if (this.#count === this.#times.length) {
      if (this.#count < this.#capacityMax) this.#grow();
      else this.#forgetFirst(true);
    }
    const slot = (this.#first + this.#count) % this.#times.length;
    this.#words.set(words, slot * entryWords);
    this.#times[slot] = timeUs;
    const place = this.#place(words, 0);
    const replaced = this.#slotAt(place);
    if (replaced >= 0) this.#forgetAnswer(this.#numberOf(replaced));
    else this.#live += 1;
    this.#index[place] = slot + 1;
    const number = this.#firstNumber + this.#count;
    this.#count += 1;
    if (answer === undefined) return;
    this.#answers.set(number, answer);
    this.#answerBytes += answerBytes(answer);
    while (this.#answerBytes > this.#answerBytesMax) this.#forgetFirst(true);
  }

  #numberOf(slot: number): number {
    const { length } = this.#times;
    return this.#firstNumber + ((slot - this.#first + length) % length);
  }

  #isOld(slot: number, nowUs: number): boolean {
    return nowUs - (this.#times[slot] ?? 0) > this.#options.ageUsMax;
  }

  #forgetOld(nowUs: number): void {
    while (this.#count > 0 && this.#isOld(this.#first, nowUs)) this.#forgetFirst(false);
  }

  #forgetFirst(isEarly: boolean): void {
    const slot = this.#first;
    const place = this.#place(this.#words, slot * entryWords);
    if (this.#slotAt(place) === slot) {
      this.#free(place);
      this.#live -= 1;
      if (isEarly) this.#dropped += 1;
    }
    this.#forgetAnswer(this.#firstNumber);
    this.#first = (slot + 1) % this.#times.length;
    this.#firstNumber += 1;
    this.#count -= 1;
  }

  #forgetAnswer(number: number): void {
    const answer = this.#answers.get(number);
    if (answer === undefined) return;
    this.#answers.delete(number);
    this.#answerBytes -= answerBytes(answer);
  }

  #slotAt(place: number): number {
    return (this.#index[place] ?? 0) - 1;
  }

  #placeOf(key: Buffer): number {
    const words = new Int32Array(4);
    for (let word = 0; word < 4; word += 1) words[word] = key.readInt32LE(word * 4);
    return this.#place(words, 0);
  }

  /** Place in the index of the key whose words stand at `at`, or the free one where it would go. */
  #place(words: Int32Array, at: number): number {
    const mask = this.#index.length - 1;
    let place = (words[at] ?? 0) & mask;
    for (;;) {
      const slot = this.#slotAt(place);
      if (slot < 0 || this.#isKey(slot * entryWords, words, at)) return place;
      place = (place + 1) & mask;
    }
  }

  #isKey(entry: number, words: Int32Array, at: number): boolean {
    const own = this.#words;
    return (
      own[entry] === words[at] &&
      own[entry + 1] === words[at + 1] &&
      own[entry + 2] === words[at + 2] &&
      own[entry + 3] === words[at + 3]
    );
  }

  /** Frees a place; those behind it that were pushed on by it move up. */
  #free(place: number): void {
    const index = this.#index;
    const mask = index.length - 1;
    let gap = place;
    for (let next = (gap + 1) & mask; index[next] !== 0; next = (next + 1) & mask) {
      const home = (this.#words[this.#slotAt(next) * entryWords] ?? 0) & mask;
      // It may stand in the gap unless its home lies behind the gap, up to where it stands.
      if (((next - home) & mask) < ((next - gap) & mask)) continue;
      index[gap] = index[next] ?? 0;
      gap = next;
    }
    index[gap] = 0;
  }

  #grow(): void {
    const from = this.#times.length;
    const capacity = Math.min(from * 2, this.#capacityMax);
    assert(this.#count === from && capacity > from, 'only a full ring grows');
    const words = new Int32Array(capacity * entryWords);
    const times = new Float64Array(capacity);
    const head = from - this.#first;
    words.set(this.#words.subarray(this.#first * entryWords));
    words.set(this.#words.subarray(0, this.#first * entryWords), head * entryWords);
    times.set(this.#times.subarray(this.#first));
    times.set(this.#times.subarray(0, this.#first), head);
    this.#words = words;
    this.#times = times;
    this.#first = 0;
    this.#index = new Int32Array(indexSize(capacity));
    // In order of age, so that of a key that stands twice the newest entry is found.
    for (let slot = 0; slot < from; slot += 1) {
      this.#index[this.#place(words, slot * entryWords)] = slot + 1;
    }
  }
}
