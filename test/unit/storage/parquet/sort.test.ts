/** Order of rows against a plain comparison sort, over random times, tags and gaps. */
import t from 'tap';
import fc from 'fast-check';
import { sortedRows } from '../../../../src/storage/parquet/sort.ts';
import { dictionaryRanks } from '../../../../src/storage/parquet/dictionary-order.ts';
import { columnRef, columnValues, rowSet } from '../../../support/row-sets.ts';
import { compareValues, tagValue } from '../../../support/version-model.ts';

const text = fc.oneof(
  fc.constantFrom('', 'a', 'aa', 'host-0001', 'host-0002', 'host-00010', '\u{10ffff}', '\uffff'),
  fc.string({ unit: 'grapheme', maxLength: 12 }),
);
const time = fc.oneof(
  fc.bigInt({ min: 0n, max: 3n }),
  fc.bigInt({ min: -(2n ** 63n), max: 2n ** 63n - 1n }),
);
const row = fc.tuple(time, fc.option(text), fc.option(fc.constantFrom('x', 'y')));

function setOf(rows: readonly (readonly [bigint, string | null, string | null])[]) {
  return rowSet(
    rows.map(([at]) => at),
    [
      { column: columnRef(9, 'tag', 'string', 'second'), values: rows.map(([, , tag]) => tag) },
      { column: columnRef(2, 'tag', 'string', 'first'), values: rows.map(([, tag]) => tag) },
      {
        column: columnRef(1, 'field', 'string', 'not'),
        values: rows.map((_, index) => `${-index}`),
      },
    ],
  );
}

t.test('rows are ordered by time, then tags by id, then as they came', (test) => {
  fc.assert(
    fc.property(fc.array(row, { minLength: 1, maxLength: 60 }), fc.boolean(), (rows, inOrder) => {
      const byTime = inOrder ? [...rows].sort((a, b) => compareValues(a[0], b[0])) : rows;
      const order = sortedRows(setOf(byTime)) ?? Uint32Array.from(byTime.keys());
      const expected = [...byTime.keys()].sort((a, b) => {
        const [left, right] = [byTime[a], byTime[b]];
        if (left === undefined || right === undefined) return 0;
        return (
          compareValues(left[0], right[0]) ||
          compareValues(tagValue(left[1]), tagValue(right[1])) ||
          compareValues(left[2], right[2]) ||
          a - b
        );
      });
      if (![...order].every((place, index) => place === expected[index])) throw new Error('order');
      const isSorted = expected.every((place, index) => place === index);
      if (isSorted && sortedRows(setOf(byTime)) !== undefined) throw new Error('moved for nothing');
    }),
    { numRuns: 500 },
  );
  test.pass('500 runs');
  test.end();
});

t.test('ranks follow bytes, not UTF-16, and ignore a shared prefix', (test) => {
  const values = ['prefix-\uffff', 'prefix-\u{10000}', 'prefix-', 'prefix-a\u0000', 'prefix-a'];
  const { dictionary } = columnValues({ column: columnRef(0, 'tag', 'string', 't'), values });
  if (dictionary === undefined) throw new Error('no dictionary');
  test.strictSame([...dictionaryRanks(dictionary)], [4, 5, 1, 3, 2]);
  test.end();
});
