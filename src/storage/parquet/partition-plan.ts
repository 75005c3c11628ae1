/**
 * Which files a flush makes (commit-protocol P8): one per UTC hour; a flush that touches many hours
 * puts its small ones together into one file per UTC day, so that a sender which brings years of
 * sparse history does not leave a file of a few rows for each hour of it. Pure; used before the
 * encoder runs, because each file needs an id of its own.
 */
import { dayOfHour } from '../../base/model/partition.ts';

/** A flush of more hours than this groups its small hours by day. */
export const ungroupedHoursMax = 48;

export interface FilePlan {
  /** True for rows that are repeats (P19): they never share a file with others. */
  readonly repeat: boolean;
  /** Ascending, all of one UTC day. */
  readonly hours: readonly number[];
  readonly rows: number;
  readonly dayFile: boolean;
}

/**
 * Returns the files for rows in these hours, ascending by first hour; every hour is in one file.
 * @param hourRows rows per UTC hour since 1970
 * @param hourFileMinRows hours with fewer rows are grouped (`parquet.hour_file_min_rows`)
 */
export function planFiles(
  hourRows: ReadonlyMap<number, number>,
  hourFileMinRows: number,
  repeat = false,
): readonly FilePlan[] {
  const hours = [...hourRows.keys()].sort((a, b) => a - b);
  const groups = hours.length > ungroupedHoursMax;
  const plans: FilePlan[] = [];
  const small = new Map<number, number[]>();
  for (const hour of hours) {
    const rows = hourRows.get(hour) ?? 0;
    if (groups && rows < hourFileMinRows) {
      const day = dayOfHour(hour);
      const others = small.get(day);
      if (others === undefined) small.set(day, [hour]);
      else others.push(hour);
    } else {
      plans.push({ repeat, hours: [hour], rows, dayFile: false });
    }
  }
  for (const dayHours of small.values()) {
    const rows = dayHours.reduce((sum, hour) => sum + (hourRows.get(hour) ?? 0), 0);
    plans.push({ repeat, hours: dayHours, rows, dayFile: dayHours.length > 1 });
  }
  return plans.sort((a, b) => (a.hours[0] ?? 0) - (b.hours[0] ?? 0));
}
