/**
 * How long to wait before the next query process after one has ended. Somebody's query may end a
 * process as often as it is sent, and all others wait for the next one: so a process that worked is
 * replaced at once, and only those that do not work make the wait grow. Main thread.
 */

/** What a process that ended had done. */
export interface ProcessLife {
  /** It listened. */
  readonly wasReady: boolean;
  /** It began to answer a query. */
  readonly hasAnswered: boolean;
  readonly livedMs: number;
}

const firstMs = 100;
/** Enough to reach every limit below. */
const doublingsMax = 6;
/** A start costs about a second of CPU; most of the time is left to others. */
const startFailedMsMax = 5000;
/** It can work, so queries that would do no harm must not wait long for it. */
const readyMsMax = 1000;
/** Nobody asked a process that was ready for so long: nothing is wrong with it. */
const healthyAfterMs = 60_000;

export class RestartDelay {
  #failuresInRow = 0;

  /** Milliseconds between the end of a process with this life and the next start. */
  after({ wasReady, hasAnswered, livedMs }: ProcessLife): number {
    if (wasReady && (hasAnswered || livedMs >= healthyAfterMs)) this.#failuresInRow = 0;
    const longestMs = wasReady ? readyMsMax : startFailedMsMax;
    const delayMs = Math.min(longestMs, firstMs * 2 ** this.#failuresInRow);
    this.#failuresInRow = Math.min(this.#failuresInRow + 1, doublingsMax);
    return delayMs;
  }
}
