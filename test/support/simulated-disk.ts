/**
 * A disk in memory that forgets, tears and lies, behind the product's own file layer. All chance
 * comes from the seeded `random`, so one seed replays one history.
 *
 * - A file has what the cache shows and what the device holds, sector by sector (512 bytes). A
 *   write reaches the cache; a sync brings it to the device.
 * - `cut` (the plug): any subset of the sectors not synced reaches the device, each page (4,096
 *   bytes) with such a sector may be torn as a whole, synced sectors in it too; any subset of the
 *   directory operations not synced has happened, in their order.
 * - `kill` (the process): the cache stays.
 * - A failed sync leaves the cache as it was and clears what is known to be dirty: a later sync
 *   says "done", and the device has only a part ("fsyncgate").
 * - A write may come out short, fail, or find the disk full.
 * - The n-th call may be the last: it throws `Crash`, and so does every later one until `restart`.
 */
import type { Files, OpenFile, OpenMode } from '../../src/base/disk/files.ts';
import { GatewayError } from '../../src/base/errors/gateway-error.ts';
import type { Random } from './random.ts';

const sectorBytes = 512;
const pageBytes = 4096;

/** The process is dead; only `restart` brings the disk back. */
export class Crash extends Error {
  override readonly name = 'Crash';
}

/** Chances per call, 0 to 1. */
export interface DiskFaults {
  readonly syncFails: number;
  readonly writeFails: number;
  readonly writeShort: number;
  /** Of open, rename, unlink and the sync of a directory. */
  readonly nameFails: number;
  /** No byte more: files do not grow, none is made. */
  readonly full: boolean;
}

export const noFaults: DiskFaults = {
  syncFails: 0,
  writeFails: 0,
  writeShort: 0,
  nameFails: 0,
  full: false,
};

class Inode {
  cache = new Uint8Array(pageBytes);
  size = 0;
  device = new Uint8Array(pageBytes);
  deviceSize = 0;
  readonly dirty = new Set<number>();

  grow(bytes: number): void {
    if (bytes <= this.cache.length) return;
    const capacity = Math.max(bytes, this.cache.length * 2);
    for (const which of ['cache', 'device'] as const) {
      const larger = new Uint8Array(Math.ceil(capacity / pageBytes) * pageBytes);
      larger.set(this[which]);
      this[which] = larger;
    }
  }

  keepSector(sector: number): void {
    const from = sector * sectorBytes;
    this.device.set(this.cache.subarray(from, from + sectorBytes), from);
  }
}

type NameCall =
  | { readonly kind: 'link'; readonly to: string; readonly inode: Inode }
  | { readonly kind: 'rename'; readonly from: string; readonly to: string; readonly inode: Inode }
  | { readonly kind: 'unlink'; readonly from: string; readonly inode: Inode };

/** A file has one name at most, whichever of its renames happened. */
function applyName(names: Map<string, Inode>, call: NameCall): void {
  if (call.kind === 'unlink') {
    if (names.get(call.from) === call.inode) names.delete(call.from);
    return;
  }
  for (const [name, inode] of names) if (inode === call.inode) names.delete(name);
  names.set(call.to, call.inode);
}

function directoryOf(path: string): string {
  return path.slice(0, path.lastIndexOf('/'));
}

export class SimulatedDisk implements Files {
  faults: DiskFaults = noFaults;
  /** Calls until the crash; undefined: none is planned. */
  crashAfter: number | undefined;
  calls = 0;
  readonly #random: Random;
  #names = new Map<string, Inode>();
  #deviceNames = new Map<string, Inode>();
  #pending: NameCall[] = [];
  #life = 0;
  #dead = false;

  constructor(random: Random) {
    this.#random = random;
  }

  /** `cut`: the plug was pulled. `kill`: only the process died. The crash plan is over. */
  restart(how: 'cut' | 'kill'): void {
    this.#life += 1;
    this.#dead = false;
    this.crashAfter = undefined;
    if (how === 'cut') this.#cut();
  }

