/**
 * Refuses a write-ahead log of a format that this build does not read at the very start. The
 * journal is recovered before the log is read, and recovering changes files: without this look
 * ahead a data directory that cannot be used would not be left as it is. Main thread, by whoever
 * holds the directory.
 */
import type { Files } from '../../base/disk/files.ts';
import { refuseForeignSegments } from '../live-segments.ts';
import { SegmentFiles } from '../segment-files.ts';
import { walNaming } from './wal-naming.ts';

/** Reads the headers in `directory`, which exists. @throws HF_FORMAT_NEWER, HF_FORMAT_OLD, HF_IO */
export function refuseForeignWal(files: Files, directory: string): void {
  const { prefix, suffix } = walNaming;
  const names = new SegmentFiles(files, directory, prefix, suffix);
  refuseForeignSegments({ files, kind: 'wal' }, names);
}
