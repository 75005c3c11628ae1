/**
 * Which files and hot chunks of a measurement a scan reads as they are, and which it merges because
 * they may hold several versions of a point (commit-protocol P20). Who asks gives sources whose
 * points are told apart by the same tags. Pure.
 *
 * I1. What no repeat of the scanned time touches is read plainly, as if there were no repeats.
 * I2. All versions of a point in the scanned time are merged together, or there is only one.
 */
import { fileFlags, type HourSpan } from '../../base/model/commit.ts';
import { closeOverRepeats, type VersionSource } from '../../base/model/repeat-closure.ts';
import type { TimeRange } from '../sql/scan-terms.ts';
import { hoursWithin } from './time-overlap.ts';
import type { FileEntry, HotFile } from './wire.ts';

/** A file or chunk in the scanned time. */
export interface RowSource {
  /** Absolute. */
  readonly path: string;
  /** Equal for sources with the same columns. */
  readonly columnsKey: string;
  columnIds(): ReadonlySet<number>;
}

export interface SplitSources {
  readonly plain: readonly RowSource[];
  /** Each of their points stands once among them; `versions` may hold newer versions. */
  readonly older: readonly RowSource[];
  readonly versions: readonly RowSource[];
}

interface Candidate extends RowSource, VersionSource {
  /** True if a point may stand in it more than once, or in it and in `older` ones. */
  readonly hasVersions: boolean;
}

function fileCandidate(file: FileEntry, range: TimeRange, dataDirectory: string): Candidate {
  const hours = hoursWithin(file.hours, range);
  const repeat = (file.flags & fileFlags.repeat) !== 0;
  return {
    path: `${dataDirectory}/${file.path}`,
    columnsKey: JSON.stringify(file.columns),
    columnIds: () => {
      const ids = new Set<number>();
      for (const [first, last] of file.columns) {
        for (let id = first; id <= last; id += 1) ids.add(id);
      }
      return ids;
    },
    hasIdentity: (file.flags & fileFlags.noIdentity) === 0,
    hours,
    repeatHours: repeat ? hours.map(([hour]) => hour) : [],
    hasVersions: repeat,
  };
}

/** Hours in which points of a buffer stand in several rows or sources, by buffer. */
function versionHours(hot: readonly HotFile[]): ReadonlyMap<number, ReadonlySet<number>> {
  const buffers = new Map<number, Set<number>>();
  for (const { bufferId, repeatHours, doubledHours } of hot) {
    const hours = buffers.get(bufferId) ?? new Set<number>();
    for (const hour of [...repeatHours, ...doubledHours]) hours.add(hour);
    buffers.set(bufferId, hours);
  }
  return buffers;
}

function hotCandidates(hot: readonly HotFile[], range: TimeRange): Candidate[] {
  const byBuffer = versionHours(hot);
  return hot.map((chunk) => {
    const hours = hoursWithin(chunk.hours, range);
    const repeats = new Set(chunk.repeatHours);
    const versions = byBuffer.get(chunk.bufferId);
    return {
      path: chunk.path,
      columnsKey: JSON.stringify(chunk.columnIds),
      columnIds: () => new Set(chunk.columnIds),
      hasIdentity: chunk.hasIdentity,
      hours,
      repeatHours: hours.map(([hour]) => hour).filter((hour) => repeats.has(hour)),
      hasVersions: chunk.hasIdentity && hours.some(([hour]) => versions?.has(hour) === true),
    };
  });
}

/** By hour, the part of it in which repeats lie. */
function repeatSpans(sources: readonly VersionSource[]): ReadonlyMap<number, HourSpan> {
  const spans = new Map<number, HourSpan>();
  for (const { hours, repeatHours } of sources) {
    const repeats = new Set(repeatHours);
    for (const [hour, min, max] of hours) {
      if (!repeats.has(hour)) continue;
      const [, least, most] = spans.get(hour) ?? [hour, min, max];
      spans.set(hour, [hour, Math.min(least, min), Math.max(most, max)]);
    }
  }
  return spans;
}

/**
 * Splits the files and chunks of one measurement for a scan of `range`; those without a row in it
 * are left out.
 */
export function splitSources(
  files: readonly FileEntry[],
  hot: readonly HotFile[],
  range: TimeRange,
  dataDirectory: string,
): SplitSources {
  const all = [
    ...files.map((file) => fileCandidate(file, range, dataDirectory)),
    ...hotCandidates(hot, range),
  ].filter(({ hours }) => hours.length > 0);
  const versions = new Set(all.filter(({ hasVersions }) => hasVersions));
  const repeating = all.filter(({ repeatHours }) => repeatHours.length > 0);
  const spans = repeatSpans(repeating);
  // Of an hour with repeats only the rows at their times can be versions.
  const meetsRepeats = ({ hours }: VersionSource) =>
    hours.some(([hour, min, max]) => {
      const span = spans.get(hour);
      return span !== undefined && min <= span[2] && span[1] <= max;
    });
  const closed = new Set(closeOverRepeats(repeating, all).filter(meetsRepeats));
  const older = all.filter((source) => closed.has(source) && !versions.has(source));
  const plain = all.filter((source) => !closed.has(source) && !versions.has(source));
  return { plain, older, versions: [...versions] };
}
