/**
 * The query process as the main process sees it: started, niced, restarted with back-off when it
 * ends, and reached by HTTP on a UNIX socket. Nothing is kept here for a dead process: whoever
 * listens to `onReady` fills the next one. Main thread.
 *
 * The process holds a pipe from here and ends when it closes, so it cannot outlive the gateway.
 */
import { spawn, type ChildProcess } from 'node:child_process';
import { Agent, request as httpRequest, type IncomingMessage } from 'node:http';
import { setPriority } from 'node:os';
import { join } from 'node:path';
import { pipeline } from 'node:stream';
import type { Readable } from 'node:stream';
import { setTimeout as sleep } from 'node:timers/promises';
import { fileURLToPath } from 'node:url';
import type { Files } from '../base/disk/files.ts';
import { socketPathFrom } from '../base/disk/socket-path.ts';
import { fromWire, GatewayError, type WireError } from '../base/errors/gateway-error.ts';
import type { Clock } from '../base/lib/clock.ts';
import { abortError, orAborted } from './abort-error.ts';
import type { EngineOptions } from './child/wire.ts';
import { RestartDelay } from './restart-delay.ts';

export interface EngineProcessOptions {
  /** Module that the process runs: `child/main.ts`. */
  readonly entry: URL;
  /** Exists; sockets lie in it. The configuration sees to it that their names are not too long. */
  readonly runtimeDirectory: string;
  readonly engine: Omit<EngineOptions, 'socketPath'>;
  /** Queries that may run at a time: each may hold a thread of the process's pool. */
  readonly poolSize: number;
}

export interface EngineProcessDependencies {
  readonly files: Files;
  readonly clock: Clock;
}

export interface EngineStatus {
  readonly state: 'starting' | 'ready' | 'down' | 'closed';
  readonly processId: number | undefined;
  readonly restarts: number;
  /** Between the end of the last process that ended and the start of its successor. */
  readonly restartDelayMs: number;
  /** Last lines that the last process to end wrote on its standard error. */
  readonly lastWords: string;
}

const niceness = 10;
const lastWordsLength = 2000;
/** How long a process may take to end by itself at the close. */
const closeWithinMs = 2000;
/** After so many processes in a row that never listened, requests do not wait for the next. */
const failedStartsMax = 3;
/** How long after its sockets broke a process may take to end. */
const exitWithinMs = 1000;
const unhurried = { ref: false } as const;

export class EngineProcess {
  readonly #deps: EngineProcessDependencies;
  readonly #options: EngineProcessOptions;
  readonly #agent = new Agent({ keepAlive: true, maxSockets: Infinity });
  readonly #readyListeners: (() => void)[] = [];
  readonly #endListeners: ((lastWords: string) => void)[] = [];
  #ready = quietly(Promise.withResolvers<undefined>());
  #exited = Promise.withResolvers<undefined>();
  #state: EngineStatus['state'] = 'down';
  #child: ChildProcess | undefined;
  #socketPath = '';
  #starts = 0;
  readonly #restartDelay = new RestartDelay();
  #restartDelayMs = 0;
  #failedStarts = 0;
  /** True if the process has begun to answer a query. */
  #hasAnswered = false;
  #startedMs = 0;
  #lastWords = '';
  #retry: NodeJS.Timeout | undefined;

  constructor(deps: EngineProcessDependencies, options: EngineProcessOptions) {
    this.#deps = deps;
    this.#options = options;
  }

  /** Called each time that a new process listens; it knows nothing then. */
  onReady(listener: () => void): void {
    this.#readyListeners.push(listener);
  }

  /** Called when a process ended though nobody asked it to. */
  onEnd(listener: (lastWords: string) => void): void {
    this.#endListeners.push(listener);
  }

  start(): void {
    this.#spawn();
  }

