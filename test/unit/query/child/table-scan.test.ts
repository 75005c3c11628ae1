/** Versions of points over files and hot chunks: every plan gives the answer of a plain model. */
import t from 'tap';
import fc from 'fast-check';
import { fileFlags } from '../../../../src/base/model/commit.ts';
import { hourUs } from '../../../../src/base/model/partition.ts';
import { answerColumns, VersionScan, type ScanOptions } from '../../../support/version-scan.ts';
import {
  VersionHistory,
  type FieldName,
  type FieldValue,
  type PartName,
  type Step,
  type WrittenRow,
} from '../../../support/version-history.ts';

const scans = await VersionScan.open();
t.teardown(() => {
  scans.close();
});

const tag = fc.constantFrom(null, '', 'p', 'q');
const literal = (part: PartName, ...values: readonly string[]) =>
  fc.constantFrom(...values).map((sql): FieldValue => ({ part, sql }));
const values = fc.record<Partial<Record<FieldName, FieldValue>>, never>(
  {
    x: fc.oneof(
      literal('x', '1', '90', '-9223372036854775808', '9007199254740993'),
      literal('x__double', '0.5', "'-0.0'::DOUBLE", '10', '1e300'),
      literal('x__uint64', '18446744073709551615', '7'),
    ),
    s: literal('s', "''", "'u'", "'longer than twelve bytes'"),
    ok: literal('ok', 'true', 'false'),
  },
  { requiredKeys: [] },
);
const instant = fc
  .tuple(fc.constantFrom(-1, 0, 1, 2, 25), fc.constantFrom(0n, 1n, 5n, hourUs - 1n))
  .map(([hour, offset]) => BigInt(hour) * hourUs + offset);
const row = fc
  .record({ timeUs: instant, a: tag, b: tag, values, luck: fc.nat(9) })
  .map(({ luck, ...rest }): WrittenRow => ({ ...rest, overcalled: luck === 0 }));
const step: fc.Arbitrary<Step> = fc.oneof(
  {
    weight: 5,
    arbitrary: fc.record({
      do: fc.constant('write' as const),
      hasIdentity: fc.nat(5).map((luck) => luck > 0),
      rows: fc.array(row, { minLength: 1, maxLength: 8 }),
    }),
  },
  { weight: 2, arbitrary: fc.constant({ do: 'seal' as const }) },
  {
    weight: 2,
    arbitrary: fc.record({ do: fc.constant('flush' as const), dayFiles: fc.boolean() }),
  },
  {
    weight: 1,
    arbitrary: fc.record({ do: fc.constantFrom('compact', 'merge'), pick: fc.nat(5) }),
  },
);
const options: fc.Arbitrary<ScanOptions> = fc.record({
  range: fc.record({
    from: fc.option(instant, { nil: undefined }),
    to: fc.option(instant, { nil: undefined }),
  }),
  columns: fc.subarray([...answerColumns]),
  tags: fc.array(
    fc.record({
      column: fc.constantFrom('a', 'B', 's'),
      values: fc.uniqueArray(fc.constantFrom('p', 'q', 'u', 'none'), { minLength: 1 }),
    }),
    { maxLength: 2 },
  ),
  rowsInChunk: fc.integer({ min: 1, max: 6 }),
});

function historyOf(steps: readonly Step[]): VersionHistory {
  const history = new VersionHistory();
  for (const each of steps) history.apply(each);
  return history;
}

async function answers(history: VersionHistory, ask: ScanOptions): Promise<boolean> {
  const [found, expected] = [
    await scans.rows(await scans.scan(history, ask), ask),
    await scans.expected(history, ask),
  ];
  return JSON.stringify(found) === JSON.stringify(expected);
}

await t.test('every scan gives the answer of the model', { timeout: 120_000 }, async () => {
  await fc.assert(
    fc.asyncProperty(fc.array(step, { maxLength: 24 }), options, async (steps, ask) => {
      const columns = [...new Set([...ask.columns, 'a', 'b', 's'] as const)];
      const where = (ask.tags ?? []).map(({ column, values: texts }) => {
        return `${column} IN (${texts.map((text) => `'${text}'`).join(', ')})`;
      });
      const bound = { ...ask, columns, where: ['true', ...where].join(' AND ') };
      return answers(historyOf(steps), where.length === 0 ? ask : bound);
    }),
    { numRuns: 100 },
  );
});

