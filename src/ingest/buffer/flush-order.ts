/**
 * Which encoded flushes may be committed now (commit-protocol P7, P8). Pure.
 * I1. Per measurement in LSN order: a flush waits for all earlier ones of its measurement, however
 *     long these fail. Otherwise "flushed up to 200" would be committed while 1-100 are in no file,
 *     and the log would let go of them.
 * I2. Flushes that became due together share one commit: none goes before all of them are encoded
 *     or have failed once.
 */

export interface OrderedFlush {
  /** True once its files are durable. */
  readonly encoded: boolean;
  /** True while a flush that became due together with it is being encoded for the first time. */
  readonly awaitsOthers: boolean;
}

/** Picks from the queues, one per measurement in LSN order; gateway tests compose others. */
export type CommitOrder = <Flush extends OrderedFlush>(
  queues: readonly (readonly Flush[])[],
) => readonly Flush[];

/** From each queue the longest run from its head that is ready. */
export const inLsnOrder: CommitOrder = (queues) =>
  queues.flatMap((queue) => {
    const stop = queue.findIndex((flush) => !flush.encoded || flush.awaitsOthers);
    return stop < 0 ? queue : queue.slice(0, stop);
  });

/** The first of `flushes` that have at most `filesMax` files together; one at least. */
export function upToFiles<Flush extends { readonly facts: readonly unknown[] }>(
  flushes: readonly Flush[],
  filesMax: number,
): readonly Flush[] {
  let files = 0;
  const stop = flushes.findIndex(({ facts }, index) => {
    files += facts.length;
    return index > 0 && files > filesMax;
  });
  return stop < 0 ? flushes : flushes.slice(0, stop);
}
