/**
 * The encoder threads as the main thread sees them. Jobs wait in a bounded queue, hot chunks before
 * flushes because a query waits for them; if all threads are at a flush, a hot chunk goes to one of
 * them all the same and is encoded between two files. A thread that dies fails the jobs it had and
 * is replaced when the next job needs it; one whose WebAssembly memory has grown large is replaced
 * after its job, since that memory never shrinks.
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
  /** Jobs that wait, those being encoded not counted. */
  readonly queueMax: number;
  /** WebAssembly memory beyond which a thread is replaced. */
  readonly wasmBytesMax: number;
}

interface Job {
  readonly request: EncoderRequest;
  resolve(result: FlushResult | HotResult): void;
  reject(error: GatewayError): void;
}

interface Thread {
  readonly worker: Worker;
  /** At most one of each kind. */
  readonly jobs: Map<EncoderRequest['kind'], Job>;
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
      encoding: [...this.#threads].reduce((sum, { jobs }) => sum + jobs.size, 0),
      waiting: this.#hot.length + this.#flushes.length,
      threadsLost: this.#threadsLost,
    };
  }

  /** Fails what waits or runs, and resolves when all threads have ended. */
  async close(): Promise<void> {
    this.#closed = true;
    const waiting = [...this.#hot.splice(0), ...this.#flushes.splice(0)];
    for (const job of waiting) job.reject(this.#lost('the encoders are closed'));
    await Promise.all([...this.#threads].map(({ worker }) => worker.terminate()));
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

  #send(kind: EncoderRequest['kind'], queue: Job[]): void {
    while (queue.length > 0) {
      const thread = this.#idleThread() ?? this.#threadWithout(kind);
      const job = thread && queue.shift();
      if (thread === undefined || job === undefined) return;
      thread.jobs.set(kind, job);
      // An idle encoder does not keep the process alive; one with a job does.
      thread.worker.ref();
      thread.worker.postMessage(job.request);
    }
  }

  #idleThread(): Thread | undefined {
    for (const thread of this.#threads) if (thread.jobs.size === 0) return thread;
    return this.#threads.size < this.#options.threadsMax ? this.#startThread() : undefined;
  }

  /** A thread at work on the other kind: no stream of hot chunks may starve the flushes. */
  #threadWithout(kind: EncoderRequest['kind']): Thread | undefined {
    for (const thread of this.#threads) if (!thread.jobs.has(kind)) return thread;
    return undefined;
  }

  #startThread(): Thread {
    const { thread: entry, dataDirectory, compression } = this.#options;
    const worker = new Worker(entry, { workerData: { dataDirectory, compression } });
    const thread: Thread = { worker, jobs: new Map() };
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
    const job = thread.jobs.get(reply.request);
    thread.jobs.delete(reply.request);
    if (thread.jobs.size === 0) thread.worker.unref();
    if (reply.kind === 'done') job?.resolve(reply.result);
    else job?.reject(fromWire(reply.error));
    const tooLarge = reply.kind === 'done' && reply.wasmBytes > this.#options.wasmBytesMax;
    const broken = reply.kind === 'failed' && !reply.usable;
    if (broken || (tooLarge && thread.jobs.size === 0)) this.#retire(thread);
    this.#dispatch();
  }

  /** Ends a thread that must not get more jobs; one that it still has fails. */
  #retire(thread: Thread): void {
    this.#threads.delete(thread);
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
    for (const job of thread.jobs.values())
      job.reject(this.#lost('an encoder thread ended', cause));
    thread.jobs.clear();
  }

  #lost(message: string, cause?: unknown): GatewayError {
    return new GatewayError('HF_ENCODER_LOST', message, { cause });
  }
}
