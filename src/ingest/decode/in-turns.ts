/** Work that gives way to others: a generator that yields often, run for milliseconds at a time. */

/** Milliseconds of work after which others get a turn. */
const workMs = 4;

export interface Turns {
  /** Monotonic milliseconds; when to give way. */
  monotonicMs(): number;
  /** Awaited when others get a turn. */
  yieldNow(): Promise<void>;
}

/** What `work` returns. @throws what it throws */
export async function inTurns<T>(
  work: Generator<undefined, T>,
  { monotonicMs, yieldNow }: Turns,
): Promise<T> {
  let startedMs = monotonicMs();
  for (;;) {
    const step = work.next();
    if (step.done === true) return step.value;
    if (monotonicMs() - startedMs < workMs) continue;
    await yieldNow();
    startedMs = monotonicMs();
  }
}
