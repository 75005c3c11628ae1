import { readdirSync, statSync } from 'node:fs';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import t from 'tap';
import type { GatewayError } from '../../../../src/base/errors/gateway-error.ts';
import { append, numbered, numberIn, WalBench } from '../../../support/wal-bench.ts';

const benchFor = (t: { teardown(call: () => void): void }): WalBench => {
  const bench = new WalBench();
  t.teardown(() => {
    bench.remove();
  });
  return bench;
};

t.test('callbacks come in LSN order, and numbers follow the counts without a gap', async (t) => {
  const bench = benchFor(t);
  const client = await bench.open();
  const lsns: number[] = [];
  const all: Promise<unknown>[] = [];
  for (let index = 0; index < 300; index++) {
    const count = 1 + (index % 7);
    const done = append(client, numbered(index), count).then(({ error, lsn }) => {
      t.equal(error, undefined);
      lsns.push(lsn, lsn + count);
    });
    all.push(done);
    if (index % 50 === 0) await sleep(1);
  }
  await Promise.all(all);
  for (let at = 1; at + 1 < lsns.length; at += 2) t.equal(lsns[at], lsns[at + 1]);
  t.equal(client.syncedTo, (lsns.at(-1) ?? 0) - 1);
  t.equal(client.queuedBytes, 0);
  t.equal(client.oldestUnsyncedMs, 0);
  await client.close();
});

t.test('a callback that throws keeps no other from its answer, and is not hidden', async (t) => {
  const bench = benchFor(t);
  const client = await bench.open();
  const uncaught = t.capture(process, 'emit', () => true);
  bench.order('hold-sync');
  const first = append(client, numbered(0));
  await bench.held();
  client.append(numbered(1), 1, () => {
    throw new Error('no memory');
  });
  const last = append(client, numbered(2));
  bench.revoke('hold-sync');
  await first;
  t.equal((await last).error, undefined);
  const events = uncaught().map(({ args }) => args as unknown as [string, Error]);
  uncaught.restore();
  t.match(
    events.find(([name]) => name === 'uncaughtException'),
    ['uncaughtException', { message: 'no memory' }],
  );
  await client.close();
});

t.test('what waits during a sync becomes one group with one sync', async (t) => {
  const bench = benchFor(t);
  const client = await bench.open();
  bench.order('hold-sync');
  const first = append(client, numbered(0));
  await bench.held();
  const rest: Promise<unknown>[] = [];
  for (let index = 1; index <= 50; index++) {
    rest.push(append(client, numbered(index)));
    if (index % 20 === 0) await sleep(2);
  }
  t.equal(client.queuedBytes, 51 * 64);
  t.ok(client.oldestUnsyncedMs > 0);
  await sleep(5);
  bench.revoke('hold-sync');
  await Promise.all([first, ...rest]);
  t.equal(client.status().groups, 2);
  t.equal(client.appendLatency.summary().count, 51);
  t.equal(client.syncLatency.summary().count, 2);
  await client.close();
});

t.test('after a restart every record above the low-water mark comes back in order', async (t) => {
  const bench = benchFor(t);
  const client = await bench.open();
  const sent = await Promise.all(
    Array.from({ length: 200 }, (_, index) => append(client, numbered(index, 5000), 3)),
  );
  const highest = client.writtenTo;
  await client.close();
  const found = await bench.records();
  t.strictSame(
    found.map(({ lsn, count, payload }) => [lsn, count, numberIn(payload), payload.length]),
    sent.map(({ lsn }, index) => [lsn, 3, index, 5000]),
  );
  const middle = sent[99]?.lsn ?? 0;
  const above = await bench.records(middle + 2);
  t.equal(above[0]?.lsn, sent[100]?.lsn);
  const again = await bench.open({}, { floor: highest + 2 ** 40 });
  const { lsn } = await append(again, numbered(1));
  t.ok(lsn > highest + 2 ** 40, 'numbers go on above the floor');
  await again.close();
});

t.test('a failed sync refuses its group only; recovery gives what was acknowledged', async (t) => {
  const bench = benchFor(t);
  const client = await bench.open();
  const good = await append(client, numbered(1));
  bench.order('once-sync');
  const bad = await append(client, numbered(2));
  const after = await append(client, numbered(3));
  t.equal(bad.error?.code, 'HF_LOG_APPEND');
  t.equal(after.error, undefined);
  t.ok(after.lsn > good.lsn + 1, 'the number of the refused request is spent');
  t.equal(client.state, 'open');
  t.equal(client.status().failures, 1);
  await client.close();
  const found = await bench.records();
  t.strictSame(
    found.map(({ lsn, payload }) => [lsn, numberIn(payload)]),
    [
      [good.lsn, 1],
      [after.lsn, 3],
    ],
  );
});

