/**
 * One number per UTC hour of a measurement: the floor below which every row is a repeat
 * (series-marks.ts). A box keeps years of hours for a thousand measurements, so they stand 24 to an
 * array. 0 stands for no floor.
 */
import { dayOfHour } from '../../base/model/partition.ts';

/** Of one day: its array and its place in the map. */
const dayBytes = 224;

export class HourFloors {
  readonly #days = new Map<number, Uint32Array>();

  get bytes(): number {
    return this.#days.size * dayBytes;
  }

  at(hour: number): number {
    const day = dayOfHour(hour);
    return this.#days.get(day)?.[hour - 24 * day] ?? 0;
  }

  set(hour: number, floor: number): void {
    const day = dayOfHour(hour);
    let floors = this.#days.get(day);
    if (floors === undefined) {
      floors = new Uint32Array(24);
      this.#days.set(day, floors);
    }
    floors[hour - 24 * day] = floor;
  }

  /** Never lowers a floor. */
  raise(hour: number, floor: number): void {
    if (floor > this.at(hour)) this.set(hour, floor);
  }
}
