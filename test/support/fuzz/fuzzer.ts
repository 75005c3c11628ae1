/** Runs the cases of one target, one after the other, on the thread of a fuzzer. */
import { seededRandom } from '../random.ts';
import type { FromFuzzer, FuzzerStart } from './fuzz-run.ts';
import { mutated } from './mutate.ts';
import type { FuzzTarget } from './target.ts';
import { makeTarget } from './targets.ts';

/** Inputs that are mutated further; the newest take the place of any. */
const corpusMax = 500;

/** Cases between two turns of the loop. */
const turnCases = 16;

class Fuzzer {
  cases = 0;
  readonly corpus: Uint8Array[];
  readonly #start: FuzzerStart;
  readonly #target: FuzzTarget;
  readonly #outcomes = new Set<string>();
  readonly #send: (message: FromFuzzer) => void;

  constructor(start: FuzzerStart, target: FuzzTarget, send: (message: FromFuzzer) => void) {
    this.#start = start;
    this.#target = target;
    this.#send = send;
    this.corpus = [...target.seeds, ...start.kept];
  }

  get outcomes(): number {
    return this.#outcomes.size;
  }

  /** True if all is well; else the failure was sent. */
  async run(input: Uint8Array, isKept: boolean): Promise<boolean> {
    const { beat, input: shared } = this.#start;
    this.cases += 1;
    shared.set(input.subarray(0, shared.length));
    Atomics.store(beat, 1, Math.min(input.length, shared.length));
    Atomics.store(beat, 0, this.cases);
    try {
      const outcome = await this.#target.run(Uint8Array.from(input));
      if (!this.#outcomes.has(outcome)) this.#note(outcome, input, isKept);
      return true;
    } catch (error) {
      const failed = error instanceof Error ? (error.stack ?? error.message) : String(error);
      this.#send({ failed, input, cases: this.cases });
      return false;
    }
  }

  #note(outcome: string, input: Uint8Array, isKept: boolean): void {
    this.#outcomes.add(outcome);
    if (isKept) return;
    if (this.corpus.length < corpusMax) this.corpus.push(input);
    else this.corpus[this.cases % corpusMax] = input;
    this.#send({ outcome, input });
  }
}

/**
 * Runs the kept inputs, then new ones until the time is over.
 * @param turn gives timers and messages a turn: what a reader left behind for later breaks then,
 * near the case that it was
 */
export async function runFuzzer(
  start: FuzzerStart,
  send: (message: FromFuzzer) => void,
  turn: () => Promise<unknown>,
): Promise<void> {
  const target = await makeTarget(start.target);
  const { words } = target;
  const fuzzer = new Fuzzer(start, target, send);
  for (const input of [...fuzzer.corpus]) {
    if (!(await fuzzer.run(input, true))) return;
  }
  const random = seededRandom(start.seed);
  const beginMs = performance.now();
  const { casesMax = Infinity, budgetMs } = start;
  while (fuzzer.cases < casesMax && performance.now() - beginMs < budgetMs) {
    const { corpus } = fuzzer;
    if (!(await fuzzer.run(mutated(random, { corpus, words }), false))) return;
    if (fuzzer.cases % turnCases === 0) await turn();
  }
  send({ done: { cases: fuzzer.cases, outcomes: fuzzer.outcomes } });
}
