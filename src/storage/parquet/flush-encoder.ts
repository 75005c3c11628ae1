/**
 * A flush from sealed rows to durable files with their facts (commit-protocol P8-P10). Runs on an
 * encoder thread. All files of a job are made, or none stays.
 */
import { createHash } from 'node:crypto';
import { setImmediate } from 'node:timers/promises';
import { fileFlags, type FileFacts, type FileStatistics } from '../../base/model/commit.ts';
import type { HourSpan } from '../../base/model/commit.ts';
import type { ColumnRef } from '../../base/model/schema.ts';
import { present } from '../../base/lib/assert.ts';
import { freeMemory } from '../../base/lib/free-memory.ts';
import { calendarParts, encodePathName, hourUs } from '../../base/model/partition.ts';
import { encodeParquet } from './encode.ts';
import type { FileWriter } from './file-writer.ts';
import { withFooterFacts } from './footer.ts';
import { freeSlices, Gatherer } from './gather.ts';
import { countHours } from './hours.ts';
import { layoutFiles, type RowLayout } from './layout.ts';
import { toArrowStream } from './schema-to-arrow.ts';
import { StatisticsCollector } from './statistics.ts';
import type { Compression, FlushJob, FlushResult, FlushSet, PlannedFile, RowSet } from './types.ts';

/** Path of a file below the data directory (docs/format/parquet.md, Path and name). */
export function filePath(
  names: { readonly database: string; readonly measurement: string },
  file: { readonly fileId: number; readonly rows: number; readonly dayFile: boolean },
  firstTimeUs: bigint,
): string {
  const at = calendarParts(firstTimeUs);
  const measurement = encodePathName(names.measurement);
  const folder = [encodePathName(names.database), measurement, at.year, at.month, at.day];
  if (!file.dayFile) folder.push(at.hour);
  const stamp = `${at.year}${at.month}${at.day}_${at.hour}${at.minute}${at.second}`;
  const id = file.fileId.toString(16).padStart(16, '0');
  return `${folder.join('/')}/${measurement}_${stamp}_${file.rows}_${id}.parquet`;
}

/** Ascending ids as runs of [first, last]. */
export function idRuns(ids: readonly number[]): readonly (readonly [number, number])[] {
  const runs: [number, number][] = [];
  for (const id of ids) {
    const last = runs.at(-1);
    if (last !== undefined && last[1] === id - 1) last[1] = id;
    else runs.push([id, id]);
  }
  return runs;
}

/** Spans of hours over sorted times, which come in chunks. */
export function hourSpans(sortedTimes: readonly BigInt64Array[]): readonly HourSpan[] {
  const spans: [number, number, number][] = [];
  for (const times of sortedTimes) {
    const counts = new Map<number, number>();
    countHours(times, 0, times.length, counts);
    let row = 0;
    for (const hour of [...counts.keys()].sort((a, b) => a - b)) {
      const start = BigInt(hour) * hourUs;
      const first = Number(present(times[row], 'time') - start);
      row += present(counts.get(hour), 'count');
      const last = Number(present(times[row - 1], 'time') - start);
      const open = spans.at(-1);
      if (open?.[0] === hour) open[2] = last;
      else spans.push([hour, first, last]);
    }
  }
  return spans;
}

/** Highest `_seq` by file. */
function highestSeqs(rows: RowSet, layout: RowLayout, fileCount: number): Float64Array {
  const { seqRuns } = rows;
  const highest = new Float64Array(fileCount).fill(-1);
  if (fileCount === 1) {
    const start = seqRuns[seqRuns.length - 2] as number;
    // Within a buffer `_seq` rises from row to row.
    highest[0] = (seqRuns[seqRuns.length - 1] as number) + rows.rowCount - 1 - start;
    return highest;
  }
  const sliceOfRow = present(layout.sliceOfRow, 'slice by row');
  let run = 0;
  for (let row = 0; row < rows.rowCount; row += 1) {
    while (run + 2 < seqRuns.length && (seqRuns[run + 2] as number) <= row) run += 2;
    const { file } = present(layout.slices[sliceOfRow[row] as number], 'slice');
    highest[file] = (seqRuns[run + 1] as number) + row - (seqRuns[run] as number);
  }
  return highest;
}

interface FileContext {
  readonly job: FlushJob;
  readonly set: FlushSet;
  readonly file: PlannedFile;
  readonly part: readonly [index: number, count: number];
  /** Slices of this file in the layout. */
  readonly slices: readonly number[];
  readonly gatherer: Gatherer;
  readonly seqMax: number;
}

