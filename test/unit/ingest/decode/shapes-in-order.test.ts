/**
 * Rows and columnar items of one measurement in one body: where they have identity they may be
 * versions of one point, so they stand in the order of the body; and an empty tag is none.
 */
import t from 'tap';
import fc from 'fast-check';
import { plainRows, reasons } from '../../../support/decoded-rows.ts';
import { newMessageDecoder } from '../../../support/msgpack-decoder.ts';

const us = 1_700_000_000_000_000;

type Tag = string | null;
interface Item {
  readonly shape: 'row' | 'columnar';
  readonly rows: readonly { readonly host: Tag; readonly rack: Tag }[];
}

const tag = fc.constantFrom<Tag>(null, '', 'a', 'b', 'long-enough-to-be-no-short-string-at-all');
const row = fc.record({ host: tag, rack: tag });
const item: fc.Arbitrary<Item> = fc
  .oneof(
    { weight: 4, arbitrary: fc.array(row, { minLength: 1, maxLength: 3 }) },
    // Enough for a batch of its own.
    { weight: 1, arbitrary: row.map((each) => new Array<typeof each>(300).fill(each)) },
  )
  .chain((rows) =>
    fc.constantFrom<Item['shape']>('row', 'columnar').map((shape) => ({ shape, rows })),
  );

/** The body, with a number that counts all rows up. */
function bodyOf(items: readonly Item[]): unknown[] {
  let next = 0;
  return items.flatMap(({ shape, rows }): unknown[] => {
    const numbers = rows.map(() => (next += 1));
    if (shape === 'row') {
      return rows.map((tags, index) => ({ m: 'm', t: us, tags, fields: { n: numbers[index] } }));
    }
    const time = rows.map(() => us);
    const [host, rack] = [rows.map((each) => each.host), rows.map((each) => each.rack)];
    return [{ m: 'm', columns: { time, host, rack, n: numbers } }];
  });
}

t.test('rows stand in the order of the body, with their own tags', async (t) => {
  await fc.assert(
    fc.asyncProperty(fc.array(item, { minLength: 1, maxLength: 12 }), async (items) => {
      const { registry, decode } = newMessageDecoder();
      registry.nameTags('d', 'm', ['host', 'rack']);
      const decoded = await decode(bodyOf(items));
      t.same(reasons(decoded), []);
      const found = (plainRows(decoded.batches).get('m') ?? []).map(({ tags, fields }) => [
        Object.fromEntries(tags),
        fields.get('n'),
      ]);
      const expected = items
        .flatMap(({ rows }) => rows)
        .map((tags, index) => {
          const own = Object.entries(tags).filter(([, value]) => Boolean(value));
          return [Object.fromEntries(own), `number:${index + 1}`];
        });
      t.strictSame(found, expected);
      return t.passing();
    }),
    { numRuns: 60 },
  );
});

t.test('shapes in turns make one batch, not one each', async (t) => {
  const { registry, decode } = newMessageDecoder();
  registry.nameTags('d', 'm', ['host']);
  const shapes = Array.from({ length: 2000 }, (_, index) => (index % 2 ? 'row' : 'columnar'));
  const rows = [{ host: 'a', rack: null }];
  const decoded = await decode(bodyOf(shapes.map((shape) => ({ shape, rows }) as Item)));
  t.equal(decoded.rows, 2000);
  t.equal(decoded.batches.length, 1);
  t.ok(decoded.batches[0]?.hasIdentity);
});

t.test(
  'without named tags columnar rows have a batch of their own, without identity',
  async (t) => {
    const { decode } = newMessageDecoder();
    const rows = [{ host: 'a', rack: '' }];
    const decoded = await decode(
      bodyOf([
        { shape: 'columnar', rows },
        { shape: 'row', rows },
        { shape: 'columnar', rows },
      ]),
    );
    t.same(
      decoded.batches.map(({ hasIdentity, rowCount }) => [hasIdentity, rowCount]),
      [
        [false, 2],
        [true, 1],
      ],
    );
    const [plain] = plainRows(decoded.batches).get('m') ?? [];
    t.equal(plain?.fields.get('rack'), 'string:', 'text that is no tag may be empty');
  },
);

t.test('a column of empty tags alone is no column', async (t) => {
  for (const count of [2, 300]) {
    const { registry, decode } = newMessageDecoder();
    registry.nameTags('d', 'm', ['host', 'rack']);
    const rows = new Array<Item['rows'][number]>(count).fill({ host: 'a', rack: '' });
    const decoded = await decode(bodyOf([{ shape: 'columnar', rows }]));
    t.same(
      decoded.batches.map(({ columns }) => columns.map(({ column }) => column.spelling)),
      [['host', 'n']],
    );
  }
});
