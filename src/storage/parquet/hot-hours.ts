/**
 * What a query must know of a hot chunk to tell where versions of a point may meet: its hours,
 * those with repeats, and those in which a point has two versions in the same buffer. Runs on
 * encoder threads.
 */
import type { HourSpan } from '../../base/model/commit.ts';
import { halvesOf, hoursOfRows, offsetsBase } from './hours.ts';
import { sortRows, tagNumbers, versionPlaces } from './sort.ts';
import type { HotJob, HotResult, RowSet } from './types.ts';

type HotHours = Pick<HotResult, 'hours' | 'repeatHours' | 'doubledHours'>;

/** Hours of the rows of a chunk. */
export function hotHours({ rows, from, to, hasIdentity }: HotJob): HotHours {
  const spans = new Map<number, [number, number, number]>();
  const repeatHours = new Set<number>();
  const { times, repeats } = rows;
  const halves = halvesOf(times);
  hoursOfRows(times, from, to, (hour, first, end) => {
    const base = offsetsBase(hour);
    const span = spans.get(hour) ?? [hour, Infinity, -Infinity];
    for (let row = first; row < end; row += 1) {
      const offset = ((halves[2 * row] as number) - base) >>> 0;
      if (offset < span[1]) span[1] = offset;
      if (offset > span[2]) span[2] = offset;
      if (repeats?.[row] === 1) repeatHours.add(hour);
    }
    spans.set(hour, span);
  });
  const hours: HourSpan[] = [...spans.values()].sort((a, b) => a[0] - b[0]);
  const doubledHours = hasIdentity ? doubled(rows, from, to, hours) : [];
  return { hours, repeatHours: ascending(repeatHours), doubledHours };
}

function ascending(hours: ReadonlySet<number>): readonly number[] {
  return [...hours].sort((a, b) => a - b);
}

/**
 * Hours in which a row from `from` to `to` has an earlier version in the set. Only rows of the
 * times that the chunk spans can be versions of its rows: few of the earlier ones, as rows come
 * about in the order of their times.
 */
function doubled(
  rows: RowSet,
  from: number,
  to: number,
  hours: readonly HourSpan[],
): readonly number[] {
  const some = spanned(rows.times, to, from, hours);
  const order = sortRows(rows, some, tagNumbers);
  const found = new Set<number>();
  for (const place of versionPlaces(rows, order)) {
    const row = order[place] as number;
    // Versions stand as they came: an earlier one of a row of this chunk stands before it.
    if (row < from) continue;
    hoursOfRows(rows.times, row, row + 1, (hour) => found.add(hour));
  }
  return ascending(found);
}

/** Rows below `to` that are at or above `from`, or within the span of an hour of the chunk. */
function spanned(
  times: BigInt64Array,
  to: number,
  from: number,
  hours: readonly HourSpan[],
): Uint32Array {
  const spans = new Map(hours.map((span) => [span[0], span]));
  const halves = halvesOf(times);
  const some = new Uint32Array(to);
  let count = 0;
  hoursOfRows(times, 0, from, (hour, first, end) => {
    const span = spans.get(hour);
    if (span === undefined) return;
    const base = offsetsBase(hour);
    for (let row = first; row < end; row += 1) {
      const offset = ((halves[2 * row] as number) - base) >>> 0;
      if (offset < span[1] || offset > span[2]) continue;
      some[count] = row;
      count += 1;
    }
  });
  for (let row = from; row < to; row += 1) {
    some[count] = row;
    count += 1;
  }
  return some.subarray(0, count);
}