  /** The bytes of `path` as the cache shows them, to be changed in place: use `rot` for that. */
  bytesOf(path: string): Uint8Array {
    const inode = this.#inode(path);
    return inode.cache.slice(0, inode.size);
  }

  /** Inverts bits of one byte, in the cache and on the device. */
  rot(path: string, position: number): void {
    const inode = this.#inode(path);
    const flip = 1 + this.#random.below(255);
    for (const bytes of [inode.cache, inode.device])
      bytes[position] = (bytes[position] ?? 0) ^ flip;
  }

  /** Fills a range with zeros, in the cache and on the device. */
  zero(path: string, from: number, to: number): void {
    const inode = this.#inode(path);
    inode.cache.fill(0, from, to);
    inode.device.fill(0, from, to);
  }

  /** Takes a file away, durably. */
  remove(path: string): void {
    this.#names.delete(path);
    this.#deviceNames.delete(path);
  }

  open(path: string, mode: OpenMode, options?: { readonly dsync?: boolean }): OpenFile {
    this.#call('open', path);
    let inode = this.#names.get(path);
    if (mode === 'create') {
      if (inode !== undefined) throw ioError(path, 'EEXIST');
      if (this.faults.full) throw fullError(path);
      inode = new Inode();
      this.#name({ kind: 'link', to: path, inode });
    }
    if (inode === undefined) throw ioError(path, 'ENOENT');
    return this.#file(path, inode, options?.dsync === true);
  }

  size(path: string): number | undefined {
    this.#alive();
    return this.#names.get(path)?.size;
  }

  list(directory: string): readonly string[] {
    this.#alive();
    const paths = [...this.#names.keys()].filter((path) => directoryOf(path) === directory);
    return paths.map((path) => path.slice(directory.length + 1)).sort();
  }

  makeDirectory(): boolean {
    return false;
  }

  rename(from: string, to: string): void {
    this.#call('rename', from);
    const inode = this.#names.get(from);
    if (inode === undefined) throw ioError(from, 'ENOENT');
    this.#name({ kind: 'rename', from, to, inode });
  }

  unlink(path: string): void {
    this.#call('unlink', path);
    const inode = this.#names.get(path);
    if (inode !== undefined) this.#name({ kind: 'unlink', from: path, inode });
  }

  syncDirectory(path: string): void {
    this.#call('sync directory', path);
    this.#pending = this.#pending.filter((call) => {
      const named = call.kind === 'unlink' ? call.from : call.to;
      if (directoryOf(named) !== path) return true;
      applyName(this.#deviceNames, call);
      return false;
    });
  }

  freeBytes(): number {
    return this.faults.full ? 0 : 2 ** 40;
  }

  #name(call: NameCall): void {
    applyName(this.#names, call);
    this.#pending.push(call);
  }

  #alive(): void {
    if (this.#dead) throw new Crash('dead');
    this.calls += 1;
    if (this.crashAfter === undefined) return;
    this.crashAfter -= 1;
    if (this.crashAfter > 0) return;
    this.#dead = true;
    throw new Crash('planned');
  }

  #call(what: string, path: string): void {
    this.#alive();
    if (this.#random.chance(this.faults.nameFails)) throw ioError(`${what} ${path}`, 'EIO');
  }

