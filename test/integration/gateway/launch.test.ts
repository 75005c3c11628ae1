/**
 * The ways to start a gateway: `holdfast serve` on the pinned Node and on an older one, and
 * `npm start`. All of them give it the same memory settings and end as it ends.
 */
import { type ChildProcess, spawn, spawnSync } from 'node:child_process';
import { once } from 'node:events';
import { readFileSync } from 'node:fs';
import process from 'node:process';
import { createInterface } from 'node:readline';
import { Readable } from 'node:stream';
import { text } from 'node:stream/consumers';
import { setTimeout as sleep } from 'node:timers/promises';
import { fileURLToPath } from 'node:url';
import t, { type Test } from 'tap';
import { programEnvironment } from '../../support/gateway-process.ts';
import { scratchDirectory } from '../../support/real-gateway.ts';

t.setTimeout(120_000);

const root = fileURLToPath(new URL('../../../', import.meta.url));
const bin = `${root}src/fronts/cli/bin.mjs`;
const memory = JSON.parse(readFileSync(`${root}src/fronts/cli/gateway-memory.json`, 'utf8')) as {
  readonly node: readonly string[];
  readonly environment: Readonly<Record<string, string>>;
};
const setUp = (await import(
  new URL('../../../provisioning/checkout/install.mjs', import.meta.url).href
)) as { isInstalled(): boolean };

function majorOf(node: string): number {
  const { stdout } = spawnSync(node, ['--version'], { encoding: 'utf8' });
  return Number(/^v(\d+)/.exec(stdout ?? '')?.[1] ?? 0);
}

interface Way {
  readonly title: string;
  readonly command: readonly string[];
  readonly skip?: string | false;
}

const olderNode = ['/usr/bin/node', '/usr/local/bin/node'].find((path) => {
  const major = majorOf(path);
  return major >= 18 && major < 24;
});
const ways: readonly Way[] = [
  { title: 'holdfast serve', command: [process.execPath, bin, 'serve'] },
  // Where the system has no older Node, as on a machine that has this one only, nobody meets it.
  ...(olderNode === undefined
    ? []
    : [{ title: 'holdfast serve by an older Node', command: [olderNode, bin, 'serve'] }]),
  {
    title: 'npm start',
    command: ['npm', 'start', '--'],
    skip: !setUp.isInstalled() && 'npm start would install the packages anew first',
  },
];

const npx: Way = { title: 'npx', command: ['npx', '--no', '--', 'holdfast', 'serve'] };

function start(t: Test, way: Way, directory: string, environment = {}): ChildProcess {
  const [program = '', ...words] = way.command;
  const child = spawn(program, [...words, '--data-dir', directory, '--listen', '127.0.0.1:0'], {
    cwd: root,
    stdio: ['ignore', 'pipe', 'inherit'],
    env: { ...programEnvironment, HOME: process.env['HOME'], ...environment },
  });
  t.teardown(() => child.kill('SIGKILL'));
  return child;
}

/** The process id that its log names. */
function gatewayId(child: ChildProcess): Promise<number> {
  return new Promise((resolve, reject) => {
    if (child.stdout === null) throw new Error('its output is not read');
    createInterface({ input: child.stdout }).on('line', (line) => {
      const pid = /"pid":(\d+)/.exec(line)?.[1];
      if (pid !== undefined) resolve(Number(pid));
    });
    child.once('exit', (code) => {
      reject(new Error(`it ended with ${code}`));
    });
  });
}

function isAlive(pid: number): boolean {
  try {
    return !/^State:\tZ/m.test(readFileSync(`/proc/${pid}/status`, 'utf8'));
  } catch {
    return false;
  }
}

for (const way of ways) {
  void t.test(`${way.title}: memory settings, signals, exit codes`, way, async (t) => {
    const directory = scratchDirectory(t);
    const child = start(t, way, directory, { MALLOC_ARENA_MAX: '2' });
    const pid = await gatewayId(child);
    t.teardown(() => isAlive(pid) && process.kill(pid, 'SIGKILL'));
    const words = readFileSync(`/proc/${pid}/cmdline`, 'utf8').split('\0');
    for (const option of memory.node) t.ok(words.includes(option), option);
    const environment = readFileSync(`/proc/${pid}/environ`, 'utf8').split('\0');
    for (const [name, value] of Object.entries({ ...memory.environment, MALLOC_ARENA_MAX: '2' })) {
      t.ok(environment.includes(`${name}=${value}`), `${name}=${value}`);
    }

    const second = start(t, way, directory);
    second.stdout?.resume();
    t.strictSame(await once(second, 'exit'), [75, null], 'its exit code, when the place is taken');

    const ended = once(child, 'exit');
    child.kill('SIGTERM');
    t.strictSame(await ended, [0, null], 'SIGTERM');
    t.notOk(isAlive(pid), 'no gateway is left behind');
  });
}

void t.test('holdfast serve is the gateway itself, so that SIGKILL ends that', async (t) => {
  const [way] = ways;
  if (way === undefined) throw new Error('no way');
  const child = start(t, way, scratchDirectory(t));
  t.equal(await gatewayId(child), child.pid);
});

void t.test('a gateway that npx started ends when npx is ended', async (t) => {
  const directory = scratchDirectory(t);
  const child = start(t, npx, directory);
  const pid = await gatewayId(child);
  t.teardown(() => isAlive(pid) && process.kill(pid, 'SIGKILL'));
  const second = start(t, npx, directory);
  second.stdout?.resume();
  t.strictSame(await once(second, 'exit'), [75, null], 'its exit code');
  const log = text(child.stdout ?? Readable.from([]));
  const ended = once(child, 'exit');
  child.kill('SIGTERM');
  await ended;
  while (isAlive(pid)) await sleep(20);
  t.match(await log, /"message":"stopped"/, 'in order, by a signal of its own');
});
