/**
 * Shared memory of the buffers' columns, used again and again. The collector neither counts shared
 * memory nor can be told to free it: what buffers let go would pile up for as long as nothing else
 * makes the collector run, hundreds of megabytes at full load. Main thread.
 *
 * I1. Memory comes in powers of two and holds what its last user left in it.
 * I2. Memory goes to a new user only when no thread reads what the last one left (`RowMemory`).
 * I3. What is in use and what is kept for use is at most `bytesMax` together, as long as that much
 *     is not in use; what is kept beyond it is left to the collector.
 */

/** Smallest piece: a column with one value must not cost a page. */
const pieceBytesMin = 64;

/** Bytes of the piece that `bytes` are given. */
export function pieceBytes(bytes: number): number {
  let piece = pieceBytesMin;
  while (piece < bytes) piece *= 2;
  return piece;
}

export class SharedMemory {
  readonly #bytesMax: number;
  /** By size. */
  readonly #kept = new Map<number, SharedArrayBuffer[]>();
  #keptBytes = 0;
  #usedBytes = 0;

  constructor(bytesMax: number) {
    this.#bytesMax = bytesMax;
  }

  /** Bytes that wait for their next use. */
  get keptBytes(): number {
    return this.#keptBytes;
  }

  /** Bytes that were taken and not given back. */
  get usedBytes(): number {
    return this.#usedBytes;
  }

  /** Memory of at least `bytes`, not cleared. */
  take(bytes: number): SharedArrayBuffer {
    const size = pieceBytes(bytes);
    const kept = this.#kept.get(size)?.pop();
    const memory = kept ?? new SharedArrayBuffer(size);
    if (kept !== undefined) this.#keptBytes -= size;
    this.#usedBytes += size;
    this.#fit();
    return memory;
  }

  /** Takes memory back that nobody reads or writes any more. */
  give(memory: SharedArrayBuffer): void {
    const size = memory.byteLength;
    this.#usedBytes -= size;
    const kept = this.#kept.get(size);
    if (kept === undefined) this.#kept.set(size, [memory]);
    else kept.push(memory);
    this.#keptBytes += size;
    this.#fit();
  }

  #fit(): void {
    for (const kept of this.#kept.values()) {
      while (this.#keptBytes + this.#usedBytes > this.#bytesMax) {
        const left = kept.pop();
        if (left === undefined) break;
        this.#keptBytes -= left.byteLength;
      }
    }
  }
}

/** The memory of one row set, some of which other threads may be reading. */
export class RowMemory {
  readonly #shared: SharedMemory;
  #readers = 0;
  /** Given back while somebody read. */
  #waiting: SharedArrayBuffer[] = [];

  constructor(shared: SharedMemory) {
    this.#shared = shared;
  }

  take(bytes: number): SharedArrayBuffer {
    return this.#shared.take(bytes);
  }

  /** Takes memory back: now, or when the last reader has ended. */
  give(memory: ArrayBufferLike): void {
    if (!(memory instanceof SharedArrayBuffer) || memory.byteLength === 0) return;
    if (this.#readers > 0) this.#waiting.push(memory);
    else this.#shared.give(memory);
  }

  /** What is in the memory stays true until the call that this returns. More calls do nothing. */
  read(): () => void {
    this.#readers += 1;
    let reading = true;
    return () => {
      if (!reading) return;
      reading = false;
      this.#readers -= 1;
      if (this.#readers > 0) return;
      for (const memory of this.#waiting.splice(0)) this.#shared.give(memory);
    };
  }
}
