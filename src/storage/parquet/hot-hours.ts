/**
 * What a query must know of a hot chunk to tell where versions of a point may meet: its hours,
 * those with repeats, and those in which a point has two versions in the same buffer. Runs on
 * encoder threads.
 */
import type { HourSpan } from '../../base/model/commit.ts';
import { hourUs } from '../../base/model/partition.ts';
import { hoursOfRows } from './hours.ts';
import type { HotResult, RowSet } from './types.ts';

/** Hours of rows `from` to `to` (exclusive) of the set. */
export function hotHours(
  rows: RowSet,
  from: number,
  to: number,
): Pick<HotResult, 'hours' | 'repeatHours' | 'doubledHours'> {
  const spans = new Map<number, [number, number, number]>();
  const repeatHours = new Set<number>();
  const { times, repeats } = rows;
  hoursOfRows(times, from, to, (hour, first, end) => {
    const start = BigInt(hour) * hourUs;
    const span = spans.get(hour) ?? [hour, Infinity, -Infinity];
    for (let row = first; row < end; row += 1) {
      const offset = Number((times[row] as bigint) - start);
      if (offset < span[1]) span[1] = offset;
      if (offset > span[2]) span[2] = offset;
      if (repeats?.[row] === 1) repeatHours.add(hour);
    }
    spans.set(hour, span);
  });
  const hours: HourSpan[] = [...spans.values()].sort((a, b) => a[0] - b[0]);
  const ascending = (a: number, b: number) => a - b;
  return { hours, repeatHours: [...repeatHours].sort(ascending), doubledHours: [] };
}
