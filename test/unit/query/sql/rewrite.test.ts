import t from 'tap';
import fc from 'fast-check';
import { rewriteQuery } from '../../../../src/query/sql/rewrite.ts';
import { quoteName } from '../../../../src/query/sql/tokens.ts';
import { shapeOf } from '../../../support/parse-sql.ts';

/** The text with scans named S0, S1, ... that show a part p when told. */
const rewrite = async (sql: string, partNames: readonly string[] = []) => {
  const shape = await shapeOf(sql);
  const scans = shape.tables.map((_, index) => ({ sql: `S${String(index)}`, partNames }));
  return rewriteQuery(sql, shape, scans);
};

await t.test('scans take the places of tables and nothing else changes', async (t) => {
  const cases: readonly (readonly [sql: string, text: string])[] = [
    ['SELECT 1e0 FROM cpu', 'SELECT 1e0 FROM (S0) AS "cpu"'],
    ['select * from "d b" . cpu c -- cpu', 'select * from (S0) c -- cpu'],
    ["SELECT 'cpu é' FROM cpu;", 'SELECT \'cpu é\' FROM (S0) AS "cpu";'],
    ['FROM x: cpu SELECT x.a', 'FROM x: (S0) SELECT x.a'],
    ['TABLE cpu', 'SELECT * FROM (S0) AS "cpu"'],
    ['SUMMARIZE cpu', 'SUMMARIZE SELECT * FROM (S0) AS "cpu"'],
    [
      'SELECT d.cpu.a, cpu.b, e.cpu.c FROM d.cpu',
      'SELECT cpu.a, cpu.b, e.cpu.c FROM (S0) AS "cpu"',
    ],
    [
      'SELECT CASE (SELECT d.cpu.x FROM d.cpu) WHEN 1 THEN 2 WHEN 3 THEN 4 END',
      'SELECT CASE (SELECT cpu.x FROM (S0) AS "cpu") WHEN 1 THEN 2 WHEN 3 THEN 4 END',
    ],
    [
      'SELECT * FROM (a CROSS JOIN b) RIGHT JOIN c ON 1',
      'SELECT * FROM ((S0) AS "a" CROSS JOIN (S1) AS "b") RIGHT JOIN (S2) AS "c" ON 1',
    ],
  ];
  for (const [sql, text] of cases) t.equal(await rewrite(sql), text, sql);
});

await t.test('parts are hidden from stars of their own tables', async (t) => {
  const cases: readonly (readonly [sql: string, text: string])[] = [
    ['SELECT *, p FROM cpu', 'SELECT * EXCLUDE ("cpu"."p"), p FROM (S0) AS "cpu"'],
    ['SELECT c.*, p FROM cpu c', 'SELECT c.* EXCLUDE ("c"."p"), p FROM (S0) c'],
    ['SELECT * EXCLUDE (a), p FROM cpu', 'SELECT * EXCLUDE ("cpu"."p", a), p FROM (S0) AS "cpu"'],
    [
      'SELECT * REPLACE (1 AS a) FROM cpu',
      'SELECT * EXCLUDE ("cpu"."p") REPLACE (1 AS a) FROM (S0) AS "cpu"',
    ],
    ['SELECT * FROM (SELECT p FROM cpu)', 'SELECT * FROM (SELECT p FROM (S0) AS "cpu")'],
    ['SELECT count(*) FROM cpu', 'SELECT count(*) FROM (S0) AS "cpu"'],
  ];
  for (const [sql, text] of cases) t.equal(await rewrite(sql, ['p']), text, sql);
});

await t.test('a position that is not what the tree says ends the query', async (t) => {
  const shape = await shapeOf('SELECT * FROM cpu');
  const scans = [{ sql: 'S', partNames: [] }];
  for (const sql of ['SELECT * FROM mem', 'SELECT  * FROM cpu', 'SELECT', "SELECT * FROM 'cpu'"]) {
    t.throws(() => rewriteQuery(sql, shape, scans), { code: 'HF_QUERY_REFUSED' }, sql);
  }
});

await t.test('any name is found behind any literals and comments', async () => {
  const name = fc
    .string({ unit: 'grapheme', minLength: 1, maxLength: 12 })
    .filter((text) => !text.includes('\0') && text.isWellFormed());
  const junk = fc.array(
    fc.constantFrom("'a''b'", "e'\\''", '$$"$$', "$q$'$q$", '"é🜁"', '1.5e3', "'--'", '"/*"', '$1'),
    { minLength: 1, maxLength: 4 },
  );
  const gap = fc.constantFrom(' ', '\n', ' /* " /* \' */ x */ ', " -- '\n", '\t\r\n');
  await fc.assert(
    fc.asyncProperty(name, name, junk, gap, async (database, table, items, space) => {
      const head = `SELECT${space}${items.join(`,${space}`)}${space}FROM${space}`;
      const tail = `${space}AS x WHERE 1 = 2`;
      const sql = `${head}${quoteName(database)}${space}.${space}${quoteName(table)}${tail}`;
      const text = await rewrite(sql);
      if (text !== `${head}(S0)${tail}`) throw new Error(`${sql}\n${text}`);
    }),
  );
});
