/**
 * Rows that are not filed yet, as a small Parquet file for the query process (commit-protocol P15):
 * uncompressed, unsorted, without statistics, never synced. Rows with identity bring the column
 * `_seq`, by which their versions are ordered. Runs on an encoder thread.
 */
import { present } from '../../base/lib/assert.ts';
import type { Files } from '../../base/disk/files.ts';
import { encodeParquet } from './encode.ts';
import { withKeyValues } from './footer.ts';
import { freeSlices, Gatherer } from './gather.ts';
import { hotHours } from './hot-hours.ts';
import { layoutRun } from './layout.ts';
import { toArrowStream } from './schema-to-arrow.ts';
import type { StreamMemory } from './stream-memory.ts';
import { hotVersions, seqColumn, seqSlice } from './seq-column.ts';
import type { HotJob, HotResult } from './types.ts';

/** Writes the chunk; a failed one leaves no file. */
export async function encodeHot(job: HotJob, files: Files): Promise<HotResult> {
  const { rows, from, to, path, hasIdentity } = job;
  const layout = layoutRun(from, to, rows.columns.length);
  const gatherer = new Gatherer(rows, layout);
  const slices = layout.slices.map((_, index) => index);
  const indexes = rows.columns
    .map((_, index) => index)
    .filter((index) => slices.some((slice) => gatherer.valueCount(index, slice) > 0));
  const columns = indexes.map((index) => present(rows.columns[index], 'column').column);
  const versions = hasIdentity ? hotVersions(rows, from, to) : undefined;
  const streams = slices.map((slice) => (memory: StreamMemory) => {
    const gathered = indexes.map((index) => gatherer.column(index, slice));
    if (versions !== undefined) {
      const { from: start, length } = present(layout.slices[slice], 'slice');
      gathered.push(seqSlice(versions.subarray(start - from, start - from + length)));
    }
    const stream = toArrowStream(gatherer.times(slice), gathered, memory);
    freeSlices(gathered);
    if (slice + 1 === slices.length) gatherer.free();
    else gatherer.reuse();
    return stream;
  });
  const written = hasIdentity ? [...columns, seqColumn] : columns;
  const settings = { compression: 'none', statistics: false } as const;
  const parts = withKeyValues(await encodeParquet(streams, written, settings), []);
  writeChunk(files, path, parts);
  const bytes = parts.reduce((sum, part) => sum + part.length, 0);
  return { bytes, ...hotHours(job) };
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