/** Indexes of the set's columns that have a value in the file, ascending by column id. */
function presentColumns({ set, slices, gatherer }: FileContext): readonly number[] {
  const { columns } = set.rows;
  return columns
    .map((_, index) => index)
    .filter((index) => slices.some((slice) => gatherer.valueCount(index, slice) > 0))
    .sort((a, b) => idOf(columns[a]?.column) - idOf(columns[b]?.column));
}

function idOf(column: ColumnRef | undefined): number {
  return present(column, 'column').physical.id;
}

async function encodeFile(context: FileContext, compression: Compression, writer: FileWriter) {
  const { job, set, file, part, slices, gatherer, seqMax } = context;
  const indexes = presentColumns(context);
  const columns = indexes.map((index) => present(set.rows.columns[index], 'column').column);
  const collectors = columns.map((column) => new StatisticsCollector(column));
  const times = slices.map((slice) => gatherer.times(slice));
  const streams = slices.map((slice, place) => () => {
    const gathered = indexes.map((index) => gatherer.column(index, slice));
    gathered.forEach((column, index) => collectors[index]?.add(column));
    const stream = toArrowStream(present(times[place], 'times'), gathered);
    freeSlices(gathered);
    return stream;
  });
  const encoded = await encodeParquet(streams, columns, { compression, statistics: true });
  const hours = hourSpans(times);
  const identity = set.hasIdentity ? 0 : fileFlags.noIdentity;
  const flags = identity | (file.dayFile ? fileFlags.dayFile : 0);
  const { measurementId, database, measurement, lsns } = job;
  const shared = { measurementId, rows: file.rows, lsns, part, flags, seqMax, hours };
  const names = { database, measurement };
  const footer = { ...shared, ...names, fileId: file.fileId, supersedes: [], columns };
  const parts = withFooterFacts(encoded, footer);
  const path = filePath(job, file, present(times[0]?.[0], 'first time'));
  writer.put(path, parts);
  const hash = createHash('sha256');
  for (const bytes of parts) hash.update(bytes);
  const facts: FileFacts = {
    ...shared,
    id: file.fileId,
    path,
    sha256: hash.digest('hex'),
    bytes: parts.reduce((sum, bytes) => sum + bytes.length, 0),
    columns: idRuns(columns.map(({ physical }) => physical.id)),
  };
  freeMemory(encoded);
  const statistics: FileStatistics = {
    fileId: file.fileId,
    columns: collectors.map((collector) => collector.finish()),
  };
  return { facts, statistics };
}

/** Encodes and places the files of the job's range; when it resolves all of them are durable. */
export async function encodeFlush(
  job: FlushJob,
  compression: Compression,
  writer: FileWriter,
): Promise<FlushResult> {
  const facts: FileFacts[] = [];
  const statistics: FileStatistics[] = [];
  const count = job.sets.reduce((sum, { files }) => sum + files.length, 0);
  const [from, to] = job.range;
  let first = 0;
  try {
    for (const set of job.sets) {
      const wanted = [Math.max(0, from - first), Math.max(0, to - first)] as const;
      const isWanted = set.files.slice(...wanted).length > 0;
      const contexts = isWanted ? fileContexts(job, set, first, count) : [];
      for (const context of contexts.slice(...wanted)) {
        const made = await encodeFile(context, compression, writer);
        facts.push(made.facts);
        statistics.push(made.statistics);
        // A flush of old data can have thousands of files: hot chunks do not wait for all of them.
        if (facts.length < to - from) await setImmediate();
      }
      first += set.files.length;
    }
    writer.settle();
  } catch (error) {
    writer.abandon();
    throw error;
  }
  return { facts, statistics };
}

/** One for each file of the set, whose first one is part `first` of the flush. */
function fileContexts(
  job: FlushJob,
  set: FlushSet,
  first: number,
  count: number,
): readonly FileContext[] {
  const layout = layoutFiles(set.rows, set.files);
  const gatherer = new Gatherer(set.rows, layout);
  const seqs = highestSeqs(set.rows, layout, set.files.length);
  const slicesOfFile: number[][] = set.files.map(() => []);
  layout.slices.forEach(({ file }, index) => slicesOfFile[file]?.push(index));
  return set.files.map((file, index) => {
    const slices = present(slicesOfFile[index], 'slices');
    const seqMax = present(seqs[index], 'highest _seq');
    return { job, set, file, part: [first + index, count] as const, slices, gatherer, seqMax };
  });
}
