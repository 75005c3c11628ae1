/**
 * Gives segments back in which nothing lives (L6), and knows which spares stand.
 *
 * I1 The first page is zeroed on the device before the file becomes a spare, so no header of an
 *    earlier life is ever found in a segment to be.
 * I2 Names are synced once they are gone: a dead segment that comes back after a power cut would be
 *    taken for the newest one if at the same time the header of the newest were lost.
 * I3 A disk that refuses stops nothing: the file stays as it is, is listed by no later header, and
 *    is tried again.
 * I4 Only a file on which no call ever failed becomes a spare (contract W5). One that failed may
 *    lie on a sick spot, and its page cache may say what the disk does not: it is unlinked. So is
 *    one of an earlier process, of which that is not known.
 */
import { GatewayError } from '../base/errors/gateway-error.ts';
import { zeroHeader } from './fresh-segment.ts';
import type { LogOptions, SpareRequest } from './log-types.ts';
import type { SegmentFiles } from './segment-files.ts';

/** Spares kept; more segments than this are unlinked. */
const sparesMax = 2;

/** What becomes of a file that is given back. */
export type SegmentFate = 'recycle' | 'unlink';

export class Recycler {
  readonly #options: LogOptions;
  readonly #names: SegmentFiles;
  /** Segments to give back by name, oldest first. */
  readonly #waiting = new Map<string, SegmentFate>();
  #sparesKnown: number | undefined;
  #requested: string | undefined;

  constructor(options: LogOptions, names: SegmentFiles) {
    this.#options = options;
    this.#names = names;
  }

  add(name: string, fate: SegmentFate): void {
    this.#waiting.set(name, fate);
  }

  /** Gives back what waits. Call it only while a fresh segment stands. */
  run(): void {
    if (this.#waiting.size === 0) return;
    for (const [name, fate] of this.#waiting) {
      const isGone = this.#tried(() => {
        this.#giveBack(name, fate);
      });
      if (isGone) this.#waiting.delete(name);
      else this.#waiting.set(name, 'unlink');
    }
    this.#tried(() => {
      this.#options.files.syncDirectory(this.#options.directory);
    });
  }

  /** False if the disk refused. */
  #tried(call: () => void): boolean {
    try {
      call();
      return true;
    } catch (error) {
      if (!(error instanceof GatewayError)) throw error;
      this.#options.observer?.failed(error);
      return false;
    }
  }

  /** A spare may have been taken: the directory is looked at again when it matters. */
  sparesChanged(): void {
    this.#sparesKnown = undefined;
    this.#requested = undefined;
  }

  wantsSpare(): boolean {
    return this.#options.preallocate && this.#requested === undefined && this.#spares() === 0;
  }

  requestSpare(sequence: number): SpareRequest {
    const { directory, segmentBytes: bytes } = this.#options;
    const name = this.#names.spareName(sequence);
    this.#requested = name;
    return { directory, name, bytes };
  }

  #spares(): number {
    this.#sparesKnown ??= this.#names.list().spares.length;
    return this.#sparesKnown;
  }

  #giveBack(name: string, fate: SegmentFate): void {
    const { files, preallocate, segmentBytes } = this.#options;
    const path = this.#names.path(name);
    const size = files.size(path);
    if (size === undefined) return;
    const fits = fate === 'recycle' && preallocate && size === segmentBytes;
    if (!fits || this.#spares() >= sparesMax) {
      files.unlink(path);
      return;
    }
    zeroHeader(this.#options, path);
    files.rename(path, this.#names.path(spareNameOf(name, this.#names)));
    this.#sparesKnown = this.#spares() + 1;
  }
}

/** A recycled segment keeps its sequence, so its name as a spare is its own. */
function spareNameOf(name: string, names: SegmentFiles): string {
  const digits = /([0-9]{20})\.[a-z]+$/.exec(name)?.[1];
  return names.spareName(Number(digits));
}
