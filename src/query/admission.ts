/**
 * Which query runs next. At most `poolSize` run at a time and at most `queueMax` wait, the rest are
 * refused; waiting ones go by priority, then by arrival. Main thread.
 */
import { GatewayError } from '../base/errors/gateway-error.ts';
import { abortError } from './abort-error.ts';

/** In the order in which they are served. */
export const priorities = ['critical', 'high', 'normal', 'low'] as const;
export type Priority = (typeof priorities)[number];

export interface AdmissionOptions {
  readonly poolSize: number;
  readonly queueMax: number;
}

interface Waiting {
  readonly priority: Priority;
  admit(): void;
}

export class Admission {
  readonly #options: AdmissionOptions;
  #waiting: Waiting[] = [];
  #running = 0;

  constructor(options: AdmissionOptions) {
    this.#options = options;
  }

  get running(): number {
    return this.#running;
  }

  get waiting(): number {
    return this.#waiting.length;
  }

  /**
   * Resolves with a function that gives the place back, when there is one.
   * @throws HF_QUERY_QUEUE_FULL at once; the signal's reason when it aborts while waiting.
   */
  async acquire(priority: Priority, signal: AbortSignal): Promise<() => void> {
    if (signal.aborted) throw abortError(signal);
    if (this.#running < this.#options.poolSize && this.#waiting.length === 0) {
      this.#running += 1;
    } else {
      await this.#queue(priority, signal);
    }
    let held = true;
    return () => {
      if (held) this.#release();
      held = false;
    };
  }

  async #queue(priority: Priority, signal: AbortSignal): Promise<void> {
    if (this.#waiting.length >= this.#options.queueMax) {
      throw new GatewayError('HF_QUERY_QUEUE_FULL', 'too many queries are waiting', {
        details: { queueMax: this.#options.queueMax },
      });
    }
    const { promise, resolve, reject } = Promise.withResolvers<undefined>();
    const waiting: Waiting = {
      priority,
      admit: () => {
        signal.removeEventListener('abort', leave);
        resolve(undefined);
      },
    };
    const leave = () => {
      this.#waiting = this.#waiting.filter((other) => other !== waiting);
      reject(abortError(signal));
    };
    signal.addEventListener('abort', leave, { once: true });
    const rank = priorities.indexOf(priority);
    const place = this.#waiting.findIndex((other) => priorities.indexOf(other.priority) > rank);
    this.#waiting.splice(place < 0 ? this.#waiting.length : place, 0, waiting);
    await promise;
  }

  /** The place goes to the next in line, so that none can slip in between. */
  #release(): void {
    const next = this.#waiting.shift();
    if (next === undefined) this.#running -= 1;
    else next.admit();
  }
}
