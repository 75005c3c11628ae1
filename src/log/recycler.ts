/**
 * Gives segments back in which nothing lives (L6), and knows which spares stand.
 *
 * I1 The first page is zeroed on the device before the file becomes a spare, so no header of an
 *    earlier life is ever found in a segment to be.
 * I2 Names are synced once they are gone: a dead segment that comes back after a power cut would be
 *    taken for the newest one if at the same time the header of the newest were lost.
 * I3 A disk that refuses stops nothing: the file stays as it is, is listed by no later header, and
 *    is tried again.
 */
import { GatewayError } from '../base/errors/gateway-error.ts';
import { zeroHeader } from './fresh-segment.ts';
import type { LogOptions, SpareRequest } from './log-types.ts';
import type { SegmentFiles } from './segment-files.ts';

/** Spares kept; more segments than this are unlinked. */
const sparesMax = 2;

export class Recycler {
  readonly #options: LogOptions;
  readonly #names: SegmentFiles;
  /** Names of segments to give back, oldest first. */
  #waiting: string[] = [];
  #sparesKnown: number | undefined;
  #requested: string | undefined;

  constructor(options: LogOptions, names: SegmentFiles) {
    this.#options = options;
    this.#names = names;
  }

  add(names: readonly string[]): void {
    this.#waiting.push(...names);
  }

  /** Gives back what waits. Call it only while a fresh segment stands. */
  run(): void {
    const waiting = this.#waiting;
    if (waiting.length === 0) return;
    this.#waiting = waiting.filter(
      (name) =>
        !this.#tried(() => {
          this.#giveBack(name);
        }),
    );
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

  #giveBack(name: string): void {
    const { files, preallocate, segmentBytes } = this.#options;
    const path = this.#names.path(name);
    const size = files.size(path);
    if (size === undefined) return;
    if (!preallocate || size !== segmentBytes || this.#spares() >= sparesMax) {
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
