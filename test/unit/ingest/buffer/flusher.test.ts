/**
 * The flusher against an encoder and a committer that misbehave, finish late or out of order. The
 * committer notes each row that a commit would lose; bugs that are composed in must show there.
 */
import t from 'tap';
import { GatewayError } from '../../../../src/base/errors/gateway-error.ts';
import type { CommitOrder } from '../../../../src/ingest/buffer/flush-order.ts';
import { commitFilesMax, filesPerJob, Flusher } from '../../../../src/ingest/buffer/flusher.ts';
import { MeasurementBuffers } from '../../../../src/ingest/buffer/measurement-buffers.ts';
import {
  FakeClock,
  FakeCommitter,
  FakeEncoder,
  settled,
  smallBatch,
  type SmallBatchOptions,
} from '../../../support/flush-fakes.ts';
import { chosenSeed, seededRandom } from '../../../support/random.ts';

const limits = {
  rowsMax: 100,
  bufferBytesMax: 2 ** 26,
  ageMs: 5000,
  rowsMin: 20,
  ageMsMax: 60_000,
  openBytesMax: 2 ** 26,
  walBytesMax: 2 ** 30,
};

type BuffersClass = typeof MeasurementBuffers;

/** The flusher with fakes around it; a test may compose other parts in. */
function compose(
  parts: { order?: CommitOrder; Buffers?: BuffersClass; encodingMax?: number } = {},
) {
  const clock = new FakeClock();
  const { rowsMax, bufferBytesMax } = limits;
  const buffers = new (parts.Buffers ?? MeasurementBuffers)(clock, {
    positions: [],
    lowWater: 0,
    rowsMax,
    bufferBytesMax,
    memoryBytesMax: 2 ** 26,
    hashSeed: 3,
  });
  const encoder = new FakeEncoder();
  const committer = new FakeCommitter();
  const asked: (readonly number[])[] = [];
  const schema = {
    takeChanges(ids: readonly number[]) {
      asked.push(ids);
      return { measurements: ids.map((id) => ({ id, database: 'd', name: `m${id}` })) };
    },
  };
  const order = parts.order === undefined ? {} : { order: parts.order };
  const flusher = new Flusher(
    { buffers, encoder, committer, schema, clock, walBytes: () => 0, ...order },
    {
      limits,
      hourFileMinRows: 10,
      encodingMax: parts.encodingMax ?? 8,
      tickMs: 1000,
      retryMsMin: 1000,
      retryMsMax: 8000,
    },
  );
  let lsn = 1;
  /** One request with these rows per measurement. */
  const write = (
    ...sections: readonly (readonly [id: number, rows: number, SmallBatchOptions?])[]
  ) => {
    const record = lsn;
    for (const [id, rows, options] of sections) {
      const known = committer.unfiled.get(id) ?? new Set<number>();
      committer.unfiled.set(id, known);
      for (let row = 0; row < rows; row += 1) known.add(lsn + row);
      buffers.append(smallBatch(id, rows, options), record, lsn - record);
      lsn += rows;
    }
    buffers.recordEntered(lsn - 1);
  };
  return { clock, buffers, encoder, committer, flusher, asked, write };
}

type Composed = ReturnType<typeof compose>;

async function finishAll({ encoder, committer, flusher, clock }: Composed): Promise<void> {
  for (let step = 0; step < 1000 && flusher.pending > 0; step += 1) {
    clock.nowMs += 10_000;
    flusher.tick();
    await settled();
    while (encoder.flushes.length > 0) encoder.finish();
    await settled();
    if (committer.proposals.length > 10_000) return;
  }
}

t.test(
  'flushes due together share one commit, with the schema and the low-water mark',
  async (test) => {
    const all = compose();
    all.write([16, 30], [17, 30]);
    all.write([18, 5]);
    all.clock.nowMs += 5000;
    all.flusher.tick();
    await settled();
    await settled();
    test.equal(all.encoder.flushes.length, 2);
    all.encoder.finish(1);
    await settled();
    test.equal(all.committer.proposals.length, 0, 'waits for the other');
    all.encoder.finish(0);
    await settled();
    await settled();
    test.equal(all.committer.proposals.length, 1);
    const [proposal] = all.committer.proposals;
    test.strictSame(proposal?.positions, [
      [16, 30],
      [17, 60],
    ]);
    test.equal(proposal?.lowWater, 60, 'below the record of measurement 18, which is still open');
    test.equal(proposal?.adds?.length, 2);
    test.strictSame(
      proposal?.measurements?.map(({ id }) => id),
      [16, 17],
    );
    test.strictSame(all.asked, [[16, 17]]);
    test.equal(all.buffers.rows, 5, 'rows left with the commit');
    test.strictSame(all.committer.violations, []);
  },
);