  status(): EngineStatus {
    return {
      state: this.#state,
      processId: this.#child?.pid,
      restarts: Math.max(0, this.#starts - 1),
      restartDelayMs: this.#restartDelayMs,
      lastWords: this.#lastWords,
    };
  }

  /**
   * Sends a request once the process listens; resolves with an answer of status 200.
   * @throws HF_QUERY_ENGINE_DOWN if the process is lost; the error that it answered with; the
   * signal's reason.
   */
  async request(
    method: 'GET' | 'POST',
    path: string,
    body: string | Readable,
    signal: AbortSignal,
  ): Promise<IncomingMessage> {
    if (this.#failedStarts >= failedStartsMax && this.#state !== 'ready') {
      throw new GatewayError('HF_QUERY_ENGINE_DOWN', 'the query process does not start');
    }
    await orAborted(this.#ready.promise, signal);
    const process = this.#exited.promise;
    const answer = await this.#send(method, path, body, signal).catch(async (error: unknown) => {
      // A socket breaks before the exit is known; who tries again must not meet the dead process.
      if (!signal.aborted) await Promise.race([process, sleep(exitWithinMs, undefined, unhurried)]);
      throw error;
    });
    if (answer.statusCode === 200) {
      if (path === '/run' && process === this.#exited.promise) this.#hasAnswered = true;
      return answer;
    }
    const wire = JSON.parse(await readText(answer)) as WireError;
    throw signal.aborted ? abortError(signal) : fromWire(wire);
  }

  /** Like `request`, with the JSON value of the answer. */
  async requestJson(path: string, body: string | Readable, signal: AbortSignal): Promise<unknown> {
    const answer = await this.request('POST', path, body, signal);
    try {
      return JSON.parse(await readText(answer));
    } catch (error) {
      throw signal.aborted ? abortError(signal) : lost(error);
    }
  }

  #send(
    method: string,
    path: string,
    body: string | Readable,
    signal: AbortSignal,
  ): Promise<IncomingMessage> {
    if (signal.aborted) return Promise.reject(abortError(signal));
    // Sending may throw at once, on a request that is broken already: then nobody gets the promise,
    // and its rejection by the error that follows must not end the gateway.
    const { promise, resolve, reject } = quietly(Promise.withResolvers<IncomingMessage>());
    const outgoing = httpRequest({
      socketPath: socketPathFrom(process.cwd(), this.#socketPath),
      agent: this.#agent,
      method,
      path,
      signal,
    });
    outgoing.on('response', resolve);
    outgoing.on('error', (error) => {
      reject(signal.aborted ? abortError(signal) : lost(error));
    });
    if (typeof body === 'string') outgoing.end(body);
    else pipeline(body, outgoing, () => undefined);
    return promise;
  }

  #spawn(): void {
    this.#starts += 1;
    this.#state = 'starting';
    this.#hasAnswered = false;
    this.#startedMs = this.#deps.clock.monotonicMs();
    this.#removeSpilled();
    const name = `query-${String(process.pid)}-${String(this.#starts)}.sock`;
    this.#socketPath = join(this.#options.runtimeDirectory, name);
    const options: EngineOptions = { ...this.#options.engine, socketPath: name };
    const entry = fileURLToPath(this.#options.entry);
    const child = spawn(process.execPath, [entry, JSON.stringify(options)], {
      stdio: ['pipe', 'pipe', 'pipe'],
      cwd: this.#options.runtimeDirectory,
      // Nothing of the gateway's environment is the query process's business. Running queries may
      // each hold a thread of the pool; parsing needs one that is free.
      env: { TZ: 'UTC', UV_THREADPOOL_SIZE: String(this.#options.poolSize + 4) },
    });
    this.#child = child;
    this.#exited = Promise.withResolvers<undefined>();
    let words = '';
    child.stderr.setEncoding('utf8').on('data', (text: string) => {
      words = (words + text).slice(-lastWordsLength);
    });
    child.stdin.on('error', () => undefined);
    child.stdout.once('data', () => {
      this.#listening(child);
    });
    child.once('error', (error) => {
      this.#ended(child, error.message);
    });
    child.once('exit', () => {
      this.#ended(child, words);
    });
    this.#lowerPriority(child);
  }

  /** Files of a process that was killed stay behind. */
  #removeSpilled(): void {
    const { spillDirectory } = this.#options.engine;
    for (const name of this.#deps.files.list(spillDirectory)) {
      if (name.startsWith('duckdb_temp')) this.#deps.files.unlink(join(spillDirectory, name));
    }
  }

  /** Set before the process has threads, so that all of them inherit it. */
  #lowerPriority(child: ChildProcess): void {
    if (child.pid === undefined) return;
    try {
      setPriority(child.pid, niceness);
    } catch {
      // It ended already, which its exit event reports.
    }
  }

  #listening(child: ChildProcess): void {
    if (child !== this.#child || this.#state !== 'starting') return;
    this.#state = 'ready';
    this.#failedStarts = 0;
    this.#ready.resolve(undefined);
    for (const listener of this.#readyListeners) listener();
  }

  #ended(child: ChildProcess, words: string): void {
    if (child !== this.#child) return;
    this.#child = undefined;
    this.#exited.resolve(undefined);
    this.#lastWords = words.trim();
    this.#deps.files.unlink(this.#socketPath);
    if (this.#state === 'closed') return;
    const wasReady = this.#state === 'ready';
    if (wasReady) this.#ready = quietly(Promise.withResolvers<undefined>());
    else this.#failedStarts += 1;
    this.#state = 'down';
    const livedMs = this.#deps.clock.monotonicMs() - this.#startedMs;
    const life = { wasReady, hasAnswered: this.#hasAnswered, livedMs };
    this.#restartDelayMs = this.#restartDelay.after(life);
    for (const listener of this.#endListeners) listener(this.#lastWords);
    this.#retry = setTimeout(() => {
      this.#spawn();
    }, this.#restartDelayMs);
  }

  /** Those that wait and those that come. */
  #refuseRequests(): void {
    const stopping = new GatewayError('HF_SHUTTING_DOWN', 'the gateway is stopping');
    this.#ready.reject(stopping);
    this.#ready = quietly(Promise.withResolvers<undefined>());
    this.#ready.reject(stopping);
  }

  /** Resolves when the process has ended. Queries that still run are lost. */
  async close(): Promise<void> {
    clearTimeout(this.#retry);
    const child = this.#child;
    this.#state = 'closed';
    this.#refuseRequests();
    this.#agent.destroy();
    if (child === undefined) return;
    const ended = new Promise<void>((resolve) => {
      child.once('exit', () => {
        resolve();
      });
      child.once('error', () => {
        resolve();
      });
    });
    const kill = setTimeout(() => child.kill('SIGKILL'), closeWithinMs);
    child.stdin?.end();
    await ended;
    clearTimeout(kill);
  }
}

/** Rejecting it while nobody waits is no error. */
function quietly<T>(resolvers: PromiseWithResolvers<T>): PromiseWithResolvers<T> {
  resolvers.promise.catch(() => undefined);
  return resolvers;
}

function lost(cause: unknown): GatewayError {
  return new GatewayError('HF_QUERY_ENGINE_DOWN', 'the query process was lost', { cause });
}

async function readText(answer: IncomingMessage): Promise<string> {
  const chunks: Buffer[] = [];
  try {
    for await (const chunk of answer) chunks.push(chunk as Buffer);
  } catch (error) {
    throw lost(error);
  }
  return Buffer.concat(chunks).toString('utf8');
}
