/** Real encoder threads: flushes and hot chunks over shared memory, threads that die, limits. */
import { existsSync, mkdirSync, mkdtempSync, readdirSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { pathToFileURL } from 'node:url';
import t from 'tap';
import { EncoderPool } from '../../../../src/storage/parquet/encoder-pool.ts';
import type { FlushJob, RowSet } from '../../../../src/storage/parquet/types.ts';
import { readWithDuckdb } from '../../../support/read-parquet.ts';
import { columnRef, plainRows, plannedFiles, rowSet } from '../../../support/row-sets.ts';

const source = new URL('../../../../src/', import.meta.url);
const root = mkdtempSync(join(tmpdir(), 'holdfast-pool-'));
const dataDirectory = join(root, 'data');
mkdirSync(dataDirectory);

const options = {
  thread: new URL('storage/parquet/encoder-thread.ts', source),
  dataDirectory,
  compression: 'snappy',
  threadsMax: 1,
  rowsAhead: 1,
  queueMax: 3,
  wasmBytesMax: 2 ** 28,
} as const;

/** A module of the product as a string in generated code. */
const at = (file: string) => JSON.stringify(new URL(file, source).href);

/** An entry that a test composes: the real encoder with something wrong in its file layer. */
function composedThread(name: string, body: string): URL {
  const path = join(root, `${name}.ts`);
  writeFileSync(
    path,
    `import { parentPort, workerData } from 'node:worker_threads';
import { nodeFiles } from ${at('base/disk/files.ts')};
import { runEncoder } from ${at('storage/parquet/encoder-worker.ts')};
${body}
`,
  );
  return pathToFileURL(path);
}

function rows(count: number) {
  const times = Array.from({ length: count }, (_, row) => 1_790_000_000_000_000n + BigInt(row));
  return rowSet(times, [
    { column: columnRef(0, 'tag', 'string', 'host'), values: times.map((_, row) => `h${row % 7}`) },
    {
      column: columnRef(1, 'field', 'double', 'v'),
      values: times.map((_, row) => (row % 3 === 0 ? null : row / 3)),
    },
  ]);
}

function flushJob(count: number, fileId: number): FlushJob {
  const set = rows(count);
  const files = plannedFiles(set, 1000, fileId);
  return {
    measurementId: 16,
    database: 'd',
    measurement: 'm',
    lsns: [1, count],
    sets: [{ hasIdentity: true, rows: set, files }],
    range: [0, files.length],
  };
}

t.teardown(() => {
  rmSync(root, { recursive: true });
});

t.test('a flush and a hot chunk are encoded by a thread', async (test) => {
  const pool = new EncoderPool(options);
  test.teardown(() => pool.close());
  const set = rows(500);
  const path = join(root, 'hot.parquet');
  const [flushed, hot] = await Promise.all([
    pool.flush(flushJob(500, 1)),
    pool.hot({ hasIdentity: false, rows: set, from: 100, to: 300, path }),
  ]);
  const read = await readWithDuckdb(join(dataDirectory, flushed.facts[0]?.path ?? ''));
  test.strictSame(read.rows, plainRows(set));
  test.ok(hot.bytes > 0);
  const chunk = await readWithDuckdb(path);
  test.strictSame(chunk.rows, plainRows(set).slice(100, 300));
  test.strictSame(chunk.types, ['TIMESTAMP WITH TIME ZONE', 'VARCHAR', 'DOUBLE']);
});

t.test('hot chunks go before flushes that wait, and a full queue refuses', async (test) => {
  const pool = new EncoderPool(options);
  test.teardown(() => pool.close());
  const done: string[] = [];
  const note = (name: string) => () => {
    done.push(name);
  };
  const hotJob = (name: string) => ({
    hasIdentity: false,
    rows: rows(10),
    from: 0,
    to: 10,
    path: join(root, name),
  });
  const jobs = [
    pool.flush(flushJob(10, 10)).then(note('flush 1')),
    pool.flush(flushJob(10, 20)).then(note('flush 2')),
    pool.hot(hotJob('h1')).then(note('hot 1')),
    pool.hot(hotJob('h2')).then(note('hot 2')),
    pool.flush(flushJob(10, 30)).then(note('flush 3')),
  ];
  await test.rejects(pool.flush(flushJob(10, 40)), { code: 'HF_ENCODER_QUEUE_FULL' });
  await Promise.all(jobs);
  test.strictSame(done.slice(0, 2), ['flush 1', 'hot 1']);
  // The thread takes the hot chunk first if it comes before it has begun the second flush.
  test.strictSame(done.slice(2, 4).toSorted(), ['flush 2', 'hot 2']);
  test.equal(done[4], 'flush 3');
});

t.test('a hot chunk does not wait for a flush of many files', async (test) => {
  const pool = new EncoderPool(options);
  test.teardown(() => pool.close());
  const done: string[] = [];
  const times = Array.from({ length: 60 }, (_, day) => BigInt(day) * 86_400_000_000n);
  const set = rowSet(times, [{ column: columnRef(0, 'field', 'int64', 'v'), values: times }]);
  const files = plannedFiles(set, 1000, 5000);
  test.equal(files.length, 60);
  const sets = [{ hasIdentity: true, rows: set, files }];
  const job: FlushJob = { ...flushJob(1, 1), sets, range: [0, files.length] };
  await pool.flush(flushJob(10, 1000));
  const flushed = pool.flush(job).then(({ facts }) => {
    done.push('flush');
    return facts;
  });
  await pool.hot({
    hasIdentity: false,
    rows: rows(10),
    from: 0,
    to: 10,
    path: join(root, 'between'),
  });
  done.push('hot');
  test.equal((await flushed).length, 60);
  test.strictSame(done, ['hot', 'flush']);
});

t.test('a hot chunk does not wait for a file of many slices', async (test) => {
  const pool = new EncoderPool(options);
  test.teardown(() => pool.close());
  // 1,500 columns, of which each row has one: slices are as short as they get.
  const count = 12_000;
  const times = Array.from({ length: count }, (_, row) => 1_790_000_000_000_000n + BigInt(row));
  const narrow = rowSet(times, []);
  const wide: RowSet = {
    ...narrow,
    columns: Array.from({ length: 1500 }, (_, id) => {
      const own = times.flatMap((_, row) => (row % 1500 === id ? [row] : []));
      return {
        column: columnRef(id, 'field', 'double', `k${id}`),
        values: Float64Array.from(own),
        rows: Uint32Array.from(own),
        dictionary: undefined,
      };
    }),
  };
  const files = plannedFiles(wide, 1000, 70_000);
  test.equal(files.length, 1);
  const done: string[] = [];
  const flushed = pool
    .flush({
      measurementId: 16,
      database: 'd',
      measurement: 'm',
      lsns: [1, count],
      sets: [{ hasIdentity: true, rows: wide, files }],
      range: [0, files.length],
    })
    .then(({ facts }) => {
      done.push('flush');
      test.equal(facts[0]?.rows, count);
    });
  const path = join(root, 'hot-beside-wide.parquet');
  await pool.hot({ hasIdentity: false, rows: rows(100), from: 0, to: 100, path });
  done.push('hot');
  await flushed;
  test.strictSame(done, ['hot', 'flush']);
});

t.test('the job of a thread that dies fails, and a new thread takes the next', async (test) => {
  const thread = composedThread(
    'dying',
    `runEncoder(parentPort, { settings: workerData, files: { ...nodeFiles,
  rename(from, to) { if (to.includes('_13_')) process.exit(3); nodeFiles.rename(from, to); } } });`,
  );
  const pool = new EncoderPool({ ...options, thread });
  test.teardown(() => pool.close());
  await test.rejects(pool.flush(flushJob(13, 100)), { code: 'HF_ENCODER_LOST' });
  const { facts } = await pool.flush(flushJob(14, 200));
  test.ok(existsSync(join(dataDirectory, facts[0]?.path ?? '')));
  test.equal(pool.status().threadsLost, 1);
});

t.test(
  'small flushes are sent ahead; those behind one that ends the thread are done by the next',
  async (test) => {
    const thread = composedThread(
      'dying-once',
      `runEncoder(parentPort, { settings: workerData, files: { ...nodeFiles,
  rename(from, to) { if (to.includes('_13_')) process.exit(3); nodeFiles.rename(from, to); } } });`,
    );
    const pool = new EncoderPool({ ...options, thread, rowsAhead: 40 });
    test.teardown(() => pool.close());
    const counts = [10, 13, 11, 12, 14];
    const flushes = counts.map((count, index) => pool.flush(flushJob(count, 300 + 10 * index)));
    test.match(pool.status(), { encoding: 4, waiting: 1 });
    const settled = await Promise.allSettled(flushes);
    test.same(
      settled.map(({ status }) => status),
      ['fulfilled', 'rejected', 'fulfilled', 'fulfilled', 'fulfilled'],
    );
    test.equal(pool.status().threadsLost, 1);
  },
);

t.test('a disk error reaches the caller with its code and leaves no file', async (test) => {
  const thread = composedThread(
    'full',
    `import { GatewayError } from ${at('base/errors/gateway-error.ts')};
runEncoder(parentPort, { settings: workerData, files: { ...nodeFiles,
  syncDirectory(path) {
    if (path.endsWith('/14')) throw new GatewayError('HF_DISK_FULL', 'planted');
    nodeFiles.syncDirectory(path); } } });`,
  );
  const empty = join(root, 'full');
  mkdirSync(empty);
  const pool = new EncoderPool({ ...options, thread, dataDirectory: empty });
  test.teardown(() => pool.close());
  await test.rejects(pool.flush(flushJob(5, 300)), { code: 'HF_DISK_FULL', message: 'planted' });
  const left = readdirSync(empty, { recursive: true }).filter((name) =>
    String(name).endsWith('.parquet'),
  );
  test.strictSame(left, []);
});

t.test(
  'a thread is replaced when encoding itself fails, and when its memory is large',
  async (test) => {
    const pool = new EncoderPool({ ...options, wasmBytesMax: 1 });
    test.teardown(() => pool.close());
    const broken = flushJob(5, 400);
    const [set] = broken.sets;
    if (set === undefined) throw new Error('no set');
    const bad = Uint8Array.of(0xff, 0xfe);
    const columns = set.rows.columns.map((column) =>
      column.dictionary === undefined
        ? column
        : {
            ...column,
            values: new Uint32Array(5),
            dictionary: { count: 1, bytes: bad, offsets: Uint32Array.of(0, 2) },
          },
    );
    const job = { ...broken, sets: [{ ...set, rows: { ...set.rows, columns } }] };
    await test.rejects(pool.flush(job), { code: 'HF_ENCODE' });
    test.equal(pool.status().threads, 0);
    await pool.flush(flushJob(5, 500));
    test.equal(pool.status().threads, 0, 'above its memory limit');
    test.equal(pool.status().threadsLost, 0);
  },
);

t.test('closing fails what runs and waits', async (test) => {
  const pool = new EncoderPool(options);
  const jobs = [pool.flush(flushJob(10, 600)), pool.flush(flushJob(10, 700))];
  const results = Promise.allSettled(jobs);
  await pool.close();
  for (const result of await results) test.match(result, { reason: { code: 'HF_ENCODER_LOST' } });
  await test.rejects(pool.flush(flushJob(10, 800)), { code: 'HF_ENCODER_LOST' });
});
