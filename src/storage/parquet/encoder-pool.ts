/**
 * The encoder threads as the main thread sees them. Jobs wait in a bounded queue, hot chunks before
 * flushes because a query waits for them; if all threads are at a flush, a hot chunk goes to one of
 * them all the same and is encoded between two files. Small flushes are sent ahead: a busy main
 * thread comes round tens of times a second, and a thousand flushes of a few rows must not take a
 * thousand of these turns. A thread that dies fails the jobs that it was at, and is replaced when
 * the next job needs it; one whose WebAssembly memory has grown large is replaced after its jobs,
 * since that memory never shrinks.
 */
import { Worker } from 'node:worker_threads';
import { fromWire, GatewayError } from '../../base/errors/gateway-error.ts';
import type { EncoderReply, EncoderRequest } from './encoder-messages.ts';
import type {
  Encoder,
  EncoderSettings,
  FlushJob,
  FlushResult,
  HotJob,
  HotResult,
} from './types.ts';

export interface EncoderPoolOptions extends EncoderSettings {
  /** Entry of the threads (encoder-thread.ts). */
  readonly thread: URL;
  readonly threadsMax: number;
  /** A thread gets a further flush as long as those it has are fewer rows than this. */
  readonly rowsAhead?: number;
  /** Jobs that wait, those that a thread has not counted. */
  readonly queueMax: number;
  /** WebAssembly memory beyond which a thread is replaced. */
  readonly wasmBytesMax: number;
}

/** An encoder is done with these in tens of milliseconds: until the main thread comes round. */
const rowsAheadDefault = 20_000;

interface Job {
  readonly request: EncoderRequest;
  resolve(result: FlushResult | HotResult): void;
  reject(error: GatewayError): void;
}

interface Thread {
  readonly worker: Worker;
  /** At most one. */
  readonly hot: Job[];
  /** In the order in which they are encoded. */
  readonly flushes: Job[];
  /** Gets no more jobs. */
  leaving: boolean;
}

const jobCount = ({ hot, flushes }: Thread): number => hot.length + flushes.length;

function rowsOf({ request }: Job): number {
  if (request.kind === 'hot') return request.job.to - request.job.from;
  return request.job.sets.reduce((sum, { rows }) => sum + rows.rowCount, 0);
}

export interface EncoderPoolStatus {
  readonly threads: number;
  readonly encoding: number;
  readonly waiting: number;
  readonly threadsLost: number;
}

export class EncoderPool implements Encoder {
  readonly #options: EncoderPoolOptions;
  readonly #threads = new Set<Thread>();
  readonly #hot: Job[] = [];
  readonly #flushes: Job[] = [];
  #threadsLost = 0;
  #closed = false;

  constructor(options: EncoderPoolOptions) {
    this.#options = options;
  }

  /** Resolves when all files of the job are durable. */
  flush(job: FlushJob): Promise<FlushResult> {
    return this.#enqueue(this.#flushes, { kind: 'flush', job }) as Promise<FlushResult>;
  }

  /** Resolves when the chunk can be read; chunks go before flushes. */
  hot(job: HotJob): Promise<HotResult> {
    return this.#enqueue(this.#hot, { kind: 'hot', job }) as Promise<HotResult>;
  }

