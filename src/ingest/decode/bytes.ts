/**
 * Bytes as the decoder compares and hashes them: four at a time, through a DataView, because a
 * call into native code costs more than the short strings of telemetry are worth.
 */

/** The same memory as bytes and as words; word reads need not be aligned. */
export interface ByteSpace {
  readonly bytes: Uint8Array;
  readonly view: DataView;
}

export function byteSpace(bytes: Uint8Array): ByteSpace {
  return { bytes, view: new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength) };
}

/** True if `length` bytes at `a` of `one` equal those at `b` of `other`; both are in bounds. */
export function sameBytes(
  one: ByteSpace,
  a: number,
  other: ByteSpace,
  b: number,
  length: number,
): boolean {
  if (length < 4) {
    for (let index = 0; index < length; index += 1) {
      if (one.bytes[a + index] !== other.bytes[b + index]) return false;
    }
    return true;
  }
  const view = one.view;
  const otherView = other.view;
  const last = length - 4;
  for (let index = 0; index < last; index += 4) {
    if (view.getInt32(a + index, true) !== otherView.getInt32(b + index, true)) return false;
  }
  // The last word overlaps the one before it unless the length divides by four.
  return view.getInt32(a + last, true) === otherView.getInt32(b + last, true);
}

/** A hash of `length` bytes at `start`, which are in bounds; seeded against crafted input. */
export function hashBytes(space: ByteSpace, start: number, length: number, seed: number): number {
  const { bytes, view } = space;
  let hash = seed ^ length;
  let index = 0;
  for (; index + 4 <= length; index += 4) {
    hash = Math.imul(hash ^ view.getInt32(start + index, true), 0x9e3779b1);
    hash ^= hash >>> 15;
  }
  for (; index < length; index += 1) {
    hash = Math.imul(hash ^ (bytes[start + index] ?? 0), 0x85ebca6b);
    hash ^= hash >>> 13;
  }
  hash = Math.imul(hash ^ (hash >>> 16), 0xc2b2ae35);
  return hash ^ (hash >>> 16);
}

/** Bytes kept beside each other in chunks that never move, so that references to them stay good. */
export class ByteArena {
  readonly #chunkBytes: number;
  #chunk: ByteSpace | undefined;
  #used = 0;

  constructor(chunkBytes: number) {
    this.#chunkBytes = chunkBytes;
  }

  /** Copies `bytes` and says where they are. */
  keep(bytes: Uint8Array): { readonly space: ByteSpace; readonly offset: number } {
    let chunk = this.#chunk;
    if (chunk === undefined || this.#used + bytes.length > chunk.bytes.length) {
      chunk = byteSpace(new Uint8Array(Math.max(this.#chunkBytes, bytes.length)));
      this.#chunk = chunk;
      this.#used = 0;
    }
    const offset = this.#used;
    chunk.bytes.set(bytes, offset);
    this.#used += bytes.length;
    return { space: chunk, offset };
  }
}
