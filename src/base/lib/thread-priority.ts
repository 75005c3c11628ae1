/**
 * How much of the CPU the calling thread gets beside others of its process. On Linux a nice value
 * belongs to a thread, and `setPriority(0, n)` sets that of the thread that calls it; elsewhere it
 * would set that of the whole process, so there nothing is changed.
 */
import { getPriority, setPriority } from 'node:os';

export interface PriorityCalls {
  get(): number;
  /** @throws if the system does not let it */
  set(niceness: number): void;
}

export const systemPriority: PriorityCalls = {
  get: () => getPriority(0),
  set: (niceness) => {
    setPriority(0, niceness);
  },
};

/** Steps behind those who wait for an answer: a tenth of the CPU if they want all of it. */
const politeSteps = 10;
const nicenessMax = 19;

/** A thread that stands back for others for good. */
export function standBack(calls = systemPriority, platform = process.platform): void {
  if (platform !== 'linux') return;
  try {
    calls.set(Math.min(nicenessMax, calls.get() + politeSteps));
  } catch {
    // A sandbox may refuse; the thread then takes its share as all others do.
  }
}

/**
 * A thread that stands back for others until its work becomes urgent. Going back up needs leave
 * (RLIMIT_NICE, CAP_SYS_NICE), which is tried by one step at the start: a thread that could not go
 * back stays at that step, since work that is never done is worse than work that is in the way.
 */
export class TurnPriority {
  readonly #calls: PriorityCalls;
  readonly #usual: number;
  readonly #polite: number;
  #niceness: number;

  constructor(calls = systemPriority, platform = process.platform) {
    this.#calls = calls;
    const [usual, polite] = platform === 'linux' ? tried(calls) : [0, 0];
    this.#usual = usual;
    this.#polite = polite;
    this.#niceness = usual;
  }

  /** Niceness now. */
  get niceness(): number {
    return this.#niceness;
  }

  take(urgent: boolean): void {
    const niceness = urgent ? this.#usual : this.#polite;
    if (niceness === this.#niceness) return;
    this.#calls.set(niceness);
    this.#niceness = niceness;
  }
}

/** The usual and the polite niceness; the same one twice if there is no way back. */
function tried(calls: PriorityCalls): readonly [usual: number, polite: number] {
  let usual = 0;
  try {
    usual = calls.get();
    if (usual >= nicenessMax) return [usual, usual];
    calls.set(usual + 1);
  } catch {
    return [usual, usual];
  }
  try {
    calls.set(usual);
  } catch {
    return [usual + 1, usual + 1];
  }
  return [usual, Math.min(nicenessMax, usual + politeSteps)];
}