  /** Starts a thread now, so that the first job does not wait for it. */
  warm(): void {
    if (this.#threads.size === 0) this.#startThread();
  }

  status(): EncoderPoolStatus {
    return {
      threads: this.#threads.size,
      encoding: [...this.#threads].reduce((sum, thread) => sum + jobCount(thread), 0),
      waiting: this.#hot.length + this.#flushes.length,
      threadsLost: this.#threadsLost,
    };
  }

  /** Fails what waits or runs, and resolves when all threads have ended. */
  async close(): Promise<void> {
    this.#closed = true;
    await Promise.all([...this.#threads].map(({ worker }) => worker.terminate()));
    const waiting = [...this.#hot.splice(0), ...this.#flushes.splice(0)];
    for (const job of waiting) job.reject(this.#lost('the encoders are closed'));
  }

  #enqueue(queue: Job[], request: EncoderRequest): Promise<FlushResult | HotResult> {
    if (this.#closed) return Promise.reject(this.#lost('the encoders are closed'));
    if (this.#hot.length + this.#flushes.length >= this.#options.queueMax) {
      const message = `${this.#options.queueMax} jobs wait for the encoders`;
      return Promise.reject(new GatewayError('HF_ENCODER_QUEUE_FULL', message));
    }
    return new Promise((resolve, reject) => {
      queue.push({ request, resolve, reject });
      this.#dispatch();
    });
  }

  #dispatch(): void {
    this.#send('hot', this.#hot);
    this.#send('flush', this.#flushes);
  }

  #send(kind: 'hot' | 'flush', queue: Job[]): void {
    while (queue.length > 0) {
      const thread = this.#idleThread() ?? this.#threadFor(kind);
      const job = thread && queue.shift();
      if (thread === undefined || job === undefined) return;
      (kind === 'hot' ? thread.hot : thread.flushes).push(job);
      // An idle encoder does not keep the process alive; one with a job does.
      thread.worker.ref();
      thread.worker.postMessage(job.request);
    }
  }

  #idleThread(): Thread | undefined {
    for (const thread of this.#threads) {
      if (jobCount(thread) === 0 && !thread.leaving) return thread;
    }
    return this.#threads.size < this.#options.threadsMax ? this.#startThread() : undefined;
  }

  /** A busy thread that can take one more: no stream of hot chunks may starve the flushes. */
  #threadFor(kind: 'hot' | 'flush'): Thread | undefined {
    for (const thread of this.#threads) {
      if (thread.leaving) continue;
      if (kind === 'hot' ? thread.hot.length === 0 : this.#hasRoom(thread)) return thread;
    }
    return undefined;
  }

  #hasRoom({ flushes }: Thread): boolean {
    const { rowsAhead = rowsAheadDefault } = this.#options;
    return flushes.reduce((sum, job) => sum + rowsOf(job), 0) < rowsAhead;
  }

  #startThread(): Thread {
    const { thread: entry, dataDirectory, compression } = this.#options;
    const worker = new Worker(entry, {
      name: 'encoder',
      workerData: { dataDirectory, compression },
    });
    const thread: Thread = { worker, hot: [], flushes: [], leaving: false };
    this.#threads.add(thread);
    worker.unref();
    worker.on('message', (reply: EncoderReply) => {
      this.#answered(thread, reply);
    });
    worker.on('error', (error) => {
      this.#ended(thread, error);
    });
    worker.on('exit', () => {
      this.#ended(thread, undefined);
    });
    return thread;
  }

  #answered(thread: Thread, reply: EncoderReply): void {
    const job = (reply.request === 'hot' ? thread.hot : thread.flushes).shift();
    if (jobCount(thread) === 0) thread.worker.unref();
    if (reply.kind === 'done') job?.resolve(reply.result);
    else job?.reject(fromWire(reply.error));
    if (reply.kind === 'done' && reply.wasmBytes > this.#options.wasmBytesMax) {
      thread.leaving = true;
    }
    const broken = reply.kind === 'failed' && !reply.usable;
    if (broken || (thread.leaving && jobCount(thread) === 0)) {
      this.#retire(thread, broken && reply.request === 'flush');
    }
    this.#dispatch();
  }

  /** Ends a thread that must not get more jobs. */
  #retire(thread: Thread, flushAnswered: boolean): void {
    this.#threads.delete(thread);
    // The flush behind one that broke the thread was not begun.
    if (flushAnswered) this.#takeBack(thread.flushes);
    this.#failJobs(thread, undefined);
    void thread.worker.terminate();
  }

  #ended(thread: Thread, cause: unknown): void {
    if (!this.#threads.delete(thread)) return;
    if (!this.#closed) this.#threadsLost += 1;
    this.#failJobs(thread, cause);
    if (!this.#closed) this.#dispatch();
  }

  #failJobs(thread: Thread, cause: unknown): void {
    const [flush, ...unbegun] = thread.flushes.splice(0);
    this.#takeBack(unbegun);
    for (const job of [...thread.hot.splice(0), ...(flush === undefined ? [] : [flush])]) {
      job.reject(this.#lost('an encoder thread ended', cause));
    }
  }

  /** Flushes that no thread has begun wait again, before all others. */
  #takeBack(jobs: Job[]): void {
    this.#flushes.unshift(...jobs.splice(0));
  }

  #lost(message: string, cause?: unknown): GatewayError {
    return new GatewayError('HF_ENCODER_LOST', message, { cause });
  }
}
