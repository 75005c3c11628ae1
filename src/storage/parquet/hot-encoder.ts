/**
 * Rows that are not filed yet, as a small Parquet file for the query process (commit-protocol P15):
 * uncompressed, unsorted, without statistics, never synced. Runs on an encoder thread.
 *
 * Rows of a repeat flagged buffer will bring their `_seq` as one more column here.
 */
import { present } from '../../base/lib/assert.ts';
import type { Files } from '../../base/disk/files.ts';
import { encodeParquet } from './encode.ts';
import { withKeyValues } from './footer.ts';
import { freeSlices, Gatherer } from './gather.ts';
import { layoutRun } from './layout.ts';
import { toArrowStream } from './schema-to-arrow.ts';
import type { HotJob, HotResult } from './types.ts';

/** Writes the chunk; a failed one leaves no file. */
export async function encodeHot(job: HotJob, files: Files): Promise<HotResult> {
  const { rows, from, to, path } = job;
  const layout = layoutRun(from, to, rows.columns.length);
  const gatherer = new Gatherer(rows, layout);
  const slices = layout.slices.map((_, index) => index);
  const indexes = rows.columns
    .map((_, index) => index)
    .filter((index) => slices.some((slice) => gatherer.valueCount(index, slice) > 0));
  const columns = indexes.map((index) => present(rows.columns[index], 'column').column);
  const streams = slices.map((slice) => () => {
    const gathered = indexes.map((index) => gatherer.column(index, slice));
    const stream = toArrowStream(gatherer.times(slice), gathered);
    freeSlices(gathered);
    return stream;
  });
  const settings = { compression: 'none', statistics: false } as const;
  const parts = withKeyValues(await encodeParquet(streams, columns, settings), []);
  writeChunk(files, path, parts);
  return { bytes: parts.reduce((sum, part) => sum + part.length, 0) };
}

function writeChunk(files: Files, path: string, parts: readonly Uint8Array[]): void {
  const file = files.open(path, 'create');
  try {
    file.write(parts, 0);
  } catch (error) {
    files.unlink(path);
    throw error;
  } finally {
    file.close();
  }
}
