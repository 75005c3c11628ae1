/**
 * Pins of commit numbers (P14): who reads at commit s pins it, and no file that was removed after s
 * is unlinked until the pin goes. The main thread counts them and tells the committer the smallest.
 * One thread; the message about a pin must be posted before the main thread shows a later commit.
 */

export class Pins {
  /** Number of pins by commit. */
  readonly #counts = new Map<number, number>();
  readonly #changed: (smallest: number | undefined) => void;
  #smallest: number | undefined;

  /** `changed` is told each time that the smallest pinned commit changes; undefined: no pins. */
  constructor(changed: (smallest: number | undefined) => void) {
    this.#changed = changed;
  }

  /** Smallest pinned commit. */
  get smallest(): number | undefined {
    return this.#smallest;
  }

  get count(): number {
    let count = 0;
    for (const pinned of this.#counts.values()) count += pinned;
    return count;
  }

  /** Returns what releases the pin; calling it again has no effect. */
  pin(commit: number): () => void {
    this.#counts.set(commit, (this.#counts.get(commit) ?? 0) + 1);
    this.#settle();
    let held = true;
    return () => {
      if (!held) return;
      held = false;
      this.#release(commit);
    };
  }

  #release(commit: number): void {
    const left = (this.#counts.get(commit) ?? 0) - 1;
    if (left > 0) this.#counts.set(commit, left);
    else this.#counts.delete(commit);
    this.#settle();
  }

  #settle(): void {
    let smallest: number | undefined;
    for (const commit of this.#counts.keys()) {
      if (smallest === undefined || commit < smallest) smallest = commit;
    }
    if (smallest === this.#smallest) return;
    this.#smallest = smallest;
    this.#changed(smallest);
  }
}
