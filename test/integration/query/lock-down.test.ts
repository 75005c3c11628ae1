/** What SQL cannot reach: files, settings, other databases, anything but one SELECT. */
import t from 'tap';
import type { QueryRequest } from '../../../src/query/queries.ts';
import { writeFileSync } from 'node:fs';
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
rig.addMeasurement({
  id: 1,
  database: '_internal',
  name: 'dead_letters',
  columns: [column('field', 'v', { id: 0, name: 'v', type: 'int64' })],
});
const secret = await rig.addFile(1, { select: 'SELECT 1 AS t, 42::BIGINT AS v', columnIds: [0] });
await rig.addFile(16, { select: 'SELECT 1 AS t, 1::BIGINT AS v', columnIds: [0] });
const path = join(rig.directory, 'data', secret.path);
writeFileSync(join(rig.directory, 'outside.csv'), 'a,b\n1,2\n');

const refused = 'HF_QUERY_REFUSED';
const unknown = 'HF_QUERY_UNKNOWN_MEASUREMENT';
const internal = 'HF_QUERY_INTERNAL';
const cases: readonly (readonly [sql: string, code: string])[] = [
  [`SELECT * FROM read_parquet('${path}')`, refused],
  [`SELECT * FROM READ_PARQUET(['${path}'])`, refused],
  [`SELECT * FROM "read_parquet"('${path}')`, refused],
  [`SELECT * FROM main.read_parquet('${path}')`, refused],
  [`SELECT * FROM system.main.read_parquet('${path}')`, refused],
  [`SELECT * FROM parquet_scan('${path}')`, refused],
  [`SELECT * FROM parquet_metadata('${path}')`, refused],
  [`SELECT * FROM (SELECT 1) a, LATERAL (SELECT * FROM read_parquet('${path}'))`, refused],
  [`WITH x AS (SELECT * FROM read_parquet('${path}')) SELECT 1`, refused],
  [`SELECT 1 WHERE 1 IN (SELECT v FROM read_parquet('${path}'))`, refused],
  [`SELECT * FROM '${path}'`, refused],
  [`SELECT * FROM "${path}"`, refused],
  [`WITH "${path}" AS (SELECT 1) SELECT * FROM "${path}"`, refused],
  [
    `WITH RECURSIVE "${path}" AS (SELECT v FROM "${path}" UNION SELECT 1) SELECT * FROM "${path}"`,
    refused,
  ],
  [`WITH x AS (SELECT * FROM "${path}"), "${path}" AS (SELECT 1) SELECT * FROM x`, refused],
  ["SELECT * FROM read_csv('outside.csv')", refused],
  ["SELECT * FROM read_text('/etc/passwd')", refused],
  ["SELECT * FROM read_blob('/etc/passwd')", refused],
  ["SELECT * FROM read_json('/etc/passwd')", refused],
  ["SELECT * FROM glob('/**')", refused],
  ["SELECT * FROM query('SELECT 1')", refused],
  ["SELECT * FROM query_table('cpu')", refused],
  ["SELECT * FROM sniff_csv('/etc/passwd')", refused],
  ["SELECT * FROM json_execute_serialized_sql('{}')", refused],
  ['SELECT * FROM duckdb_settings()', refused],
  ['SELECT * FROM duckdb_variables()', refused],
  ['SELECT * FROM pragma_database_list()', refused],
  ["SELECT getvariable('files_0') FROM cpu", refused],
  ["SELECT ('files_0').getvariable() FROM cpu", refused],
  ["SELECT main.GetVariable('files_0') FROM cpu", refused],
  ["SELECT current_setting('temp_directory')", refused],
  ['SELECT current_query()', refused],
  ["SELECT * FROM '_internal'.dead_letters", 'HF_QUERY_SYNTAX'],
  ['SELECT * FROM _internal.dead_letters', internal],
  ['SELECT * FROM "_INTERNAL".dead_letters', internal],
  ['SELECT v FROM cpu UNION SELECT (SELECT max(v) FROM _internal.dead_letters)', internal],
  ['DESCRIBE _internal.dead_letters', internal],
  ['SHOW TABLES FROM _internal', internal],
  ['SELECT * FROM (SHOW TABLES)', refused],
  ['SELECT * FROM (DESCRIBE cpu), (SHOW ALL TABLES)', refused],
  ['SELECT * FROM information_schema.tables', unknown],
  ['SELECT * FROM duckdb_tables', unknown],
  ['SELECT * FROM pg_catalog.pg_tables', unknown],
  ['SELECT * FROM memory.main.cpu', refused],
  ["ATTACH 'x.db'", refused],
  ["ATTACH ':memory:' AS x", refused],
  ["COPY cpu TO '/tmp/x.csv'", refused],
  ["COPY (SELECT 1) TO '/tmp/x.csv'", refused],
  ["EXPORT DATABASE '/tmp/x'", refused],
  ["SET memory_limit = '10GB'", refused],
  ['SET VARIABLE x = 1', refused],
  ['RESET threads', refused],
  ['PRAGMA version', refused],
  ['CALL pragma_version()', refused],
  ['INSTALL httpfs', refused],
  ['LOAD httpfs', refused],
  ['CREATE TABLE t (a INT)', refused],
  ['CREATE TEMP TABLE t AS SELECT 1', refused],
  ['CREATE MACRO f() AS 1', refused],
  ['INSERT INTO cpu VALUES (1)', refused],
  ['DELETE FROM cpu', refused],
  ['DROP TABLE cpu', refused],
  ['BEGIN', refused],
  ['CHECKPOINT', refused],
  ['EXPLAIN SELECT 1', refused],
  ['SELECT 1; SELECT 2', refused],
  ['SELECT 1; DROP TABLE cpu', refused],
  ['', refused],
  ['-- nothing', refused],
  ['SELECT * FROM cpu AT (VERSION => 1)', refused],
  ['SELEC 1', 'HF_QUERY_SYNTAX'],
  ["SELECT 'a", 'HF_QUERY_SYNTAX'],
  [`SELECT 1 \0 FROM read_parquet('${path}')`, 'HF_QUERY_SYNTAX'],
  [`SELECT ${'('.repeat(20_000)}`, 'HF_QUERY_SYNTAX'],
  ['SELECT nothing FROM cpu', 'HF_QUERY_INVALID'],
  ["SELECT 'a'::INT", 'HF_QUERY_INVALID'],
  ['SELECT $1', 'HF_QUERY_INVALID'],
];

