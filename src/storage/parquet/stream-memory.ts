/**
 * Memory that Arrow IPC streams are written into, one stream at a time: a file of many slices uses
 * the same memory for each. New memory for each slice costs a page fault for every four kibibytes,
 * which for mostly empty columns is more than all the rest. Runs on encoder threads.
 */
import { AsyncByteQueue } from 'apache-arrow';
import { freeMemory } from '../../base/lib/free-memory.ts';

export class StreamMemory {
  #memory = new Uint8Array(0);

  /**
   * Where a writer of Arrow puts its stream; what it got before is overwritten.
   * @param bytes about so many will come
   */
  sink(bytes: number): StreamSink {
    this.#reserve(bytes, 0);
    return new StreamSink((bytes, kept) => this.#reserve(bytes, kept));
  }

  /** What was written is not used any more. */
  free(): void {
    freeMemory(this.#memory);
    this.#memory = new Uint8Array(0);
  }

  /** At least `bytes` of memory, the first `kept` of them as they were. */
  #reserve(bytes: number, kept: number): Uint8Array {
    if (bytes <= this.#memory.length) return this.#memory;
    const larger = new Uint8Array(kept === 0 ? bytes : Math.max(bytes, kept * 2));
    larger.set(this.#memory.subarray(0, kept));
    freeMemory(this.#memory);
    this.#memory = larger;
    return larger;
  }
}

/** Of a queue of Arrow's only what its writers call: each piece is copied at once. */
export class StreamSink extends AsyncByteQueue {
  readonly #reserve: (bytes: number, kept: number) => Uint8Array;
  #length = 0;

  constructor(reserve: (bytes: number, kept: number) => Uint8Array) {
    super();
    this.#reserve = reserve;
  }

  override write(piece: Uint8Array): void {
    const { buffer, byteOffset, byteLength } = piece;
    const memory = this.#reserve(this.#length + byteLength, this.#length);
    memory.set(new Uint8Array(buffer, byteOffset, byteLength), this.#length);
    this.#length += byteLength;
  }

  /** All that was written; valid until the memory is used for another stream or freed. */
  written(): Uint8Array {
    return this.#reserve(this.#length, this.#length).subarray(0, this.#length);
  }
}
