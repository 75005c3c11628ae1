/**
 * UTC hours of many times at once. Times are read as the int32 halves of their BigInt64Array, so
 * that the loop makes no bigint: it runs over every row that enters a buffer. Little-endian only,
 * as all machines that Node runs on are.
 */
import { assert } from '../../base/lib/assert.ts';
import { hourOf } from '../../base/model/partition.ts';

const hourUs = 3_600_000_000;
const highUnit = 4_294_967_296;
/** Times whose high half lies within ± this are exact as doubles (|time| < 2^53 microseconds). */
const exactHighMax = 2 ** 21;

/** Int32 view of `times`: element 2i is the low half of time i, 2i + 1 the high one. */
export function halvesOf(values: BigInt64Array | BigUint64Array | Float64Array): Int32Array {
  return new Int32Array(values.buffer, values.byteOffset, values.length * 2);
}

function hourOfExact(time: number): number {
  const hour = Math.floor(time / hourUs);
  if (hour * hourUs > time) return hour - 1;
  return (hour + 1) * hourUs <= time ? hour + 1 : hour;
}

/** Calls back with each run of rows from `from` to `to` whose times are of one UTC hour. */
export function hoursOfRows(
  times: BigInt64Array,
  from: number,
  to: number,
  found: (hour: number, first: number, end: number) => void,
): void {
  const halves = halvesOf(times);
  let hour = 0;
  let start = 0;
  let end = 0;
  let first = from;
  for (let row = from; row < to; row += 1) {
    const high = halves[2 * row + 1] as number;
    const time = high * highUnit + ((halves[2 * row] as number) >>> 0);
    if (time >= start && time < end) continue;
    if (row > first) found(hour, first, row);
    first = row;
    if (high >= -exactHighMax && high < exactHighMax) {
      hour = hourOfExact(time);
      start = hour * hourUs;
      end = start + hourUs;
    } else {
      // Centuries away from 1970 a double no longer holds single microseconds.
      hour = hourOf(times[row] as bigint);
      start = 0;
      end = 0;
    }
  }
  if (to > first) found(hour, first, to);
}

/** Adds to `counts`, by UTC hour since 1970, the number of times from `from` to `to` in it. */
export function countHours(
  times: BigInt64Array,
  from: number,
  to: number,
  counts: Map<number, number>,
): void {
  hoursOfRows(times, from, to, (hour, first, end) => {
    counts.set(hour, (counts.get(hour) ?? 0) + end - first);
  });
}

/**
 * Returns per row the number that `fileOfHour` gives for its UTC hour. Throws HF_BUG for an hour
 * that the map does not name.
 */
export function mapHours(
  times: BigInt64Array,
  fileOfHour: ReadonlyMap<number, number>,
): Uint32Array {
  const halves = halvesOf(times);
  const files = new Uint32Array(times.length);
  let start = 0;
  let end = 0;
  let file = 0;
  for (let row = 0; row < times.length; row += 1) {
    const high = halves[2 * row + 1] as number;
    const time = high * highUnit + ((halves[2 * row] as number) >>> 0);
    if (!(time >= start && time < end)) {
      const exact = high >= -exactHighMax && high < exactHighMax;
      const hour = exact ? hourOfExact(time) : hourOf(times[row] as bigint);
      const found = fileOfHour.get(hour);
      assert(found !== undefined, `no file is planned for UTC hour ${hour}`);
      file = found;
      start = exact ? hour * hourUs : 0;
      end = exact ? start + hourUs : 0;
    }
    files[row] = file;
  }
  return files;
}
