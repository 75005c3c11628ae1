/** The load maker (driver.ts) as the benches start, command and end it. */
import { fork, type ChildProcess } from 'node:child_process';
import { fileURLToPath } from 'node:url';
import type { DriverCommand, DriverResult, DriverSettings } from './driver.ts';

export class Load {
  readonly #process: ChildProcess;
  readonly #lost = Promise.withResolvers<never>();

  constructor(settings: DriverSettings) {
    const path = fileURLToPath(new URL('driver.ts', import.meta.url));
    this.#process = fork(path, [JSON.stringify(settings)]);
    this.#process.once('exit', () => {
      this.#lost.reject(new Error('the load maker ended'));
    });
    this.#lost.promise.catch(() => undefined);
  }

  /** Resolves when all bodies are prepared. */
  async ready(): Promise<void> {
    await this.#answer();
  }

  /** One load at a time. */
  send(command: DriverCommand): Promise<DriverResult> {
    this.#process.send(command);
    return this.#answer() as Promise<DriverResult>;
  }

  stop(): void {
    this.#process.kill();
  }

  #answer(): Promise<unknown> {
    const answer = new Promise((resolve) => this.#process.once('message', resolve));
    return Promise.race([answer, this.#lost.promise]);
  }
}
