/**
 * The time that idempotency keys age by (contract W10, commit-protocol section 8): it begins where
 * the keys that are known end, and goes on with monotonic time. Written with each key, it is the
 * same scale over all runs. Main thread.
 *
 * T1. It never runs back, and no jump of the wall clock moves it: neither while the gateway runs,
 *     nor between two runs, whatever year the box thinks it is when it starts.
 * T2. Only where no key is known is it set by the wall clock, so that it reads like a date.
 * T3. Time in which the gateway did not run does not count: a key is kept longer, never shorter.
 *     Where a judge of the clock can tell how long that was, it is added here, by `passed`.
 */
import type { Clock } from '../../base/lib/clock.ts';

export class KeyTime {
  readonly #clock: Clock;
  /** Undefined until a key is known or the time is asked for. */
  #base: { readonly timeUs: number; readonly monotonicMs: number } | undefined;

  /** @param newestUs the newest time of the keys that are known; undefined if none is */
  constructor(clock: Clock, newestUs: number | undefined) {
    this.#clock = clock;
    if (newestUs !== undefined) this.passed(newestUs);
  }

  /** Microseconds; whole. */
  nowUs(): number {
    return this.#reached() ?? this.#stand(Math.floor(this.#clock.wallUs()));
  }

  /** A key says that it was `timeUs` when it came: now is not before that. */
  passed(timeUs: number): void {
    const reached = this.#reached();
    if (reached === undefined || reached < timeUs) this.#stand(timeUs);
  }

  #reached(): number | undefined {
    if (this.#base === undefined) return undefined;
    const { timeUs, monotonicMs } = this.#base;
    return timeUs + Math.floor((this.#clock.monotonicMs() - monotonicMs) * 1000);
  }

  #stand(timeUs: number): number {
    this.#base = { timeUs, monotonicMs: this.#clock.monotonicMs() };
    return timeUs;
  }
}
