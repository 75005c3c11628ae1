/**
 * When the journal is compacted, and when what a snapshot replaces may go (P13).
 *
 * I1. A snapshot is due when the bytes since the last one exceed both its size and a floor, or when
 *     more than so many segments are live; never while an older one is still unproven.
 * I2. Older segments may go only once the snapshot was read back and found equal (`verified`) and
 *     a later synced record or header has a mark at or above its number.
 *
 * Owned by the committer; one thread.
 */

export interface SnapshotLimits {
  /** Bytes of journal since the snapshot below which none is made. */
  readonly snapshotBytesMin: number;
  /** Live segments, beyond which one is made. */
  readonly segmentsMax: number;
  /** Time before a failed snapshot is tried again. */
  readonly snapshotRetryMs: number;
}

export const snapshotLimits: SnapshotLimits = {
  snapshotBytesMin: 16 * 1024 * 1024,
  segmentsMax: 8,
  snapshotRetryMs: 60_000,
};

/** What replay found: number and size of the snapshot it began with, and what came after. */
export interface JournalExtent {
  /** 0 if the journal has no snapshot. */
  readonly snapshotNumber: number;
  readonly snapshotBytes: number;
  readonly bytesSince: number;
}

export interface SegmentExtent {
  readonly lastNumber: number | undefined;
}

const pageBytes = 4096;
const frameBytes = 64;

/** Bytes that a record of `payloadBytes` takes in the journal: a group begins on a page (L2). */
export function recordBytes(payloadBytes: number): number {
  return Math.ceil((payloadBytes + frameBytes) / pageBytes) * pageBytes;
}

export class SnapshotRule {
  readonly #limits: SnapshotLimits;
  /** Last snapshot that was read back; older segments go once a mark reaches it. */
  #number: number;
  #bytes: number;
  #bytesSince: number;
  #proven: boolean;
  #notBeforeMs = -Infinity;

  /** The snapshot of `extent` was read by recovery, maybe not where it stands now (L4). */
  constructor(limits: SnapshotLimits, extent: JournalExtent) {
    this.#limits = limits;
    this.#number = extent.snapshotNumber;
    this.#bytes = extent.snapshotBytes;
    this.#bytesSince = extent.bytesSince;
    this.#proven = extent.snapshotNumber === 0;
  }

  /** Number of the last verified snapshot, 0 if there is none. */
  get number(): number {
    return this.#number;
  }

  /** Bytes of journal since the last verified snapshot. */
  get bytesSince(): number {
    return this.#bytesSince;
  }

  appended(payloadBytes: number): void {
    this.#bytesSince += recordBytes(payloadBytes);
  }

  /** True if a snapshot should be made before the next commit. */
  due(segments: readonly SegmentExtent[], nowMs: number): boolean {
    if (!this.#proven || nowMs < this.#notBeforeMs) return false;
    const bytesMax = Math.max(this.#bytes, this.#limits.snapshotBytesMin);
    if (this.#bytesSince > bytesMax) return true;
    // Segments below the snapshot that could not be unlinked yet are no reason for another one.
    const live = segments.filter(
      ({ lastNumber }) => lastNumber === undefined || lastNumber >= this.#number,
    );
    return live.length > this.#limits.segmentsMax;
  }

  /** The snapshot `number` stands in a fresh segment and was read back and found equal. */
  verified(number: number, payloadBytes: number): void {
    this.#number = number;
    this.#bytes = recordBytes(payloadBytes);
    this.#bytesSince = 0;
    this.#proven = false;
  }

  /** The last snapshot is not there any more: another one is due, and nothing older goes. */
  distrusted(): void {
    this.#number = 0;
    this.#bytes = 0;
    this.#bytesSince = Infinity;
    this.#proven = true;
  }

  /** A snapshot could not be written, or what was read back differs. */
  failed(nowMs: number): void {
    this.#notBeforeMs = nowMs + this.#limits.snapshotRetryMs;
  }

  /** Returns the number at or below which segments may be released, given the log's mark. */
  releasable(mark: number): number {
    if (this.#number === 0) return 0;
    if (mark >= this.#number) this.#proven = true;
    return this.#proven ? this.#number - 1 : 0;
  }
}
