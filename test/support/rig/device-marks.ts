/**
 * Marks written straight to a logged device, at a place behind its file system. A mark stands in
 * the device's log between the writes that came before and after it, so a replay of the log knows
 * at each cut what had been acknowledged and what was under way. Several threads and processes may
 * write marks at once: each is one write of one sector.
 */
import { closeSync, constants, openSync, writeSync } from 'node:fs';

/** Where marks go: a block device and a position in bytes, a multiple of 4096. */
export interface MarkPlace {
  readonly device: string;
  readonly position: number;
}

export type Mark =
  /** Request `request` was answered with success. */
  | { readonly kind: 'acknowledged'; readonly request: number }
  /** Rows of request `request` were seen in an answer to a query. */
  | { readonly kind: 'seen'; readonly request: number }
  /** Step `step` of `phase` began or ended; ids are unique within a thread's `source`. */
  | { readonly kind: 'begin'; readonly phase: string; readonly source: string }
  | { readonly kind: 'end'; readonly phase: string; readonly source: string }
  /** Whatever a suite wants to find again, such as the start of a second process. */
  | { readonly kind: 'note'; readonly text: string };

/** The project's type libraries leave WebAssembly out; only its page-aligned memory is used. */
declare const WebAssembly: {
  readonly Memory: new (options: { readonly initial: number }) => { readonly buffer: ArrayBuffer };
};

const magic = 'HOLDFASTMARK';
const markBytes = 512;

/** The bytes of one mark: magic, length of the text in two bytes, JSON text, zeros. */
export function encodeMark(mark: Mark, target: Buffer): void {
  const text = Buffer.from(JSON.stringify(mark));
  if (text.length > markBytes - magic.length - 2) throw new Error('mark too long');
  target.fill(0);
  target.write(magic, 0, 'latin1');
  target.writeUInt16LE(text.length, magic.length);
  text.copy(target, magic.length + 2);
}

/** The mark that a write to the mark place holds; undefined if it is none. */
export function decodeMark(content: Buffer): Mark | undefined {
  if (content.toString('latin1', 0, magic.length) !== magic) return undefined;
  const length = content.readUInt16LE(magic.length);
  const start = magic.length + 2;
  return JSON.parse(content.toString('utf8', start, start + length)) as Mark;
}

export class MarkWriter {
  readonly #descriptor: number;
  readonly #position: number;
  /** Direct writes need memory aligned to the sector; WebAssembly gives whole pages. */
  readonly #sector: Buffer;

  constructor(place: MarkPlace) {
    this.#position = place.position;
    this.#descriptor = openSync(place.device, constants.O_WRONLY | constants.O_DIRECT);
    this.#sector = Buffer.from(new WebAssembly.Memory({ initial: 1 }).buffer, 0, markBytes);
  }

  /** Returns when the mark stands in the device's log. */
  write(mark: Mark): void {
    encodeMark(mark, this.#sector);
    const count = writeSync(this.#descriptor, this.#sector, 0, markBytes, this.#position);
    if (count !== markBytes) throw new Error(`mark cut short: ${count} of ${markBytes} bytes`);
  }

  close(): void {
    closeSync(this.#descriptor);
  }
}
