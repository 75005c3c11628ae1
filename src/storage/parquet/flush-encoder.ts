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
import { layoutFiles, type FileLayout, type FilledFile } from './layout.ts';
import { mergeVersions } from './merge-versions.ts';
import { toArrowStream } from './schema-to-arrow.ts';
import { seqColumn, seqSlice } from './seq-column.ts';
import { StatisticsCollector } from './statistics.ts';
import type { StreamMemory } from './stream-memory.ts';
import type { Compression, FlushJob, FlushResult, FlushSet, MergedRows } from './types.ts';

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

/** One row set of a flush, merged and laid out. */
interface SetContext {
  readonly set: FlushSet;
  readonly merged: MergedRows;
  readonly layout: FileLayout;
  readonly gatherer: Gatherer;
}

interface FileContext extends SetContext {
  readonly job: FlushJob;
  readonly file: FilledFile;
  readonly part: readonly [index: number, count: number];
  /** Slices of this file in the layout. */
  readonly slices: readonly number[];
}

function contextOf(set: FlushSet): SetContext {
  const merged = mergeVersions(set);
  const layout = layoutFiles(merged, set.files);
  return { set, merged, layout, gatherer: new Gatherer(merged.rows, layout) };
}

/** Indexes of the set's columns that have a value in the file, ascending by column id. */
function presentColumns({ merged, slices, gatherer }: FileContext): readonly number[] {
  const { columns } = merged.rows;
  return columns
    .map((_, index) => index)
    .filter((index) => slices.some((slice) => gatherer.valueCount(index, slice) > 0))
    .sort((a, b) => idOf(columns[a]?.column) - idOf(columns[b]?.column));
}

/** LSN plus ordinal of each row of a slice. */
function seqsOf({ merged, layout }: SetContext, slice: number): Float64Array {
  const { order, from, length } = present(layout.slices[slice], 'slice');
  if (order === undefined) return merged.seqs.subarray(from, from + length);
  const seqs = new Float64Array(length);
  for (let place = 0; place < length; place += 1) {
    seqs[place] = merged.seqs[order[place] as number] as number;
  }
  return seqs;
}

function highestSeq({ merged, layout, slices }: FileContext): number {
  let highest = -1;
  for (const slice of slices) {
    const { order, from, length } = present(layout.slices[slice], 'slice');
    for (let place = 0; place < length; place += 1) {
      const row = order === undefined ? from + place : (order[place] as number);
      const seq = merged.seqs[row] as number;
      if (seq > highest) highest = seq;
    }
  }
  return highest;
}

function flagsOf({ set, file }: FileContext): number {
  const identity = set.hasIdentity ? 0 : fileFlags.noIdentity;
  const repeat = file.repeat ? fileFlags.repeat : 0;
  return identity | repeat | (file.dayFile ? fileFlags.dayFile : 0);
}

function idOf(column: ColumnRef | undefined): number {
  return present(column, 'column').physical.id;
}

async function encodeFile(context: FileContext, compression: Compression, writer: FileWriter) {
  const { job, merged, file, part, slices, gatherer } = context;
  const indexes = presentColumns(context);
  const columns = indexes.map((index) => present(merged.rows.columns[index], 'column').column);
  const collectors = columns.map((column) => new StatisticsCollector(column));
  const times = slices.map((slice) => gatherer.times(slice));
  const streams = slices.map((slice, place) => (memory: StreamMemory) => {
    const gathered = indexes.map((index) => gatherer.column(index, slice));
    gathered.forEach((column, index) => collectors[index]?.add(column));
    if (file.repeat) gathered.push(seqSlice(seqsOf(context, slice)));
    const stream = toArrowStream(present(times[place], 'times'), gathered, memory);
    freeSlices(gathered);
    if (place + 1 === slices.length) gatherer.free();
    else gatherer.reuse();
    return stream;
  });
  const written = file.repeat ? [...columns, seqColumn] : columns;
  const encoded = await encodeParquet(streams, written, { compression, statistics: true });
  const hours = hourSpans(times);
  const flags = flagsOf(context);
  const seqMax = highestSeq(context);
  const { measurementId, database, measurement, lsns } = job;
  const { namings = 0 } = context.set;
  const named = namings > 0 ? { namings } : {};
  const shared = { measurementId, rows: file.rows, lsns, part, flags, seqMax, hours, ...named };
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
  try {
    const wanted = wantedFiles(job);
    for (const context of wanted) {
      const made = await encodeFile(context, compression, writer);
      facts.push(made.facts);
      statistics.push(made.statistics);
      // A flush of old data can have thousands of files: hot chunks do not wait for all of them.
      if (facts.length < wanted.length) await setImmediate();
    }
    writer.settle();
  } catch (error) {
    writer.abandon();
    throw error;
  }
  return { facts, statistics };
}

/** The files of the job's range that hold rows. All sets are merged: only then k of P9 is known. */
function wantedFiles(job: FlushJob): readonly FileContext[] {
  const sets = job.sets.map(contextOf);
  const count = sets.reduce((sum, { layout }) => sum + layout.files.length, 0);
  const [from, to] = job.range;
  const wanted: FileContext[] = [];
  let planned = 0;
  let index = 0;
  for (const context of sets) {
    const { files, slices } = context.layout;
    const slicesOfFile: number[][] = files.map(() => []);
    slices.forEach(({ file }, slice) => slicesOfFile[file]?.push(slice));
    for (const [place, file] of files.entries()) {
      const position = planned + file.place;
      const part = [index, count] as const;
      index += 1;
      if (position < from || position >= to) continue;
      wanted.push({ ...context, job, file, part, slices: slicesOfFile[place] ?? [] });
    }
    planned += context.set.files.length;
  }
  return wanted;
}
