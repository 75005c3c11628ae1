/**
 * Numbers for series keys: the same bytes give the same number, from 0 in order of first sight.
 * Hashed, compared exactly. Senders repeat their series in the same order, so the key after the one
 * found last is tried before the hash is worked out. Main thread.
 */

const emptySlot = 0xffffffff;

/** Bytes of a key while it is made; grows, used within one call. */
export class KeyScratch {
  bytes: Buffer = Buffer.alloc(1024);
  length = 0;

  /** Room for `count` more bytes. */
  reserve(count: number): void {
    const needed = this.length + count;
    if (needed <= this.bytes.length) return;
    const grown = Buffer.alloc(Math.max(needed, 2 * this.bytes.length));
    this.bytes.copy(grown, 0, 0, this.length);
    this.bytes = grown;
  }

  putNumber(value: number): void {
    this.reserve(4);
    this.bytes.writeUInt32LE(value, this.length);
    this.length += 4;
  }

  /** A loop: values are short, and a call out of JavaScript costs more than ten bytes. */
  putBytes(source: Uint8Array, from: number, to: number): void {
    this.reserve(to - from);
    const { bytes } = this;
    let { length } = this;
    for (let index = from; index < to; index += 1) {
      bytes[length] = source[index] as number;
      length += 1;
    }
    this.length = length;
  }
}

export class SeriesTable {
  readonly #seed: number;
  #bytes: Buffer = Buffer.alloc(0);
  /** One more than there are keys. */
  #offsets = new Uint32Array(17);
  #hashes = new Uint32Array(16);
  #slots = new Uint32Array(32).fill(emptySlot);
  #count = 0;
  #last = 0;

  /** @param seed mixes the hash, so that a sender cannot choose keys that collide */
  constructor(seed: number) {
    this.#seed = seed | 0;
  }

  get count(): number {
    return this.#count;
  }

  get bytes(): number {
    const numbers = this.#offsets.length + this.#hashes.length + this.#slots.length;
    return this.#bytes.length + 4 * numbers;
  }

  /** Number of the key, or undefined if it has none. */
  find({ bytes, length }: KeyScratch): number | undefined {
    const guess = this.#last + 1;
    if (guess < this.#count && this.#equals(guess, bytes, length)) {
      this.#last = guess;
      return guess;
    }
    const series = this.#slots[this.#slotOf(this.#hash(bytes, length), bytes, length)] as number;
    if (series === emptySlot) return undefined;
    this.#last = series;
    return series;
  }

  /** Number of the key, given now if it has none. */
  number(key: KeyScratch): number {
    return this.find(key) ?? this.#add(key);
  }

  /** A table of these series only, numbered by their place in the list. */
  only(series: readonly number[]): SeriesTable {
    const table = new SeriesTable(this.#seed);
    const key = new KeyScratch();
    for (const each of series) {
      key.length = 0;
      key.putBytes(this.#bytes, this.#offsets[each] as number, this.#offsets[each + 1] as number);
      table.#add(key);
    }
    return table;
  }

  #add({ bytes, length }: KeyScratch): number {
    const series = this.#count;
    const from = this.#offsets[series] as number;
    this.#reserve(series + 1, from + length);
    bytes.copy(this.#bytes, from, 0, length);
    const hash = this.#hash(bytes, length);
    this.#slots[this.#slotOf(hash, bytes, length)] = series;
    this.#offsets[series + 1] = from + length;
    this.#hashes[series] = hash;
    this.#count += 1;
    this.#last = series;
    if (2 * this.#count > this.#slots.length) this.#rehash();
    return series;
  }

  #equals(series: number, bytes: Buffer, length: number): boolean {
    const start = this.#offsets[series] as number;
    const end = this.#offsets[series + 1] as number;
    return end - start === length && this.#bytes.compare(bytes, 0, length, start, end) === 0;
  }

  /** Slot of the key, or the empty one where it belongs. */
  #slotOf(hash: number, bytes: Buffer, length: number): number {
    const mask = this.#slots.length - 1;
    for (let slot = hash & mask; ; slot = (slot + 1) & mask) {
      const series = this.#slots[slot] as number;
      if (series === emptySlot) return slot;
      if (this.#hashes[series] === hash && this.#equals(series, bytes, length)) return slot;
    }
  }

  #hash(bytes: Uint8Array, length: number): number {
    let hash = this.#seed;
    for (let position = 0; position < length; position += 1) {
      hash = Math.imul(hash ^ (bytes[position] as number), 0x5bd1e995);
      hash ^= hash >>> 15;
    }
    hash = Math.imul(hash ^ (hash >>> 13), 0x5bd1e995);
    return (hash ^ (hash >>> 15)) >>> 0;
  }

  #reserve(count: number, bytes: number): void {
    if (bytes > this.#bytes.length) {
      const grown = Buffer.alloc(Math.max(bytes, 2 * this.#bytes.length));
      this.#bytes.copy(grown);
      this.#bytes = grown;
    }
    if (count <= this.#hashes.length) return;
    const hashes = new Uint32Array(2 * this.#hashes.length);
    hashes.set(this.#hashes);
    this.#hashes = hashes;
    const offsets = new Uint32Array(hashes.length + 1);
    offsets.set(this.#offsets);
    this.#offsets = offsets;
  }

  #rehash(): void {
    const slots = new Uint32Array(2 * this.#slots.length).fill(emptySlot);
    const mask = slots.length - 1;
    for (let series = 0; series < this.#count; series += 1) {
      let slot = (this.#hashes[series] as number) & mask;
      while (slots[slot] !== emptySlot) slot = (slot + 1) & mask;
      slots[slot] = series;
    }
    this.#slots = slots;
  }
}
