/** A gateway process of its own, as the benches start, ask and stop it. */
import { spawn, type ChildProcess } from 'node:child_process';
import { mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { fileURLToPath } from 'node:url';
import { durationCounts, type DurationCounts } from './duration-counts.ts';

export interface SubjectOptions {
  readonly port: number;
  /** Data directory; a fresh one that goes with the subject if there is none. */
  readonly directory?: string;
  /** Where the fresh one is made; the system's directory for temporary files if not given. */
  readonly parent?: string;
  /** Options of `serve` beyond the defaults. */
  readonly settings?: readonly string[];
  /** Options of Node, to profile it. */
  readonly nodeOptions?: readonly string[];
}

/** What the benches read of the status. */
export interface SubjectStatus {
  readonly buffers: { readonly bytes: number; readonly bytes_max: number };
  readonly catalog: { readonly files: number };
}

const readyPollMs = 10;

/** What a start gives the gateway to keep its memory small. */
const memoryFile = new URL('../src/fronts/cli/gateway-memory.json', import.meta.url);
const memory = JSON.parse(readFileSync(memoryFile, 'utf8')) as {
  readonly node: readonly string[];
  readonly environment: Readonly<Record<string, string>>;
};

/** The environment without anything that would change a setting. */
function defaultsOnly(environment: NodeJS.ProcessEnv): NodeJS.ProcessEnv {
  const foreign = /^(HOLDFAST_|ARC_|WRITE_|NODE_OPTIONS)/u;
  return Object.fromEntries(Object.entries(environment).filter(([name]) => !foreign.test(name)));
}

export class Subject {
  readonly url: string;
  readonly directory: string;
  readonly #keeps: boolean;
  readonly #process: ChildProcess;

  constructor(options: SubjectOptions) {
    const { port, directory, parent = tmpdir(), settings = [], nodeOptions = [] } = options;
    this.url = `http://127.0.0.1:${port}`;
    this.#keeps = directory !== undefined;
    this.directory = directory ?? mkdtempSync(join(parent, 'holdfast-bench-'));
    const main = fileURLToPath(new URL('../src/main.ts', import.meta.url));
    const args = ['serve', '--data-dir', this.directory, '--listen', `127.0.0.1:${port}`];
    this.#process = spawn(
      process.execPath,
      [...memory.node, ...nodeOptions, main, ...args, ...settings],
      {
        stdio: ['ignore', 'ignore', 'inherit'],
        env: { ...memory.environment, ...defaultsOnly(process.env) },
      },
    );
  }

  get pid(): number {
    return this.#process.pid ?? 0;
  }

  /** Resolves when writes are taken. */
  async ready(): Promise<void> {
    for (let attempt = 0; attempt < 30_000; attempt++) {
      if (this.#process.exitCode !== null) break;
      const answer = await fetch(`${this.url}/ready`).catch(() => undefined);
      await answer?.arrayBuffer();
      if (answer?.status === 200) return;
      await sleep(readyPollMs);
    }
    throw new Error('the gateway did not become ready');
  }

  async count(measurement: string): Promise<number> {
    const answer = await fetch(`${this.url}/api/v1/query`, {
      method: 'POST',
      headers: { 'content-type': 'application/json', 'x-arc-database': 'bench' },
      body: JSON.stringify({ sql: `SELECT count(*) FROM ${measurement}` }),
    });
    const result = (await answer.json()) as { data: number[][]; error?: string };
    if (result.error !== undefined) throw new Error(result.error);
    return result.data[0]?.[0] ?? 0;
  }

  /** Resolves when no row is left in a buffer. */
  async settled(): Promise<void> {
    for (;;) {
      const answer = await fetch(`${this.url}/api/monitoring/buffer`);
      const buffer = (await answer.json()) as { current_records_buffered: number };
      if (buffer.current_records_buffered === 0) return;
      await sleep(250);
    }
  }

  /** The answer of `/api/v1/status`. */
  async status(): Promise<SubjectStatus> {
    const answer = await fetch(`${this.url}/api/v1/status`);
    return (await answer.json()) as SubjectStatus;
  }

  /** Durations of the log's syncs since the start. */
  async syncs(): Promise<DurationCounts> {
    const answer = await fetch(`${this.url}/metrics`);
    return durationCounts(await answer.text(), 'holdfast_wal_sync_seconds');
  }

  /** Ends the process by `signal` and resolves when it is gone. */
  async stop(signal: NodeJS.Signals = 'SIGTERM'): Promise<void> {
    const ended = new Promise((resolve) => this.#process.once('exit', resolve));
    this.#process.kill(signal);
    await ended;
    if (!this.#keeps) rmSync(this.directory, { recursive: true, force: true });
  }
}
