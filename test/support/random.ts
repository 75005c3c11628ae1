/**
 * Seeded randomness for tests. One number reproduces a whole run, so every suite prints its seed
 * and takes `--seed=N` to run the same again.
 */

export interface Random {
  /** In [0, 1). */
  next(): number;
  /** Whole number in [0, end). */
  below(end: number): number;
  /** One element; the list must not be empty. */
  pick<T>(list: readonly T[]): T;
  /** True with probability `share`. */
  chance(share: number): boolean;
  /** A new list in random order. */
  shuffled<T>(list: readonly T[]): T[];
}

/** The mulberry32 generator: 32 bits of state, equal on every machine. */
export function seededRandom(seed: number): Random {
  let state = seed >>> 0;
  const next = (): number => {
    state = (state + 0x6d2b79f5) >>> 0;
    let mixed = Math.imul(state ^ (state >>> 15), state | 1);
    mixed ^= mixed + Math.imul(mixed ^ (mixed >>> 7), mixed | 61);
    return ((mixed ^ (mixed >>> 14)) >>> 0) / 2 ** 32;
  };
  const below = (end: number): number => Math.floor(next() * end);
  return {
    next,
    below,
    pick: (list) => list[below(list.length)] as (typeof list)[number],
    chance: (share) => next() < share,
    shuffled: (list) => {
      const result = [...list];
      for (let last = result.length - 1; last > 0; last -= 1) {
        const other = below(last + 1);
        const kept = result[last] as (typeof result)[number];
        result[last] = result[other] as (typeof result)[number];
        result[other] = kept;
      }
      return result;
    },
  };
}

/** The seed of this run: `--seed=N` on the command line, else a new one. */
export function chosenSeed(): number {
  const given = process.argv.find((word) => word.startsWith('--seed='));
  if (given !== undefined) return Number(given.slice('--seed='.length)) >>> 0;
  return Math.floor(Math.random() * 2 ** 31);
}

/** True in the long form of the suite (`npm run test:long` passes `--long`). */
export function isLongRun(): boolean {
  return process.argv.includes('--long');
}
