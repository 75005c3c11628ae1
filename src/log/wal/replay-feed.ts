/**
 * The main thread's end of replay: takes batches of WAL records from the WAL thread, gives them to
 * the sink one batch at a time and in order, and acknowledges each when the sink has returned, so
 * that the WAL thread may use its memory again (record-stream.ts).
 */
import type { RecordPlace } from '../log-types.ts';
import { gatePlaces, placeNumbers, type FromWal, type ReplayMemory } from './wal-messages.ts';

/** A WAL record as replay gives it, and where in the log it stands. */
export interface ReplayedRecord extends RecordPlace {
  readonly lsn: number;
  /** Log numbers it takes: `lsn` .. `lsn + count - 1`. */
  readonly count: number;
  /** Starts at a multiple of 8; its memory is used again when the sink has returned. */
  readonly payload: Uint8Array;
}

export interface ReplayProgress {
  readonly bytes: number;
  readonly bytesTotal: number;
  /**
   * LSN up to which records are on the device. What comes above it may be in the page cache only
   * until recovery has ended: it must not be committed before (P4).
   */
  readonly syncedTo: number;
}

export type ReplaySink = (
  records: readonly ReplayedRecord[],
  progress: ReplayProgress,
) => Promise<void>;

/** Two slots: one is read by the sink while the other is filled. */
const slotCount = 2;
const slotBytes = 8 * 1024 * 1024;

export class ReplayFeed {
  readonly memory: ReplayMemory;
  readonly #sink: ReplaySink;
  #fed: Promise<void> = Promise.resolve();
  #failure: { readonly error: unknown } | undefined;

  constructor(sink: ReplaySink) {
    this.#sink = sink;
    this.memory = {
      slots: Array.from({ length: slotCount }, () => new SharedArrayBuffer(slotBytes)),
      gate: new Int32Array(new SharedArrayBuffer(8)),
    };
  }

  /** Queues one batch for the sink. */
  take(batch: Extract<FromWal, { kind: 'records' }>): void {
    this.#fed = this.#fed.then(() => this.#feed(batch));
  }

  /** What the sink threw, or undefined. */
  get failure(): unknown {
    return this.#failure?.error;
  }

  /** Resolves when the sink has taken all batches so far. @throws what the sink threw */
  async finish(): Promise<void> {
    await this.#fed;
    if (this.#failure !== undefined) throw this.#failure.error;
  }

  async #feed(batch: Extract<FromWal, { kind: 'records' }>): Promise<void> {
    if (this.#failure !== undefined) return;
    const { bytes, bytesTotal, syncedTo } = batch;
    const { gate } = this.memory;
    try {
      await this.#sink(recordsOf(batch), { bytes, bytesTotal, syncedTo });
    } catch (error) {
      this.#failure = { error };
      Atomics.store(gate, gatePlaces.givenUp, 1);
    }
    Atomics.add(gate, gatePlaces.acknowledged, 1);
    Atomics.notify(gate, gatePlaces.acknowledged);
  }
}

function recordsOf(batch: Extract<FromWal, { kind: 'records' }>): ReplayedRecord[] {
  const { memory, places } = batch;
  const records: ReplayedRecord[] = [];
  for (let at = 0; at < places.length; at += placeNumbers) {
    const [lsn = 0, count = 0, offset = 0, length = 0, sequence = 0, position = 0] =
      places.subarray(at, at + placeNumbers);
    const payload = new Uint8Array(memory, offset, length);
    records.push({ lsn, count, payload, sequence, position });
  }
  return records;
}
