/**
 * Keeps the WAL's next spares coming: asks the log what it would like, has the spare thread fill
 * it, asks again. One at a time, so filling never competes with itself for the disk. A refusal (a
 * full disk) is no failure of the log, which then makes growing segments: it is asked again when
 * the log next says so (`ask`).
 *
 * Runs on the WAL thread, which starts the spare thread with the first request.
 */
import { Worker } from 'node:worker_threads';
import type { AppendLog } from '../log-types.ts';
import type { SpareAnswer } from '../spare-worker.ts';

export class SpareFiller {
  readonly #log: AppendLog;
  readonly #thread: URL;
  #worker: Worker | undefined;
  #busy = false;
  #closed = false;

  constructor(log: AppendLog, thread: URL) {
    this.#log = log;
    this.#thread = thread;
  }

  /** Has the next missing spare filled, if there is one and none is being filled. */
  ask(): void {
    if (this.#busy || this.#closed) return;
    const wanted = this.#log.spareWanted();
    if (wanted === undefined) return;
    this.#busy = true;
    this.#worker ??= this.#start();
    this.#worker.postMessage(wanted);
  }

  /** Returns when no spare is being filled any more, so the directory belongs to nobody. */
  async close(): Promise<void> {
    this.#closed = true;
    await this.#worker?.terminate();
  }

  #start(): Worker {
    const worker = new Worker(this.#thread, { name: 'wal-spares' });
    worker.unref();
    worker.on('message', (answer: SpareAnswer) => {
      this.#busy = false;
      if (answer.error === undefined) this.ask();
    });
    worker.on('error', () => {
      // The log does without spares; the next request starts the thread anew.
      this.#worker = undefined;
      this.#busy = false;
    });
    return worker;
  }
}
