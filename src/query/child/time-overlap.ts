/** Which hours of a file or chunk a range of time meets. Pure. */
import type { HourSpan } from '../../base/model/commit.ts';
import { hourUs } from '../../base/model/partition.ts';
import type { TimeRange } from '../sql/scan-terms.ts';

/** The hours of `hours` in which a row may lie in `range`. */
export function hoursWithin(hours: readonly HourSpan[], range: TimeRange): readonly HourSpan[] {
  return hours.filter((span) => meets(span, range));
}

/** True if a row may lie in `range`. */
export function overlaps(hours: readonly HourSpan[], range: TimeRange): boolean {
  return hours.some((span) => meets(span, range));
}

function meets([hour, minOffsetUs, maxOffsetUs]: HourSpan, range: TimeRange): boolean {
  const start = BigInt(hour) * hourUs;
  const early = range.to !== undefined && start + BigInt(minOffsetUs) > range.to;
  const late = range.from !== undefined && start + BigInt(maxOffsetUs) < range.from;
  return !early && !late;
}
