/** Waiting with a limit. */
import { setTimeout as sleep } from 'node:timers/promises';

/**
 * Resolves with true when `promise` has, with false when `milliseconds` have passed before. Rejects
 * as `promise` does.
 */
export async function within(promise: Promise<unknown>, milliseconds: number): Promise<boolean> {
  const late = sleep(milliseconds, false, { ref: false });
  return Promise.race([promise.then(() => true), late]);
}

/** Calls each of `ends` once the one before has settled; true if none was waited for in vain. */
export async function allWithin(
  ends: readonly (() => Promise<unknown> | undefined)[],
  leftMs: () => number,
): Promise<boolean> {
  let inTime = true;
  for (const end of ends) inTime = (await within(Promise.resolve(end()), leftMs())) && inTime;
  return inTime;
}