await t.test('what is refused, and how', async (t) => {
  for (const [sql, code] of cases) {
    await t.rejects(rig.rows(sql), { code }, sql);
  }
});

await t.test('messages speak of the statement of the sender only', async (t) => {
  const error: unknown = await rig.rows('SELECT nothing FROM cpu').catch((e: unknown) => e);
  const message = error instanceof Error ? error.message : '';
  t.match(message, 'Referenced column "nothing" not found');
  t.notMatch(message, rig.directory);
  t.notMatch(message, 'read_parquet');
});

await t.test('messages tell the sender what to do, not the engine what it cannot', async (t) => {
  const said: readonly (readonly [string, Partial<QueryRequest>, RegExp])[] = [
    ['INSERT INTO cpu VALUES (1)', {}, /^only SELECT, SHOW DATABASES, .* are answered here$/],
    ['SELECT 1; SELECT 2', {}, /^one statement at a time, not 2$/],
    ['-- nothing', {}, /^no statement$/],
    ['SELECT 1', { parameters: [1] }, /no parameter \$1; it takes none$/],
    ['SELECT ? + ?', { parameters: [1, 2, 3] }, /no parameter \$3; it takes \$1, \$2$/],
    ['SELECT $a', { parameters: { b: 1 } }, /no parameter \$b; it takes \$a$/],
    ['SELECT $a', {}, /not provided.*: a$/],
  ];
  for (const [sql, request, message] of said) {
    await t.rejects(rig.rows(sql, request), { message }, sql);
  }
});

await t.test('an administrator reads the internal database', async (t) => {
  t.same(await rig.rows('SELECT v FROM _internal.dead_letters', { admin: true }), [[42]]);
  const shown = await rig.rows('SHOW DATABASES', { admin: true });
  t.same(shown, [['_internal'], ['default']]);
});

await t.test('statements that are answered from the schema', async (t) => {
  t.same(await rig.rows('SHOW DATABASES'), [['default']]);
  t.same(await rig.rows('show tables;'), [['default', 'cpu']]);
  t.same(await rig.rows('SHOW MEASUREMENTS FROM "default"'), [['default', 'cpu']]);
  t.same(await rig.rows('DESCRIBE cpu'), [
    ['time', 'TIMESTAMP', 'time', 'time', ''],
    ['v', 'BIGINT', 'field', 'v', ''],
  ]);
  t.same(await rig.rows('DESCRIBE SELECT v AS x FROM cpu'), [
    ['x', 'BIGINT', 'YES', null, null, null],
  ]);
  t.same(await rig.rows('SHOW TABLES', { database: 'nobody wrote here' }), []);
  const summary = await rig.ask('SUMMARIZE cpu');
  t.equal(summary.row_count, 2);
});
