/**
 * Idempotency keys at the door: what is written once, who waits for whom, and what a request that
 * fails leaves behind. The log is a list of records that the test answers when it wants.
 */
import t from 'tap';
import { GatewayError } from '../../../../src/base/errors/gateway-error.ts';
import type { RequestBatch } from '../../../../src/base/model/column-batch.ts';
import { Metrics } from '../../../../src/base/telemetry/metrics.ts';
import { Admission } from '../../../../src/ingest/admission.ts';
import type { Decoded, Rejection } from '../../../../src/ingest/decode/types.ts';
import { Door } from '../../../../src/ingest/door.ts';
import type { WriteRequest } from '../../../../src/ingest/door-types.ts';
import { KeyTime } from '../../../../src/ingest/keys/key-time.ts';
import { RequestKeys } from '../../../../src/ingest/keys/request-keys.ts';
import { SchemaRegistry } from '../../../../src/storage/catalog/schema-registry.ts';
import { FakeClock, settled, smallBatch } from '../../../support/flush-fakes.ts';

const dayUs = 86_400_000_000;

const counters = {
  nanCells: 0,
  duplicateFields: 0,
  cutTimeDigits: 0,
  renamedCells: 0,
  integersAsFloats: 0,
};

function request(body: string, changes: Partial<WriteRequest> = {}): WriteRequest {
  return {
    dialect: 'v1',
    database: 'd',
    precision: 'us',
    body: Buffer.from(body),
    acceptPartial: true,
    sender: '10.0.0.7',
    key: 'k1',
    ...changes,
  };
}

const badLine: Rejection = {
  line: 2,
  text: 'bad',
  raw: undefined,
  reason: 'missing fields',
  kind: 'parse',
  count: 1,
};

interface Record {
  readonly request: RequestBatch;
  readonly count: number;
  done(error: GatewayError | undefined, lsn: number): void;
}

async function compose(options: { isLoaded?: boolean; bad?: boolean } = {}) {
  const registry = new SchemaRegistry({
    columnsMax: 9,
    measurementsMax: 9,
    databasesMax: 9,
    nameBytesMax: 99,
    createDatabases: true,
  });
  const clock = new FakeClock();
  const metrics = new Metrics();
  const alarms: string[] = [];
  const keys = new RequestKeys(
    {
      registry,
      clock,
      time: new KeyTime(clock, undefined),
      metrics,
      salt: 'salt',
      yieldNow: settled,
      alarms: {
        raise: (id, _detail, subject) => alarms.push(`${id} ${subject}`),
        clear: () => undefined,
      },
    },
    { entriesMax: 100, bytesMax: 1e6, ageUsMax: dayUs, retryMsMin: 1, retryMsMax: 1 },
  );
  if (options.isLoaded !== false) await keys.load(undefined);
  const records: Record[] = [];
  const encoded = new Map<Uint8Array, RequestBatch>();
  let decodeError: GatewayError | undefined;
  const decode = (): Promise<Decoded> => {
    if (decodeError !== undefined) return Promise.reject(decodeError);
    const rejected = options.bad === true ? [badLine] : [];
    return Promise.resolve({
      batches: [smallBatch(16, 3)],
      rows: 3,
      rejected,
      rejectedLines: rejected.length,
      counters,
      free: () => undefined,
    });
  };
  const door = new Door(
    {
      admission: new Admission(
        {
          recovered: () => true,
          diskFull: () => false,
          walFailed: () => false,
          walBytes: () => 0,
          walOldestUnsyncedMs: () => 0,
          bufferBytes: () => 0,
        },
        { memoryBytesMax: 1e9, walBytesMax: 1e6, unsyncedMsMax: 1e6 },
      ),
      decoders: { line: { decode }, msgpack: { decode }, arrow: { decode } },
      rejectedBatch: () => smallBatch(1, 1),
      markedBatch: () => smallBatch(3, 1),
      keys,
      encode: (batch) => {
        const bytes = new Uint8Array(8);
        encoded.set(bytes, batch);
        return bytes;
      },
      log: () => ({
        append: (payload, count, done) => {
          const kept = encoded.get(payload);
          if (kept !== undefined) records.push({ request: kept, count, done });
        },
      }),
      buffers: {
        enter: (_batches, _lsn, done) => {
          done(undefined);
        },
      },
      clock,
      databaseExists: () => true,
      count: () => undefined,
      futureRows: { find: () => [], note: () => undefined },
    },
    { cellsMax: 1e6, lineBytesMax: 1e6, createDatabases: true, daysMax: 1e6 },
  );
  let lsn = 100;
  /** Answers the oldest record that waits. */
  const sync = (error?: GatewayError) => {
    const record = records.shift();
    record?.done(error, (lsn += 10));
    return record;
  };
  const waiting = async (count: number) => {
    while (records.length < count) await settled();
  };
  const refuse = (error: GatewayError | undefined) => {
    decodeError = error;
  };
  return { door, keys, clock, metrics, alarms, records, sync, waiting, refuse };
}

