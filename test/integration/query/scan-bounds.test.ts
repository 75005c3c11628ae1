/** Files outside a query's time bounds are not opened; one that is opened and gone is an error. */
import t from 'tap';
import { readFileSync, rmSync } from 'node:fs';
import { join } from 'node:path';
import { column, QueryRig } from '../../support/query-rig.ts';

const rig = await QueryRig.open();
t.teardown(() => rig.close());
rig.addMeasurement({
  id: 16,
  database: 'default',
  name: 'cpu',
  columns: [column('field', 'v', { id: 0, name: 'v', type: 'int64' })],
});
const hourUs = 3_600_000_000;
const add = (hour: number, v: number) =>
  rig.addFile(16, {
    select: `SELECT ${hour}::BIGINT * ${hourUs} + i AS t, ${v}::BIGINT + i AS v FROM range(3) r(i)`,
    columnIds: [0],
    hours: [[hour, 0, 2]],
  });
await add(0, 0);
await add(10, 100);
const gone = await add(20, 200);
t.same(await rig.rows('SELECT count(*) FROM cpu'), [[9]]);
const wrong = "SELECT count(*) FROM cpu WHERE time < 'no time'";
await t.rejects(rig.rows(wrong), { code: 'HF_QUERY_INVALID', message: /no time/ });
rmSync(join(rig.directory, 'data', gone.path));

await t.test('bounds that leave the lost file out', async (t) => {
  const cases: readonly (readonly [sql: string, rows: unknown])[] = [
    ["SELECT count(*) FROM cpu WHERE time < '1970-01-01 20:00:00'", [[6]]],
    [
      "SELECT sum(v) FROM cpu WHERE time >= '1970-01-01 10:00' AND time < '1970-01-01 11:00'",
      [[303]],
    ],
    ["SELECT v FROM cpu c WHERE c.time = TIMESTAMP '1970-01-01 10:00:00.000001'", [[101]]],
    ["SELECT v FROM cpu WHERE time BETWEEN DATE '1970-01-01' AND '1970-01-01 00:00:00'", [[0]]],
    ['SELECT count(*) FROM cpu WHERE time > now() - INTERVAL 1 DAY', [[0]]],
    ["SELECT count(*) FROM cpu WHERE time < TIMESTAMPTZ '1970-01-01 22:00:00+02'", [[6]]],
    ["SELECT count(*) FROM cpu WHERE time < '1970-01-01 19:00' AND time < 'infinity'", [[6]]],
    [
      "SELECT count(*) FROM cpu a JOIN cpu b USING (time) WHERE a.time < '1970-01-01 01:00' AND b.time < '1970-01-01 01:00'",
      [[3]],
    ],
    ["SELECT count(*) FROM (SELECT * FROM cpu WHERE time < '1970-01-01 01:00')", [[3]]],
  ];
  for (const [sql, rows] of cases) t.same(await rig.rows(sql), rows, sql);
});

await t.test('without such bounds the lost file is an error, never fewer rows', async (t) => {
  for (const sql of [
    'SELECT v FROM cpu',
    "SELECT count(*) FROM cpu WHERE time < '1970-01-01 20:00' OR v = 1",
    "SELECT count(*) FROM cpu WHERE time <= '1970-01-01 20:00:00'",
  ]) {
    await t.rejects(rig.rows(sql), { code: 'HF_QUERY_FAILED' }, sql);
  }
});

await t.test('a million rows pass through a process of bounded memory', async (t) => {
  const answer = await rig.queries.execute({
    sql: "SELECT range AS i, 'row ' || range AS s, range / 7 AS f FROM range(1000000)",
    database: 'default',
  });
  let bytes = 0;
  let tail = '';
  for await (const chunk of answer.body) {
    bytes += (chunk as Buffer).length;
    tail = (tail + (chunk as Buffer).toString()).slice(-200);
  }
  t.match(tail, '[999999,"row 999999",142857]],"row_count":1000000,');
  t.ok(bytes > 30_000_000);
  const status = readFileSync(
    `/proc/${String(rig.queries.status().engine.processId)}/status`,
    'utf8',
  );
  const peakMiB = Number(/VmHWM:\s+(\d+)/.exec(status)?.[1]) / 1024;
  t.ok(peakMiB < 400, `peak ${String(peakMiB)} MiB`);
  const nice = readFileSync(`/proc/${String(rig.queries.status().engine.processId)}/stat`, 'utf8');
  t.equal(nice.split(') ')[1]?.split(' ')[16], '10');
});
