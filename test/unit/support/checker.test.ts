import t from 'tap';
import { DurabilityModel, type ProblemKind } from '../../support/checker.ts';
import { LoadMaker } from '../../support/load.ts';
import type { PlainRow } from '../../support/plain-row.ts';
import { seededRandom } from '../../support/random.ts';

const maker = new LoadMaker(seededRandom(7), { rowsMax: 6 });
const requests = Array.from({ length: 20 }, () => maker.next());
const model = new DurabilityModel();
for (const { number, rows } of requests) model.sent(number, rows);

const rowsOf = (numbers: readonly number[]): PlainRow[] =>
  requests.filter(({ number }) => numbers.includes(number)).flatMap(({ rows }) => rows);
const all = requests.map(({ number }) => number);
const big = requests.find(({ rows }) => rows.length > 2) ?? { number: 0, rows: [] };

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

void t.test('the load has no two rows of one series and time, and repeats with its seed', (t) => {
  const again = new LoadMaker(seededRandom(7), { rowsMax: 6 });
  t.same(
    Array.from({ length: 20 }, () => again.next().body),
    requests.map(({ body }) => body),
  );
  t.throws(() => model.sent(99, big.rows), /point sent twice/);
  t.end();
});
