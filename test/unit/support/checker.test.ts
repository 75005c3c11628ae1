import t from 'tap';
import { DurabilityModel, type ProblemKind } from '../../support/checker.ts';
import { LoadMaker } from '../../support/load.ts';
import { mergedPlainRows, rowKey, type PlainRow } from '../../support/plain-row.ts';
import { seededRandom } from '../../support/random.ts';

const maker = new LoadMaker(seededRandom(7), { rowsMax: 6 });
const requests = Array.from({ length: 20 }, () => maker.next());
const model = new DurabilityModel();
for (const { number, rows } of requests) model.sent(number, rows);

const rowsOf = (numbers: readonly number[]): readonly PlainRow[] =>
  mergedPlainRows(
    requests.filter(({ number }) => numbers.includes(number)).flatMap(({ rows }) => rows),
  );
const all = requests.map(({ number }) => number);
const big = requests.find(({ rows }) => {
  return rows.length > 2 && rows.every(({ measurement }) => measurement !== 'state');
}) ?? { number: 0, rows: [] };

const cases: readonly {
  readonly title: string;
  readonly rows: readonly PlainRow[];
  readonly promised: readonly number[];
  readonly kinds: readonly ProblemKind[];
}[] = [
  { title: 'everything there', rows: rowsOf(all), promised: all, kinds: [] },
  {
    title: 'an unanswered end missing',
    rows: rowsOf(all.slice(0, 9)),
    promised: [1, 9],
    kinds: [],
  },
  {
    title: 'an acknowledged request missing',
    rows: rowsOf([1, 2]),
    promised: [3],
    kinds: ['lost'],
  },
  { title: 'a hole in the order', rows: rowsOf([1, 3]), promised: [], kinds: ['disordered'] },
  {
    title: 'a row twice',
    rows: [...rowsOf(all), ...big.rows.slice(0, 1)],
    promised: all,
    kinds: ['doubled'],
  },
  {
    title: 'a part of a request missing',
    rows: [...rowsOf(all.filter((one) => one !== big.number)), ...big.rows.slice(1)],
    promised: all,
    kinds: ['torn'],
  },
  {
    title: 'a value that changed',
    rows: [
      ...rowsOf(all.filter((one) => one !== big.number)),
      ...big.rows.map((row, index) =>
        index === 0 ? { ...row, fields: { ...row.fields, request: 99n } } : row,
      ),
    ],
    promised: all,
    kinds: ['broken', 'torn'],
  },
  {
    title: 'a row that nobody sent',
    rows: [...rowsOf(all), ...big.rows.slice(0, 1).map((row) => ({ ...row, time: row.time + 1n }))],
    promised: all,
    kinds: ['invented'],
  },
];

for (const { title, rows, promised, kinds } of cases) {
  void t.test(`checker: ${title}`, (t) => {
    const problems = model.check(rows, { promised, order: [all] });
    t.same([...new Set(problems.map(({ kind }) => kind))], kinds);
    t.end();
  });
}

/** Versions of one point; the values of each request are its own. */
const version = (fields: PlainRow['fields']): PlainRow => ({
  database: 'd',
  measurement: 'm',
  tags: { unit: 'x' },
  time: 5n,
  fields,
});
const versions = new DurabilityModel();
versions.sent(1, [version({ a: 1n, b: 'b1', level: 1n })]);
versions.sent(2, [version({ a: 2n }), version({ b: 'b2' })]);
versions.sent(3, [version({ level: 3.5 })]);
versions.sent(4, [version({ level: 4n }), { ...version({ a: 4n }), time: 6n }]);

