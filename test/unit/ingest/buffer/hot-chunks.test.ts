/** Hot chunks: what a pin sees, what is encoded again, when files go. */
import t from 'tap';
import type { Files } from '../../../../src/base/disk/files.ts';
import { GatewayError } from '../../../../src/base/errors/gateway-error.ts';
import { HotChunks } from '../../../../src/ingest/buffer/hot-chunks.ts';
import { MeasurementBuffers } from '../../../../src/ingest/buffer/measurement-buffers.ts';
import { FakeClock, FakeEncoder, settled, smallBatch } from '../../../support/flush-fakes.ts';

function compose(existing: readonly string[] = []) {
  const clock = new FakeClock();
  const options = {
    positions: [],
    lowWater: 0,
    rowsMax: 1e6,
    bufferBytesMax: 2 ** 30,
    memoryBytesMax: 2 ** 26,
    hashSeed: 1,
  };
  const buffers = new MeasurementBuffers(clock, options);
  const encoder = new FakeEncoder();
  const unlinked: string[] = [];
  const disk = { refuses: false };
  const lost = new Set<string>();
  const files = {
    list: () => existing,
    size: (path: string) => (lost.has(path) ? undefined : 100),
    unlink(path: string) {
      if (disk.refuses) throw new GatewayError('HF_IO', `unlink ${path}: EROFS`);
      unlinked.push(path);
    },
  } as unknown as Files;
  const chunks = new HotChunks({ buffers, encoder, files }, { directories: ['/hot', '/spare'] });
  let lsn = 1;
  const write = (id: number, rows: number) => {
    buffers.append(smallBatch(id, rows), lsn, 0);
    lsn += rows;
    buffers.recordEntered(lsn - 1);
  };
  /** Finishes all jobs and returns the row ranges that they encoded. */
  const encodeAll = async () => {
    const jobs = encoder.hots.splice(0);
    const result = { bytes: 100, hours: [], repeatHours: [], doubledHours: [] };
    for (const { finish } of jobs) finish(result);
    await settled();
    return jobs.map(({ job }) => [job.from, job.to]);
  };
  return { buffers, encoder, chunks, disk, lost, unlinked, write, encodeAll };
}

t.test('a pin sees the rows of its tick, and chunks are reused until rows come', async (test) => {
  const all = compose();
  all.write(16, 100);
  const first = all.chunks.pin([16, 17]);
  all.write(16, 10);
  test.strictSame(await all.encodeAll(), [[0, 100]]);
  test.match(await first.chunks, [{ measurementId: 16, hasIdentity: true, rowCount: 100 }]);
  const second = all.chunks.pin([16]);
  test.strictSame(await all.encodeAll(), [[100, 110]], 'only what is new');
  const third = all.chunks.pin([16]);
  test.strictSame(await all.encodeAll(), [], 'nothing is new');
  test.strictSame(await third.chunks, await second.chunks);
  test.strictSame(
    (await second.chunks).map(({ rowCount }) => rowCount),
    [100, 10],
  );
});

t.test('many small chunks become few: each row is encoded about log n times', async (test) => {
  const all = compose();
  let encoded = 0;
  let most = 0;
  for (let step = 0; step < 512; step += 1) {
    all.write(16, 10);
    const pin = all.chunks.pin([16]);
    for (const [from = 0, to = 0] of await all.encodeAll()) encoded += to - from;
    const seen = await pin.chunks;
    most = Math.max(most, seen.length);
    test.equal(
      seen.reduce((sum, { rowCount }) => sum + rowCount, 0),
      10 * (step + 1),
    );
    pin.release();
  }
  test.ok(most <= 10, `${most} chunks`);
  test.ok(encoded <= 5120 * 11, `${encoded} rows encoded for 5,120`);
  test.ok(all.chunks.bytes <= 1000, 'replaced chunks are deleted');
});

t.test('a chunk is deleted when its rows are filed and no pin holds it, once', async (test) => {
  const all = compose();
  all.write(16, 100);
  const pin = all.chunks.pin([16]);
  await all.encodeAll();
  const [chunk] = await pin.chunks;
  all.buffers.seal([16]);
  const again = all.chunks.pin([16]);
  test.strictSame(await all.encodeAll(), [], 'sealing makes no new chunk');
  all.buffers.filed(16, 100);
  test.strictSame(all.unlinked, []);
  pin.release();
  pin.release();
  test.strictSame(all.unlinked, [], 'the other pin holds it');
  again.release();
  test.strictSame(all.unlinked, [chunk?.path]);
  test.equal(all.chunks.bytes, 0);
});

t.test('a chunk whose rows are filed while it is encoded is deleted afterwards', async (test) => {
  const all = compose();
  all.write(16, 100);
  const pin = all.chunks.pin([16]);
  pin.release();
  all.buffers.seal([16]);
  all.buffers.filed(16, 100);
  test.strictSame(all.unlinked, []);
  await all.encodeAll();
  test.equal(all.unlinked.length, 1);
});

