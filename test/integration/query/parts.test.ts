/** Logical columns over several physical ones, odd names, and values that must come back exact. */
import t from 'tap';
import { column, QueryRig } from '../../support/query-rig.ts';

const rig = await QueryRig.open();
t.teardown(() => rig.close());

rig.addMeasurement({
  id: 16,
  database: 'default',
  name: 'mixed',
  columns: [
    column(
      'field',
      'n',
      { id: 0, name: 'n', type: 'int64' },
      { id: 1, name: 'n__uint64', type: 'uint64' },
    ),
    column(
      'field',
      'x',
      { id: 2, name: 'x', type: 'int64' },
      { id: 3, name: 'x__double', type: 'double' },
      { id: 4, name: 'x__uint64', type: 'uint64' },
    ),
    column('field', 'ok', { id: 5, name: 'ok', type: 'boolean' }),
    column('field', 'u', { id: 6, name: 'u', type: 'uint64' }),
  ],
});
await rig.addFile(16, {
  select: `SELECT 1 AS t, 9223372036854775807::BIGINT AS n, 9007199254740993::BIGINT AS x`,
  columnIds: [0, 2],
});
await rig.addFile(16, {
  select: `SELECT 2 AS t, 18446744073709551615::DECIMAL(20,0) AS n__uint64, 0.5::DOUBLE AS x__double`,
  columnIds: [1, 3],
});
await rig.addHot(16, {
  select: `SELECT 3 AS t, -1::BIGINT AS n, 18446744073709551614::DECIMAL(20,0) AS x__uint64,
    true AS ok, 18446744073709551615::DECIMAL(20,0) AS u`,
  columnIds: [0, 4, 5, 6],
});

await t.test('parts of a column are one column, wide enough for all of them', async (t) => {
  const body = await rig.answerText('SELECT * EXCLUDE (time) FROM mixed ORDER BY time');
  t.match(body, '"columns":["n","x","ok","u"]');
  t.match(body, '"types":["DECIMAL(20,0)","DOUBLE","BOOLEAN","DECIMAL(20,0)"]');
  t.match(body, '[9223372036854775807,9007199254740992,null,null]');
  t.match(body, '[18446744073709551615,0.5,null,null]');
  t.match(body, '[-1,18446744073709552000,true,18446744073709551615]');
});

await t.test('parts are exact under their own names and stay out of the star', async (t) => {
  const exact = await rig.answerText(
    'SELECT x__int64, x__double, x__uint64 FROM mixed ORDER BY time',
  );
  t.match(exact, '[9007199254740993,null,null],[null,0.5,null],[null,null,18446744073709551614]');
  const star = await rig.ask('SELECT *, x__int64 AS exact FROM mixed m WHERE m.x__int64 > 5');
  t.same(star.columns, ['time', 'n', 'x', 'ok', 'u', 'exact']);
  const excluded = await rig.ask('SELECT m.* EXCLUDE (ok, u), n__uint64 FROM mixed m LIMIT 1');
  t.same(excluded.columns, ['time', 'n', 'x', 'n__uint64']);
});

await t.test('literals beyond 2^53 filter exactly', async (t) => {
  t.same(await rig.rows('SELECT ok FROM mixed WHERE u = 18446744073709551615'), [[true]]);
  t.same(await rig.rows('SELECT ok FROM mixed WHERE u = 18446744073709551614'), []);
  t.same(await rig.rows('SELECT count(*) FROM mixed WHERE x__int64 = 9007199254740993'), [[1]]);
  t.same(await rig.rows('SELECT count(*) FROM mixed WHERE x__int64 = 9007199254740992'), [[0]]);
});

await t.test('odd names of databases, measurements and columns', async (t) => {
  const names = ['a.b', 'Tür 温度', 'say "hi"', "it's", '(x)', 'select', '$1', 'x\\y', '%20', '🜁'];
  const columns = names.map((name, id) =>
    column('field', name, { id, name, type: 'int64' as const }),
  );
  rig.addMeasurement({ id: 20, database: 'my "db".x', name: 'a.b', columns });
  rig.addMeasurement({ id: 21, database: 'my "db".x', name: 'A.B', columns: [] });
  const values = names.map((name, id) => `${id}::BIGINT AS "${name.replaceAll('"', '""')}"`);
  await rig.addFile(20, {
    select: `SELECT 1 AS t, ${values.join(', ')}`,
    columnIds: names.map((_, id) => id),
  });
  for (const [id, name] of names.entries()) {
    const quoted = `"${name.replaceAll('"', '""')}"`;
    const sql = `SELECT ${quoted}, "a.b".${quoted} FROM "my ""db"".x"."a.b" WHERE ${quoted} >= ${id}`;
    t.same(await rig.rows(sql), [[id, id]], name);
  }
  t.same(await rig.rows('SELECT * FROM "A.B"', { database: 'my "db".x' }), []);
});

await t.test('a measurement without files has its columns and no rows', async (t) => {
  rig.addMeasurement({
    id: 30,
    database: 'default',
    name: 'empty',
    columns: [column('tag', 'host', { id: 0, name: 'host', type: 'string' })],
  });
  const answer = await rig.ask('SELECT * FROM empty');
  t.same(answer.columns, ['time', 'host']);
  t.same(answer.types, ['TIMESTAMP', 'VARCHAR']);
  t.same(answer.data, []);
});

