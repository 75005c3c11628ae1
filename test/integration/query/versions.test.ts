/** Repeated points through the real query process: files, flagged files and hot chunks as one. */
import t from 'tap';
import { fileFlags } from '../../../src/base/model/commit.ts';
import { firstVersion } from '../../../src/base/model/versions.ts';
import { column, QueryRig } from '../../support/query-rig.ts';

const rig = await QueryRig.open();
t.teardown(() => rig.close());

const schema = {
  id: 16,
  database: 'default',
  name: 'power',
  columns: [
    column('field', 'p', { id: 1, name: 'p', type: 'int64' }),
    column('tag', 'site', { id: 0, name: 'site', type: 'string' }),
    column(
      'field',
      'q',
      { id: 2, name: 'q', type: 'int64' },
      { id: 3, name: 'q__double', type: 'double' },
    ),
  ],
} as const;
rig.addMeasurement(schema);

const hour = 3_600_000_000;
await rig.addFile(16, {
  select: `SELECT * FROM (VALUES (1, 'a', 90::BIGINT, 7::BIGINT), (2, 'a', 91, 7), (3, NULL, 92, 7))
    r(t, site, p, q)`,
  columnIds: [0, 1, 2],
});
await rig.addFile(16, {
  select: `SELECT * FROM (VALUES (${hour}, 'a', 50::BIGINT)) r(t, site, p)`,
  columnIds: [0, 1],
  hours: [[1, 0, 0]],
});
await rig.addFile(16, {
  select: `SELECT * FROM (VALUES (2, 'a', 10::BIGINT, 0.5::DOUBLE, 11::BIGINT), (3, '', NULL, 1.5, 12))
    r(t, site, p, q__double, _seq)`,
  columnIds: [0, 1, 3],
  hours: [[0, 2, 3]],
  flags: fileFlags.repeat,
});

await t.test('a condition on a field sees the newest value only', async (t) => {
  t.same(await rig.rows('SELECT p FROM power WHERE p > 80 ORDER BY p'), [[90], [92]]);
  t.same(await rig.rows('SELECT p FROM power WHERE p < 80 ORDER BY p'), [[10], [50]]);
  const named = 'SELECT q__int64, q__double FROM power WHERE time < make_timestamp(10)';
  t.same(await rig.rows(`${named} ORDER BY time`), [
    [7, null],
    [null, 0.5],
    [null, 1.5],
  ]);
});

await t.test('columns, types, counts and order are as if there were no repeats', async (t) => {
  const answer = await rig.ask('SELECT * FROM power ORDER BY time LIMIT 3');
  t.same(answer.columns, ['time', 'site', 'p', 'q']);
  t.same(answer.types, ['TIMESTAMP', 'VARCHAR', 'BIGINT', 'DOUBLE']);
  t.same(answer.data, [
    ['1970-01-01T00:00:00.000001Z', 'a', 90, 7],
    ['1970-01-01T00:00:00.000002Z', 'a', 10, 0.5],
    ['1970-01-01T00:00:00.000003Z', null, 92, 1.5],
  ]);
  t.same(await rig.rows('SELECT count(*) FROM power'), [[4]]);
  t.same(await rig.rows('SELECT p FROM power ORDER BY time DESC LIMIT 1'), [[50]]);
  t.same(await rig.rows('SELECT site, sum(p) FROM power GROUP BY site ORDER BY 2'), [
    [null, 92],
    ['a', 150],
  ]);
  const described = (await rig.rows('DESCRIBE power')).map(([name]) => name);
  t.same(described, ['time', 'site', 'p', 'q']);
  const summarized = await rig.rows('SELECT column_name FROM (DESCRIBE SELECT * FROM power)');
  t.same(summarized, [['time'], ['site'], ['p'], ['q']]);
});

await t.test('conditions on tags hold before and after the merge', async (t) => {
  const p = (where: string) => rig.rows(`SELECT p FROM power WHERE ${where} ORDER BY time`);
  t.same(await p("site = 'a'"), [[90], [10], [50]]);
  t.same(await p("SITE IN ('a', 'b') AND p < 80"), [[10], [50]]);
  t.same(await p("site = 'b'"), []);
  t.same(await p('site IS NULL'), [[92]]);
  t.same(await p("site = 'a' AND p > 80"), [[90]]);
});

await t.test('the version of a row cannot be asked for', async (t) => {
  for (const sql of ['SELECT _seq FROM power', 'SELECT p FROM power WHERE _seq > 0']) {
    await t.rejects(rig.rows(sql), { code: 'HF_QUERY_INVALID', message: /_seq/ }, sql);
  }
});

await t.test('bounds on time cut versions and points alike', async (t) => {
  const at = (from: number, to: number) =>
    `SELECT p FROM power WHERE time BETWEEN make_timestamp(${from}) AND make_timestamp(${to})
     ORDER BY time`;
  t.same(await rig.rows(at(1, 1)), [[90]]);
  t.same(await rig.rows(at(1, 2)), [[90], [10]]);
  t.same(await rig.rows(at(2, 2)), [[10]]);
  t.same(await rig.rows(at(3, hour)), [[92], [50]]);
});

await t.test('a measurement may stand twice in a query, merged each time', async (t) => {
  const sql = 'SELECT x.p, y.p FROM power x JOIN power y USING (time, site) ORDER BY x.time';
  t.same(await rig.rows(sql), [
    [90, 90],
    [10, 10],
    [50, 50],
  ]);
});

await t.test('hot chunks overlay files, and each other within their buffer', async (t) => {
  const seq = (version: number) => `(${firstVersion} + ${version})::BIGINT`;
  const buffer = { columnIds: [0, 1], bufferId: 5 };
  await rig.addHot(16, {
    ...buffer,
    select: `SELECT * FROM (VALUES (5, 'a', 1::BIGINT, ${seq(21)}), (6, 'a', 2, ${seq(22)}))
      r(t, site, p, _seq)`,
  });
  await rig.addHot(16, {
    ...buffer,
    select: `SELECT * FROM (VALUES (5, 'a', 3::BIGINT, ${seq(23)}), (1, 'a', 4, 24::BIGINT))
      r(t, site, p, _seq)`,
    repeatHours: [0],
    doubledHours: [0],
  });
  t.same(await rig.rows('SELECT p FROM power ORDER BY time'), [[4], [10], [92], [3], [2], [50]]);
  t.same(await rig.rows('SELECT p FROM power WHERE p < 3'), [[2]]);
});

await t.test('a measurement without tags has one series', async (t) => {
  const columns = [column('field', 'v', { id: 0, name: 'v', type: 'int64' })];
  rig.addMeasurement({ id: 17, database: 'default', name: 'bare', columns });
  const file = (rows: string, names: string) => ({
    select: `SELECT * FROM (VALUES ${rows}) r(${names})`,
    columnIds: [0],
  });
  await rig.addFile(17, file('(1, 1::BIGINT), (2, 2)', 't, v'));
  const flags = fileFlags.repeat;
  await rig.addFile(17, { ...file('(2, 5::BIGINT, 7::BIGINT), (3, 6, 8)', 't, v, _seq'), flags });
  t.same(await rig.rows('SELECT v FROM bare ORDER BY time'), [[1], [5], [6]]);
});
