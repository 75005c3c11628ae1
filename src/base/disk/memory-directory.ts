/**
 * A directory whose files lie in memory, for what needs no disk: private to this user and this
 * start, and gone with it. Apart from `Files`, because nothing that tests simulate depends on it.
 *
 * I1. Others of the machine may write in the same place: what is not made by this call is not used,
 *     and only directories of this user are removed.
 * I2. Names hold the gateway's id and the identity of its data directory, whose lock the caller
 *     holds. So a directory with that beginning belongs to a start that has ended, also where a
 *     data directory was copied with the id in it.
 *
 * Made by the main thread; removed by the query process, which sees the main process end.
 */
import { randomBytes } from 'node:crypto';
import { lstatSync, mkdirSync, readdirSync, rmSync, statfsSync, statSync } from 'node:fs';
import { join } from 'node:path';

/** Where Linux keeps memory that programs share. */
const sharedMemory = '/dev/shm';

/** `f_type` of tmpfs. A ramfs has no limit, so it is never large enough. */
const tmpfsType = 0x01021994;

export interface MemoryDirectoryOptions {
  readonly gatewayId: string;
  /** Held by the caller. */
  readonly dataDirectory: string;
  /** Free bytes that it must have to be of use. */
  readonly bytes: number;
  /** Where to look for memory; default `/dev/shm`. */
  readonly parent?: string;
}

/**
 * Returns the path of a new empty directory in memory, or undefined if the machine offers none
 * that is large enough, or the data directory lies in memory itself.
 */
export function makeMemoryDirectory(options: MemoryDirectoryOptions): string | undefined {
  const { gatewayId, dataDirectory, bytes, parent = sharedMemory } = options;
  try {
    const { dev, ino } = statSync(dataDirectory, { bigint: true });
    const start = `holdfast-${gatewayId}-${dev}-${ino}-`;
    for (const name of readdirSync(parent)) {
      if (name.startsWith(start)) removeMemoryDirectory(join(parent, name));
    }
    const { type, bavail, bsize } = statfsSync(parent);
    if (type !== tmpfsType || bavail * bsize < bytes) return undefined;
    if (statfsSync(dataDirectory).type === tmpfsType) return undefined;
    const path = join(parent, `${start}${randomBytes(8).toString('hex')}`);
    mkdirSync(path, { mode: 0o700 });
    return path;
  } catch {
    // Whatever forbids it: the disk serves as well.
    return undefined;
  }
}

/** Removes one with all that is in it. One that is not there or not ours stays as it is. */
export function removeMemoryDirectory(path: string): void {
  try {
    const found = lstatSync(path);
    if (!found.isDirectory() || found.uid !== process.getuid?.()) return;
    rmSync(path, { recursive: true, force: true });
  } catch {
    // The next start tries again.
  }
}