t.test('rows stay in the buffers until their commit is visible', async (test) => {
  const all = compose();
  all.write([16, 100]);
  await settled();
  await settled();
  all.encoder.finish();
  await Promise.resolve();
  test.equal(all.buffers.rows, 100, 'encoded, not committed');
  test.equal(all.buffers.hot(16).length, 1);
  await settled();
  await settled();
  test.equal(all.buffers.rows, 0);
  test.equal(all.buffers.hot(16).length, 0);
});

t.test(
  'one measurement is committed in LSN order, whatever order encoders finish in',
  async (test) => {
    const seed = chosenSeed();
    test.comment(`--seed=${seed}`);
    const random = seededRandom(seed);
    for (let run = 0; run < 60; run += 1) {
      const all = compose({ encodingMax: 4 });
      for (let step = 0; step < 40; step += 1) {
        all.write([16 + random.below(2), 1 + random.below(120)]);
        all.clock.nowMs += random.below(3000);
        if (random.chance(0.3)) all.flusher.tick();
        await settled();
        const { flushes } = all.encoder;
        if (flushes.length === 0) continue;
        const index = random.below(flushes.length);
        if (random.chance(0.2)) all.encoder.fail(index, new Error('encoder broke'));
        else if (random.chance(0.7)) all.encoder.finish(index);
      }
      all.flusher.flushOpen();
      await finishAll(all);
      test.strictSame(all.committer.violations, [], `run ${run}`);
      const left = [...all.committer.unfiled.values()].reduce((sum, { size }) => sum + size, 0);
      test.equal(left, 0, 'every row is filed at the end');
      test.equal(all.buffers.rows, 0);
    }
  },
);

t.test('the committer notices flushes committed out of order (planted)', async (test) => {
  const anyEncoded: CommitOrder = (queues) => queues.flat().filter(({ encoded }) => encoded);
  const all = compose({ order: anyEncoded });
  all.write([16, 100]);
  all.write([16, 100]);
  await settled();
  await settled();
  all.encoder.finish(1);
  await settled();
  await settled();
  test.match(all.committer.violations, [/row 1 of 16 is filed in no file/]);
});

t.test('the committer notices a low-water mark ahead of the buffers (planted)', async (test) => {
  class Ahead extends MeasurementBuffers {
    override lowWater(): number {
      return this.enteredTo;
    }
  }
  const all = compose({ Buffers: Ahead });
  all.write([17, 5]);
  all.write([16, 100]);
  await settled();
  await settled();
  all.encoder.finish();
  await settled();
  await settled();
  test.match(all.committer.violations, [/low water 105: 17 has 1,2,3,4,5/]);
});

t.test(
  'a failing flush is retried with growing pauses and new ids, and holds up no other',
  async (test) => {
    const all = compose();
    all.write([16, 30], [17, 30]);
    all.clock.nowMs += 5000;
    all.flusher.tick();
    await settled();
    await settled();
    const job = all.encoder.flushes[0]?.job;
    test.equal(job?.measurementId, 16);
    const firstId = job?.sets[0]?.files[0]?.fileId;
    all.encoder.fail(0, new GatewayError('HF_DISK_FULL', 'full'));
    all.encoder.finish(0);
    await settled();
    await settled();
    test.strictSame(
      all.committer.proposals.map(({ positions }) => positions),
      [[[17, 60]]],
    );
    test.equal(all.committer.proposals[0]?.lowWater, 0, 'the log stays');
    test.match(all.flusher.alarms(), [
      { measurementIds: [16], attempts: 1, error: { code: 'HF_DISK_FULL' } },
    ]);
    all.write([16, 100]);
    all.write([17, 100]);
    await settled();
    all.encoder.finish(0);
    await settled();
    await settled();
    test.equal(all.committer.proposals.length, 2, 'measurement 17 goes on');
    test.equal(all.encoder.flushes.length, 0, 'measurement 16 waits behind its failing flush');
    for (const pauseMs of [1000, 2000, 4000, 8000, 8000]) {
      all.clock.nowMs += pauseMs - 1;
      all.flusher.tick();
      await settled();
      test.equal(all.encoder.flushes.length, 0, `not before ${pauseMs} ms`);
      all.clock.nowMs += 1;
      all.flusher.tick();
      await settled();
      test.equal(all.encoder.flushes.length, 2, `after ${pauseMs} ms`);
      test.not(all.encoder.flushes[0]?.job.sets[0]?.files[0]?.fileId, firstId);
      all.encoder.fail(0, new GatewayError('HF_DISK_FULL', 'full'));
      await settled();
      if (all.encoder.flushes.length > 0)
        all.encoder.fail(0, new GatewayError('HF_DISK_FULL', 'full'));
      await settled();
    }
    test.ok(all.flusher.failures >= 6, 'failures are counted');
    await finishAll(all);
    test.strictSame(all.flusher.alarms(), []);
    test.strictSame(all.committer.violations, []);
    test.equal(all.buffers.rows, 0);
  },
);

