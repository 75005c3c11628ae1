/**
 * Bytes of a segment's header (docs/format/wal.md, "Segment header").
 *
 * I1 A header is written last of what makes a segment (L4): a valid one proves the records carried
 *    with it, and counts as a mark.
 * I2 It lists every older live segment; one with a lower sequence that it does not list is dead.
 * I3 Bytes 0 to 16 are the same in every version, so a newer format is told from rot.
 */
import { crc32 } from 'node:zlib';
import type { OpenFile } from '../base/disk/files.ts';
import { pageBytes } from './log-rules.ts';
import type { LogKind } from './log-types.ts';
import { getNumber, setNumber } from './record.ts';

/** Version of the framing and of what the records hold; see docs/format/. */
export const formatVersion = 1;

/** Oldest version that is still read. Version 0, before the first release, flagged no repeats. */
export const formatOldest = 1;

const magic = Buffer.from('HFLOGSEG', 'latin1');
const fixedBytes = 80;
const entryBytes = 24;
const crcFrom = 20;
const kindNumbers: Readonly<Record<LogKind, number>> = { wal: 1, journal: 2 };

/** An older segment as a header lists it. */
export interface ListedSegment {
  readonly sequence: number;
  readonly salt: number;
  /** Last number in it that counts; what follows is cut, or carried further. */
  readonly lastNumber: number;
}

export interface SegmentHeader {
  readonly sequence: number;
  readonly salt: number;
  /** Last number synced in older segments, leaving out what is carried. */
  readonly end: number;
  /** Every record behind the carried ones has this number or a higher one. */
  readonly next: number;
  /** Last number of the last carried record, or 0. */
  readonly carriedTo: number;
  readonly older: readonly ListedSegment[];
}

/** What stands in the first pages of a segment's file. */
export type HeaderFinding =
  | { readonly state: 'valid'; readonly header: SegmentHeader }
  | { readonly state: 'zero' }
  | { readonly state: 'bad' }
  | { readonly state: 'newer' | 'old'; readonly version: number };

/** Bytes of a header that lists `olderCount` segments: whole pages. */
export function headerBytes(olderCount: number): number {
  return Math.ceil((fixedBytes + olderCount * entryBytes) / pageBytes) * pageBytes;
}

/** Number up to which a valid header proves that everything was synced (L5). */
export function markOfHeader(header: SegmentHeader): number {
  return header.carriedTo > 0 ? header.carriedTo : header.end;
}

export function encodeHeader(header: SegmentHeader, kind: LogKind): Uint8Array {
  const bytes = new Uint8Array(headerBytes(header.older.length));
  const view = new DataView(bytes.buffer);
  bytes.set(magic, 0);
  view.setUint32(8, formatVersion, true);
  view.setUint32(20, header.salt, true);
  setNumber(view, 24, header.sequence);
  setNumber(view, 32, header.end);
  setNumber(view, 40, header.next);
  setNumber(view, 48, header.carriedTo);
  view.setUint32(56, bytes.length / pageBytes, true);
  view.setUint32(60, header.older.length, true);
  view.setUint32(64, kindNumbers[kind], true);
  for (const [index, segment] of header.older.entries()) {
    const at = fixedBytes + index * entryBytes;
    setNumber(view, at, segment.sequence);
    setNumber(view, at + 8, segment.lastNumber);
    view.setUint32(at + 16, segment.salt, true);
  }
  view.setUint32(12, crc32(bytes.subarray(0, 12)), true);
  view.setUint32(16, crc32(bytes.subarray(crcFrom, usedBytes(header.older.length))), true);
  return bytes;
}

function usedBytes(olderCount: number): number {
  return fixedBytes + olderCount * entryBytes;
}

/** What the first pages of `file`, the segment `sequence` of a log of this kind, hold. */
export function readHeader(file: OpenFile, sequence: number, kind: LogKind): HeaderFinding {
  const first = new Uint8Array(pageBytes);
  const count = file.read(first, 0);
  if (first.every((byte) => byte === 0)) return { state: 'zero' };
  if (count < pageBytes || !magic.equals(first.subarray(0, magic.length))) return { state: 'bad' };
  const view = new DataView(first.buffer);
  if (view.getUint32(12, true) !== crc32(first.subarray(0, 12))) return { state: 'bad' };
  const version = view.getUint32(8, true);
  if (version > formatVersion) return { state: 'newer', version };
  if (version < formatOldest) return { state: 'old', version };
  const olderCount = view.getUint32(60, true);
  const bytesAll = headerBytes(olderCount);
  const pages = view.getUint32(56, true);
  if (pages * pageBytes !== bytesAll || bytesAll > file.size()) return { state: 'bad' };
  const bytes = new Uint8Array(bytesAll);
  file.read(bytes, 0);
  const header = decodeHeader(bytes, olderCount, kind);
  if (header?.sequence !== sequence) return { state: 'bad' };
  return { state: 'valid', header };
}

function decodeHeader(
  bytes: Uint8Array,
  olderCount: number,
  kind: LogKind,
): SegmentHeader | undefined {
  const view = new DataView(bytes.buffer);
  const crc = crc32(bytes.subarray(crcFrom, usedBytes(olderCount)));
  if (view.getUint32(16, true) !== crc) return undefined;
  if (view.getUint32(64, true) !== kindNumbers[kind]) return undefined;
  const older: ListedSegment[] = [];
  for (let index = 0; index < olderCount; index += 1) {
    const at = fixedBytes + index * entryBytes;
    older.push({
      sequence: getNumber(view, at),
      salt: view.getUint32(at + 16, true),
      lastNumber: getNumber(view, at + 8),
    });
  }
  return {
    sequence: getNumber(view, 24),
    salt: view.getUint32(20, true),
    end: getNumber(view, 32),
    next: getNumber(view, 40),
    carriedTo: getNumber(view, 48),
    older,
  };
}
