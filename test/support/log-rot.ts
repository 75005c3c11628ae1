/**
 * Rot for the log model: flips a byte of a record, or of a header, in the files of a log as they
 * stand between two lives.
 */
import type { LogOptions } from '../../src/log/log-types.ts';
import { surveySegments } from '../../src/log/live-segments.ts';
import { RecordScanner } from '../../src/log/record.ts';
import { SegmentFiles } from '../../src/log/segment-files.ts';
import type { RotHit } from './log-ledger.ts';
import type { Random } from './random.ts';
import type { SimulatedDisk } from './simulated-disk.ts';

const pageBytes = 4096;

/** Rots one thing in a live segment; says what, or undefined if there is nothing to rot. */
export function rotSomething(
  disk: SimulatedDisk,
  options: LogOptions,
  random: Random,
  what: 'records' | 'header',
): RotHit | undefined {
  const names = new SegmentFiles(disk, options.directory, options.prefix, options.suffix);
  const { older, newest } = surveySegments({ ...options, files: disk }, names);
  const live = [
    ...older.filter(({ state }) => state === 'valid').map(({ name, salt }) => ({ name, salt })),
    ...(newest === undefined ? [] : [{ name: newest.name, salt: newest.header.salt }]),
  ];
  if (live.length === 0) return undefined;
  const { name, salt } = random.pick(live);
  const path = names.path(name);
  if (what === 'header') {
    if (random.chance(0.3)) disk.zero(path, 0, pageBytes);
    else disk.rot(path, random.below(80));
    return { what: 'header' };
  }
  const bytes = disk.bytesOf(path);
  const scanner = new RecordScanner(bytes, pageBytes, salt);
  const found = [];
  for (let record = scanner.next(); record !== undefined; record = scanner.next()) {
    found.push(record);
  }
  if (found.length === 0) return undefined;
  const record = random.pick(found);
  const used = 40 + record.payload.length;
  disk.rot(path, record.position + random.below(used));
  return { what: 'record', number: record.number };
}
