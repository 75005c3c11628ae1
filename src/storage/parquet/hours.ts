/**
 * UTC hours of many times at once. Times are read as the int32 halves of their BigInt64Array, so
 * that the loop makes no bigint: it runs over every row that enters a buffer. Little-endian only,
 * as all machines that Node runs on are.
 */
import { GatewayError } from '../../base/errors/gateway-error.ts';
import { hourOf, hourUs as hourUsWide } from '../../base/model/partition.ts';

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

/**
 * Low half of the start of a UTC hour: `(low half of a time in it - this) >>> 0` is the time's
 * offset in microseconds, exactly, whatever the year, since an hour has less than 2^32 of them.
 */
export function offsetsBase(hour: number): number {
  return Number(BigInt.asIntN(32, BigInt(hour) * hourUsWide));
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
 * Returns per row the number that `fileOfHour` gives for its UTC hour, or `repeatFileOfHour` for
 * rows that are repeats. Throws HF_BUG for an hour that the map does not name.
 * @param repeats one per row; undefined if there are none
 */
export function mapHours(
  times: BigInt64Array,
  fileOfHour: ReadonlyMap<number, number>,
  repeatFileOfHour: ReadonlyMap<number, number> = new Map(),
  repeats: Uint8Array | undefined = undefined,
): Uint32Array {
  const files = new Uint32Array(times.length);
  hoursOfRows(times, 0, times.length, (hour, first, end) => {
    const file = fileOfHour.get(hour);
    const repeatFile = repeatFileOfHour.get(hour);
    for (let row = first; row < end; row += 1) {
      const found = repeats?.[row] === 1 ? repeatFile : file;
      if (found === undefined) throw unplanned(hour);
      files[row] = found;
    }
  });
  return files;
}

function unplanned(hour: number): GatewayError {
  return new GatewayError('HF_BUG', `no file is planned for UTC hour ${hour}`);
}