await t.test('a name is taken exactly, else if only its case differs, else refused', async (t) => {
  for (const [id, name] of [
    [40, 'Disk'],
    [41, 'DISK'],
    [42, 'net'],
  ] as const) {
    rig.addMeasurement({ id, database: 'names', name, columns: [] });
  }
  const request = { database: 'names' };
  t.same(await rig.rows('SELECT * FROM Disk', request), []);
  t.same(await rig.rows('SELECT * FROM NET', request), []);
  t.same(await rig.rows('SELECT * FROM NAMES.net'), []);
  const refused: readonly (readonly [sql: string, message: RegExp])[] = [
    ['SELECT * FROM disk', /"disk" is not unique: there are "Disk", "DISK"/],
    ['SELECT * FROM nett', /not found: "nett"; there are "Disk", "DISK", "net"/],
    ['SELECT * FROM nowhere.net', /database not found: "nowhere"; there are "default", /],
  ];
  for (const [sql, message] of refused) {
    const code = 'HF_QUERY_UNKNOWN_MEASUREMENT';
    await t.rejects(rig.rows(sql, request), { code, message }, sql);
  }
});

await t.test('names of any length leave a message that can be read', async (t) => {
  const long = 'n'.repeat(60_000);
  rig.addMeasurement({ id: 50, database: 'long', name: long, columns: [] });
  t.same(await rig.rows(`SELECT * FROM ${long}`, { database: 'long' }), []);
  const error: unknown = await rig
    .rows(`SELECT * FROM ${long}x`, { database: 'long' })
    .catch((e: unknown) => e);
  const message = error instanceof Error ? error.message : '';
  t.match(message, /not found: "n+\.\.\."; there are "n+\.\.\."$/);
  t.ok(message.length < 300, `${message.length} characters`);
});

await t.test('where it is wanted, what does not exist is empty, with a warning', async (t) => {
  const request = { database: 'names', absentIsEmpty: true };
  for (const sql of [
    'SELECT count(*) FROM nett',
    'SELECT * FROM NET JOIN nowhere.net USING (time)',
  ]) {
    const answer = await rig.ask(sql, request);
    t.match(answer, { success: true, columns: [], types: [], data: [], row_count: 0 }, sql);
    t.match(answer, { warning: /not found: "no?[a-z]+"; there are / }, sql);
  }
  const code = 'HF_QUERY_UNKNOWN_MEASUREMENT';
  await t.rejects(rig.rows('SELECT * FROM disk', request), { code }, 'several are meant');
  await t.rejects(rig.rows('DESCRIBE nett', request), { code }, 'there is nothing to describe');
  t.equal((await rig.answerText('SELECT * FROM net', request)).includes('warning'), false);
});

await t.test('times from 1677 to 2262 and values of all types', async (t) => {
  const cases: readonly (readonly [sql: string, json: string])[] = [
    ["TIMESTAMP '1677-09-21 00:12:43.145224'", '"1677-09-21T00:12:43.145224Z"'],
    ["TIMESTAMP '1969-12-31 23:59:59.9'", '"1969-12-31T23:59:59.9Z"'],
    ["TIMESTAMP '2262-04-11 23:47:16.854775'", '"2262-04-11T23:47:16.854775Z"'],
    ["TIMESTAMPTZ '2026-01-02 03:04:05+01'", '"2026-01-02T02:04:05Z"'],
    ["TIMESTAMP_NS '2026-01-02 03:04:05.123456780'", '"2026-01-02T03:04:05.12345678Z"'],
    ["TIMESTAMP_MS '2026-01-02 03:04:05.120'", '"2026-01-02T03:04:05.12Z"'],
    ["TIMESTAMP_S '2026-01-02 03:04:05'", '"2026-01-02T03:04:05Z"'],
    ["DATE '2026-01-02'", '"2026-01-02"'],
    ["TIME '03:04:05.5'", '"03:04:05.5"'],
    ["INTERVAL '1 day 2 seconds'", '"1 day 00:00:02"'],
    ["'\\xAB\\x00'::BLOB", '"qwA="'],
    ["'nan'::DOUBLE", 'null'],
    ["'-inf'::DOUBLE", 'null'],
    ['1e400', 'null'],
    ['1e300', '1e+300'],
    ['0.1::DOUBLE', '0.1'],
    ['170141183460469231731687303715884105727', '170141183460469231731687303715884105727'],
    ['-9223372036854775808', '-9223372036854775808'],
    ['12345678901234567890.123', '12345678901234567890.123'],
    ['-0.5::DECIMAL(3,2)', '-0.50'],
    ["'é\"\\' || chr(10)", '"é\\"\\\\\\n"'],
    ['true', 'true'],
    ['[1, NULL, 3]', '[1,null,3]'],
    ["{'a': 1, 'b': 'x'}", '{"a":1,"b":"x"}'],
    ["map {'k': 1}", '[{"key":"k","value":1}]'],
    ["'00000000-0000-0000-0000-000000000001'::UUID", '"00000000-0000-0000-0000-000000000001"'],
    ['NULL', 'null'],
  ];
  for (const [sql, json] of cases) {
    const body = await rig.answerText(`SELECT ${sql}`);
    t.equal(/"data":\[\[(.*)\]\],"row_count":1/s.exec(body)?.[1], json, sql);
  }
});
