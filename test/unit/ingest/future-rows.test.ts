/** Rows dated far in the future: which are found, and what a person is told of them. */
import t from 'tap';
import type { ColumnBatch } from '../../../src/base/model/column-batch.ts';
import { Alarms } from '../../../src/base/telemetry/alarms.ts';
import { silentLogger } from '../../../src/base/telemetry/log.ts';
import { Metrics } from '../../../src/base/telemetry/metrics.ts';
import { FutureRows } from '../../../src/ingest/future-rows.ts';
import type { WriteRequest } from '../../../src/ingest/door-types.ts';
import { FakeClock } from '../../support/flush-fakes.ts';

const dayMs = 86_400_000;
const nowUs = 1_700_000_000_000_000;
const limitUs = BigInt(nowUs) + BigInt(dayMs) * 1000n;

const request: WriteRequest = {
  dialect: 'v1',
  database: 'plant',
  precision: 'n',
  body: new Uint8Array(),
  acceptPartial: true,
  sender: '10.0.0.3 Telegraf/1.39',
};

function batch(measurement: string, times: readonly bigint[]): ColumnBatch {
  return {
    measurementId: 1,
    database: 'plant',
    measurement,
    hasIdentity: true,
    rowCount: times.length,
    times: BigInt64Array.from(times),
    columns: [],
  };
}

function compose() {
  const clock = new FakeClock();
  const metrics = new Metrics();
  const alarms = new Alarms({ clock, logger: silentLogger });
  const future = new FutureRows({ alarms, metrics, clock }, { limitMs: dayMs });
  return { clock, metrics, alarms, future };
}

t.test('rows beyond the limit are found to the microsecond', (t) => {
  const { future } = compose();
  const found = future.find(
    [
      batch('cpu', [-1n, 0n, BigInt(nowUs), limitUs]),
      batch('mem', [limitUs, limitUs + 1n, -(2n ** 62n), limitUs + 2n ** 32n, limitUs + 7n]),
      batch('far', [9_223_372_036_854_775n]),
    ],
    nowUs,
  );
  t.strictSame(found, [
    { database: 'plant', measurement: 'mem', rows: 3, latestUs: Number(limitUs + 2n ** 32n) },
    { database: 'plant', measurement: 'far', rows: 1, latestUs: 9_223_372_036_854_775 },
  ]);
  t.strictSame(future.find([batch('cpu', [limitUs])], nowUs), []);
  t.end();
});

t.test('times of a batch that is part of a larger memory are read in their place', (t) => {
  const { future } = compose();
  const memory = BigInt64Array.from([limitUs + 9n, 0n, limitUs + 1n, limitUs + 9n]);
  const part = { ...batch('cpu', [0n, 0n]), times: memory.subarray(1, 3) };
  t.match(future.find([part], nowUs), [{ rows: 1, latestUs: Number(limitUs + 1n) }]);
  t.end();
});

t.test('they are counted, and the alarm names sender and measurement', async (t) => {
  const { future, alarms, metrics, clock } = compose();
  future.note(future.find([batch('cpu', [limitUs + 1n, limitUs + 2n])], nowUs), request);
  t.match(alarms.active(), [
    {
      id: 'future_rows',
      subject: 'plant.cpu from 10.0.0.3 Telegraf/1.39',
      detail: /^2 rows of plant\.cpu from 10\.0\.0\.3 Telegraf\/1\.39 .* 2023-11-15T/,
    },
  ]);
  t.match(await metrics.text(), 'holdfast_ingest_future_rows_total{dialect="v1"} 2');
  clock.nowMs += 3_599_999;
  t.equal(alarms.active().length, 1);
  future.note(future.find([batch('cpu', [limitUs + 1n])], nowUs), request);
  clock.nowMs += 3_599_999;
  t.equal(alarms.active().length, 1, 'it stands an hour from the last such row on');
  clock.nowMs += 1;
  t.equal(alarms.active().length, 0, 'it goes when no such row comes any more');
  t.end();
});

t.test('a sender of many names does not make alarms without end', (t) => {
  const { future, alarms, clock } = compose();
  for (let number = 0; number < 200; number += 1) {
    const found = future.find([batch(`m${number}`, [limitUs + 1n])], nowUs);
    future.note(found, request);
  }
  t.equal(alarms.active().length, 51);
  t.ok(alarms.active().some(({ subject }) => subject === 'other senders and measurements'));
  clock.nowMs += 3_600_000;
  future.note(future.find([batch('late', [limitUs + 1n])], nowUs), request);
  t.match(alarms.active(), [{ subject: /^plant\.late from/ }], 'places become free again');
  t.end();
});
