import { setTimeout as sleep } from 'node:timers/promises';
import t from 'tap';
import { decodeRequest, encodeRequest } from '../../../../src/log/wal/request-record.ts';
import { iotRequest, plain } from '../../../support/request-batches.ts';
import { append, numbered, numberIn, WalBench } from '../../../support/wal-bench.ts';

const benchFor = (t: { teardown(call: () => void): void }): WalBench => {
  const bench = new WalBench();
  t.teardown(() => {
    bench.remove();
  });
  return bench;
};

const mebibyte = 1024 * 1024;

t.test('replay waits for the sink, batch by batch, and gives each record whole', async (t) => {
  const bench = benchFor(t);
  const client = await bench.open({ segmentBytes: 4 * mebibyte });
  const sizes = [9 * mebibyte, ...Array.from({ length: 70 }, () => mebibyte / 2), 64];
  for (const [index, bytes] of sizes.entries()) {
    const payload = numbered(index, bytes);
    payload[bytes - 1] = index;
    t.equal((await append(client, payload)).error, undefined);
  }
  await client.close();
  let running = 0;
  let batches = 0;
  const seen: [number, number, number | undefined][] = [];
  const progress: number[] = [];
  const again = await bench.open(
    {},
    {
      sink: async (records, { bytes, bytesTotal }) => {
        running++;
        batches++;
        t.equal(running, 1, 'one batch at a time');
        t.ok(bytes <= bytesTotal);
        progress.push(bytes);
        await sleep(5);
        // Looked at late: the memory must still hold this batch and not a later one.
        for (const { payload } of records) {
          t.equal(payload.byteOffset % 8, 0);
          seen.push([numberIn(payload), payload.length, payload.at(-1)]);
        }
        running--;
      },
    },
  );
  t.ok(batches >= 6, `${batches} batches`);
  t.strictSame(
    seen,
    sizes.map((bytes, index) => [index, bytes, index]),
  );
  t.strictSame(
    progress,
    progress.toSorted((a, b) => a - b),
  );
  await again.close();
});

t.test('requests come back from the log value for value', async (t) => {
  const bench = benchFor(t);
  const client = await bench.open();
  const requests = [iotRequest(1), iotRequest(1000, 5), iotRequest(3, 9, 'ü')];
  for (const request of requests) {
    await append(client, encodeRequest(request), request.batches[0]?.rowCount);
  }
  await client.close();
  const found = await bench.records();
  t.strictSame(
    found.map(({ payload }) => plain(decodeRequest(payload))),
    requests.map(plain),
  );
});

t.test('a sink that throws ends the start with its error, and the next start works', async (t) => {
  const bench = benchFor(t);
  const client = await bench.open();
  for (let index = 0; index < 40; index++) await append(client, numbered(index, mebibyte));
  await client.close();
  let calls = 0;
  const failing = bench.open(
    {},
    {
      sink: async () => {
        calls++;
        await sleep(1);
        throw new RangeError('sink is full');
      },
    },
  );
  await t.rejects(failing, { name: 'RangeError', message: 'sink is full' });
  t.equal(calls, 1);
  t.equal((await bench.records()).length, 40);
});

t.test('mode async answers before the sync, and syncs in the background', async (t) => {
  const bench = benchFor(t);
  const client = await bench.open({ syncMode: 'async', asyncIntervalMs: 20 });
  const synced = new Promise<number>((resolve) => {
    client.onSynced(resolve);
  });
  const { lsn, error } = await append(client, numbered(1));
  t.equal(error, undefined);
  t.equal(client.writtenTo, lsn);
  t.ok(await synced);
  while (client.syncedTo < lsn) await sleep(5);
  await client.close();
  t.equal((await bench.records()).length, 1);
});

t.test('without background syncs a sync that is asked for brings all to the device', async (t) => {
  const bench = benchFor(t);
  const client = await bench.open({ syncMode: 'async', asyncIntervalMs: 0 });
  const { lsn } = await append(client, numbered(1));
  t.ok(client.syncedTo < lsn);
  await client.sync();
  t.ok(client.syncedTo >= lsn);
  await client.close();
});

t.test('mode async carries what was answered over a failed background sync', async (t) => {
  const bench = benchFor(t);
  const client = await bench.open({ syncMode: 'async', asyncIntervalMs: 0 });
  const lsns: number[] = [];
  for (let index = 0; index < 20; index++) {
    lsns.push((await append(client, numbered(index, 2000))).lsn);
  }
  bench.order('once-sync');
  await client.sync().catch(() => undefined);
  t.equal(client.status().failures, 1);
  lsns.push((await append(client, numbered(20, 2000))).lsn);
  await client.sync();
  await client.close();
  const found = await bench.records();
  t.strictSame(
    found.map(({ lsn, payload }) => [lsn, numberIn(payload)]),
    lsns.map((lsn, index) => [lsn, index]),
  );
});

t.test('a thread that dies while the sink waits for room ends the start', async (t) => {
  const bench = benchFor(t);
  const client = await bench.open({ segmentBytes: 16 * mebibyte });
  for (const index of [0, 1]) await append(client, numbered(index, 5 * mebibyte));
  await client.close();
  bench.order('die');
  let waiting = false;
  const start = bench.open(
    {},
    {
      sink: () => {
        waiting = true;
        return new Promise<never>(() => undefined);
      },
    },
  );
  await t.rejects(start, { code: 'HF_WAL_THREAD_LOST' });
  t.equal(waiting, true);
  bench.revoke('die');
  t.equal((await bench.records()).length, 2, 'the next start works');
});
