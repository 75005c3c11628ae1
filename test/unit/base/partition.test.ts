import fc from 'fast-check';
import t from 'tap';
import { calendarParts, encodePathName, hourOf } from '../../../src/base/model/partition.ts';

t.test('path names keep the plain characters and encode every other byte', (t) => {
  const cases: readonly (readonly [string, string])[] = [
    ['cpu', 'cpu'],
    ['cpu.total-1_a', 'cpu.total-1_a'],
    ['.hidden', '_x2Ehidden'],
    ['a b/c', 'a_x20b_x2Fc'],
    ['Tür', 'T_xC3_xBCr'],
    ['_x', '_x5Fx'],
    ['a_xb', 'a_x5Fxb'],
    ['..', '_x2E.'],
  ];
  for (const [name, encoded] of cases) t.equal(encodePathName(name), encoded, name);
  t.end();
});

t.test('path names over 120 bytes are cut and told apart by a hash', (t) => {
  const long = encodePathName('m'.repeat(121));
  t.match(long, /^m{84}_xh[0-9a-f]{32}$/);
  t.not(long, encodePathName('m'.repeat(122)));
  t.equal(encodePathName('m'.repeat(120)), 'm'.repeat(120));
  t.end();
});

t.test('different names never share a folder', (t) => {
  fc.assert(
    fc.property(fc.string({ unit: 'grapheme' }), fc.string({ unit: 'grapheme' }), (a, b) => {
      return a === b || encodePathName(a) !== encodePathName(b);
    }),
  );
  t.end();
});

t.test('hours are floored, before 1970 too', (t) => {
  t.equal(hourOf(0n), 0);
  t.equal(hourOf(3_599_999_999n), 0);
  t.equal(hourOf(-1n), -1);
  t.equal(hourOf(-3_600_000_000n), -1);
  t.equal(hourOf(-3_600_000_001n), -2);
  t.same(calendarParts(-1n), {
    year: '1969',
    month: '12',
    day: '31',
    hour: '23',
    minute: '59',
    second: '59',
  });
  t.end();
});
