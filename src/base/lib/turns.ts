/**
 * Work that takes long on a thread that has other work too: one after the other, in turns of a few
 * milliseconds. Work is a generator that yields wherever it can pause.
 *
 * I1. Work is done in the order in which it was given, each piece whole before the next begins.
 * I2. What ends within one turn, with nothing before it, has ended when `run` returns.
 */

/** Milliseconds of work after which others get a turn. */
export const turnMs = 4;

export type Steps<T = void> = Generator<undefined, T>;

export interface TurnsOptions {
  monotonicMs(): number;
  /** Calls back when others had their turn; `setImmediate` if it is not given. */
  later?(turn: () => void): void;
}

export class Turns {
  readonly #monotonicMs: () => number;
  readonly #later: (turn: () => void) => void;
  /** From `#next` on: not done. */
  #work: Steps[] = [];
  #next = 0;
  #busy = false;

  constructor({ monotonicMs, later = setImmediate }: TurnsOptions) {
    this.#monotonicMs = monotonicMs;
    this.#later = later;
  }

  /** True if nothing is under way or waits. */
  get isIdle(): boolean {
    return !this.#busy;
  }

  /**
   * Does the work, or what a turn allows, at once if nothing waits, and the rest later. What it
   * throws at once is thrown here; later it is an error that nobody catches.
   */
  run(work: Steps): void {
    this.#work.push(work);
    if (!this.#busy) this.#turn();
  }

  #turn(): void {
    this.#busy = true;
    try {
      this.#workOn();
    } finally {
      if (this.#next < this.#work.length) {
        this.#later(() => {
          this.#turn();
        });
      } else {
        this.#work = [];
        this.#next = 0;
        this.#busy = false;
      }
    }
  }

  #workOn(): void {
    const startedMs = this.#monotonicMs();
    do {
      const work = this.#work[this.#next];
      if (work === undefined) return;
      if (isDone(work, () => (this.#next += 1))) this.#next += 1;
    } while (this.#monotonicMs() - startedMs < turnMs);
  }
}

/** Takes one step; what throws is done with too. */
function isDone(work: Steps, thrown: () => void): boolean {
  try {
    return work.next().done === true;
  } catch (error) {
    thrown();
    throw error;
  }
}

/** What `steps` gives, without a pause. */
export function atOnce<T>(steps: Steps<T>): T {
  for (;;) {
    const step = steps.next();
    if (step.done === true) return step.value;
  }
}

/** How work that somebody awaits gives way. */
export interface Pace {
  /** Monotonic milliseconds; when to give way. */
  monotonicMs(): number;
  /** Awaited when others get a turn. */
  yieldNow(): Promise<void>;
}

/** What `steps` gives, in turns, beside other work that is done so. @throws what it throws */
export async function inTurns<T>(steps: Steps<T>, { monotonicMs, yieldNow }: Pace): Promise<T> {
  let startedMs = monotonicMs();
  for (;;) {
    const step = steps.next();
    if (step.done === true) return step.value;
    if (monotonicMs() - startedMs < turnMs) continue;
    await yieldNow();
    startedMs = monotonicMs();
  }
}
