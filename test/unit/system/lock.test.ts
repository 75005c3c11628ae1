import { type ChildProcess, spawn, spawnSync } from 'node:child_process';
import { once } from 'node:events';
import { writeFileSync } from 'node:fs';
import { join, relative } from 'node:path';
import { createInterface } from 'node:readline';
import t from 'tap';
import { makeDataDirectories } from '../../../src/base/disk/data-directory.ts';
import { nodeFiles } from '../../../src/base/disk/files.ts';
import { acquireDataLock } from '../../../src/system/lock.ts';
import { interceptFiles } from '../../support/intercept-files.ts';

const holderScript = new URL('../../support/lock-holder.ts', import.meta.url).pathname;

/** Starts a holder; resolves with its first line. */
async function holder(directory: string): Promise<{ child: ChildProcess; line: string }> {
  const child = spawn(process.execPath, [holderScript, directory], {
    stdio: ['ignore', 'pipe', 'inherit'],
  });
  const lines = createInterface({ input: child.stdout });
  const [line] = (await once(lines, 'line')) as [string];
  return { child, line };
}

async function kill(child: ChildProcess): Promise<void> {
  const ended = once(child, 'exit');
  child.kill('SIGKILL');
  await ended;
}

t.test('a second gateway is refused and told who holds the directory', async (t) => {
  const directory = t.testdir({});
  const first = await holder(directory);
  t.equal(first.line, 'held');
  await t.rejects(acquireDataLock(directory), {
    code: 'HF_DATA_LOCKED',
    message: new RegExp(`process id ${first.child.pid}$`),
    details: { pid: first.child.pid },
  });
  t.equal((await holder(join(directory, '.'))).line.startsWith('HF_DATA_LOCKED'), true);
  await kill(first.child);
});

t.test('two data directories with one directory for the log are refused', async (t) => {
  const root = t.testdir({ one: {}, two: {}, wal: {} });
  const at = (name: string) => join(root, name);
  const first = await acquireDataLock(at('one'), at('wal'));
  await t.rejects(acquireDataLock(at('two'), at('wal')), {
    code: 'HF_DATA_LOCKED',
    message: /wal is held by/,
    details: { pid: process.pid },
  });
  await first.release();
  const second = await acquireDataLock(at('two'), at('wal'));
  await second.release();
  const third = await acquireDataLock(at('one'), at('one'));
  await third.release();
});

t.test('each directory that is made is durable before anything is in it', async (t) => {
  const root = t.testdir({});
  const calls: string[] = [];
  const files = interceptFiles(nodeFiles, {
    after: ({ kind, path }) => {
      if (kind === 'makeDirectory' || kind === 'syncDirectory') {
        calls.push(`${kind} ${relative(root, path) || '.'}`);
      }
    },
  });
  const lock = await acquireDataLock(join(root, 'a/data'), join(root, 'a/wal'), files);
  t.same(calls.splice(0), [
    'makeDirectory a',
    'syncDirectory .',
    'makeDirectory a/data',
    'syncDirectory a',
    'makeDirectory a/wal',
    'syncDirectory a',
  ]);
  makeDataDirectories(files, join(root, 'a/data'), join(root, 'a/wal'));
  t.equal(calls.at(-1), 'syncDirectory a/data', 'what an earlier start made and did not sync too');
  await lock.release();
});

t.test(
  'SIGKILL of the holder frees the directory at once, whatever it left in the file',
  async (t) => {
    const directory = t.testdir({});
    const first = await holder(directory);
    t.equal(first.line, 'held');
    await kill(first.child);
    const lock = await acquireDataLock(directory);
    await lock.release();
  },
);

t.test('what stands in the file decides nothing', async (t) => {
  const directory = t.testdir({});
  for (const text of ['', 'not JSON', `{"pid":${process.pid}}`, `{"pid":1}`]) {
    writeFileSync(join(directory, 'lock'), text);
    const lock = await acquireDataLock(directory);
    await lock.release();
  }
  t.pass('taken each time');
});

t.test('a release lets the next one in, in this process too', async (t) => {
  const directory = t.testdir({});
  const first = await acquireDataLock(directory);
  await t.rejects(acquireDataLock(directory), { code: 'HF_DATA_LOCKED' });
  await first.release();
  const second = await acquireDataLock(directory);
  await second.release();
});

t.test('of eight that start at once exactly one gets it', async (t) => {
  const directory = t.testdir({});
  const all = await Promise.all(Array.from({ length: 8 }, () => holder(directory)));
  t.equal(all.filter(({ line }) => line === 'held').length, 1);
  const winner = all.find(({ line }) => line === 'held')?.child.pid;
  for (const { line } of all) {
    if (line !== 'held' && !line.includes(`"pid":${winner}`)) t.fail(`named another: ${line}`);
  }
  await Promise.all(
    all.filter(({ child }) => child.exitCode === null).map(({ child }) => kill(child)),
  );
});

t.test('a directory that cannot be made is said', async (t) => {
  const directory = t.testdir({ file: 'x' });
  await t.rejects(acquireDataLock(join(directory, 'file', 'data')), { code: 'HF_IO' });
});

const noFlock = spawnSync('flock', ['--version']).error !== undefined && 'flock(1) is not here';

t.test('processes in another network namespace meet the flock', { skip: noFlock }, async (t) => {
  const directory = t.testdir({});
  const tryFlock = () => spawnSync('flock', ['--nonblock', join(directory, 'lock'), 'true']).status;
  const lock = await acquireDataLock(directory);
  t.equal(tryFlock(), 1);
  await lock.release();
  t.equal(tryFlock(), 0);
});
