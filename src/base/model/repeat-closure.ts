/**
 * What has to be taken together so that no version of a point is left behind (commit-protocol P20):
 * one function for whoever merges, removes or rewrites rows that may be repeated. Pure.
 *
 * I1. Versions of a point lie in one UTC hour, in sources with identity, and all but the first of
 *     them are repeats. So two sources belong together when they share an hour in which either has
 *     repeats; nothing else ever does.
 */
import type { HourSpan } from './commit.ts';

/** A file or a hot chunk of one measurement. */
export interface VersionSource {
  readonly hasIdentity: boolean;
  /** Where its rows lie; who asks about a part of time gives only the hours of that part. */
  readonly hours: readonly HourSpan[];
  /** Hours of `hours` in which its rows may be repeats; of a flagged file, all. */
  readonly repeatHours: readonly number[];
}

interface HourSources<T> {
  readonly all: T[];
  readonly repeats: T[];
}

function byHour<T extends VersionSource>(sources: readonly T[]): Map<number, HourSources<T>> {
  const hours = new Map<number, HourSources<T>>();
  const at = (hour: number) => {
    const known = hours.get(hour) ?? { all: [], repeats: [] };
    hours.set(hour, known);
    return known;
  };
  for (const source of sources) {
    if (!source.hasIdentity) continue;
    for (const [hour] of source.hours) at(hour).all.push(source);
    for (const hour of source.repeatHours) at(hour).repeats.push(source);
  }
  return hours;
}

/**
 * `seeds` and, of `all` (which holds them), everything that belongs together with one of them,
 * directly or through others, in the order of `all`. Sources without identity only stand for
 * themselves.
 */
export function closeOverRepeats<T extends VersionSource>(
  seeds: readonly T[],
  all: readonly T[],
): readonly T[] {
  if (seeds.length === 0) return [];
  const hours = byHour(all);
  const closed = new Set(seeds);
  const open = [...closed];
  const add = (sources: T[]) => {
    for (const source of sources.splice(0)) {
      if (closed.has(source)) continue;
      closed.add(source);
      open.push(source);
    }
  };
  for (let source = open.pop(); source !== undefined; source = open.pop()) {
    if (!source.hasIdentity) continue;
    // What an hour gave is gone from it, so each source is looked at once an hour.
    for (const hour of source.repeatHours) add(hours.get(hour)?.all ?? []);
    for (const [hour] of source.hours) add(hours.get(hour)?.repeats ?? []);
  }
  return all.filter((source) => closed.has(source));
}
