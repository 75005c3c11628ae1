/**
 * When WAL segments may go (commit-protocol P14): a commit's low-water mark counts once the commit
 * is visible on the main thread and a later synced record of the journal confirms it. Until then
 * damage to the journal's last group could look like a torn write whose rows are in no log any
 * more. Main thread.
 */
import type { Commit } from '../../base/model/commit.ts';

interface Mark {
  readonly commit: number;
  readonly lowWater: number;
}

export class LowWater {
  readonly #release: (lowWater: number) => void;
  /** Visible and not yet safe, ascending by commit. */
  #waiting: Mark[] = [];
  #released = 0;

  /** @param release tells the log that records at or below the LSN are filed */
  constructor(release: (lowWater: number) => void) {
    this.#release = release;
  }

  /** LSN up to which the log was told to let go, also if there was no log yet to tell. */
  get released(): number {
    return this.#released;
  }

  /** Called for every commit, in order, in the tick in which it becomes visible. */
  visible(commit: Commit): void {
    const { number, lowWater } = commit;
    if (lowWater === undefined || lowWater <= (this.#waiting.at(-1)?.lowWater ?? this.#released)) {
      return;
    }
    this.#waiting.push({ commit: number, lowWater });
  }

  /** Every commit up to `commit` is confirmed by a later record. */
  safe(commit: number): void {
    let reached = this.#released;
    while (this.#waiting[0] !== undefined && this.#waiting[0].commit <= commit) {
      reached = this.#waiting.shift()?.lowWater ?? reached;
    }
    if (reached === this.#released) return;
    this.#released = reached;
    this.#release(reached);
  }
}