t.test('after a failed chunk the next pin encodes its rows again, without a gap', async (test) => {
  const all = compose();
  all.write(16, 100);
  const first = all.chunks.pin([16]);
  await all.encodeAll();
  all.write(16, 10);
  const second = all.chunks.pin([16]);
  all.write(16, 5);
  const third = all.chunks.pin([16]);
  all.encoder.hots.splice(0, 1)[0]?.fail(new Error('no space'));
  await all.encodeAll();
  await test.rejects(second.chunks, /no space/);
  await test.rejects(third.chunks, /no space/);
  const fourth = all.chunks.pin([16]);
  test.strictSame(await all.encodeAll(), [[100, 115]]);
  test.strictSame(
    (await fourth.chunks).map(({ rowCount }) => rowCount),
    [100, 15],
  );
  for (const pin of [first, second, third, fourth]) pin.release();
  all.buffers.seal([16]);
  all.buffers.filed(16, 115);
  test.equal(all.chunks.bytes, 0);
});

t.test('chunks of an earlier run are deleted at the start, other files are not', (test) => {
  const all = compose(['16-1.parquet', 'README']);
  test.strictSame(all.unlinked, ['/hot/16-1.parquet', '/spare/16-1.parquet']);
  test.end();
});

t.test('a file that cannot be deleted stops no commit and no query, and goes later', async (t) => {
  const all = compose();
  all.write(16, 100);
  all.write(17, 100);
  const pins = [all.chunks.pin([16]), all.chunks.pin([17])];
  await all.encodeAll();
  pins[0]?.release();
  const [sealed] = all.buffers.seal([16]);
  all.disk.refuses = true;
  all.buffers.filed(16, sealed?.lastSeq ?? 0);
  t.equal(all.chunks.bytes, 200, 'it stands and counts');
  all.buffers.filed(17, all.buffers.seal([17])[0]?.lastSeq ?? 0);
  all.disk.refuses = false;
  pins[1]?.release();
  t.equal(all.unlinked.length, 2);
  t.equal(all.chunks.bytes, 0);
});

t.test('a chunk that the first directory does not take goes to the next', async (test) => {
  for (const code of ['HF_DISK_FULL', 'HF_IO_SHORT_WRITE', 'HF_IO'] as const) {
    const all = compose();
    all.write(16, 100);
    const pin = all.chunks.pin([16]);
    all.write(16, 10);
    all.encoder.hots.splice(0)[0]?.fail(new GatewayError(code, 'no'));
    await settled();
    test.match(all.encoder.hots, [{ job: { path: '/spare/16-1.parquet' } }]);
    test.strictSame(await all.encodeAll(), [[0, 100]], 'the rows of its pin');
    const [chunk] = await pin.chunks;
    test.equal(chunk?.path, '/spare/16-1.parquet');
    test.equal(all.chunks.bytes, 100);
    pin.release();
    all.buffers.filed(16, all.buffers.seal([16])[0]?.lastSeq ?? 0);
    test.strictSame(all.unlinked, ['/spare/16-1.parquet']);
  }
});

t.test('where none takes it, or the fault is not theirs, the pin says so', async (test) => {
  const all = compose();
  all.write(16, 100);
  const full = all.chunks.pin([16]);
  for (let place = 0; place < 2; place += 1) {
    all.encoder.hots.splice(0)[0]?.fail(new GatewayError('HF_DISK_FULL', 'full'));
    await settled();
  }
  await test.rejects(full.chunks, { code: 'HF_DISK_FULL' });
  const broken = all.chunks.pin([16]);
  all.encoder.hots.splice(0)[0]?.fail(new GatewayError('HF_BUG', 'broken'));
  await test.rejects(broken.chunks, { code: 'HF_BUG' });
  test.same(all.encoder.hots, [], 'no other place would help');
  const next = all.chunks.pin([16]);
  test.strictSame(await all.encodeAll(), [[0, 100]]);
  test.match(await next.chunks, [{ path: '/hot/16-3.parquet' }], 'the next one tries again');
});

t.test(
  'files that somebody else deleted are encoded again, those behind them too',
  async (test) => {
    const all = compose();
    const pins = [];
    for (const rows of [100, 40, 10]) {
      all.write(16, rows);
      pins.push(all.chunks.pin([16]));
      await all.encodeAll();
    }
    all.lost.add('/hot/16-2.parquet');
    all.lost.add('/hot/16-3.parquet');
    const again = all.chunks.pin([16]);
    test.strictSame(await all.encodeAll(), [[100, 150]]);
    test.strictSame(
      (await again.chunks).map(({ path, rowCount }) => [path, rowCount]),
      [
        ['/hot/16-1.parquet', 100],
        ['/hot/16-4.parquet', 50],
      ],
    );
    const same = all.chunks.pin([16]);
    test.strictSame(await all.encodeAll(), []);
    for (const pin of [...pins, again, same]) pin.release();
    all.buffers.filed(16, all.buffers.seal([16])[0]?.lastSeq ?? 0);
    test.equal(all.chunks.bytes, 0);
  },
);
