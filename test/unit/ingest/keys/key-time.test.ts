/**
 * Keys over wall clocks that jump: in one run and between runs no key is dropped early for it, and
 * none lives on for it. A run is a clock of its own over the keys that the runs before it left.
 */
import t from 'tap';
import { Metrics } from '../../../../src/base/telemetry/metrics.ts';
import type { ColumnBatch } from '../../../../src/base/model/column-batch.ts';
import type { WriteOutcome } from '../../../../src/ingest/door-types.ts';
import { KeyTime } from '../../../../src/ingest/keys/key-time.ts';
import { RequestKeys } from '../../../../src/ingest/keys/request-keys.ts';
import { SchemaRegistry } from '../../../../src/storage/catalog/schema-registry.ts';
import { FakeClock, settled } from '../../../support/flush-fakes.ts';

const hourMs = 3_600_000;
const dayMs = 24 * hourMs;
const yearMs = 365 * dayMs;
/** 2026, as a box with a right clock starts. */
const rightMs = 56 * yearMs;

/** One run of a gateway's keys: `log` is what earlier runs wrote, in order. */
async function run(log: ColumnBatch[], wallMs: number) {
  const clock = new FakeClock();
  clock.wallJumpMs = wallMs - clock.nowMs;
  const time = new KeyTime(clock, undefined);
  const registry = new SchemaRegistry({
    columnsMax: 9,
    measurementsMax: 9,
    databasesMax: 9,
    nameBytesMax: 99,
    createDatabases: true,
  });
  const keys = new RequestKeys(
    {
      registry,
      clock,
      time,
      metrics: new Metrics(),
      salt: `${log.length}`,
      yieldNow: settled,
      alarms: { raise: () => undefined, clear: () => undefined },
    },
    {
      entriesMax: 1000,
      bytesMax: 1e6,
      ageUsMax: dayMs * 1000,
      retryMsMin: 1,
      retryMsMax: 1,
    },
  );
  for (const batch of log) keys.learn(batch);
  await keys.load(undefined);
  /** True if the request was known. */
  const send = async (key: string): Promise<boolean> => {
    const request = {
      dialect: 'v1',
      database: 'd',
      precision: 'us',
      body: Buffer.from(key),
      acceptPartial: true,
      sender: '10.0.0.7',
    } as const;
    const { isRepeat } = await keys.once(request, key, async (held) => {
      const outcome: WriteOutcome = { rows: 1, rejected: [], rejectedLines: 0 };
      log.push(held.row(clock.wallUs(), outcome));
      held.kept();
      return Promise.resolve(outcome);
    });
    return isRepeat === true;
  };
  return { clock, send };
}

const jumps = { 'ten years forward': 10 * yearMs, 'a year back': -yearMs, 'to 1970': -rightMs };

for (const [name, jumpMs] of Object.entries(jumps)) {
  t.test(`a clock that jumps ${name} in a run changes no age`, async (t) => {
    const { clock, send } = await run([], rightMs);
    t.notOk(await send('a'));
    clock.wallJumpMs += jumpMs;
    t.ok(await send('a'), 'known after the jump');
    t.notOk(await send('b'), 'one that came after it');
    clock.nowMs += 23 * hourMs;
    t.ok(await send('a'));
    clock.wallJumpMs -= jumpMs;
    t.ok(await send('a'), 'known after the jump back');
    t.ok(await send('b'));
    clock.nowMs += 2 * hourMs;
    t.notOk(await send('a'), 'forgotten after a day');
    t.notOk(await send('b'));
  });

  t.test(`a start with a clock that is off ${name} forgets nothing`, async (t) => {
    const log: ColumnBatch[] = [];
    const first = await run(log, rightMs);
    await first.send('old');
    first.clock.nowMs += 20 * hourMs;
    await first.send('new');

    const second = await run(log, rightMs + jumpMs);
    t.ok(await second.send('old'));
    t.ok(await second.send('new'));
    t.notOk(await second.send('own'), 'one that comes under the wrong clock');
    second.clock.nowMs += 5 * hourMs;
    t.notOk(await second.send('old'), 'a day of running time has passed, over both runs');
    t.ok(await second.send('new'));

    const third = await run(log, rightMs + hourMs);
    for (const key of ['old', 'new', 'own']) t.ok(await third.send(key), `${key} is known`);
    third.clock.nowMs += 25 * hourMs;
    for (const key of ['old', 'new', 'own']) t.notOk(await third.send(key), `${key} is forgotten`);
  });
}

t.test('keys of a box that begins in 1970 outlive the right time', async (t) => {
  const log: ColumnBatch[] = [];
  const { clock, send } = await run(log, 0);
  await send('a');
  clock.wallJumpMs += rightMs;
  t.ok(await send('a'), 'the clock was set');
  const later = await run(log, rightMs);
  t.ok(await later.send('a'));
  later.clock.nowMs += 25 * hourMs;
  t.notOk(await later.send('a'));
});

t.test('time in which nothing ran does not count', async (t) => {
  const log: ColumnBatch[] = [];
  await (await run(log, rightMs)).send('a');
  const later = await run(log, rightMs + 30 * dayMs);
  t.ok(await later.send('a'));
});

t.test('the time is whole, and begins as a date', (t) => {
  const clock = new FakeClock();
  clock.nowMs = 1000.4567;
  const time = new KeyTime(clock, undefined);
  t.equal(time.nowUs(), 1_000_456);
  clock.nowMs += 0.0019;
  t.equal(time.nowUs(), 1_000_457);
  time.passed(5);
  t.equal(time.nowUs(), 1_000_457, 'it does not run back');
  time.passed(2_000_000);
  t.equal(time.nowUs(), 2_000_000);
  t.equal(new KeyTime(clock, 7).nowUs(), 7);
  t.end();
});