t.test('a measurement that fails holds up none that became due together with it', async (test) => {
  const all = compose({ encodingMax: 1 });
  all.write([16, 100]);
  await settled();
  await settled();
  // Sealed while the first flush of 16 is being encoded, which then fails.
  all.write([16, 30], [17, 30]);
  all.flusher.flush([16, 17]);
  all.encoder.fail(0, new Error('broken'));
  await settled();
  await settled();
  all.encoder.finish(0);
  await settled();
  await settled();
  test.strictSame(all.committer.proposals.at(-1)?.positions, [[17, 160]]);
  // Sealed while it waits for its next attempt.
  all.write([16, 10], [17, 10]);
  all.flusher.flush([16, 17]);
  await settled();
  await settled();
  all.encoder.finish(0);
  await settled();
  await settled();
  test.strictSame(all.committer.proposals.at(-1)?.positions, [[17, 180]]);
  test.equal(all.encoder.flushes.length, 0);
  await finishAll(all);
  test.strictSame(all.committer.violations, []);
  test.equal(all.buffers.rows, 0);
});

/** Lets the flusher take file ids and hand over jobs until `count` jobs wait. */
async function jobsWaiting({ encoder }: Composed, count: number): Promise<void> {
  for (let turn = 0; turn < 1000 && encoder.flushes.length < count; turn += 1) await settled();
}

const daily = { stepUs: 86_400_000_000n };
const manyDays = 2 * filesPerJob + 10;

t.test('a flush of very many files is made in turns, and no other waits for it', async (test) => {
  const all = compose();
  all.write([16, manyDays, daily], [17, 30]);
  all.flusher.flush([16, 17]);
  await jobsWaiting(all, 2);
  const [long, short] = all.encoder.flushes;
  test.strictSame(long?.job.range, [0, filesPerJob]);
  test.strictSame(short?.job.range, [0, 1]);
  all.encoder.finish(1);
  await settled();
  await settled();
  test.strictSame(all.committer.proposals.at(-1)?.positions, [[17, manyDays + 30]]);
  all.encoder.finish(0);
  await jobsWaiting(all, 1);
  test.strictSame(all.encoder.flushes[0]?.job.range, [filesPerJob, 2 * filesPerJob]);
  test.equal(all.committer.proposals.length, 1, 'a part of it is no commit');
  // What is made stays made; the rest gets new names.
  const ids = all.encoder.flushes[0]?.job.sets[0]?.files.map(({ fileId }) => fileId) ?? [];
  all.encoder.fail(0, new Error('broken'));
  await settled();
  all.clock.nowMs += 10_000;
  all.flusher.tick();
  await jobsWaiting(all, 1);
  const again = all.encoder.flushes[0]?.job;
  test.strictSame(again?.range, [filesPerJob, 2 * filesPerJob]);
  const idsNow = again?.sets[0]?.files.map(({ fileId }) => fileId) ?? [];
  test.strictSame(idsNow.slice(0, filesPerJob), ids.slice(0, filesPerJob));
  test.equal(new Set([...ids, ...idsNow]).size, 2 * manyDays - filesPerJob);
  await finishAll(all);
  const last = all.committer.proposals.at(-1);
  test.strictSame(last?.positions, [[16, manyDays]]);
  test.strictSame(
    last?.adds?.map(({ id }) => id),
    idsNow,
  );
  test.strictSame(all.committer.violations, []);
  test.equal(all.buffers.rows, 0);
});

