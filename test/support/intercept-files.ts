/**
 * A file layer that shows every call to an interceptor before and after it happens. The tests plant
 * faults, kill processes and record orders with it; the product knows nothing of it. It works in
 * any thread: a test composes its own thread entry with intercepted files.
 */
import type { Files, OpenFile, OpenMode, SyncCall } from '../../src/base/disk/files.ts';

export type FileCallKind =
  | 'open'
  | 'size'
  | 'read'
  | 'write'
  | 'sync'
  | 'truncate'
  | 'close'
  | 'list'
  | 'makeDirectory'
  | 'rename'
  | 'unlink'
  | 'syncDirectory';

export interface FileCall {
  readonly kind: FileCallKind;
  readonly path: string;
  /** Of `rename`: the new path. */
  readonly to?: string;
  /** Of `open`. */
  readonly mode?: OpenMode;
  /** Of `read`, `write`: in bytes from the start. */
  readonly position?: number;
  /** Of `read`, `write`, `truncate`. */
  readonly bytes?: number;
  /** Of `write`. */
  readonly parts?: readonly Uint8Array[];
}

export interface Interceptor {
  /** May throw (the call fails), or answer 'skip' (the call pretends to have happened). */
  before?(call: FileCall): 'skip' | undefined;
  after?(call: FileCall): void;
}

/** Runs all interceptors in order before a call, and in the same order after it. */
export function together(interceptors: readonly Interceptor[]): Interceptor {
  return {
    before(call) {
      let answer: 'skip' | undefined;
      for (const one of interceptors) {
        if (one.before?.(call) === 'skip') answer = 'skip';
      }
      return answer;
    },
    after(call) {
      for (const one of interceptors) one.after?.(call);
    },
  };
}

type Shown = <T>(call: FileCall, run: () => T, skipped: T) => T;

class InterceptedFile implements OpenFile {
  readonly path: string;
  readonly #file: OpenFile;
  readonly #shown: Shown;

  constructor(file: OpenFile, shown: Shown) {
    this.path = file.path;
    this.#file = file;
    this.#shown = shown;
  }

  size(): number {
    return this.#file.size();
  }

  read(target: Uint8Array, position: number): number {
    const call: FileCall = { kind: 'read', path: this.path, position, bytes: target.length };
    return this.#shown(call, () => this.#file.read(target, position), 0);
  }

  write(parts: readonly Uint8Array[], position: number): void {
    const bytes = parts.reduce((sum, part) => sum + part.length, 0);
    const call: FileCall = { kind: 'write', path: this.path, position, bytes, parts };
    this.#shown(call, () => this.#file.write(parts, position), undefined);
  }

  sync(syncCall: SyncCall): void {
    const call: FileCall = { kind: 'sync', path: this.path };
    this.#shown(call, () => this.#file.sync(syncCall), undefined);
  }

  truncate(bytes: number): void {
    const call: FileCall = { kind: 'truncate', path: this.path, bytes };
    this.#shown(call, () => this.#file.truncate(bytes), undefined);
  }

  close(): void {
    const call: FileCall = { kind: 'close', path: this.path };
    this.#shown(call, () => this.#file.close(), undefined);
  }
}

/** Returns `files` with every call shown to `interceptor`. */
export function interceptFiles(files: Files, interceptor: Interceptor): Files {
  const shown: Shown = (call, run, skipped) => {
    if (interceptor.before?.(call) === 'skip') return skipped;
    const result = run();
    interceptor.after?.(call);
    return result;
  };
  return {
    open: (path, mode, options) => {
      interceptor.before?.({ kind: 'open', path, mode });
      const file = files.open(path, mode, options);
      interceptor.after?.({ kind: 'open', path, mode });
      return new InterceptedFile(file, shown);
    },
    size: (path) => shown({ kind: 'size', path }, () => files.size(path), undefined),
    list: (path) => shown({ kind: 'list', path }, () => files.list(path), []),
    makeDirectory: (path) =>
      shown({ kind: 'makeDirectory', path }, () => files.makeDirectory(path), false),
    rename: (path, to) =>
      shown({ kind: 'rename', path, to }, () => files.rename(path, to), undefined),
    unlink: (path) => shown({ kind: 'unlink', path }, () => files.unlink(path), undefined),
    syncDirectory: (path) =>
      shown({ kind: 'syncDirectory', path }, () => files.syncDirectory(path), undefined),
    freeBytes: (path) => files.freeBytes(path),
  };
}
