/**
 * The two clocks of the gateway. Wall time stamps rows and logs; monotonic time measures ages and
 * time-outs, so that nothing durable depends on the wall clock (W10). Tests pass another.
 */
export interface Clock {
  /** Wall time, microseconds since 1970 UTC; exact integer below 2^53. */
  wallUs(): number;
  /** Monotonic time in milliseconds; its origin is arbitrary. */
  monotonicMs(): number;
}

export const systemClock: Clock = {
  wallUs: () => Math.round((performance.timeOrigin + performance.now()) * 1000),
  monotonicMs: () => performance.now(),
};
