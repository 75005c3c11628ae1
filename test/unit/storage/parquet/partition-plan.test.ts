/** Which files a flush makes, as a table, and hours of times against bigint arithmetic. */
import t from 'tap';
import fc from 'fast-check';
import { hourOf } from '../../../../src/base/model/partition.ts';
import { countHours, mapHours } from '../../../../src/storage/parquet/hours.ts';
import { planFiles } from '../../../../src/storage/parquet/partition-plan.ts';

const hours = (from: number, count: number, rows: number) =>
  Array.from({ length: count }, (_, index) => [from + index, rows] as const);

t.test('up to 48 hours each hour has its file, however small', (test) => {
  const plans = planFiles(new Map(hours(5, 48, 1)), 1000);
  test.equal(plans.length, 48);
  test.ok(
    plans.every(({ dayFile, rows, hours: own }) => !dayFile && rows === 1 && own.length === 1),
  );
  test.end();
});

t.test('beyond that small hours of one UTC day share a file, large ones do not', (test) => {
  const counts = new Map([...hours(-24, 24, 10), ...hours(0, 24, 10), [24, 5], [30, 999]] as const);
  counts.set(3, 1000);
  const plans = planFiles(counts, 1000);
  test.strictSame(
    plans.map(({ hours: own, rows, dayFile }) => [own[0], own.length, rows, dayFile]),
    [
      [-24, 24, 240, true],
      [0, 23, 230, true],
      [3, 1, 1000, false],
      [24, 2, 1004, true],
    ],
  );
  test.end();
});

t.test('a lone small hour of a day stays an hour file', (test) => {
  const plans = planFiles(new Map([...hours(0, 48, 10), [100, 1]] as const), 1000);
  test.match(plans.at(-1), { hours: [100], rows: 1, dayFile: false });
  test.end();
});

t.test('hours agree with exact arithmetic for every time', (test) => {
  const edge = fc
    .tuple(fc.integer({ min: -2_562_047, max: 2_562_047 }), fc.constantFrom(-1n, 0n, 1n))
    .map(([hour, offset]) => BigInt(hour) * 3_600_000_000n + offset);
  const time = fc.oneof(edge, fc.bigInt({ min: -(2n ** 63n), max: 2n ** 63n - 1n }));
  fc.assert(
    fc.property(fc.array(time, { minLength: 1, maxLength: 30 }), (list) => {
      const times = BigInt64Array.from(list);
      const expected = new Map<number, number>();
      for (const value of times)
        expected.set(hourOf(value), (expected.get(hourOf(value)) ?? 0) + 1);
      const counted = new Map<number, number>();
      countHours(times, 0, times.length, counted);
      const isEqual = [...expected].every(([hour, count]) => counted.get(hour) === count);
      if (!isEqual || counted.size !== expected.size) throw new Error('counts');
      const names = [...expected.keys()];
      const files = mapHours(times, new Map(names.map((hour, index) => [hour, index])));
      times.forEach((value, row) => {
        if (names[files[row] ?? -1] !== hourOf(value)) throw new Error('file of a row');
      });
    }),
    { numRuns: 500 },
  );
  test.throws(() => mapHours(BigInt64Array.of(0n), new Map()), { code: 'HF_BUG' });
  test.end();
});
