/**
 * The way from buffers to files with real encoder threads: what DuckDB reads from committed files
 * and hot chunks together is, at any moment, exactly what was written.
 */
import { mkdirSync, mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import t from 'tap';
import { nodeFiles } from '../../../../src/base/disk/files.ts';
import { Flusher } from '../../../../src/ingest/buffer/flusher.ts';
import { HotChunks } from '../../../../src/ingest/buffer/hot-chunks.ts';
import { MeasurementBuffers } from '../../../../src/ingest/buffer/measurement-buffers.ts';
import { EncoderPool } from '../../../../src/storage/parquet/encoder-pool.ts';
import { FakeClock, FakeCommitter } from '../../../support/flush-fakes.ts';
import { columnRef, columnValues, type Value } from '../../../support/row-sets.ts';
import { readWithDuckdb } from '../../../support/read-parquet.ts';

const root = mkdtempSync(join(tmpdir(), 'holdfast-filing-'));
const dataDirectory = join(root, 'data');
const hotDirectory = join(root, 'hot');
mkdirSync(dataDirectory);
mkdirSync(hotDirectory);

const clock = new FakeClock();
const pool = new EncoderPool({
  thread: new URL('../../../../src/storage/parquet/encoder-thread.ts', import.meta.url),
  dataDirectory,
  compression: 'snappy',
  threadsMax: 2,
  queueMax: 100,
  wasmBytesMax: 2 ** 28,
});
const buffers = new MeasurementBuffers(clock, {
  positions: [],
  lowWater: 0,
  rowsMax: 500,
  bufferBytesMax: 2 ** 26,
  memoryBytesMax: 2 ** 26,
  hashSeed: 1,
});
const committer = new FakeCommitter();
const flusher = new Flusher(
  {
    buffers,
    encoder: pool,
    committer,
    schema: { takeChanges: () => ({}) },
    clock,
    walBytes: () => 0,
  },
  {
    limits: {
      rowsMax: 500,
      bufferBytesMax: 2 ** 26,
      ageMs: 5000,
      rowsMin: 1000,
      ageMsMax: 60_000,
      openBytesMax: 2 ** 26,
      walBytesMax: 2 ** 30,
    },
    hourFileMinRows: 10,
    encodingMax: 2,
    tickMs: 50,
    retryMsMin: 1000,
    retryMsMax: 8000,
  },
);
const hot = new HotChunks(
  { buffers, encoder: pool, files: nodeFiles },
  { directories: [hotDirectory] },
);

t.teardown(async () => {
  await pool.close();
  rmSync(root, { recursive: true });
});

const written: bigint[] = [];
/** A request of `count` rows, spread over hours; the value of `n` names the row. */
function write(count: number): void {
  const first = written.length;
  const lsn = 1 + first;
  const ids = Array.from({ length: count }, (_, row) => BigInt(first + row));
  const times = ids.map((id) => 1_790_000_000_000_000n + ((id * 7919n) % 5n) * 3_600_000_000n + id);
  const text: Value[] = ids.map((id) => (id % 3n === 0n ? null : `text ${id % 11n}`));
  const columns = [
    columnValues({ column: columnRef(0, 'tag', 'string', 'text'), values: text }),
    columnValues({
      column: columnRef(1 + (first % 2), 'field', 'int64', `n${first % 2}`),
      values: ids,
    }),
  ].filter(({ values }) => values.length > 0);
  const batch = {
    measurementId: 16,
    database: 'd',
    measurement: 'm',
    hasIdentity: true,
    rowCount: count,
    times: BigInt64Array.from(times),
    columns,
  };
  buffers.append(batch, lsn, 0);
  buffers.recordEntered(lsn + count - 1);
  written.push(...ids);
}

/** The rows that a query would see now: files committed so far and hot rows of the same tick. */
async function visible(): Promise<bigint[]> {
  const files = committer.proposals.flatMap(({ adds }) => adds ?? []);
  const pin = hot.pin([16]);
  const chunks = await pin.chunks;
  const paths = [
    ...files.map(({ path }) => join(dataDirectory, path)),
    ...chunks.map(({ path }) => path),
  ];
  const ids: bigint[] = [];
  for (const path of paths) {
    const { columns, rows } = await readWithDuckdb(path);
    for (const row of rows) {
      const names = ['n0', 'n1'].map((name) => row[columns.indexOf(name)] ?? null);
      const id = names.find((value) => value !== null);
      if (typeof id !== 'bigint') throw new Error('a row without its name');
      ids.push(id);
    }
  }
  pin.release();
  return ids.sort((a, b) => Number(a - b));
}

t.test('files and hot chunks together show each row once, while flushes go on', async (test) => {
  // On a busy machine the first flush takes longer than twelve steps: go on until it is filed.
  for (let step = 0; step < 12 || committer.proposals.length === 0; step += 1) {
    write(1 + ((step * 137) % 300));
    const expected = [...written];
    test.strictSame(await visible(), expected, `${expected.length} rows`);
  }
  write(1);
  test.ok(buffers.rows > 0, 'some rows are filed, some are hot');
  const filed = flusher.flushAll(60_000);
  test.ok(await filed);
  test.equal(buffers.rows, 0);
  test.strictSame(await visible(), written);
  test.strictSame(nodeFiles.list(hotDirectory), [], 'no chunk is left');
  test.equal(hot.bytes, 0);
  test.strictSame(committer.violations, []);
});
