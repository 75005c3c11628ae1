/** A query process that cannot start, and one that is not left behind. */
import t from 'tap';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { pathToFileURL } from 'node:url';
import { nodeFiles } from '../../../src/base/disk/files.ts';
import { systemClock } from '../../../src/base/lib/clock.ts';
import { EngineProcess } from '../../../src/query/engine-process.ts';

const directory = mkdtempSync(join(tmpdir(), 'query-'));
t.teardown(() => {
  rmSync(directory, { recursive: true });
});

const open = (entry: string) =>
  new EngineProcess(
    { files: nodeFiles, clock: systemClock },
    {
      entry: pathToFileURL(entry),
      runtimeDirectory: directory,
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
