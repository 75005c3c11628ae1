/**
 * Files into their place, durable (commit-protocol P9).
 * I1. A name without `.tmp-` is only ever given to bytes that were synced.
 * I2. When `settle` returned, every file written since is durable under its name: its directory and
 *     each directory above it, up to the root, was synced after the name in it was made.
 * I3. A directory that was there already is not taken for durable: an earlier run or another thread
 *     may have made it and not synced its parent yet. Each writer syncs it once itself.
 * Runs on an encoder thread; one instance per thread; not reentrant.
 */
import { dirname } from 'node:path';
import type { Files } from '../../base/disk/files.ts';

/** Directories remembered as durable; forgetting one costs a sync, so the set is just emptied. */
const durableDirectoriesMax = 20_000;

export const temporaryPrefix = '.tmp-';

export class FileWriter {
  readonly #files: Files;
  readonly #root: string;
  readonly #durable = new Set<string>();
  readonly #placed: string[] = [];
  readonly #unsynced = new Set<string>();

  /** @param root absolute path of a directory that exists and is durable */
  constructor(files: Files, root: string) {
    this.#files = files;
    this.#root = root;
  }

  /**
   * Writes `parts` to `path` (relative to the root, forward slashes), synced and renamed into
   * place; the name is durable after `settle`. The file must not exist yet.
   */
  put(path: string, parts: readonly Uint8Array[]): void {
    const slash = path.lastIndexOf('/');
    const folder = path.slice(0, slash);
    const directory = this.#makeDirectories(folder);
    const name = path.slice(slash + 1);
    const temporary = `${directory}/${temporaryPrefix}${name}`;
    try {
      this.#write(temporary, parts);
      this.#files.rename(temporary, `${directory}/${name}`);
    } catch (error) {
      this.#unlinkQuietly(temporary);
      throw error;
    }
    this.#placed.push(`${directory}/${name}`);
    this.#unsynced.add(directory);
  }

  /** Returns after the names of all files put since the last call are durable. */
  settle(): void {
    for (const directory of this.#unsynced) {
      this.#files.syncDirectory(directory);
    }
    this.#unsynced.clear();
    this.#placed.length = 0;
  }

  /** Removes the files put since the last `settle`: no commit names them. */
  abandon(): void {
    for (const path of this.#placed) this.#unlinkQuietly(path);
    this.#placed.length = 0;
    this.#unsynced.clear();
  }

  #write(path: string, parts: readonly Uint8Array[]): void {
    const file = this.#files.open(path, 'create');
    try {
      file.write(parts, 0);
      file.sync('fdatasync');
    } finally {
      file.close();
    }
  }

  /** Returns the absolute path of `folder`, made where missing, all above it durable. */
  #makeDirectories(folder: string): string {
    let path = this.#root;
    for (const level of folder.split('/')) {
      path = `${path}/${level}`;
      const made = this.#files.makeDirectory(path);
      if (!made && this.#durable.has(path)) continue;
      this.#files.syncDirectory(dirname(path));
      if (this.#durable.size >= durableDirectoriesMax) this.#durable.clear();
      this.#durable.add(path);
    }
    return path;
  }

  /** What is left behind after a failure is deleted at the next start; the failure counts. */
  #unlinkQuietly(path: string): void {
    try {
      this.#files.unlink(path);
    } catch {
      return;
    }
  }
}