  #inode(path: string): Inode {
    const inode = this.#names.get(path);
    if (inode === undefined) throw new Error(`no such file: ${path}`);
    return inode;
  }

  #file(path: string, inode: Inode, dsync: boolean): OpenFile {
    const life = this.#life;
    let open = true;
    const guard = (): void => {
      this.#alive();
      if (life !== this.#life || !open) throw new Error(`descriptor of ${path} is gone`);
    };
    return {
      path,
      size: () => {
        guard();
        return inode.size;
      },
      read: (target, position) => {
        guard();
        const count = Math.max(0, Math.min(target.length, inode.size - position));
        target.set(inode.cache.subarray(position, position + count));
        return count;
      },
      write: (parts, position) => {
        guard();
        this.#write(path, inode, parts, position);
        if (dsync) this.#sync(path, inode);
      },
      sync: () => {
        guard();
        this.#sync(path, inode);
      },
      truncate: (bytes) => {
        guard();
        inode.grow(bytes);
        inode.cache.fill(0, Math.min(bytes, inode.size), inode.cache.length);
        inode.size = bytes;
      },
      close: () => {
        guard();
        open = false;
      },
    };
  }

  #write(path: string, inode: Inode, parts: readonly Uint8Array[], position: number): void {
    const bytes = Buffer.concat(parts);
    const { writeFails, writeShort, full } = this.faults;
    if (this.#random.chance(writeFails)) throw ioError(path, 'EIO');
    let count = bytes.length;
    if (full) count = Math.max(0, Math.min(count, inode.size - position));
    if (this.#random.chance(writeShort))
      count = Math.min(count, this.#random.below(bytes.length + 1));
    inode.grow(position + count);
    inode.cache.set(bytes.subarray(0, count), position);
    inode.size = Math.max(inode.size, count === 0 ? 0 : position + count);
    const first = Math.floor(position / sectorBytes);
    for (let sector = first; sector * sectorBytes < position + count; sector += 1) {
      inode.dirty.add(sector);
    }
    if (count === bytes.length) return;
    if (full && count === 0) throw fullError(path);
    throw new GatewayError('HF_IO_SHORT_WRITE', `${path}: ${count} of ${bytes.length}`);
  }

  #sync(path: string, inode: Inode): void {
    if (this.#random.chance(this.faults.syncFails)) {
      for (const sector of inode.dirty) if (this.#random.chance(0.5)) inode.keepSector(sector);
      if (this.#random.chance(0.5)) inode.deviceSize = inode.size;
      inode.dirty.clear();
      throw ioError(`sync ${path}`, 'EIO');
    }
    for (const sector of inode.dirty) inode.keepSector(sector);
    inode.deviceSize = inode.size;
    inode.dirty.clear();
  }

  #cut(): void {
    const inodes = new Set([...this.#names.values(), ...this.#deviceNames.values()]);
    for (const call of this.#pending) inodes.add(call.inode);
    for (const inode of inodes) this.#forget(inode);
    for (const call of this.#pending) {
      if (this.#random.chance(0.5)) applyName(this.#deviceNames, call);
    }
    this.#pending = [];
    this.#names = new Map(this.#deviceNames);
  }

  /** What a file is after the plug was pulled. */
  #forget(inode: Inode): void {
    const share = this.#random.pick([0, 0.2, 0.5, 0.8, 1]);
    const torn = this.#random.chance(0.3) ? 0.3 : 0;
    const pages = new Set<number>();
    for (const sector of inode.dirty) {
      if (this.#random.chance(share)) inode.keepSector(sector);
      pages.add(Math.floor((sector * sectorBytes) / pageBytes));
    }
    for (const page of pages) if (this.#random.chance(torn)) this.#tear(inode, page);
    const size = this.#random.chance(share) ? inode.size : inode.deviceSize;
    inode.device.fill(0, size);
    inode.cache = inode.device.slice();
    inode.size = size;
    inode.deviceSize = size;
    inode.dirty.clear();
  }

  /** A page of the device that was being written: sectors of it are nothing that anybody wrote. */
  #tear(inode: Inode, page: number): void {
    for (let at = page * pageBytes; at < (page + 1) * pageBytes; at += sectorBytes) {
      if (this.#random.chance(0.5)) {
        for (let byte = at; byte < at + sectorBytes; byte += 8) {
          inode.device[byte] = this.#random.below(256);
        }
      }
    }
  }
}

function ioError(what: string, errno: string): GatewayError {
  return new GatewayError('HF_IO', `${what}: ${errno}`);
}

function fullError(path: string): GatewayError {
  return new GatewayError('HF_DISK_FULL', `${path}: ENOSPC`);
}
