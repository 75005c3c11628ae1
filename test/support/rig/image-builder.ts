/**
 * Builds what a device may hold after the power was cut at a point of its block log: everything up
 * to the last completed flush, plus any part of what came after it. A device may lose, keep, or
 * tear (by sectors of 512 bytes) each unflushed write, whatever their order.
 *
 * Cuts must be visited in ascending order: the flushed state is kept as a map of pages and only
 * moves forward.
 */
import { closeSync, ftruncateSync, openSync, writevSync } from 'node:fs';
import type { Random } from '../random.ts';
import type { BlockLog, LogEntry } from './block-log.ts';

/**
 * What became of the unflushed tail. `whole`: all kept, so the image is a prefix of the log.
 * `none`: all lost. `subset`: each write kept or lost by chance. `torn`: a subset, and the last
 * kept write has only some of its sectors.
 */
export type TailFate = 'whole' | 'none' | 'subset' | 'torn';

export const tailFates: readonly TailFate[] = ['whole', 'none', 'subset', 'torn'];

const pageBytes = 4096;
const sectorBytes = 512;

type Pages = Map<number, Buffer>;

export class ImageBuilder {
  readonly #log: BlockLog;
  readonly #deviceBytes: number;
  readonly #flushed: Pages = new Map();
  #tail: LogEntry[] = [];
  #next = 0;

  constructor(log: BlockLog, deviceBytes: number) {
    this.#log = log;
    this.#deviceBytes = deviceBytes;
  }

  /** Unflushed writes at the present cut, oldest first. */
  get tail(): readonly LogEntry[] {
    return this.#tail;
  }

  /** Moves to the moment just after the device took entry `cut`. */
  advanceTo(cut: number): void {
    if (cut < this.#next - 1) throw new Error('cuts must ascend');
    for (; this.#next <= cut; this.#next += 1) {
      const entry = this.#log.entries[this.#next];
      if (entry === undefined) throw new Error(`cut ${cut} is behind the end of the log`);
      this.#take(entry);
    }
  }

  /** Writes the image of the present cut to `path` as a sparse file. */
  write(path: string, fate: TailFate, random: Random): void {
    const overlay: Pages = new Map();
    const kept = this.#tail.filter(
      () => fate === 'whole' || (fate !== 'none' && random.chance(0.5)),
    );
    kept.forEach((entry, index) => {
      const isTorn = fate === 'torn' && index === kept.length - 1;
      this.#apply(overlay, entry, isTorn ? () => random.chance(0.5) : undefined);
    });
    const descriptor = openSync(path, 'w');
    try {
      ftruncateSync(descriptor, this.#deviceBytes);
      writePages(descriptor, this.#flushed, overlay);
    } finally {
      closeSync(descriptor);
    }
  }

  #take(entry: LogEntry): void {
    if (entry.mark !== undefined) return;
    if (entry.isFlush) {
      for (const waiting of this.#tail) this.#apply(this.#flushed, waiting, undefined);
      this.#tail = [];
    }
    if (entry.bytes === 0) return;
    if (entry.isForced) this.#apply(this.#flushed, entry, undefined);
    else this.#tail.push(entry);
  }

  /** Applies an entry sector by sector, or page by page where it covers whole pages. */
  #apply(pages: Pages, entry: LogEntry, keepSector: (() => boolean) | undefined): void {
    const content = this.#log.content(entry);
    const stepBytes = keepSector === undefined ? pageBytes : sectorBytes;
    let from = 0;
    while (from < content.length) {
      const position = entry.position + from;
      const inPage = position % pageBytes;
      const count = Math.min(stepBytes - (position % stepBytes), content.length - from);
      if (keepSector?.() !== false) {
        const page = this.#page(pages, position - inPage);
        content.copy(page, inPage, from, from + count);
      }
      from += count;
    }
  }

  /** The page of `pages` at `position`, made from the flushed state if it is not there yet. */
  #page(pages: Pages, position: number): Buffer {
    let page = pages.get(position);
    if (page === undefined) {
      page = Buffer.alloc(pageBytes);
      this.#flushed.get(position)?.copy(page);
      pages.set(position, page);
    }
    return page;
  }
}

/** Writes both maps, the overlay winning, in runs of neighbouring pages. */
function writePages(descriptor: number, flushed: Pages, overlay: Pages): void {
  const positions = [...new Set([...flushed.keys(), ...overlay.keys()])].sort((a, b) => a - b);
  const pagesPerCall = 512;
  let run: Buffer[] = [];
  let runStart = 0;
  const flush = (): void => {
    if (run.length > 0) writevSync(descriptor, run, runStart);
    run = [];
  };
  for (const position of positions) {
    const page = overlay.get(position) ?? flushed.get(position);
    if (page === undefined) continue;
    if (position !== runStart + run.length * pageBytes || run.length === pagesPerCall) flush();
    if (run.length === 0) runStart = position;
    run.push(page);
  }
  flush();
}