t.test('a request that comes again is written once and answered alike', async (t) => {
  const { door, records, sync, waiting, metrics } = await compose();
  const first = door.write(request('a'));
  await waiting(1);
  const record = sync();
  t.equal(record?.count, 4, 'three rows and the key in one record');
  t.same(
    record?.request.batches.map(({ measurementId }) => measurementId),
    [16, 2],
  );
  t.strictSame(await first, { rows: 3, rejected: [], rejectedLines: 0 });
  t.match(await door.write(request('a')), { rejectedLines: 0, isRepeat: true });
  t.equal(records.length, 0);
  t.match(await metrics.text(), 'holdfast_ingest_key_repeats_total{dialect="v1"} 1');
});

t.test('one that comes while the first is under way waits for its answer', async (t) => {
  const { door, records, sync, waiting } = await compose();
  const first = door.write(request('a'));
  await waiting(1);
  let isAnswered = false;
  const second = door.write(request('a')).finally(() => {
    isAnswered = true;
  });
  for (let turn = 0; turn < 10; turn += 1) await settled();
  t.equal(records.length, 1, 'it writes nothing');
  t.notOk(isAnswered);
  sync();
  t.match(await first, { rows: 3 });
  t.match(await second, { rows: 3, isRepeat: true });
});

t.test('who waited gets the error of the first, and a later try is a first one', async (t) => {
  const { door, sync, waiting } = await compose();
  const both = [door.write(request('a')), door.write(request('a'))];
  await waiting(1);
  const outcomes = Promise.allSettled(both);
  sync(new GatewayError('HF_LOG_APPEND', 'EIO'));
  for (const outcome of await outcomes) {
    t.match(outcome, { status: 'rejected', reason: { code: 'HF_LOG_APPEND' } });
  }
  const later = door.write(request('a'));
  await waiting(1);
  sync();
  t.strictSame(await later, { rows: 3, rejected: [], rejectedLines: 0 });
});

t.test(
  'the same key with another body is a request of its own, and a person is told',
  async (t) => {
    const { door, sync, waiting, alarms, metrics } = await compose();
    const first = door.write(request('a'));
    await waiting(1);
    const other = door.write(request('b'));
    await waiting(2);
    sync();
    sync();
    t.match([await first, await other], [{ rows: 3 }, { rows: 3 }]);
    t.match(await door.write(request('b')), { isRepeat: true }, 'the newest counts');
    const again = door.write(request('a'));
    await waiting(1);
    sync();
    t.strictSame(await again, { rows: 3, rejected: [], rejectedLines: 0 }, 'nothing is lost');
    t.same(alarms, ['key_reused 10.0.0.7', 'key_reused 10.0.0.7']);
    t.match(await metrics.text(), 'holdfast_ingest_keys_reused_total{dialect="v1"} 2');
  },
);

t.test('what changes the rows is part of the body; the database is part of the key', async (t) => {
  const { door, sync, waiting, alarms } = await compose();
  const variants: Partial<WriteRequest>[] = [
    {},
    { precision: 's' },
    { acceptPartial: false },
    { format: 'msgpack' },
    { database: 'other' },
    { key: 'k2' },
  ];
  for (const variant of variants) {
    const written = door.write(request('a', variant));
    await waiting(1);
    sync();
    t.strictSame(await written, { rows: 3, rejected: [], rejectedLines: 0 });
  }
  t.equal(alarms.length, 3);
  t.match(await door.write(request('a', { database: 'other', dialect: 'v2' })), { isRepeat: true });
});

