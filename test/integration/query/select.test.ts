/** What SELECT gives over files and hot chunks of many shapes, with the real query process. */
import t from 'tap';
import { column, QueryRig } from '../../support/query-rig.ts';

const cpu = {
  id: 16,
  database: 'default',
  name: 'cpu',
  columns: [
    column('field', 'usage', { id: 0, name: 'usage', type: 'double' }),
    column('tag', 'host', { id: 1, name: 'host', type: 'string' }),
    column('field', 'count', { id: 2, name: 'count', type: 'int64' }),
  ],
} as const;

const mem = {
  id: 17,
  database: 'default',
  name: 'mem',
  columns: [
    column('tag', 'host', { id: 0, name: 'host', type: 'string' }),
    column('field', 'free', { id: 1, name: 'free', type: 'int64' }),
  ],
} as const;

const rig = await QueryRig.open();
t.teardown(() => rig.close());
rig.addMeasurement(cpu);
rig.addMeasurement(mem);
await rig.addFile(16, {
  select: `SELECT 1000000 AS t, 1.5::DOUBLE AS usage, 'a' AS host`,
  columnIds: [0, 1],
});
await rig.addFile(16, {
  select: `SELECT 2000000 AS t, 'b' AS host, 7::BIGINT AS count`,
  columnIds: [1, 2],
});
await rig.addHot(
  16,
  { select: `SELECT 3000001 AS t, 2.5::DOUBLE AS usage, 'c' AS host`, columnIds: [0, 1] },
  [0, 1, 2],
);
await rig.addFile(17, {
  select: `SELECT 1000000 AS t, 'a' AS host, 100::BIGINT AS free`,
  columnIds: [0, 1],
});

await t.test(
  'a measurement is shown with time, tags, fields over files and hot rows',
  async (t) => {
    const answer = await rig.ask('SELECT * FROM cpu ORDER BY time');
    t.same(answer.columns, ['time', 'host', 'usage', 'count']);
    t.same(answer.types, ['TIMESTAMP', 'VARCHAR', 'DOUBLE', 'BIGINT']);
    t.same(answer.data, [
      ['1970-01-01T00:00:01Z', 'a', 1.5, null],
      ['1970-01-01T00:00:02Z', 'b', null, 7],
      ['1970-01-01T00:00:03.000001Z', 'c', 2.5, null],
    ]);
    t.equal(answer.row_count, 3);
    t.equal(answer.success, true);
  },
);

await t.test('forms of a query', async (t) => {
  const cases: readonly (readonly [sql: string, rows: unknown])[] = [
    ['SELECT count(*) FROM cpu', [[3]]],
    ['select CPU.Host from Cpu where Usage > 2', [['c']]],
    ['SELECT default.cpu.host FROM default.cpu WHERE count = 7', [['b']]],
    ['SELECT "cpu".usage FROM "default"."cpu" WHERE host = \'a\';', [[1.5]]],
    ['SELECT c.host, m.free FROM cpu c JOIN mem AS m USING (host)', [['a', 100]]],
    [
      'SELECT cpu.host, mem.free FROM cpu LEFT JOIN mem USING (host) ORDER BY 1',
      [
        ['a', 100],
        ['b', null],
        ['c', null],
      ],
    ],
    ['SELECT host FROM cpu WHERE EXISTS (SELECT 1 FROM mem WHERE mem.host = cpu.host)', [['a']]],
    ['SELECT host FROM cpu WHERE host NOT IN (SELECT host FROM mem) ORDER BY 1', [['b'], ['c']]],
    ['SELECT max(u) FROM (SELECT usage AS u FROM cpu)', [[2.5]]],
    [
      'SELECT host FROM cpu UNION ALL SELECT host FROM mem ORDER BY 1',
      [['a'], ['a'], ['b'], ['c']],
    ],
    ['WITH cpu AS (SELECT 42 AS x) SELECT x FROM cpu', [[42]]],
    ['WITH cpu AS (SELECT count(*) AS n FROM cpu) SELECT n FROM cpu', [[3]]],
    ['WITH a AS (SELECT * FROM cpu), b AS (SELECT * FROM a) SELECT count(*) FROM b, a', [[9]]],
    [
      'WITH x AS (SELECT (SELECT max(free) FROM mem) AS f) SELECT f, (SELECT min(free) FROM mem) FROM x',
      [[100, 100]],
    ],
    [
      'WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < 3) SELECT sum(i) FROM n',
      [[6]],
    ],
    ['FROM mem', [['1970-01-01T00:00:01Z', 'a', 100]]],
    ['TABLE mem', [['1970-01-01T00:00:01Z', 'a', 100]]],
    ['SELECT m.* EXCLUDE (time) FROM mem m', [['a', 100]]],
    [
      'SELECT (SELECT host FROM mem), x FROM (VALUES (1), (2)) v(x)',
      [
        ['a', 1],
        ['a', 2],
      ],
    ],
    ['SELECT CASE (SELECT free FROM mem) WHEN 1 THEN 2 WHEN 100 THEN 3 END', [[3]]],
    ["SELECT /* cpu */ 'cpu ünï', host -- cpu\n FROM\u00a0mem", [['cpu ünï', 'a']]],
    ['SELECT h FROM mem AS m(t, h, f)', [['a']]],
    ['SELECT mem FROM mem', [[{ time: '1970-01-01T00:00:01Z', host: 'a', free: 100 }]]],
    [
      "SELECT * FROM (SELECT host, free FROM mem) PIVOT (sum(free) FOR host IN ('a', 'z'))",
      [[100, null]],
    ],
    ['SELECT a.host FROM (cpu a CROSS JOIN mem b) RIGHT JOIN mem c ON a.host = c.host', [['a']]],
    ["SELECT host FROM cpu WHERE time = '1970-01-01 00:00:02'", [['b']]],
    ["SELECT host FROM cpu WHERE time > timestamptz '1970-01-01 00:00:02Z'", [['c']]],
    ['SELECT count(*) FROM cpu WHERE time < now() - INTERVAL 1 HOUR', [[3]]],
    ["SELECT count(*) FROM cpu WHERE time BETWEEN '1970-01-01' AND '1970-01-02'", [[3]]],
    [
      "SELECT date_trunc('hour', time), count(*) FROM cpu GROUP BY 1",
      [['1970-01-01T00:00:00Z', 3]],
    ],
    ['SELECT $1 + 1, ?', [[42, 'b']]],
  ];
  for (const [sql, rows] of cases) {
    const parameters = sql.includes('$1') ? [41, 'b'] : [];
    t.same(await rig.rows(sql, { parameters }), rows, sql);
  }
});

await t.test('named parameters and integers beyond a double are exact', async (t) => {
  const body = await rig.answerText('SELECT $big, $small', {
    parameters: { big: 12345678901234567890n, small: 9007199254740993n },
  });
  t.match(body, '[12345678901234567890,9007199254740993]');
});
