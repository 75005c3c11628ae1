/**
 * Runs one target for a while, on a thread of its own, and watches it from outside: a case that
 * does not end, memory without end, and a thread that dies are seen from here. The cases follow
 * from the seed alone; how many there are follows from the time.
 */
import { readFileSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { Worker } from 'node:worker_threads';
import { fileURLToPath } from 'node:url';

/** Inputs that are always run first, as base64: old findings, and what led to other outcomes. */
export interface KeptInput {
  readonly what: string;
  readonly bytes: string;
}

export interface FuzzTask {
  /** Name of the target in test/support/fuzz/targets.ts, or of a planted bug. */
  readonly target: string;
  /** Name of its kept inputs, if it is another. */
  readonly fixtures?: string;
  readonly seed: number;
  /** For so long new cases are begun; the kept inputs are run in any case. */
  readonly budgetMs: number;
  /** A case that takes longer hangs. */
  readonly caseMsMax?: number;
  readonly casesMax?: number;
}

export interface FuzzReport {
  readonly cases: number;
  readonly outcomes: number;
  /** What went wrong, and the input that it was. */
  readonly failure: { readonly message: string; readonly input: Uint8Array } | undefined;
  /** Inputs whose outcome was new. */
  readonly found: readonly { readonly outcome: string; readonly input: Uint8Array }[];
}

export type FromFuzzer =
  | { readonly done: { readonly cases: number; readonly outcomes: number } }
  | { readonly failed: string; readonly input: Uint8Array; readonly cases: number }
  | { readonly outcome: string; readonly input: Uint8Array };

export interface FuzzerStart extends FuzzTask {
  readonly kept: readonly Uint8Array[];
  /** Number of the case, its length, and the input that is being run. */
  readonly beat: Int32Array;
  readonly input: Uint8Array;
}

/** Much more than any case needs, on any machine. */
const caseMsMaxDefault = 30_000;
const inputBytesMax = 4 * 1024 * 1024;
const heapMib = 1024;
/** What the process may grow by, memory outside of the heap included. */
const grownBytesMax = 2 * 1024 * 1024 * 1024;

export function keptInputs(target: string): readonly KeptInput[] {
  const path = fileURLToPath(new URL(`../../fixtures/fuzz/${target}.json`, import.meta.url));
  return JSON.parse(readFileSync(path, 'utf8')) as readonly KeptInput[];
}

export function fuzz(task: FuzzTask): Promise<FuzzReport> {
  const beat = new Int32Array(new SharedArrayBuffer(8));
  const input = new Uint8Array(new SharedArrayBuffer(inputBytesMax));
  const kept = keptInputs(task.fixtures ?? task.target).map(({ bytes }) =>
    Uint8Array.from(Buffer.from(bytes, 'base64')),
  );
  const start: FuzzerStart = { ...task, kept, beat, input };
  const worker = new Worker(new URL('./fuzz-thread.ts', import.meta.url), {
    workerData: start,
    resourceLimits: { maxOldGenerationSizeMb: heapMib },
  });
  const found: { outcome: string; input: Uint8Array }[] = [];
  const running = () => input.slice(0, Atomics.load(beat, 1));
  return new Promise((resolve) => {
    const rssBefore = process.memoryUsage.rss();
    let caseSeen = -1;
    let sinceMs = performance.now();
    const finish = (report: Omit<FuzzReport, 'found'>) => {
      clearInterval(timer);
      void worker.terminate().then(() => {
        resolve({ ...report, found });
      });
    };
    const fail = (message: string, bytes: Uint8Array) => {
      finish({ cases: Atomics.load(beat, 0), outcomes: 0, failure: { message, input: bytes } });
    };
    const timer = setInterval(() => {
      const now = Atomics.load(beat, 0);
      if (now !== caseSeen) sinceMs = performance.now();
      caseSeen = now;
      const ms = performance.now() - sinceMs;
      const grown = process.memoryUsage.rss() - rssBefore;
      if (grown > grownBytesMax) fail('it takes too much memory', running());
      else if (ms > (task.caseMsMax ?? caseMsMaxDefault)) fail('it does not end', running());
    }, 100);
    worker.on('error', (error) => {
      fail(`the thread died: ${String(error)}`, running());
    });
    worker.on('message', (message: FromFuzzer) => {
      if ('outcome' in message) found.push(message);
      else if ('failed' in message) fail(message.failed, message.input);
      else finish({ ...message.done, failure: undefined });
    });
  });
}

/** Keeps a failing input outside of the tree and says where. */
export function savedInput(target: string, input: Uint8Array): string {
  const path = join(tmpdir(), `holdfast-fuzz-${target}-${process.pid}.bin`);
  writeFileSync(path, input);
  const shown = input.length > 3000 ? '' : `: ${Buffer.from(input).toString('base64')}`;
  return `${path}${shown}`;
}
