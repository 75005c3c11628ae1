/**
 * A real gateway with a data directory of its own, as a user meets it: started as a process,
 * spoken to over HTTP and the command line, killed or stopped, and cleaned up after the test.
 */
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { globSync, mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { request as httpRequest, type IncomingHttpHeaders } from 'node:http';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { fileURLToPath } from 'node:url';
import process from 'node:process';
import { GatewayClient } from './gateway-client.ts';
import { GatewayProcess, programEnvironment } from './gateway-process.ts';

/** The part of tap's test that is needed here. */
export interface Teardown {
  teardown(call: () => unknown): unknown;
}

export interface HttpRequest {
  readonly method?: string;
  /** Path and query. */
  readonly path: string;
  readonly headers?: Readonly<Record<string, string | string[]>>;
  /** A list of parts goes out chunked, part by part. */
  readonly body?: string | Uint8Array | readonly Uint8Array[];
}

export interface HttpAnswer {
  readonly status: number;
  readonly headers: IncomingHttpHeaders;
  readonly text: string;
}

/** Integers of every width and decimals as bigint, doubles as number. */
export type SqlValue = string | boolean | null | bigint | number;

export interface CommandResult {
  readonly code: number | null;
  readonly out: string;
  readonly err: string;
}

const mainEntry = fileURLToPath(new URL('../../src/main.ts', import.meta.url));

/** An empty directory that is removed when the test ends. */
export function scratchDirectory(t: Teardown): string {
  const directory = mkdtempSync(join(tmpdir(), 'holdfast-gateway-'));
  t.teardown(() => {
    rmSync(directory, { recursive: true, force: true });
  });
  return directory;
}

/** Runs `holdfast WORDS`; for `serve` only where the start is refused. */
export async function runHoldfast(words: readonly string[], input = ''): Promise<CommandResult> {
  const child = spawn(process.execPath, [mainEntry, ...words], {
    env: programEnvironment,
  });
  const parts = { out: '', err: '' };
  child.stdout.setEncoding('utf8').on('data', (text: string) => (parts.out += text));
  child.stderr.setEncoding('utf8').on('data', (text: string) => (parts.err += text));
  child.stdin.on('error', () => undefined);
  child.stdin.end(input);
  // A start that should have been refused must not keep the suite.
  const timer = setTimeout(() => child.kill('SIGKILL'), 30_000);
  await once(child, 'close');
  clearTimeout(timer);
  return { code: child.exitCode, ...parts };
}

/** One request over a connection of its own; rejects if no answer comes. */
export function sendHttp(url: string, request: HttpRequest): Promise<HttpAnswer> {
  const { path, body, headers = {} } = request;
  const method = request.method ?? (body === undefined ? 'GET' : 'POST');
  return new Promise((resolve, reject) => {
    const call = httpRequest(`${url}${path}`, { method, headers, agent: false }, (answer) => {
      let text = '';
      answer.setEncoding('utf8').on('data', (part: string) => (text += part));
      answer.on('error', reject).on('end', () => {
        resolve({ status: answer.statusCode ?? 0, headers: answer.headers, text });
      });
    });
    call.on('error', reject);
    if (Array.isArray(body)) {
      call.setHeader('transfer-encoding', 'chunked');
      for (const part of body as readonly Uint8Array[]) call.write(part);
      call.end();
    } else {
      call.end(body as string | Uint8Array | undefined);
    }
  });
}

export class RealGateway {
  readonly dataDirectory: string;
  readonly #flags: readonly string[];
  #process: GatewayProcess;
  #url = '';

  private constructor(dataDirectory: string, flags: readonly string[], started: GatewayProcess) {
    this.dataDirectory = dataDirectory;
    this.#flags = flags;
    this.#process = started;
  }

  /** Starts one and waits until it takes writes. It is killed when the test ends. */
  static async start(
    t: Teardown,
    flags: readonly string[] = [],
    dataDirectory = scratchDirectory(t),
  ): Promise<RealGateway> {
    const started = GatewayProcess.start({ dataDirectory, flags });
    const gateway = new RealGateway(dataDirectory, flags, started);
    t.teardown(() => gateway.#process.kill());
    gateway.#url = await started.ready();
    return gateway;
  }

  get url(): string {
    return this.#url;
  }

  /** Everything that it logged since its last start. */
  get lines(): readonly string[] {
    return this.#process.lines;
  }

  get hasEnded(): boolean {
    return this.#process.hasEnded;
  }

  async kill(): Promise<void> {
    await this.#process.kill();
  }

  /** SIGTERM; returns the exit code. */
  stop(): Promise<number | null> {
    return this.#process.stop();
  }

  /** Starts again on the same directory, after `kill` or `stop`, and waits until it is ready. */
  async startAgain(flags: readonly string[] = this.#flags): Promise<void> {
    await this.startListening(flags);
    await this.ready();
  }

  /** Starts again and waits until it listens, which may be long before it takes writes. */
  async startListening(flags: readonly string[] = this.#flags): Promise<void> {
    if (!this.hasEnded) throw new Error('it still runs');
    this.#process = GatewayProcess.start({ dataDirectory: this.dataDirectory, flags });
    this.#url = await this.#process.listening();
  }

  /** Resolves when it takes writes. */
  async ready(): Promise<void> {
    await this.#process.ready();
  }

  send(request: HttpRequest): Promise<HttpAnswer> {
    return sendHttp(this.url, request);
  }

  /** Line protocol to `/write`, times in microseconds unless the parameters say otherwise. */
  write(body: HttpRequest['body'], parameters = 'db=d&precision=u'): Promise<HttpAnswer> {
    return this.send({ path: `/write?${parameters}`, body: body ?? '' });
  }

  /** Rows of an answer with exact values. Throws what the gateway answers if it is no success. */
  async select(sql: string): Promise<SqlValue[][]> {
    const { rows, types } = await new GatewayClient(this.url).query(sql);
    return rows.map((cells) =>
      cells.map((cell, column) => {
        if (typeof cell !== 'object' || cell === null) return cell;
        return types[column] === 'DOUBLE' ? Number(cell.text) : BigInt(cell.text);
      }),
    );
  }

  /** The one value of an answer of one row and column. */
  async value(sql: string): Promise<SqlValue> {
    const rows = await this.select(sql);
    const [row] = rows;
    if (rows.length !== 1 || row?.length !== 1) throw new Error(`not one value: ${sql}`);
    return row[0] ?? null;
  }

  async count(table: string): Promise<number> {
    return Number(await this.value(`SELECT count(*) FROM ${table}`));
  }

  /** Answer to a GET, as JSON. */
  async json<T = Record<string, unknown>>(path: string): Promise<T> {
    return JSON.parse((await this.send({ path })).text) as T;
  }

  status(): Promise<StatusAnswer> {
    return this.json<StatusAnswer>('/api/v1/status');
  }

  /** Resolves when no row is in memory only. */
  async filed(): Promise<void> {
    for (;;) {
      if ((await this.status()).buffers.rows_held === 0) return;
      await sleep(20);
    }
  }

  /** Paths of the Parquet files, relative to `data/`. */
  dataFiles(): string[] {
    return globSync('**/*.parquet', { cwd: join(this.dataDirectory, 'data') }).sort();
  }

  /** Runs a client verb against it. */
  command(words: readonly string[], input = ''): Promise<CommandResult> {
    return runHoldfast([...words, '--url', this.url], input);
  }
}

export interface StatusAnswer {
  readonly gateway: { readonly id: string; readonly pid: number; readonly phase: string };
  readonly writes: { readonly accepted: boolean; readonly code?: string };
  readonly recovery: {
    readonly rows: number;
    readonly skipped: number;
    readonly unreadable: number;
    readonly share: number;
  };
  readonly buffers: {
    readonly rows_held: number;
    readonly rows_entered: number;
    readonly rows_filed: number;
    readonly files_filed: number;
    readonly flushes: number;
    readonly bytes: number;
    readonly sizes: Readonly<Record<string, number>>;
  };
  readonly wal: {
    readonly requests: number;
    readonly groups: number;
    readonly segments: number;
    readonly live_bytes: number;
  };
  readonly catalog: { readonly files: number; readonly visible_commit: number };
  readonly queries: { readonly engine_restarts: number };
  readonly disk: { readonly state: string };
  readonly alarms: readonly { readonly id: string; readonly detail: string }[];
}

/** Ids of the query processes of the gateway with that id. */
export function queryChildren(pid: number): number[] {
  const tasks = globSync(`/proc/${pid}/task/*/children`);
  const children = tasks.flatMap((path) => readFileSync(path, 'utf8').trim().split(/\s+/));
  return children
    .filter(
      (child) =>
        child !== '' && readFileSync(`/proc/${child}/cmdline`, 'utf8').includes('query/child'),
    )
    .map(Number);
}