t.test('a commit of several flushes has a bounded number of files', async (test) => {
  const all = compose({ encodingMax: 100 });
  let refused = true;
  all.committer.refuse = () => {
    if (refused) throw new GatewayError('HF_COMMIT_REFUSED', 'journal failed');
  };
  const flushes = 3 * Math.ceil(commitFilesMax / manyDays);
  // Two flushes of each measurement: whatever is cut off, its order stays.
  for (let flush = 0; flush < flushes; flush += 1) {
    const id = 16 + (flush % Math.ceil(flushes / 2));
    all.write([id, manyDays, daily]);
    all.flusher.flush([id]);
  }
  for (let turn = 0; turn < 2000 && all.flusher.failures === 0; turn += 1) {
    await settled();
    while (all.encoder.flushes.length > 0) all.encoder.finish();
  }
  for (let turn = 0; turn < 200; turn += 1) {
    await settled();
    while (all.encoder.flushes.length > 0) all.encoder.finish();
  }
  refused = false;
  await finishAll(all);
  const counts = all.committer.proposals.map(({ adds }) => adds?.length ?? 0);
  test.ok(counts.length >= 3, `${counts.length} commits`);
  test.ok(Math.max(...counts) <= commitFilesMax);
  test.equal(
    counts.reduce((sum, count) => sum + count, 0),
    flushes * manyDays,
  );
  test.strictSame(all.committer.violations, []);
  test.equal(all.buffers.rows, 0);
});

t.test('a refused commit is retried with the same files', async (test) => {
  const all = compose();
  let refusals = 2;
  all.committer.refuse = () => {
    refusals -= 1;
    if (refusals >= 0) throw new GatewayError('HF_COMMIT_REFUSED', 'journal failed');
  };
  all.write([16, 100]);
  await settled();
  await settled();
  const file = all.encoder.flushes[0]?.job.sets[0]?.files[0]?.fileId;
  all.encoder.finish();
  await settled();
  await settled();
  test.equal(all.committer.proposals.length, 0);
  test.match(all.flusher.alarms(), [
    { measurementIds: [16], error: { code: 'HF_COMMIT_REFUSED' } },
  ]);
  test.equal(all.buffers.rows, 100);
  for (let step = 0; step < 3; step += 1) {
    all.clock.nowMs += 5000;
    all.flusher.tick();
    await settled();
    await settled();
  }
  test.strictSame(
    all.committer.proposals[0]?.adds?.map(({ id }) => id),
    [file],
  );
  test.equal(all.encoder.flushes.length, 0, 'nothing is encoded again');
  test.strictSame(all.flusher.alarms(), []);
});

t.test(
  'rows with and without identity of one measurement are filed by one commit',
  async (test) => {
    const all = compose();
    all.buffers.append(smallBatch(16, 3), 1, 0);
    all.buffers.append(smallBatch(16, 4, { hasIdentity: false }), 1, 3);
    all.buffers.recordEntered(7);
    all.flusher.flushOpen();
    await settled();
    await settled();
    const job = all.encoder.flushes[0]?.job;
    test.strictSame(
      job?.sets.map(({ hasIdentity, rows }) => [hasIdentity, rows.rowCount]),
      [
        [true, 3],
        [false, 4],
      ],
    );
    test.strictSame(job?.lsns, [1, 7]);
    all.encoder.finish();
    await settled();
    await settled();
    test.strictSame(all.committer.proposals[0]?.positions, [[16, 7]]);
  },
);

t.test('flushAll files everything, and says so if it cannot in time', async (test) => {
  const all = compose();
  all.write([16, 3], [17, 4]);
  const filed = all.flusher.flushAll(60_000);
  await finishAll(all);
  test.equal(await filed, true);
  test.equal(all.buffers.rows, 0);
  all.write([16, 3]);
  test.equal(await all.flusher.flushAll(1), false, 'the encoder never answers');
  test.equal(all.buffers.rows, 3);
});

t.test('replay waits until the buffers have room', async (test) => {
  const all = compose();
  all.write([16, 50], [17, 50]);
  let hasRoom = false;
  const waiting = all.flusher.whenBelow(100).then(() => {
    hasRoom = true;
  });
  await settled();
  await settled();
  all.encoder.finish();
  await settled();
  test.notOk(hasRoom);
  await finishAll(all);
  await waiting;
  test.ok(hasRoom);
});
