/**
 * Makes a fresh segment (L4): at a start, after a failed or short write or sync, at a rotation.
 *
 * I1 Order: the file (its first page zero), the carried records, sync, the header, sync, the
 *    directory. Whatever is cut off before the end leaves a file that replay takes for a spare, or
 *    one whose valid header tells the truth.
 * I2 Nothing is acknowledged from it before `makeFreshSegment` returns.
 * I3 A file whose making failed is never used again; it is unlinked if the disk lets it.
 */
import type { Files, OpenFile } from '../base/disk/files.ts';
import { GatewayError } from '../base/errors/gateway-error.ts';
import { pageBytes, type LogRules } from './log-rules.ts';
import { lastNumberOf, type LogOptions, type LogRecord } from './log-types.ts';
import { encodeGroup, recordBytes } from './record.ts';
import { encodeHeader, headerBytes, type ListedSegment } from './segment-header.ts';
import type { SegmentFiles } from './segment-files.ts';
import { openOptionsOf, syncBarrier } from './sync-mode.ts';

export interface FreshPlan {
  readonly sequence: number;
  readonly older: readonly ListedSegment[];
  /** Last number synced in older segments. */
  readonly end: number;
  readonly next: number;
  readonly carried: readonly LogRecord[];
}

/** The segment that is written to. */
export interface OpenSegment {
  readonly file: OpenFile;
  readonly name: string;
  readonly sequence: number;
  readonly salt: number;
  /** Position of the next group. */
  readonly position: number;
}

/** Bytes that `records` take as one group, without its padding. */
export function groupBytes(records: readonly { readonly payload: Uint8Array }[]): number {
  return records.reduce((sum, record) => sum + recordBytes(record.payload.length), 0);
}

/**
 * A segment that stands: it and its name are on the device, in every sync mode.
 *
 * @throws HF_IO, HF_IO_SHORT_WRITE, HF_DISK_FULL; the attempt's sequence is then spent.
 */
export function makeFreshSegment(
  options: LogOptions,
  names: SegmentFiles,
  rules: LogRules,
  plan: FreshPlan,
): OpenSegment {
  const { files } = options;
  const name = names.segmentName(plan.sequence);
  const path = names.path(name);
  const spare = options.preallocate && takeSpare(options, names, path);
  let file: OpenFile | undefined;
  try {
    file = files.open(path, spare ? 'write' : 'create', openOptionsOf(options.syncMode));
    const salt = options.randomSalt();
    const position = fill(file, options, rules, plan, salt);
    files.syncDirectory(options.directory);
    return { file, name, sequence: plan.sequence, salt, position };
  } catch (error) {
    if (!(error instanceof GatewayError)) throw error;
    discard(files, path, file);
    throw error;
  }
}

/**
 * True if a spare stands at `path` now. Its first page must be zero before it gets that name:
 * see `zeroHeader`. A spare that cannot be used is removed, and never keeps the log from writing.
 */
function takeSpare(options: LogOptions, names: SegmentFiles, path: string): boolean {
  const { files } = options;
  for (const { name } of names.list().spares) {
    const spare = names.path(name);
    try {
      zeroHeader(options, spare);
      files.rename(spare, path);
      return true;
    } catch (error) {
      if (!(error instanceof GatewayError)) throw error;
      options.observer?.failed(error);
      discard(files, spare, undefined);
    }
  }
  return false;
}

/**
 * Zeroes the first page of the file at `path` on the device, unless it is zero. (A file of a past
 * life whose header is not zero would be read as a segment with a rotten header.)
 */
export function zeroHeader(options: LogOptions, path: string): void {
  const file = options.files.open(path, 'write', openOptionsOf(options.syncMode));
  try {
    const page = new Uint8Array(pageBytes);
    file.read(page, 0);
    if (page.every((byte) => byte === 0)) return;
    file.write([page.fill(0)], 0);
    syncBarrier(file, options.syncMode);
  } finally {
    file.close();
  }
}

/** Writes and syncs carried records and header; returns the position of the first group. */
function fill(
  file: OpenFile,
  options: LogOptions,
  rules: LogRules,
  plan: FreshPlan,
  salt: number,
): number {
  const { carried, sequence, older, end, next } = plan;
  const start = headerBytes(older.length);
  let position = start;
  if (carried.length > 0) {
    const bytes = groupBytes(carried);
    position = rules.groupStart(start + bytes);
    const pad = position - start - bytes;
    // Of carried records only those before the first are known to be settled until the sync.
    const mark = (carried[0]?.number ?? 1) - 1;
    file.write(
      encodeGroup(carried, salt, () => mark, pad),
      start,
    );
    syncBarrier(file, options.syncMode);
  }
  const lastCarried = carried.at(-1);
  const carriedTo = lastCarried === undefined ? 0 : lastNumberOf(lastCarried);
  const header = { sequence, salt, end, next, carriedTo, older };
  file.write([encodeHeader(header, options.kind)], 0);
  syncBarrier(file, options.syncMode);
  return position;
}

function discard(files: Files, path: string, file: OpenFile | undefined): void {
  try {
    file?.close();
    files.unlink(path);
  } catch (error) {
    // The disk refuses: the file stays, and no later header lists it. The cause is on its way up.
    if (!(error instanceof GatewayError)) throw error;
  }
}
