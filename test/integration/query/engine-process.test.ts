/** A query process that cannot start, that dies under a request, that is not left behind. */
import t from 'tap';
import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { Readable } from 'node:stream';
import { setImmediate as turn, setTimeout as sleep } from 'node:timers/promises';
import { pathToFileURL } from 'node:url';
import { nodeFiles } from '../../../src/base/disk/files.ts';
import { systemClock, type Clock } from '../../../src/base/lib/clock.ts';
import { EngineProcess } from '../../../src/query/engine-process.ts';

const directory = mkdtempSync(join(tmpdir(), 'query-'));
t.teardown(() => {
  rmSync(directory, { recursive: true });
});

/** Nothing that fails without anybody waiting for it may end the gateway. */
const unhandled: unknown[] = [];
process.on('unhandledRejection', (error) => unhandled.push(error));

/** A process that serves on its socket what `answer` says, without an engine. */
const stub = (name: string, answer: string): string => {
  const path = join(directory, `${name}.mjs`);
  writeFileSync(
    path,
    `import { createServer } from 'node:http';
     process.stdin.on('close', () => process.exit(0)).resume();
     const die = () => process.kill(process.pid, 'SIGKILL');
     const { socketPath } = JSON.parse(process.argv[2]);
     createServer((request, response) => { ${answer} })
       .listen(socketPath, () => process.stdout.write('ready'));`,
  );
  return path;
};

const open = (entry: string, clock: Clock = systemClock, runtimeDirectory = directory) =>
  new EngineProcess(
    { files: nodeFiles, clock },
    {
      entry: pathToFileURL(entry),
      runtimeDirectory,
      poolSize: 1,
      engine: {
        dataDirectory: directory,
        readDirectories: [],
        spillDirectory: directory,
        spillBytesMax: 2 ** 26,
        threads: 1,
        memoryBytes: 2 ** 26,
      },
    },
  );

await t.test('a process that never starts makes requests fail and says why', async (t) => {
  const entry = join(directory, 'broken.mjs');
  writeFileSync(entry, 'console.error("no engine here"); process.exit(1);');
  const engine = open(entry);
  const ended = Promise.withResolvers<undefined>();
  let ends = 0;
  engine.onEnd(() => {
    ends += 1;
    if (ends === 3) ended.resolve(undefined);
  });
  engine.start();
  await ended.promise;
  const { signal } = new AbortController();
  await t.rejects(engine.request('GET', '/health', '', signal), { code: 'HF_QUERY_ENGINE_DOWN' });
  t.match(engine.status(), { state: 'down', lastWords: 'no engine here', restarts: 2 });
  await engine.close();
});

await t.test('closing ends the process, and its socket is gone', async (t) => {
  const engine = open(join(import.meta.dirname, '../../../src/query/child/main.ts'));
  engine.start();
  const { signal } = new AbortController();
  const health = await engine.request('GET', '/health', '', signal);
  health.resume();
  const { processId } = engine.status();
  await engine.close();
  t.throws(() => process.kill(processId ?? 0, 0), { code: 'ESRCH' });
  t.same(
    nodeFiles.list(directory).filter((name) => name.endsWith('.sock')),
    [],
  );
});

await t.test('a socket whose whole path is too long is reached from near it', async (t) => {
  const near = join(directory, 'd'.repeat(120));
  const runtimeDirectory = join(near, 'run');
  mkdirSync(runtimeDirectory, { recursive: true });
  const before = process.cwd();
  process.chdir(near);
  t.teardown(() => {
    process.chdir(before);
  });
  const engine = open(stub('near', `response.end('here');`), systemClock, runtimeDirectory);
  engine.start();
  t.teardown(() => engine.close());
  const { signal } = new AbortController();
  const answer = await engine.request('GET', '/health', '', signal);
  t.equal((await answer.toArray()).join(''), 'here');
});

/** Parts of a body until the process that takes it is gone. */
async function* endlessBody(taken: () => void): AsyncGenerator<string> {
  for (;;) {
    await turn();
    taken();
    yield 'x'.repeat(4096);
  }
}

await t.test(
  'a process that is killed while a body is sent to it fails that request only',
  async (t) => {
    const engine = open(stub('dies-early', `request.once('data', die);`));
    engine.start();
    t.teardown(() => engine.close());
    const { signal } = new AbortController();
    for (let round = 1; round <= 3; round += 1) {
      let parts = 0;
      const body = Readable.from(endlessBody(() => (parts += 1)));
      const code = 'HF_QUERY_ENGINE_DOWN';
      await t.rejects(engine.requestJson('/seed', body, signal), { code });
      t.ok(parts > 0, 'it was on its way');
      t.ok(body.destroyed, 'nobody makes more of it');
    }
    await turn();
    t.same(unhandled, []);
  },
);

await t.test('a body whose request is given up before it is sent fails nobody else', async (t) => {
  const engine = open(stub('answers', `request.resume(); response.end('{}');`));
  engine.start();
  t.teardown(() => engine.close());
  await engine.requestJson('/seed', '', new AbortController().signal);
  for (const reason of [undefined, new Error('gone')]) {
    // Given up in each of the steps between the call and the first byte.
    for (let steps = 0; steps < 8; steps += 1) {
      const controller = new AbortController();
      const body = Readable.from(endlessBody(() => undefined));
      const sent = engine.requestJson('/seed', body, controller.signal);
      for (let step = 0; step < steps; step += 1) await Promise.resolve();
      controller.abort(reason);
      await t.rejects(sent);
    }
  }
  const broken = Readable.from([]).destroy();
  await t.rejects(engine.requestJson('/seed', broken, new AbortController().signal));
  await turn();
  await turn();
  t.same(unhandled, []);
  t.equal(engine.status().restarts, 0);
});

await t.test('after a process that answered the next one comes at once', async (t) => {
  let nowMs = 0;
  const clock: Clock = { wallUs: () => nowMs * 1000, monotonicMs: () => nowMs };
  const answer = `request.resume();
    if (request.url === '/die') die();
    else response.end('{}');`;
  const engine = open(stub('mortal', answer), clock);
  t.teardown(() => engine.close());
  const { signal } = new AbortController();
  const delays: number[] = [];
  engine.onEnd(() => delays.push(engine.status().restartDelayMs));
  const die = async () => {
    const ends = delays.length + 1;
    const code = 'HF_QUERY_ENGINE_DOWN';
    await t.rejects(engine.requestJson('/die', '', signal), { code });
    while (delays.length < ends) await sleep(5);
  };
  engine.start();
  for (const path of ['/seed', '/seed', '/run', '/run', '/prepare', '/seed']) {
    await engine.requestJson(path, '', signal);
    await die();
  }
  t.same(delays, [100, 200, 100, 100, 200, 400], 'only an answer to a query is an answer');
  await engine.requestJson('/seed', '', signal);
  nowMs += 60_000;
  await die();
  t.equal(delays.at(-1), 100, 'or a quiet minute');
});