t.test('a request that was refused before it was written keeps no key', async (t) => {
  const { door, sync, waiting, refuse } = await compose();
  refuse(new GatewayError('HF_BODY_UNREADABLE', 'no MessagePack'));
  await t.rejects(door.write(request('a')), { code: 'HF_BODY_UNREADABLE' });
  refuse(undefined);
  const written = door.write(request('a'));
  await waiting(1);
  sync();
  t.match(await written, { rows: 3 });

  const { door: strict, records } = await compose({ bad: true });
  for (let time = 0; time < 2; time += 1) {
    const outcome = await strict.write(request('a', { acceptPartial: false }));
    t.strictSame(outcome, { rows: 0, rejected: [badLine], rejectedLines: 1 }, 'judged anew');
  }
  t.equal(records.length, 0);
});

t.test('bad lines are told again', async (t) => {
  const { door, sync, waiting } = await compose({ bad: true });
  const first = door.write(request('a'));
  await waiting(1);
  t.equal(sync()?.count, 5, 'rows, dead letter and key');
  await first;
  const again = await door.write(request('a'));
  t.strictSame(again, { rows: 0, rejected: [badLine], rejectedLines: 1, isRepeat: true });
});

t.test('a key is forgotten after a day', async (t) => {
  const { door, clock, sync, waiting, records } = await compose();
  const first = door.write(request('a'));
  await waiting(1);
  sync();
  await first;
  clock.nowMs += 86_400_000;
  t.match(await door.write(request('a')), { isRepeat: true });
  clock.nowMs += 1;
  const late = door.write(request('a'));
  await waiting(1);
  sync();
  t.equal(records.length, 0);
  t.strictSame(await late, { rows: 3, rejected: [], rejectedLines: 0 });
});

t.test('until the keys of the last life are read, only requests without one come in', async (t) => {
  const { door, keys, sync, waiting, clock, alarms } = await compose({ isLoaded: false });
  t.throws(
    () => {
      door.admit(true);
    },
    { code: 'HF_KEYS_LOADING' },
  );
  await t.rejects(door.write(request('a')), { code: 'HF_KEYS_LOADING' });
  const { key, ...plain } = request('a');
  t.ok(key);
  const keyless = door.write(plain);
  await waiting(1);
  sync();
  t.match(await keyless, { rows: 3 });

  // What the log of the last life held, and what its files hold.
  const { door: earlier, sync: earlierSync, waiting: earlierWaiting } = await compose();
  const replayed = earlier.write(request('from the log', { key: 'k2' }));
  await earlierWaiting(1);
  for (const batch of earlierSync()?.request.batches ?? []) keys.learn(batch);
  await replayed;
  // The pause between attempts alone does not keep a process.
  const alive = setInterval(() => undefined, 1000);
  let attempts = 0;
  const body = '0'.repeat(64);
  await keys.load(async function* () {
    attempts += 1;
    if (attempts === 1) throw new GatewayError('HF_QUERY_ENGINE_DOWN', 'not yet');
    await settled();
    yield [
      { timeUs: clock.wallUs(), scope: '', database: 'd', key: 'k1', body, answer: undefined },
      { timeUs: clock.wallUs(), scope: '', database: 'd', key: 'k2', body, answer: undefined },
    ];
  });
  clearInterval(alive);
  t.equal(attempts, 2);
  t.same(alarms, ['keys_unread undefined']);
  door.admit(true);
  const known = door.write(request('from the log', { key: 'k2' }));
  t.match(await known, { isRepeat: true }, 'the log is newer than the files');
  const other = door.write(request('a'));
  await waiting(1);
  sync();
  t.match(await other, { rows: 3 });
  t.same(alarms.slice(1), ['key_reused 10.0.0.7'], 'k1 came with another body, says the file');
});
