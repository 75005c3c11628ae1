/**
 * Gives replayed WAL records from the WAL thread to the main thread in batches, through two slots
 * of shared memory that take turns. Recovery of any length so needs the same small memory on both
 * sides; copying costs about 6 ns a row of 50 bytes.
 *
 * I1 A slot is filled again only after the batch that it held was acknowledged: at most two batches
 *    are unacknowledged, and the WAL thread waits (recovery has nothing else to do).
 * I2 Records go out in log order, none is left behind: `finish` sends the last batch.
 *
 * Runs on the WAL thread, inside `openLog`, which is synchronous; so it waits by Atomics.
 */
import { GatewayError } from '../../base/errors/gateway-error.ts';
import { assert, present } from '../../base/lib/assert.ts';
import type { LogRecord, RecordPlace } from '../log-types.ts';
import { gatePlaces, placeNumbers, type FromWal, type ReplayMemory } from './wal-messages.ts';

const recordsPerBatchMax = 4096;

export class RecordStream {
  readonly #post: (message: FromWal) => void;
  readonly #memory: ReplayMemory;
  readonly #places = new Float64Array(recordsPerBatchMax * placeNumbers);
  #slot: Uint8Array | undefined;
  #used = 0;
  #count = 0;
  #batches = 0;
  #bytes = 0;
  #bytesTotal = 0;
  #syncedTo = 0;

  constructor(post: (message: FromWal) => void, memory: ReplayMemory) {
    this.#post = post;
    this.#memory = memory;
  }

  /** Takes a copy of `record`. @throws HF_WAL_FAILED if the main thread gave up */
  add(record: LogRecord, { sequence, position }: RecordPlace): void {
    const { length } = record.payload;
    if (this.#slot !== undefined && this.#used + length > this.#slot.length) this.#send();
    const slot = (this.#slot ??= this.#nextSlot(length));
    slot.set(record.payload, this.#used);
    const at = this.#count * placeNumbers;
    this.#places[at] = record.number;
    this.#places[at + 1] = record.count;
    this.#places[at + 2] = this.#used;
    this.#places[at + 3] = length;
    this.#places[at + 4] = sequence;
    this.#places[at + 5] = position;
    this.#used += Math.ceil(length / 8) * 8;
    this.#count++;
    this.#bytes += length;
    if (this.#count === recordsPerBatchMax || this.#used >= slot.length) this.#send();
  }

  /** How far the log has been read, in bytes of its segments. */
  progress(bytes: number, bytesTotal: number): void {
    this.#bytes = bytes;
    this.#bytesTotal = bytesTotal;
  }

  /** Records up to `lsn`, of those that are added from now on, are on the device. */
  synced(lsn: number): void {
    this.#syncedTo = lsn;
  }

  finish(): void {
    if (this.#count > 0) this.#send();
  }

  #send(): void {
    const { buffer } = present(this.#slot, 'slot with records');
    assert(buffer instanceof SharedArrayBuffer, 'slots are shared');
    this.#post({
      kind: 'records',
      memory: buffer,
      places: this.#places.slice(0, this.#count * placeNumbers),
      bytes: this.#bytes,
      bytesTotal: Math.max(this.#bytes, this.#bytesTotal),
      syncedTo: this.#syncedTo,
    });
    this.#slot = undefined;
    this.#used = 0;
    this.#count = 0;
    this.#batches++;
  }

  /** The slot whose turn it is; a record larger than it gets memory of its own. */
  #nextSlot(bytes: number): Uint8Array {
    const { slots, gate } = this.#memory;
    for (;;) {
      if (Atomics.load(gate, gatePlaces.givenUp) !== 0) {
        throw new GatewayError('HF_WAL_FAILED', 'recovery of the log was given up');
      }
      const acknowledged = Atomics.load(gate, gatePlaces.acknowledged);
      if (this.#batches - acknowledged < slots.length) break;
      Atomics.wait(gate, gatePlaces.acknowledged, acknowledged);
    }
    const slot = present(slots[this.#batches % slots.length], 'slot');
    return new Uint8Array(bytes > slot.byteLength ? new SharedArrayBuffer(bytes) : slot);
  }
}
