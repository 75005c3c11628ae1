/**
 * The one file layer. Every file that Holdfast itself writes or reads goes through this interface
 * (SQLite and DuckDB keep their own). Calls are synchronous: the logs and encoders run on threads
 * of their own, where a blocking call is the cheapest one. Tests hand in a layer that records,
 * fails, or simulates a disk that forgets; there is no switch for that in the product.
 *
 * Errors: a refused operation throws HF_IO, a full disk HF_DISK_FULL, a short write
 * HF_IO_SHORT_WRITE. A failed `sync` is final for that file: the caller closes it (contract W5).
 */
import {
  closeSync,
  constants,
  fdatasyncSync,
  fstatSync,
  fsyncSync,
  ftruncateSync,
  mkdirSync,
  openSync,
  readdirSync,
  readSync,
  renameSync,
  statfsSync,
  statSync,
  unlinkSync,
  writevSync,
} from 'node:fs';
import { GatewayError } from '../errors/gateway-error.ts';

/** `read`: must exist. `write`: must exist, read and write. `create`: must not exist yet. */
export type OpenMode = 'read' | 'write' | 'create';

export type SyncCall = 'fdatasync' | 'fsync';

export interface OpenFile {
  readonly path: string;
  /** Length in bytes. */
  size(): number;
  /** Fills `target` from `position` in bytes; returns the count read, less only at the end. */
  read(target: Uint8Array, position: number): number;
  /** Writes all parts in order from `position` in bytes; a short write throws. */
  write(parts: readonly Uint8Array[], position: number): void;
  /** Returns after the device confirmed all bytes written so far. */
  sync(call: SyncCall): void;
  truncate(bytes: number): void;
  close(): void;
}

export interface Files {
  /** With `dsync`, each write returns only after the device confirmed it (O_DSYNC). */
  open(path: string, mode: OpenMode, options?: { readonly dsync?: boolean }): OpenFile;
  /** Size in bytes, or undefined if there is no such file. */
  size(path: string): number | undefined;
  /** Names in a directory, sorted; an absent directory is empty. */
  list(directory: string): readonly string[];
  /** Makes one level; false if it was there already. */
  makeDirectory(path: string): boolean;
  rename(from: string, to: string): void;
  /** Absent files are no error. */
  unlink(path: string): void;
  /** Returns after names made, renamed or removed in `path` are durable. */
  syncDirectory(path: string): void;
  /** Bytes that an unprivileged writer may still use on the file system of `path`. */
  freeBytes(path: string): number;
}

/** Runs `call`, turning an operating system error into a GatewayError that names `path`. */
function guarded<T>(what: string, path: string, call: () => T): T {
  try {
    return call();
  } catch (error) {
    const errno = (error as NodeJS.ErrnoException).code ?? 'unknown';
    const full = errno === 'ENOSPC' || errno === 'EDQUOT';
    const code = full ? 'HF_DISK_FULL' : 'HF_IO';
    throw new GatewayError(code, `${what} ${path}: ${errno}`, {
      cause: error,
      details: { path, errno },
    });
  }
}

class NodeFile implements OpenFile {
  readonly path: string;
  readonly #descriptor: number;

  constructor(path: string, descriptor: number) {
    this.path = path;
    this.#descriptor = descriptor;
  }

  size(): number {
    return guarded('stat', this.path, () => fstatSync(this.#descriptor).size);
  }

  read(target: Uint8Array, position: number): number {
    return guarded('read', this.path, () => {
      let done = 0;
      while (done < target.length) {
        const rest = target.length - done;
        const count = readSync(this.#descriptor, target, done, rest, position + done);
        if (count === 0) break;
        done += count;
      }
      return done;
    });
  }

  write(parts: readonly Uint8Array[], position: number): void {
    const expected = parts.reduce((sum, part) => sum + part.length, 0);
    const written = guarded('write', this.path, () => this.#writeAll(parts, position));
    if (written !== expected) {
      // The kernel reports a disk that fills up midway as a short count without an error.
      throw new GatewayError('HF_IO_SHORT_WRITE', `write ${this.path}: ${written} of ${expected}`, {
        details: { path: this.path, position, written, expected },
      });
    }
  }

  /** Linux takes at most 1,024 parts in one call. */
  #writeAll(parts: readonly Uint8Array[], position: number): number {
    const partsPerCall = 1024;
    let written = 0;
    for (let first = 0; first < parts.length; first += partsPerCall) {
      const some = parts.slice(first, first + partsPerCall);
      const expected = some.reduce((sum, part) => sum + part.length, 0);
      const count = writevSync(this.#descriptor, some, position + written);
      written += count;
      if (count !== expected) break;
    }
    return written;
  }

  sync(call: SyncCall): void {
    const sync = call === 'fsync' ? fsyncSync : fdatasyncSync;
    guarded(call, this.path, () => {
      sync(this.#descriptor);
    });
  }

  truncate(bytes: number): void {
    guarded('truncate', this.path, () => {
      ftruncateSync(this.#descriptor, bytes);
    });
  }

  close(): void {
    guarded('close', this.path, () => {
      closeSync(this.#descriptor);
    });
  }
}

const openFlags: Readonly<Record<OpenMode, number>> = {
  read: constants.O_RDONLY,
  write: constants.O_RDWR,
  create: constants.O_RDWR | constants.O_CREAT | constants.O_EXCL,
};

/** The file layer of the operating system; no state, usable from any thread. */
export const nodeFiles: Files = {
  open(path, mode, options) {
    const flags = openFlags[mode] | (options?.dsync === true ? constants.O_DSYNC : 0);
    return new NodeFile(
      path,
      guarded('open', path, () => openSync(path, flags, 0o640)),
    );
  },
  size(path) {
    return guarded('stat', path, () => statSync(path, { throwIfNoEntry: false })?.size);
  },
  list(directory) {
    return guarded('list', directory, () => {
      if (statSync(directory, { throwIfNoEntry: false }) === undefined) return [];
      return readdirSync(directory).sort();
    });
  },
  makeDirectory(path) {
    return guarded('mkdir', path, () => {
      if (statSync(path, { throwIfNoEntry: false })?.isDirectory() === true) return false;
      try {
        mkdirSync(path, { mode: 0o750 });
        return true;
      } catch (error) {
        // Another thread may have made it since; a file of that name is still an error.
        if (statSync(path, { throwIfNoEntry: false })?.isDirectory() === true) return false;
        throw error;
      }
    });
  },
  rename(from, to) {
    guarded('rename', from, () => {
      renameSync(from, to);
    });
  },
  unlink(path) {
    guarded('unlink', path, () => {
      if (statSync(path, { throwIfNoEntry: false }) !== undefined) unlinkSync(path);
    });
  },
  syncDirectory(path) {
    guarded('sync directory', path, () => {
      const descriptor = openSync(path, constants.O_RDONLY | constants.O_DIRECTORY);
      try {
        fsyncSync(descriptor);
      } finally {
        closeSync(descriptor);
      }
    });
  },
  freeBytes(path) {
    return guarded('statfs', path, () => {
      const facts = statfsSync(path);
      return facts.bavail * facts.bsize;
    });
  },
};
