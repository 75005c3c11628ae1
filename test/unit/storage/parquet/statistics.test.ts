/** Bounds of columns: never narrower than the values, strings cut at characters. */
import t from 'tap';
import fc from 'fast-check';
import { Gatherer } from '../../../../src/storage/parquet/gather.ts';
import { layoutRun } from '../../../../src/storage/parquet/layout.ts';
import {
  lowerText,
  StatisticsCollector,
  upperText,
} from '../../../../src/storage/parquet/statistics.ts';
import { columnRef, rowSet, type Value } from '../../../support/row-sets.ts';
import type { PhysicalType } from '../../../../src/base/model/schema.ts';

function statisticsOf(type: PhysicalType, values: readonly Value[], cut = values.length) {
  const column = columnRef(3, 'field', type, 'c');
  const rows = rowSet(
    values.map((_, row) => BigInt(row)),
    [{ column, values }],
  );
  const collector = new StatisticsCollector(column);
  for (const [from, to] of [
    [0, cut],
    [cut, values.length],
  ] as const) {
    if (to > from) collector.add(new Gatherer(rows, layoutRun(from, to, 1)).column(0, 0));
  }
  const { min, max, nullCount } = collector.finish();
  return [min, max, nullCount];
}

t.test('bounds of every type, over one and two slices', (test) => {
  for (const cut of [0, 1, 2, 3]) {
    test.strictSame(statisticsOf('int64', [5n, null, -(2n ** 63n), 2n ** 63n - 1n], cut), [
      `${-(2n ** 63n)}`,
      `${2n ** 63n - 1n}`,
      1,
    ]);
    test.strictSame(statisticsOf('uint64', [2n ** 64n - 1n, 0n, null, 7n], cut), [
      '0',
      `${2n ** 64n - 1n}`,
      1,
    ]);
    test.strictSame(statisticsOf('double', [null, 0.1, -5e-324, 1e21], cut), [
      '-5e-324',
      '1e+21',
      1,
    ]);
    test.strictSame(statisticsOf('boolean', [true, true, null, true], cut), ['1', '1', 1]);
    test.strictSame(statisticsOf('string', ['b', '', null, 'é'], cut), ['', 'é', 1]);
  }
  test.strictSame(statisticsOf('string', [null, null]), [undefined, undefined, 2]);
  test.end();
});

t.test('a cut string bounds from both sides', (test) => {
  const character = fc.constantFrom(
    'a',
    'é',
    '温',
    '𐍈',
    '\ud7ff',
    '\u{10ffff}',
    '\u{7f}',
    '\uffff',
  );
  fc.assert(
    fc.property(fc.array(character, { maxLength: 100 }), (characters) => {
      const value = Buffer.from(characters.join(''), 'utf8');
      const lower = Buffer.from(lowerText(value), 'utf8');
      if (lower.compare(value) > 0 || lower.length > 64) throw new Error('lower');
      if (!value.subarray(0, lower.length).equals(lower)) throw new Error('not a prefix');
      const upper = upperText(value);
      if (upper === undefined) {
        if (characters.slice(0, 16).some((one) => one !== '\u{10ffff}'))
          throw new Error('no upper');
        return;
      }
      if (Buffer.from(upper, 'utf8').compare(value) < 0) throw new Error('upper');
      if (upper.includes('\ufffd')) throw new Error('no text');
    }),
    { numRuns: 1000 },
  );
  test.pass('1000 runs');
  test.end();
});
