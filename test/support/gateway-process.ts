/**
 * A gateway in a process of its own, as a test starts, kills and stops it. By default it is the
 * product's `serve`; a suite that plants faults gives an entry of its own.
 */
import { spawn, type ChildProcess } from 'node:child_process';
import { once } from 'node:events';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { createInterface } from 'node:readline';
import { setTimeout as sleep } from 'node:timers/promises';
import { fileURLToPath } from 'node:url';
import process from 'node:process';

const productEntry = fileURLToPath(new URL('../../src/main.ts', import.meta.url));

/**
 * Environment of programs that tests start. Compiled code is kept between starts, which halves the
 * time of a start.
 */
export const programEnvironment = {
  PATH: process.env['PATH'],
  NODE_COMPILE_CACHE: join(tmpdir(), 'holdfast-compile-cache'),
} as const;

export interface GatewayProcessOptions {
  readonly dataDirectory: string;
  /** 0 (the default) takes any free port. */
  readonly port?: number;
  /** Further flags of `serve`. */
  readonly flags?: readonly string[];
  /** Path of the program that takes the words of `serve`; default the product's. */
  readonly entry?: string;
  readonly environment?: Readonly<Record<string, string>>;
}

export class GatewayProcess {
  readonly #child: ChildProcess;
  readonly #lines: string[] = [];
  readonly #exited: Promise<unknown>;
  readonly #listening = Promise.withResolvers<string>();

  private constructor(child: ChildProcess) {
    this.#child = child;
    this.#exited = once(child, 'exit');
    if (child.stdout !== null) {
      createInterface({ input: child.stdout }).on('line', (line) => {
        this.#lines.push(line);
        const url = /"url":"([^"]+)"/.exec(line)?.[1];
        if (url !== undefined) this.#listening.resolve(url);
      });
    }
    // A test that is ended by its time limit must not leave gateways behind.
    const killLast = (): void => {
      child.kill('SIGKILL');
    };
    process.once('exit', killLast);
    void this.#exited.then(() => {
      process.off('exit', killLast);
      this.#listening.reject(new Error(`the gateway ended: ${this.lastLines()}`));
    });
    this.#listening.promise.catch(() => undefined);
  }

  /** Starts a gateway; does not wait for it. */
  static start(options: GatewayProcessOptions): GatewayProcess {
    const { dataDirectory, port = 0, flags = [], entry = productEntry } = options;
    const words = ['serve', '--data-dir', dataDirectory, '--listen', `127.0.0.1:${port}`];
    const child = spawn(process.execPath, [entry, ...words, ...flags], {
      stdio: ['ignore', 'pipe', 'inherit'],
      env: { ...programEnvironment, ...options.environment },
    });
    return new GatewayProcess(child);
  }

  /** Everything that it logged so far. */
  get lines(): readonly string[] {
    return this.#lines;
  }

  get hasEnded(): boolean {
    return this.#child.exitCode !== null || this.#child.signalCode !== null;
  }

  get exitCode(): number | null {
    return this.#child.exitCode;
  }

  lastLines(): string {
    return this.#lines.slice(-5).join('\n');
  }

  /** Resolves with the base URL once it listens (logged at level info); rejects if it ends. */
  listening(): Promise<string> {
    return this.#listening.promise;
  }

  /** Resolves with the base URL once writes are accepted. */
  async ready(): Promise<string> {
    const url = await this.listening();
    for (;;) {
      if (this.hasEnded) throw new Error(`the gateway ended: ${this.lastLines()}`);
      const answer = await fetch(`${url}/ready`).catch(() => undefined);
      await answer?.arrayBuffer();
      if (answer?.status === 200) return url;
      await sleep(20);
    }
  }

  /** Resolves when it has ended, whatever ended it. */
  async ended(): Promise<void> {
    await this.#exited;
  }

  /** SIGKILL: as if the process had met the power cut alone. */
  async kill(): Promise<void> {
    if (!this.hasEnded) this.#child.kill('SIGKILL');
    await this.#exited;
  }

  /** SIGTERM; returns the exit code. */
  async stop(): Promise<number | null> {
    if (!this.hasEnded) this.#child.kill('SIGTERM');
    await this.#exited;
    return this.#child.exitCode;
  }
}
