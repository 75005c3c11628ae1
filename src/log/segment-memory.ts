/**
 * Memory that replay reads whole segments into. If the owner of the log is done with each payload
 * when its call returns, two pieces take turns: memory that was used before costs no page faults,
 * and a log of any length leaves nothing behind for the collector. Two, not one, because what is
 * missing at the start of a segment may be a bad range at the end of the one before (L5).
 */
import { freeMemory } from '../base/lib/free-memory.ts';

export class SegmentMemory {
  readonly #passing: boolean;
  /** The one that is used next comes first. */
  #pieces: Uint8Array[] = [];

  /** @param passing payloads are not used after the call that gives them */
  constructor(passing: boolean) {
    this.#passing = passing;
  }

  /** `length` bytes, not cleared; valid until the call after next, or `free`. */
  take(length: number): Uint8Array {
    if (!this.#passing) return fresh(length);
    const [first, second = new Uint8Array(0)] = this.#pieces;
    let piece = first ?? new Uint8Array(0);
    if (piece.length < length) {
      freeMemory(piece);
      piece = fresh(length);
    }
    this.#pieces = [second, piece];
    return piece.subarray(0, length);
  }

  /** Gives back what is used again; what was not is left to those who hold it. */
  free(): void {
    for (const piece of this.#pieces.splice(0)) freeMemory(piece);
  }
}

/** Memory of its own that is not shared: the collector counts it. */
function fresh(length: number): Uint8Array {
  return new Uint8Array(Buffer.allocUnsafeSlow(length).buffer);
}
