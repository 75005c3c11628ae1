/**
 * When a log cannot be written, writes are refused and queries go on; after a minute the process
 * ends where a new start can help (contract W5, commit-protocol L6): with a fresh descriptor, or on
 * a file system that was mounted anew. On a full or read-only disk a start would find the same, and
 * queries would stop for nothing. Main thread.
 */
import { GatewayError } from '../base/errors/gateway-error.ts';

/** What the operating system says when a new start would meet the same disk. */
const lastingErrors = new Set(['ENOSPC', 'EDQUOT', 'EROFS']);

function errnoOf(error: unknown): string | undefined {
  for (let cause = error; cause instanceof Error; cause = cause.cause) {
    if (cause instanceof GatewayError && typeof cause.details['errno'] === 'string') {
      return cause.details['errno'];
    }
    const said = /\b(ENOSPC|EDQUOT|EROFS)\b/.exec(cause.message)?.[1];
    if (said !== undefined) return said;
  }
  return undefined;
}

export class RestartWatch {
  readonly #afterMs: number;
  readonly #giveUp: (error: GatewayError) => void;
  readonly #timers = new Map<string, NodeJS.Timeout>();

  /** @param giveUp called with the last cause, once a log has been failed for `afterMs` */
  constructor(afterMs: number, giveUp: (error: GatewayError) => void) {
    this.#afterMs = afterMs;
    this.#giveUp = giveUp;
  }

  /** The log `name` cannot be written, for `cause` if that is known. */
  failed(name: string, cause: GatewayError | undefined): void {
    const error = cause ?? new GatewayError('HF_LOG_APPEND', `the log ${name} cannot be written`);
    if (this.#timers.has(name) || lastingErrors.has(errnoOf(error) ?? '')) return;
    const timer = setTimeout(() => {
      this.#giveUp(error);
    }, this.#afterMs);
    this.#timers.set(name, timer.unref());
  }

  /** The log is written again. */
  recovered(name: string): void {
    clearTimeout(this.#timers.get(name));
    this.#timers.delete(name);
  }
}