const open = { from: undefined, to: undefined };
const whole: ScanOptions = { range: open, columns: [...answerColumns], rowsInChunk: 100 };
const point = (timeUs: bigint, values: WrittenRow['values']): WrittenRow => {
  return { timeUs, a: 'p', b: null, values, overcalled: false };
};
const x = (sql: string): WrittenRow['values'] => ({ x: { part: 'x', sql } });
const written = (...rows: readonly WrittenRow[]): readonly Step[] => [
  { do: 'write', hasIdentity: true, rows },
  { do: 'seal' },
  { do: 'flush', dayFiles: false },
];

await t.test('the model notices versions in the order of commits', async (t) => {
  const steps: readonly Step[] = [
    ...written(point(1n, x('1'))),
    ...written(point(1n, x('2'))),
    ...written(point(3n, x('3'))),
    { do: 'compact', pick: 0 },
  ];
  t.ok(await answers(historyOf(steps), whole));
  const planted: ScanOptions = {
    ...whole,
    fileVersion: (_row, commit) => commit,
    fileFlagsAs: (flags) => flags | fileFlags.repeat,
  };
  t.notOk(await answers(historyOf(steps), planted));
});

await t.test('the model notices a condition on a field before the merge', async (t) => {
  const steps = [...written(point(1n, x('90'))), ...written(point(1n, x('10')))];
  const ask: ScanOptions = { ...whole, where: 'x > 80' };
  t.ok(await answers(historyOf(steps), ask));
  const above = (row: WrittenRow) => Number(row.values.x?.sql ?? '0') > 80;
  const planted: ScanOptions = { ...ask, pruned: (rows) => !rows.some(above) };
  t.notOk(await answers(historyOf(steps), planted));
});

await t.test('the model notices values of two versions in the parts of one field', async (t) => {
  const half: WrittenRow['values'] = { x: { part: 'x__double', sql: '0.5' } };
  const steps = [...written(point(1n, x('90'))), ...written(point(1n, half))];
  t.ok(await answers(historyOf(steps), whole));
  const [merged] = await scans.rows(await scans.scan(historyOf(steps), whole), whole);
  t.equal(merged, '1 | p | null | 0.5 | null | 0.5 | null | null | null');
});

await t.test('a range that no repeat touches is scanned as if there were none', async (t) => {
  const hour = (count: bigint) => point(count * hourUs + 5n, x('1'));
  const steps: readonly Step[] = [
    ...written(hour(0n), hour(1n), hour(2n)),
    ...written(hour(0n), point(2n * hourUs + 9n, x('2'))),
    ...written(point(2n * hourUs + 9n, x('4'))),
    { do: 'write', hasIdentity: true, rows: [hour(0n), hour(3n)] },
  ];
  const history = historyOf(steps);
  const without = { ...whole, fileFlagsAs: () => 0 };
  const clean: readonly (readonly [bigint | undefined, bigint | undefined])[] = [
    [hourUs, 2n * hourUs],
    [undefined, 4n],
    [2n * hourUs, 2n * hourUs + 8n],
    [2n * hourUs + 10n, undefined],
    [4n * hourUs, undefined],
  ];
  for (const [from, to] of clean) {
    const range = { from, to };
    const scan = await scans.scan(history, { ...whole, range });
    const plain = await scans.scan(history, { ...without, range });
    t.equal(scan.scan.sql, plain.scan.sql);
    t.equal(await scans.plan(scan), await scans.plan(plain));
    t.notMatch(scan.scan.sql, /_seq|GROUP|JOIN/);
  }
  const touched = await scans.scan(history, { ...whole, range: { from: 0n, to: 5n } });
  t.match(touched.scan.sql, /"_seq" AS v/);
  t.match(touched.scan.sql, /FULL JOIN/);
});

await t.test('versions within one buffer are merged over its chunks alone', async (t) => {
  const filed = written(point(1n, x('1')), point(2n, x('1')));
  const rows = [point(7n, x('1')), point(8n, x('1')), point(7n, x('2')), point(9n, x('3'))];
  const history = historyOf([...filed, { do: 'write', hasIdentity: true, rows }]);
  const ask = { ...whole, rowsInChunk: 2 };
  t.ok(await answers(history, ask));
  const { scan, lists } = await scans.scan(history, ask);
  t.notMatch(scan.sql, /JOIN/, 'files are not touched by it');
  t.same(
    Array.from(lists.values(), (paths) => paths.length),
    [1, 2],
  );
});
