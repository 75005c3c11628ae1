/** Which tables, columns and bounds a query has, by DuckDB's own syntax trees. */
import t from 'tap';
import { parseExact } from '../../../../src/query/sql/ast.ts';
import { shapeOf } from '../../../support/parse-sql.ts';

const tables = async (sql: string) => {
  const { tables: found } = await shapeOf(sql);
  return found.map(({ database, name }) => (database === undefined ? name : `${database}/${name}`));
};

await t.test('measurements are what no common table expression hides', async (t) => {
  const cases: readonly (readonly [sql: string, names: readonly string[]])[] = [
    ['SELECT 1', []],
    ['SELECT * FROM a, b.c JOIN "d.e" USING (x)', ['a', 'b/c', 'd.e']],
    ['WITH a AS (SELECT 1) SELECT * FROM a, A', []],
    ['WITH a AS (SELECT 1) SELECT * FROM x.a', ['x/a']],
    ['WITH a AS (SELECT * FROM a) SELECT * FROM a', ['a']],
    ['WITH a AS (SELECT * FROM b), b AS (SELECT * FROM a) SELECT * FROM a, b', ['b']],
    ['SELECT * FROM (WITH a AS (SELECT 1) SELECT * FROM a), a', ['a']],
    ['WITH a AS (SELECT 1) SELECT * FROM (SELECT * FROM a WHERE EXISTS (SELECT * FROM a))', []],
    [
      'WITH a AS (SELECT 1) (SELECT * FROM a UNION SELECT * FROM b) ORDER BY (SELECT 1 FROM a)',
      ['b'],
    ],
    ['WITH RECURSIVE a AS (SELECT 1 UNION ALL SELECT * FROM a) SELECT * FROM a', []],
    ['WITH RECURSIVE a AS (SELECT * FROM a UNION ALL SELECT * FROM a) SELECT * FROM a', ['a']],
    [
      'SELECT (SELECT max(x) FROM a), [y IN (SELECT y FROM b)], CASE (SELECT 1 FROM c) WHEN 1 THEN 2 WHEN 3 THEN 4 END',
      ['a', 'b', 'c'],
    ],
    [
      'SELECT * FROM a QUALIFY row_number() OVER (ORDER BY (SELECT 1 FROM b)) = 1 LIMIT (SELECT 1 FROM c)',
      ['a', 'b', 'c'],
    ],
    ['SELECT * FROM a ORDER BY (SELECT 1 FROM b)', ['b', 'a']],
    ['FROM a PIVOT (sum(x) FOR y IN (1))', ['a']],
    ['SUMMARIZE a', ['a']],
  ];
  for (const [sql, names] of cases) {
    t.same((await tables(sql)).toSorted(), [...names].toSorted(), sql);
  }
});

await t.test('positions count bytes', async (t) => {
  const { tables: found } = await shapeOf('SELECT \'é🜁\' FROM  "x", y');
  t.same(
    found.map((table) => table.position),
    [22, 27],
  );
});

await t.test('columns that may be meant without being named', async (t) => {
  const all = async (sql: string) => (await shapeOf(sql)).allColumns;
  for (const sql of [
    'SELECT * FROM a',
    'SELECT b.* FROM a b',
    'SELECT a FROM a',
    'SELECT x FROM (SELECT b FROM a AS b)',
    'SELECT count(x) FROM a NATURAL JOIN b',
    'SELECT #1 FROM a',
    'SELECT p FROM a AS b(p, q)',
    "SELECT COLUMNS('x.*') FROM a",
    'SELECT k FROM a PIVOT (sum(x) FOR y IN (1))',
    'SUMMARIZE a',
  ]) {
    t.equal(await all(sql), true, sql);
  }
  t.equal(await all('SELECT count(*), x, b.y FROM a b WHERE z > 1 GROUP BY ALL'), false);
});

