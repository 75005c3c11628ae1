/**
 * The UTC days that the rows of one request lie in, counted per measurement and with a limit: each
 * of them becomes a file of its own, and all files of one measurement's flush go into one commit.
 * One per request; main thread.
 */

const dayUs = 86_400_000_000;
const highUnit = 4_294_967_296;

/** The days of one measurement. Times are microseconds by halves, low one first. */
export class DaySet {
  readonly #days = new Set<number>();
  /** The day of the last time that was found: most rows come in order. */
  #from = 1;
  #to = 0;

  has(low: number, high: number): boolean {
    const time = high * highUnit + (low >>> 0);
    if (time >= this.#from && time < this.#to) return true;
    const day = Math.floor(time / dayUs);
    if (!this.#days.has(day)) return false;
    this.#from = day * dayUs;
    this.#to = this.#from + dayUs;
    return true;
  }

  add(low: number, high: number): void {
    this.#days.add(Math.floor((high * highUnit + (low >>> 0)) / dayUs));
  }
}

export class RequestDays {
  readonly #daysMax: number;
  readonly #byMeasurement = new Map<string, DaySet>();
  #count = 0;

  constructor(daysMax: number) {
    this.#daysMax = daysMax;
  }

  /** Why a row of one more day is not taken. */
  get reason(): string {
    return `max days per request exceeded: ${this.#daysMax}`;
  }

  of(measurement: string): DaySet {
    const known = this.#byMeasurement.get(measurement);
    if (known !== undefined) return known;
    const days = new DaySet();
    this.#byMeasurement.set(measurement, days);
    return days;
  }

  /** True if a row of that time may be taken: its day is one of `days`, or there is room. */
  allows(days: DaySet, low: number, high: number): boolean {
    return this.#count < this.#daysMax || days.has(low, high);
  }

  /** Notes the time of a row that is taken. */
  note(days: DaySet, low: number, high: number): void {
    if (days.has(low, high)) return;
    days.add(low, high);
    this.#count += 1;
  }
}
