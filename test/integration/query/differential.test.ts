/**
 * Random queries give what DuckDB gives over one plain table with the same rows: splitting rows
 * over files and hot chunks, leaving files out and rewriting the text change no answer.
 */
import t from 'tap';
import fc from 'fast-check';
import { DuckDBInstance } from '@duckdb/node-api';
import { InstantFormat, valueJson } from '../../../src/query/child/encode-json.ts';
import { column, QueryRig } from '../../support/query-rig.ts';

const hourUs = 3_600_000_000;
const rig = await QueryRig.open();
t.teardown(() => rig.close());
const schema = {
  database: 'default',
  columns: [
    column('tag', 'h', { id: 0, name: 'h', type: 'string' }),
    column('field', 'v', { id: 1, name: 'v', type: 'int64' }),
  ],
};
rig.addMeasurement({ ...schema, id: 16, name: 'a' });
rig.addMeasurement({ ...schema, id: 17, name: 'b' });

const instance = await DuckDBInstance.create(':memory:', { threads: '1' });
await (await instance.connect()).run("SET GLOBAL TimeZone = 'UTC'");
const plain = await instance.connect();

for (const [id, name] of [
  [16, 'a'],
  [17, 'b'],
] as const) {
  await plain.run(`CREATE TABLE ${name} ("time" TIMESTAMP, h VARCHAR, v BIGINT)`);
  for (let hour = 0; hour < 6; hour += 1) {
    // Rows at both ends of the hour and in its middle.
    const select = `SELECT ${hour * hourUs}::BIGINT + o AS t, 'h' || (i + ${hour}) % 3 AS h,
      (${hour * 10} + i * ${id})::BIGINT AS v
      FROM (VALUES (0, 0), (1, 1800000000), (2, 3599999999)) r(i, o)`;
    await plain.run(`INSERT INTO ${name} SELECT make_timestamp(t), h, v FROM (${select})`);
    const columnIds = [0, 1];
    if (hour === 5) await rig.addHot(id, { select, columnIds });
    else await rig.addFile(id, { select, columnIds, hours: [[hour, 0, 3_599_999_999]] });
  }
}

const instant = fc
  .tuple(fc.integer({ min: -1, max: 7 }), fc.constantFrom(-1, 0, 1, 1_800_000_000))
  .map(([hour, offset]) => hour * hourUs + offset);
const timeText = (us: number) => {
  const text = new InstantFormat().format(BigInt(us), 6);
  return text.replace('T', ' ').replace('Z', '');
};
const constant = fc.oneof(
  instant.map((us) => `'${timeText(us)}'`),
  instant.map((us) => `TIMESTAMP '${timeText(us)}'`),
  instant.map((us) => `TIMESTAMPTZ '${timeText(us + hourUs)}+01'`),
  instant.map((us) => `make_timestamp(${us})`),
  instant.map((us) => `TIMESTAMP '${timeText(us)}' - INTERVAL 1 HOUR`),
  fc.constantFrom("DATE '1970-01-01'", "DATE '1970-01-02'", 'now()', 'now() - INTERVAL 60 YEAR'),
);
const operator = fc.constantFrom('<', '<=', '>', '>=', '=', '<>');

const condition = (names: readonly string[]) => {
  const name = fc.constantFrom(...names);
  const { tree } = fc.letrec<{ tree: string }>((tie) => ({
    tree: fc.oneof(
      { maxDepth: 3 },
      fc.tuple(name, operator, constant).map(([n, o, c]) => `${n}.time ${o} ${c}`),
      fc.tuple(name, operator, constant).map(([n, o, c]) => `${c} ${o} ${n}.time`),
      fc
        .tuple(name, constant, constant, fc.constantFrom('', 'NOT '))
        .map(([n, c, d, not]) => `${n}.time ${not}BETWEEN ${c} AND ${d}`),
      fc.tuple(name, fc.integer({ min: 0, max: 60 })).map(([n, v]) => `${n}.v > ${v}`),
      fc
        .tuple(tie('tree'), fc.constantFrom('AND', 'AND', 'OR'), tie('tree'))
        .map(([l, o, r]) => `(${l} ${o} ${r})`),
      tie('tree').map((inner) => `NOT (${inner})`),
    ),
  }));
  return tree;
};

const single = condition(['a']).map(
  (where) => `SELECT count(*), sum(v), min(a.time), max(h) FROM a WHERE ${where}`,
);
const joined = fc
  .tuple(
    fc.constantFrom('INNER', 'LEFT', 'RIGHT', 'FULL', 'ASOF', 'ASOF LEFT'),
    condition(['x', 'y']),
  )
  .map(([kind, where]) => {
    const on = kind.startsWith('ASOF') ? 'x.h = y.h AND x.time >= y.time' : 'x.v = y.v';
    return `SELECT count(*), sum(x.v), sum(y.v) FROM a x ${kind} JOIN b y ON ${on} WHERE ${where}`;
  });
const crossed = fc
  .tuple(fc.constantFrom('SEMI', 'ANTI', 'RIGHT', 'LEFT'), condition(['x']))
  .map(
    ([kind, where]) =>
      `SELECT count(*), sum(x.v) FROM (a x CROSS JOIN (SELECT 1 AS one) o) ${kind} JOIN b y ` +
      `ON x.v = y.v WHERE ${where}`,
  );
const nested = fc
  .tuple(condition(['a']), condition(['s']), condition(['b']))
  .map(
    ([inner, outer, exists]) =>
      `WITH s AS (SELECT * FROM a WHERE ${inner}) SELECT count(*), (SELECT count(*) FROM s) ` +
      `FROM s WHERE ${outer} AND EXISTS (SELECT 1 FROM b WHERE b.h = s.h AND ${exists})`,
  );
const ordered = condition(['a']).map(
  (where) => `SELECT * FROM a WHERE ${where} UNION ALL FROM b ORDER BY v, time, h LIMIT 7 OFFSET 2`,
);

await t.test('answers equal those over one table', async () => {
  const query = fc.oneof(single, joined, crossed, nested, ordered);
  await fc.assert(
    fc.asyncProperty(query, async (sql) => {
      const answer = await plain.runAndReadAll(sql);
      const instants = new InstantFormat();
      const rows = answer.getRows().map((row) => {
        return `[${row.map((value) => valueJson(value, instants)).join(',')}]`;
      });
      const body = await rig.answerText(sql);
      const data = body.slice(body.indexOf('"data":') + 7, body.lastIndexOf(',"row_count"'));
      if (data !== `[${rows.join(',')}]`) throw new Error(`${sql}\n${data}\n[${rows.join(',')}]`);
    }),
    { numRuns: 150 },
  );
});