t.test('a short write refuses its group only', async (t) => {
  const bench = benchFor(t);
  const client = await bench.open();
  bench.order('once-write');
  t.equal((await append(client, numbered(1))).error?.code, 'HF_LOG_APPEND');
  const { lsn, error } = await append(client, numbered(2));
  t.equal(error, undefined);
  await client.close();
  t.strictSame(
    (await bench.records()).map((record) => record.lsn),
    [lsn],
  );
});

t.test('while the disk refuses everything appends fail at once, and go on after it', async (t) => {
  const bench = benchFor(t);
  const client = await bench.open();
  const states: [string, string | undefined][] = [];
  const opened = new Promise<void>((resolve) => {
    client.onState((state, cause?: GatewayError) => {
      states.push([state, cause?.code]);
      if (state === 'open') resolve();
    });
  });
  const before = await append(client, numbered(1));
  for (const call of ['sync', 'write', 'open']) bench.order(`fail-${call}`);
  const [first, second] = await Promise.all([
    append(client, numbered(2)),
    append(client, numbered(3)),
  ]);
  t.ok(first.error);
  t.ok(second.error);
  t.equal(client.state, 'failed');
  t.equal((await append(client, numbered(4))).error?.code, 'HF_WAL_FAILED');
  await t.rejects(client.sync(), { code: 'HF_WAL_FAILED' });
  await sleep(30);
  t.equal(client.state, 'failed');
  for (const call of ['sync', 'write', 'open']) bench.revoke(`fail-${call}`);
  await opened;
  const after = await append(client, numbered(5));
  t.equal(after.error, undefined);
  t.equal(states.length, 2);
  t.equal(states[0]?.[0], 'failed');
  await client.close();
  t.strictSame(
    (await bench.records()).map(({ lsn, payload }) => [lsn, numberIn(payload)]),
    [
      [before.lsn, 1],
      [after.lsn, 5],
    ],
  );
});

t.test('a log that cannot be written at its start is readable, failed, and recovers', async (t) => {
  const bench = benchFor(t);
  const client = await bench.open();
  const { lsn } = await append(client, numbered(1));
  await client.close();
  bench.order('fail-write');
  const lsns: number[] = [];
  const again = await bench.open(
    {},
    {
      sink: async (records) => {
        for (const record of records) lsns.push(record.lsn);
      },
    },
  );
  t.strictSame(lsns, [lsn]);
  t.equal(again.state, 'failed');
  const opened = new Promise<void>((resolve) => {
    again.onState((state, cause) => {
      if (state === 'failed') t.equal(cause?.details['errno'], 'EIO', 'known to who asks later');
      if (state === 'open') resolve();
    });
  });
  bench.revoke('fail-write');
  await opened;
  t.equal((await append(again, numbered(2))).error, undefined);
  await again.close();
});

t.test('a thread that dies fails all that wait, and everything after', async (t) => {
  const bench = benchFor(t);
  const client = await bench.open();
  const before = await append(client, numbered(0));
  const exit = new Promise<GatewayError>((resolve) => {
    client.onExit(resolve);
  });
  bench.order('die');
  const waiting = Array.from({ length: 20 }, (_, index) => append(client, numbered(index)));
  for (const { error } of await Promise.all(waiting)) t.equal(error?.code, 'HF_WAL_THREAD_LOST');
  t.equal((await exit).code, 'HF_WAL_THREAD_LOST');
  t.equal(client.state, 'failed');
  t.equal(client.queuedBytes, 0);
  t.equal((await append(client, numbered(1))).error?.code, 'HF_WAL_THREAD_LOST');
  await t.rejects(client.sync(), { code: 'HF_WAL_THREAD_LOST' });
  await client.close();
  bench.revoke('die');
  t.strictSame(
    (await bench.records()).map((record) => record.lsn),
    [before.lsn],
  );
});