await t.test('bounds are taken where they hold for every row that counts', async (t) => {
  const bounds = async (sql: string) => {
    const { tables: found } = await shapeOf(sql);
    return found.map((table) => `${table.name}${table.bounds.map((b) => b.operator).join('')}`);
  };
  const cases: readonly (readonly [sql: string, bounds: readonly string[]])[] = [
    ["SELECT * FROM a WHERE time > '2026-01-01'", ['a>']],
    [
      "SELECT * FROM a WHERE '2026-01-01' > time AND x = 1 AND time >= now() - INTERVAL 1 DAY",
      ['a<>='],
    ],
    ["SELECT * FROM a WHERE a.Time BETWEEN '2026-01-01' AND '2026-01-02'", ['a>=<=']],
    ["SELECT * FROM a b WHERE b.time = '2026-01-01'", ['a=']],
    [
      "SELECT * FROM a JOIN b USING (h) WHERE a.time < '2026-01-01' AND b.time > '2026-01-01'",
      ['a<', 'b>'],
    ],
    ["SELECT * FROM a LEFT JOIN b USING (h) WHERE a.time < '2026-01-01'", ['a<', 'b']],
    ["SELECT * FROM (SELECT * FROM a WHERE time < '2026-01-01') WHERE time > '2026-01-01'", ['a<']],
    ["SELECT 1 WHERE EXISTS (SELECT 1 FROM a WHERE time < '2026-01-01')", ['a<']],
    // The parser turns a negated comparison round.
    ["SELECT * FROM a WHERE NOT (time > '2026-01-01')", ['a<=']],
    // Not taken.
    ["SELECT * FROM a WHERE time > '2026-01-01' OR x = 1", ['a']],
    ["SELECT * FROM a WHERE NOT (time > '2026-01-01' AND x = 1)", ['a']],
    ["SELECT * FROM a WHERE time NOT BETWEEN '2026-01-01' AND '2026-01-02'", ['a']],
    ["SELECT * FROM a WHERE time <> '2026-01-01'", ['a']],
    ["SELECT * FROM a WHERE (time > '2026-01-01') = x", ['a']],
    ['SELECT * FROM a WHERE time > x', ['a']],
    ['SELECT * FROM a WHERE time > (SELECT max(time) FROM b)', ['a', 'b']],
    ['SELECT * FROM a WHERE time > $1', ['a']],
    ['SELECT * FROM a WHERE time > make_timestamp(CAST(random() AS BIGINT))', ['a']],
    ["SELECT * FROM a WHERE x.time > '2026-01-01'", ['a']],
    ["SELECT * FROM a LEFT JOIN b USING (h) WHERE b.time < '2026-01-01'", ['a', 'b']],
    ["SELECT * FROM a RIGHT JOIN b USING (h) WHERE a.time < '2026-01-01'", ['a', 'b']],
    ["SELECT * FROM a FULL JOIN b USING (h) WHERE a.time < '2026-01-01'", ['a', 'b']],
    ["SELECT * FROM a ASOF JOIN b USING (h, time) WHERE a.time < '2026-01-01'", ['a', 'b']],
    ["SELECT * FROM a POSITIONAL JOIN b WHERE a.time < '2026-01-01'", ['a', 'b']],
    ["SELECT * FROM a TABLESAMPLE 10% WHERE time < '2026-01-01'", ['a']],
    ["SELECT * FROM a WHERE time < '2026-01-01' USING SAMPLE 10%", ['a']],
    ["SELECT * FROM a b(time, x) WHERE time < '2026-01-01'", ['a']],
    ["SELECT * FROM (SELECT * FROM a LIMIT 1) WHERE time < '2026-01-01'", ['a']],
    ["SELECT * FROM a HAVING time < '2026-01-01'", ['a']],
    ["SELECT * FROM a, b WHERE time < '2026-01-01'", ['a', 'b']],
    ['SELECT * FROM a WHERE time < 1e15', ['a']],
  ];
  for (const [sql, expected] of cases) {
    t.same((await bounds(sql)).toSorted(), [...expected].toSorted(), sql);
  }
});

await t.test('numbers of any width survive', (t) => {
  const text = '{"a":[18446744073709551615,-9223372036854775808,1.0,1e400,0.1,7]}';
  t.equal(JSON.stringify(parseExact(text)), text);
  t.end();
});

await t.test('texts that a column must have are taken where they hold for every row', async (t) => {
  const tags = async (sql: string) => {
    const { tables: found } = await shapeOf(sql);
    return found.flatMap(({ name, tags: bounds }) =>
      bounds.map(({ column, values }) => `${name}.${column}=${values.join('|')}`),
    );
  };
  const cases: readonly (readonly [sql: string, tags: readonly string[]])[] = [
    ["SELECT * FROM a WHERE host = 'x' AND 'eu' = Region", ['a.host=x', 'a.Region=eu']],
    ["SELECT * FROM a WHERE a.host IN ('x', 'y') AND p > 80", ['a.host=x|y']],
    ["SELECT * FROM a x JOIN b y USING (t) WHERE x.h = 'p' AND y.h = 'q'", ['a.h=p', 'b.h=q']],
    ["SELECT * FROM a x LEFT JOIN b y USING (t) WHERE y.h = 'q'", []],
    ["SELECT * FROM a JOIN b USING (t) WHERE h = 'q'", []],
    ["SELECT * FROM a WHERE host = 'x' OR host = 'y'", []],
    ["SELECT * FROM a WHERE NOT host = 'x'", []],
    ["SELECT * FROM a WHERE host NOT IN ('x') AND host <> 'y' AND host > 'z'", []],
    ["SELECT * FROM a WHERE host IN ('x', other) AND host = NULL AND host = 5", []],
    ["SELECT * FROM a WHERE host = 'x' COLLATE nocase AND upper(host) = 'Y'", []],
    ["SELECT * FROM a WHERE host IN (SELECT 'x') AND 'x' = 'y'", []],
    ["SELECT * FROM a TABLESAMPLE 5 ROWS WHERE host = 'x'", []],
  ];
  for (const [sql, expected] of cases)
    t.same((await tags(sql)).toSorted(), expected.toSorted(), sql);
});
