/**
 * Names of a log's files in its directory (docs/format/wal.md, "Files"): segments, spares, and
 * spares being filled. Sequences are shared by all three, so no name is ever used twice.
 */
import type { Files } from '../base/disk/files.ts';

const sequenceDigits = 20;
const spareSuffix = '.spare';
const fillingSuffix = '.filling';

/** A file of the log by its name. */
export interface NamedFile {
  readonly name: string;
  readonly sequence: number;
}

export interface SegmentListing {
  /** Ascending sequence. */
  readonly segments: readonly NamedFile[];
  readonly spares: readonly NamedFile[];
  readonly fillings: readonly NamedFile[];
}

export class SegmentFiles {
  readonly directory: string;
  readonly #files: Files;
  readonly #prefix: string;
  readonly #suffix: string;

  constructor(files: Files, directory: string, prefix: string, suffix: string) {
    this.#files = files;
    this.directory = directory;
    this.#prefix = prefix;
    this.#suffix = suffix;
  }

  segmentName(sequence: number): string {
    return this.#name(sequence, this.#suffix);
  }

  spareName(sequence: number): string {
    return this.#name(sequence, spareSuffix);
  }

  path(name: string): string {
    return `${this.directory}/${name}`;
  }

  /** What stands in the directory; names of other logs and of nobody are left out. */
  list(): SegmentListing {
    const names = this.#files.list(this.directory);
    return {
      segments: this.#named(names, this.#suffix),
      spares: this.#named(names, spareSuffix),
      fillings: this.#named(names, fillingSuffix),
    };
  }

  #name(sequence: number, suffix: string): string {
    return `${this.#prefix}${String(sequence).padStart(sequenceDigits, '0')}${suffix}`;
  }

  #named(names: readonly string[], suffix: string): NamedFile[] {
    const found: NamedFile[] = [];
    for (const name of names) {
      if (!name.startsWith(this.#prefix) || !name.endsWith(suffix)) continue;
      const digits = name.slice(this.#prefix.length, name.length - suffix.length);
      if (digits.length !== sequenceDigits || !/^[0-9]+$/.test(digits)) continue;
      const sequence = Number(digits);
      if (Number.isSafeInteger(sequence)) found.push({ name, sequence });
    }
    return found.sort((a, b) => a.sequence - b.sequence);
  }
}

/** Name under which the spare `name` is filled before it counts as one. */
export function fillingName(name: string): string {
  return `${name.slice(0, name.length - spareSuffix.length)}${fillingSuffix}`;
}