t.test(
  'a full queue sheds; a request larger than the queue is taken when it is alone',
  async (t) => {
    const bench = benchFor(t);
    const client = await bench.open({ queueBytesMax: 1000 });
    bench.order('hold-sync');
    const large = append(client, numbered(1, 4000));
    const refused = await append(client, numbered(2, 64));
    t.equal(refused.error?.code, 'HF_WAL_QUEUE_FULL');
    t.equal(refused.error?.kind, 'overload');
    bench.revoke('hold-sync');
    t.equal((await large).error, undefined);
    const small = Array.from({ length: 20 }, (_, index) => append(client, numbered(index, 96)));
    const outcomes = await Promise.all(small);
    t.equal(outcomes.filter(({ error }) => error === undefined).length, 10);
    t.equal(client.status().refused, 11);
    await client.close();
  },
);

t.test('close answers what waits first, and refuses what comes later', async (t) => {
  const bench = benchFor(t);
  const client = await bench.open();
  const outcomes = Array.from({ length: 100 }, (_, index) => append(client, numbered(index)));
  let answered = 0;
  for (const outcome of outcomes) {
    void outcome.then(({ error }) => {
      t.equal(error, undefined);
      answered++;
    });
  }
  const closed = client.close();
  t.equal((await append(client, numbered(1))).error?.code, 'HF_WAL_FAILED');
  await closed;
  t.equal(answered, 100);
  await client.close();
  t.equal((await bench.records()).length, 100);
});

t.test('released segments are recycled, and nothing above the mark goes', async (t) => {
  const bench = benchFor(t);
  const client = await bench.open({ segmentBytes: 64 * 1024 });
  const lsns: number[] = [];
  for (let index = 0; index < 60; index++) {
    const { lsn, error } = await append(client, numbered(index, 10_000));
    t.equal(error, undefined);
    lsns.push(lsn);
  }
  const before = client.status().segments;
  const lowWater = lsns[39] ?? 0;
  client.release(lowWater);
  await client.sync();
  t.ok(client.status().segments < before, `${before} -> ${client.status().segments} segments`);
  await client.close();
  t.strictSame(
    (await bench.records(lowWater)).map((record) => record.lsn),
    lsns.slice(40),
  );
});

t.test('an idle log rotates when its segment is old enough', async (t) => {
  const bench = benchFor(t);
  const client = await bench.open({ segmentAgeMs: 20 });
  const { lsn } = await append(client, numbered(1));
  while (client.status().segments < 2) await sleep(5);
  t.ok(client.status().mark >= lsn, 'the header of the fresh segment is a durable mark');
  await client.close();
});

t.test('a spare is filled ahead of need, and the next segment is made of it', async (t) => {
  const bench = benchFor(t);
  const client = await bench.open({ segmentBytes: 64 * 1024 });
  const ending = (suffix: string) =>
    readdirSync(bench.wal).filter((name) => name.endsWith(suffix)).length;
  while (ending('.spare') === 0) await sleep(5);
  while (client.status().segments < 2) await append(client, numbered(1, 20_000));
  const newest =
    readdirSync(bench.wal)
      .filter((name) => name.endsWith('.wal'))
      .at(-1) ?? '';
  t.equal(statSync(join(bench.wal, newest)).size, 64 * 1024, 'filled to its full length');
  await client.close();
});

t.test(
  'a sync that this thread waits for brings all to the device, and ends in time',
  async (t) => {
    const bench = benchFor(t);
    const client = await bench.open({ syncMode: 'async' });
    await append(client, numbered(0));
    t.ok(client.syncedTo < client.writtenTo);
    const states: string[] = [];
    client.onState((state) => {
      states.push(state);
    });
    bench.order('fail-sync');
    t.equal(client.syncAtOnce(10_000), false, 'the disk refuses');
    bench.revoke('fail-sync');
    while (states.at(-1) !== 'open') await sleep(2);
    await append(client, numbered(1));
    t.equal(client.syncAtOnce(10_000), true);
    const { writtenTo } = client;
    while (client.syncedTo < writtenTo) await sleep(2);
    bench.order('hold-sync');
    await append(client, numbered(2));
    t.equal(client.syncAtOnce(20), false, 'a disk that hangs does not hold the end up');
    bench.revoke('hold-sync');
    await client.close();
  },
);

t.test('mode async keeps no more unsynced than it may, with no sync asked for', async (t) => {
  const bench = benchFor(t);
  const mebibyte = 1024 * 1024;
  const client = await bench.open({
    syncMode: 'async',
    segmentBytes: 64 * mebibyte,
    unsyncedBytesMax: 4 * mebibyte,
  });
  for (let index = 0; index < 8; index += 1) {
    await append(client, numbered(index, mebibyte));
    t.ok(client.writtenTo - client.syncedTo <= 4, `${index}`);
  }
  await client.close();
});
