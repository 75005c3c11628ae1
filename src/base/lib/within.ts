/** Waiting with a limit. */
import { setTimeout as sleep } from 'node:timers/promises';

/** Resolves when `promise` has settled or `milliseconds` have passed. */
export async function within(promise: Promise<unknown>, milliseconds: number): Promise<void> {
  const late = sleep(milliseconds, undefined, { ref: false });
  await Promise.race([promise, late]);
}