const versionCases: readonly {
  readonly title: string;
  readonly rows: readonly PlainRow[];
  readonly promised: readonly number[];
  readonly kinds: readonly ProblemKind[];
}[] = [
  {
    title: 'each field has its last value',
    rows: [version({ a: 2n, b: 'b2', level: 3.5 })],
    promised: [1, 2, 3],
    kinds: [],
  },
  {
    title: 'an unanswered end is missing',
    rows: [version({ a: 2n, b: 'b2', level: 1n })],
    promised: [1],
    kinds: [],
  },
  {
    title: 'an overwritten value is back',
    rows: [version({ a: 1n, b: 'b2', level: 3.5 })],
    promised: [1, 3],
    kinds: ['torn'],
  },
  {
    title: 'an answered version is missing',
    rows: [version({ a: 2n, b: 'b2', level: 1n })],
    promised: [1, 2, 3],
    kinds: ['lost'],
  },
  {
    title: 'a field of an older version was lost under a newer one',
    rows: [version({ a: 2n, level: 3.5 })],
    promised: [3],
    kinds: ['torn'],
  },
  {
    title: 'a point stands twice',
    rows: [version({ a: 2n, b: 'b2', level: 1n }), version({ level: 3.5 })],
    promised: [1, 2],
    kinds: ['doubled'],
  },
  {
    title: 'a request is there in part',
    rows: [version({ a: 2n, b: 'b2', level: 4n })],
    promised: [1, 2, 3],
    kinds: ['torn'],
  },
  {
    title: 'a request is missing that the log took before another',
    rows: [version({ a: 1n, b: 'b1', level: 3.5 })],
    promised: [1],
    kinds: ['disordered'],
  },
  {
    title: 'a missing request left no trace to miss',
    rows: [version({ a: 2n, b: 'b2', level: 4n }), { ...version({ a: 4n }), time: 6n }],
    promised: [1],
    kinds: [],
  },
];

void t.test('checker: a request that was sent again counts as there once its values are', (t) => {
  const again = new DurabilityModel();
  again.sent(1, [version({ a: 1n })]);
  again.sent(2, [version({ a: 2n, b: 'b2' })]);
  again.sent(3, [version({ a: 2n, b: 'b2' })]);
  const order = [[1, 2, 3]];
  t.same(again.check([version({ a: 2n, b: 'b2' })], { promised: [1], order }), []);
  t.match(again.check([version({ a: 2n })], { promised: [1], order }), [{ kind: 'torn' }]);
  t.end();
});

for (const { title, rows, promised, kinds } of versionCases) {
  void t.test(`checker of versions: ${title}`, (t) => {
    const problems = versions.check(rows, { promised, order: [[1, 2, 3, 4]] });
    t.same([...new Set(problems.map(({ kind }) => kind))], kinds);
    t.end();
  });
}

void t.test('the load repeats with its seed; its versions come in the order of requests', (t) => {
  const again = new LoadMaker(seededRandom(7), { rowsMax: 6 });
  t.same(
    Array.from({ length: 20 }, () => again.next().body),
    requests.map(({ body }) => body),
  );
  t.throws(() => {
    versions.sent(5, [version({ a: 5n })]);
    versions.sent(3, []);
  }, /sent twice/);
  const points = new Map<string, number>();
  const more = new LoadMaker(seededRandom(8), { rowsMax: 6 });
  for (let count = 0; count < 300; count += 1) {
    for (const row of more.next(count % 3).rows) {
      points.set(rowKey(row), (points.get(rowKey(row)) ?? 0) + 1);
    }
  }
  t.ok([...points.values()].filter((count) => count > 2).length > 30, 'points come again');
  t.end();
});

t.test(
  'values that would not tell whose they are are refused, a request sent again is not',
  (t) => {
    const told = new DurabilityModel();
    const row = (fields: PlainRow['fields']): PlainRow => {
      return { database: 'd', measurement: 'm', tags: {}, time: 1n, fields };
    };
    told.sent(1, [row({ v: 1n, n: 0n })]);
    t.throws(() => {
      told.sent(2, [row({ v: 2n, n: 0n })]);
    }, /requests 1 and 2 give n of a point one value/);
    told.sent(3, [row({ v: 1n, n: 0n })]);
    t.end();
  },
);
