/**
 * Reads the log of a block device that QEMU's `blklogwrites` driver wrote: every write, flush and
 * discard in the order in which the device took them. Format (all little-endian, one sector each):
 * a super block {u64 magic, u64 version, u64 entry count, u32 sector bytes}, then per entry a
 * header {u64 first sector, u64 sector count, u64 flags, u64 unused}, followed by the content
 * unless the entry is a discard. The format is that of the kernel's dm-log-writes target.
 */
import { closeSync, openSync, readSync } from 'node:fs';
import { decodeMark, type Mark } from './device-marks.ts';

const superMagic = 0x6a736677736872n;
const entryFlags = { flush: 1, fua: 2, discard: 4 } as const;

export interface LogEntry {
  /** Place on the device in bytes. */
  readonly position: number;
  /** 0 for a pure flush. */
  readonly bytes: number;
  readonly isFlush: boolean;
  /** Durable by itself as soon as it is taken. */
  readonly isForced: boolean;
  readonly isDiscard: boolean;
  /** Where the content lies in the log file. */
  readonly contentAt: number;
  readonly mark: Mark | undefined;
}

export class BlockLog {
  readonly entries: readonly LogEntry[];
  readonly #descriptor: number;

  private constructor(descriptor: number, entries: readonly LogEntry[]) {
    this.#descriptor = descriptor;
    this.entries = entries;
  }

  /** Reads all headers; contents are read when asked for. Entries at `markPosition` are marks. */
  static open(path: string, markPosition: number): BlockLog {
    const descriptor = openSync(path, 'r');
    const head = Buffer.alloc(512);
    readSync(descriptor, head, 0, 512, 0);
    if (head.readBigUInt64LE(0) !== superMagic) throw new Error(`${path} is no block log`);
    const count = Number(head.readBigUInt64LE(16));
    const sectorBytes = head.readUInt32LE(24);
    const entries: LogEntry[] = [];
    let at = sectorBytes;
    for (let index = 0; index < count; index += 1) {
      const entry = readEntry(descriptor, at, sectorBytes, markPosition);
      at = entry.contentAt + (entry.isDiscard ? 0 : entry.bytes);
      entries.push(entry);
    }
    return new BlockLog(descriptor, entries);
  }

  content(entry: LogEntry): Buffer {
    const content = Buffer.alloc(entry.bytes);
    if (!entry.isDiscard) readSync(this.#descriptor, content, 0, entry.bytes, entry.contentAt);
    return content;
  }

  close(): void {
    closeSync(this.#descriptor);
  }
}

function readEntry(
  descriptor: number,
  at: number,
  sectorBytes: number,
  markPosition: number,
): LogEntry {
  const header = Buffer.alloc(32);
  readSync(descriptor, header, 0, 32, at);
  const position = Number(header.readBigUInt64LE(0)) * sectorBytes;
  const bytes = Number(header.readBigUInt64LE(8)) * sectorBytes;
  const flags = Number(header.readBigUInt64LE(16));
  const contentAt = at + sectorBytes;
  let mark: Mark | undefined;
  if (position === markPosition && bytes > 0 && (flags & entryFlags.discard) === 0) {
    const content = Buffer.alloc(bytes);
    readSync(descriptor, content, 0, bytes, contentAt);
    mark = decodeMark(content);
  }
  return {
    position,
    bytes,
    isFlush: (flags & entryFlags.flush) !== 0,
    isForced: (flags & entryFlags.fua) !== 0,
    isDiscard: (flags & entryFlags.discard) !== 0,
    contentAt,
    mark,
  };
}
