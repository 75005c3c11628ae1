/**
 * Subjects of an alarm that stands for many: senders and measurements come without end, so only so
 * many have an alarm of their own at a time, and the others share one.
 */
import type { Clock } from '../base/lib/clock.ts';

/** How many have an alarm of their own. */
const subjectsMax = 50;

export class AlarmSubjects {
  readonly #clock: Clock;
  readonly #quietMs: number;
  readonly #others: string;
  /** By subject, until when its alarm stands, in monotonic milliseconds. */
  readonly #subjects = new Map<string, number>();

  /** @param quietMs an alarm goes so long after the last of its kind */
  constructor(clock: Clock, quietMs: number, others: string) {
    this.#clock = clock;
    this.#quietMs = quietMs;
    this.#others = others;
  }

  /** The subject under which an alarm about `what` is raised now. */
  subject(what: string): string {
    const nowMs = this.#clock.monotonicMs();
    if (!this.#subjects.has(what) && this.#subjects.size >= subjectsMax) {
      for (const [each, untilMs] of this.#subjects) {
        if (untilMs <= nowMs) this.#subjects.delete(each);
      }
      if (this.#subjects.size >= subjectsMax) return this.#others;
    }
    this.#subjects.set(what, nowMs + this.#quietMs);
    return what;
  }
}
