/**
 * A real InfluxDB 1.6 on loopback to hold the gateway against: the server program of Debian's
 * package, unpacked once into the user's cache folder and never installed, so that no service is
 * started on the machine. Each server has an empty directory of its own.
 */
import { spawn, spawnSync, type ChildProcess } from 'node:child_process';
import { once } from 'node:events';
import { existsSync, globSync, mkdirSync, mkdtempSync, renameSync, rmSync } from 'node:fs';
import { writeFileSync } from 'node:fs';
import { homedir } from 'node:os';
import { join } from 'node:path';
import process from 'node:process';
import { createInterface } from 'node:readline';

const cacheRoot = process.env['XDG_CACHE_HOME'] ?? join(homedir(), '.cache');
const folder = join(cacheRoot, 'holdfast-test', 'influxdb-1.6');
const binary = join(folder, 'usr', 'bin', 'influxd');

/** Returns the path of the server program, fetching it first if need be, or why there is none. */
export function influxdBinary(): { readonly binary: string } | { readonly absent: string } {
  if (existsSync(binary)) return { binary };
  mkdirSync(join(folder, '..'), { recursive: true });
  const fresh = mkdtempSync(`${folder}-`);
  const run = (program: string, words: readonly string[]) => {
    const { status, stderr, error } = spawnSync(program, words, { cwd: fresh, encoding: 'utf8' });
    return status === 0 ? undefined : `${program}: ${error?.message ?? stderr.trim()}`;
  };
  try {
    const fetchIt = () => run('apt-get', ['download', '-qq', 'influxdb']);
    let reason = fetchIt();
    if (reason !== undefined && process.getuid?.() === 0) {
      reason = run('apt-get', ['update', '-qq']) ?? fetchIt();
    }
    const [archive] = globSync('influxdb_*.deb', { cwd: fresh });
    reason ??= archive === undefined ? 'no archive came' : run('dpkg', ['-x', archive, 'unpacked']);
    if (reason !== undefined) return { absent: `influxd of Debian's package influxdb (${reason})` };
    // By rename, so that a second checkout never starts half a program.
    if (!existsSync(binary)) renameSync(join(fresh, 'unpacked'), folder);
  } finally {
    rmSync(fresh, { recursive: true, force: true });
  }
  return { binary };
}

function configuration(directory: string): string {
  return `
reporting-disabled = true
bind-address = "127.0.0.1:0"
[meta]
  dir = "${directory}/meta"
[data]
  dir = "${directory}/data"
  wal-dir = "${directory}/wal"
  query-log-enabled = false
[monitor]
  store-enabled = false
[http]
  bind-address = "127.0.0.1:0"
  log-enabled = false
`;
}

/** One series of an answer: its columns are `time` and the fields. */
export interface InfluxSeries {
  readonly name: string;
  readonly tags?: Readonly<Record<string, string>>;
  readonly columns: readonly string[];
  readonly values: readonly (readonly unknown[])[];
}

interface InfluxAnswer {
  readonly results: readonly {
    readonly series?: readonly InfluxSeries[];
    readonly error?: string;
  }[];
}

/** A number of an answer with the digits that stood there. */
export class InfluxNumber {
  readonly text: string;
  constructor(text: string) {
    this.text = text;
  }
}

function keptDigits(_key: string, value: unknown, context?: { source?: string }): unknown {
  return typeof value === 'number' ? new InfluxNumber(context?.source ?? String(value)) : value;
}

export class InfluxServer {
  readonly url: string;
  readonly #child: ChildProcess;

  private constructor(child: ChildProcess, url: string) {
    this.#child = child;
    this.url = url;
  }

  /** Starts one on the empty `directory`; resolves when it listens. */
  static async start(program: string, directory: string): Promise<InfluxServer> {
    const file = join(directory, 'influxdb.conf');
    writeFileSync(file, configuration(directory));
    const child = spawn(program, ['run', '-config', file], { stdio: ['ignore', 'ignore', 'pipe'] });
    const killLast = (): void => {
      child.kill('SIGKILL');
    };
    process.once('exit', killLast);
    const lines: string[] = [];
    const listening = Promise.withResolvers<string>();
    createInterface({ input: child.stderr }).on('line', (line) => {
      lines.push(line);
      const address = /msg="Listening on HTTP".* addr=(\S+)/.exec(line)?.[1];
      if (address !== undefined) listening.resolve(`http://${address}`);
    });
    child.once('exit', () => {
      process.off('exit', killLast);
      listening.reject(new Error(`influxd ended: ${lines.slice(-5).join('\n')}`));
    });
    return new InfluxServer(child, await listening.promise);
  }

  async stop(): Promise<void> {
    if (this.#child.exitCode !== null || this.#child.signalCode !== null) return;
    const ended = once(this.#child, 'exit');
    this.#child.kill('SIGKILL');
    await ended;
  }

  /** Status and text of the answer to a write. */
  async write(
    database: string,
    precision: string,
    body: string,
  ): Promise<{ readonly status: number; readonly text: string }> {
    const target = new URLSearchParams({ db: database, precision });
    const answer = await fetch(`${this.url}/write?${target}`, { method: 'POST', body });
    return { status: answer.status, text: await answer.text() };
  }

  /** Series of a statement's answer. Throws what the server says if it is no success. */
  async query(statement: string, database = ''): Promise<readonly InfluxSeries[]> {
    const form = new URLSearchParams({ q: statement, db: database, epoch: 'ns' });
    const answer = await fetch(`${this.url}/query`, { method: 'POST', body: form });
    const text = await answer.text();
    const { results = [] } = JSON.parse(text, keptDigits) as Partial<InfluxAnswer>;
    const [result] = results;
    if (result === undefined || result.error !== undefined)
      throw new Error(`${statement}: ${text}`);
    return result.series ?? [];
  }
}
