/**
 * Visits the images of a block log: builds each one, mounts it as a machine would after the power
 * came back, and hands the mounted folder to a check together with what had been promised by then.
 */
import { mkdirSync, rmSync } from 'node:fs';
import { join } from 'node:path';
import type { Random } from '../random.ts';
import type { BlockLog } from './block-log.ts';
import type { Cut } from './cut-plan.ts';
import { ImageBuilder } from './image-builder.ts';
import { runProgram, unmount } from './logged-device.ts';

/** What the marks up to a cut say. */
export interface Promised {
  readonly acknowledged: ReadonlySet<number>;
  readonly seen: ReadonlySet<number>;
  readonly notes: readonly string[];
}

export interface InspectOptions {
  readonly log: BlockLog;
  readonly deviceBytes: number;
  /** Folder for the image and its mount point. */
  readonly scratch: string;
  readonly cuts: readonly Cut[];
  readonly random: Random;
}

/** Runs `check` on each image in order. What it throws ends the visit; the image is unmounted. */
export async function inspectImages(
  options: InspectOptions,
  check: (mounted: string, cut: Cut, promised: Promised) => Promise<void>,
): Promise<void> {
  const builder = new ImageBuilder(options.log, options.deviceBytes);
  const image = join(options.scratch, 'image');
  const mountPoint = join(options.scratch, 'image-mount');
  mkdirSync(mountPoint, { recursive: true });
  const promised = new PromiseReader(options.log);
  for (const cut of options.cuts) {
    builder.advanceTo(cut.entry);
    builder.write(image, cut.fate, options.random);
    runProgram('mount', ['-t', 'ext4', '-o', 'loop', image, mountPoint]);
    try {
      await check(mountPoint, cut, promised.at(cut.entry));
    } finally {
      await unmount(mountPoint);
      rmSync(image);
    }
  }
}

/** Collects the marks of a log while cuts ascend. */
class PromiseReader {
  readonly #log: BlockLog;
  readonly #acknowledged = new Set<number>();
  readonly #seen = new Set<number>();
  readonly #notes: string[] = [];
  #next = 0;

  constructor(log: BlockLog) {
    this.#log = log;
  }

  /** The returned sets are live: they hold for the present cut only. */
  at(cut: number): Promised {
    for (; this.#next <= cut; this.#next += 1) {
      const mark = this.#log.entries[this.#next]?.mark;
      if (mark?.kind === 'acknowledged') this.#acknowledged.add(mark.request);
      if (mark?.kind === 'seen') this.#seen.add(mark.request);
      if (mark?.kind === 'note') this.#notes.push(mark.text);
    }
    return { acknowledged: this.#acknowledged, seen: this.#seen, notes: this.#notes };
  }
}
