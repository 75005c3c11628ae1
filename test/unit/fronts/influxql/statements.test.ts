import t from 'tap';
import { parseStatements } from '../../../../src/fronts/influxql/statements.ts';

function only(text: string) {
  const [statement, ...rest] = parseStatements(text);
  if (statement === undefined || rest.length > 0) throw new Error(`not one statement: ${text}`);
  return statement;
}

t.test('identifiers and statements are taken apart as InfluxQL quotes them', (t) => {
  t.same(only('CREATE DATABASE "q\\"b\\\\s\\n"'), { kind: 'create', database: 'q"b\\s\n' });
  t.match(only('CREATE DATABASE my-own-db'), { database: 'my-own-db' });
  t.match(only('create database j WITH DURATION 3d NAME "x;y"'), { database: 'j' });
  t.match(only('show   databases'), { kind: 'databases' });
  t.same(
    parseStatements(' SELECT "x;y" FROM m ; ;DROP \'p;q\';').map((each) => each),
    [
      { kind: 'other', text: 'SELECT "x;y" FROM m' },
      { kind: 'other', text: "DROP 'p;q'" },
    ],
  );
  t.same(parseStatements(' ; -- nothing\n /* at all; */ '), []);
  t.end();
});

t.test('sources, keys, conditions and limits of SHOW', (t) => {
  t.same(
    only(
      'SHOW TAG VALUES ON "d b" FROM a, d.rp.b, x..c, /e\\/f.*/ WITH KEY IN (h, "i j") ' +
        "WHERE (k = 'v' OR l !~ /z/) AND time >= now() - 1h LIMIT 5 OFFSET 2",
    ),
    {
      kind: 'tag values',
      database: 'd b',
      sources: [
        { operator: '=', texts: ['a'] },
        { operator: '=', texts: ['b'] },
        { operator: '=', texts: ['c'] },
        { operator: '=~', texts: ['e/f.*'] },
      ],
      keys: { operator: '=', texts: ['h', 'i j'] },
      where: {
        kind: 'and',
        parts: [
          {
            kind: 'or',
            parts: [
              { kind: 'tag', key: 'k', test: { operator: '=', texts: ['v'] } },
              { kind: 'tag', key: 'l', test: { operator: '!~', texts: ['z'] } },
            ],
          },
          { kind: 'any' },
        ],
      },
      limits: { limit: 5, offset: 2 },
    },
  );
  t.match(only('SHOW SERIES FROM d.rp.m'), { database: 'd' });
  t.match(only('SHOW FIELD KEYS LIMIT 0'), { limits: { limit: Infinity, offset: 0 } });
  t.end();
});

t.test('what begins as a known statement and goes on as none is refused as a whole', (t) => {
  for (const text of [
    'CREATE DATABASE ""',
    'CREATE DATABASE',
    'SHOW DATABASES extra',
    'SHOW TAG VALUES',
    'SHOW TAG VALUES WITH KEY =~ host',
    'SHOW TAG VALUES WITH KEY =~ /open',
    "SHOW SERIES WHERE a = 'b' AND",
    'SHOW SERIES WHERE (a = 1',
    'SHOW SERIES LIMIT x',
    'SHOW SERIES LIMIT 1.5',
    'SHOW RETENTION',
    'SHOW DATABASES; SHOW SERIES FROM',
    'SHOW SERIES FROM "open',
  ]) {
    t.throws(() => parseStatements(text), { message: /^error parsing query: found / }, text);
  }
  t.end();
});

t.test('statements that are not known yet are named, not refused', (t) => {
  for (const text of ['SHOW SERIES CARDINALITY', 'SHOW STATS', 'SELECT 1', 'DROP DATABASE x']) {
    t.same(only(text), { kind: 'other', text });
  }
  t.end();
});

t.test('long and hostile statements are read in one pass', (t) => {
  const deep = `SHOW SERIES WHERE ${Array.from({ length: 20_000 }, () => "a = 'b'").join(' AND ')}`;
  t.match(only(deep), { kind: 'series' });
  t.throws(() => parseStatements(`SHOW SERIES WHERE ${'('.repeat(100_000)}`), {
    message: /nested too deeply/,
  });
  t.throws(() => parseStatements(`SHOW SERIES FROM ${'"'.repeat(99_999)}`));
  t.end();
});
