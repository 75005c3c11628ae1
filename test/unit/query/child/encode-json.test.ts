import t from 'tap';
import fc from 'fast-check';
import { InstantFormat } from '../../../../src/query/child/encode-json.ts';

await t.test('instants from end to end of 64 bits', (t) => {
  const cases: readonly (readonly [count: bigint, digits: number, text: string])[] = [
    [0n, 6, '1970-01-01T00:00:00Z'],
    [-1n, 6, '1969-12-31T23:59:59.999999Z'],
    [1_500_000n, 6, '1970-01-01T00:00:01.5Z'],
    [1n, 9, '1970-01-01T00:00:00.000000001Z'],
    [253_402_300_799n, 0, '9999-12-31T23:59:59Z'],
    [253_402_300_800n, 0, '+010000-01-01T00:00:00Z'],
    [-62_167_219_201n, 0, '-000001-12-31T23:59:59Z'],
    [-9_223_372_036_854_775_808n, 9, '1677-09-21T00:12:43.145224192Z'],
    [9_223_372_036_854_775_807n, 9, '2262-04-11T23:47:16.854775807Z'],
    [9_223_372_036_854_775_806n, 6, '+294247-01-10T04:00:54.775806Z'],
    [-9_223_372_022_400_000_000n, 6, '-290308-12-22T00:00:00Z'],
  ];
  const instants = new InstantFormat();
  for (const [count, digits, text] of cases) t.equal(instants.format(count, digits), text, text);
  t.end();
});

await t.test('instants are read back exactly', (t) => {
  const instants = new InstantFormat();
  fc.assert(
    fc.property(
      fc.bigInt({ min: -8_640_000_000_000_000_000n, max: 8_640_000_000_000_000_000n }),
      (us) => {
        const text = instants.format(us, 6);
        const [whole, fraction = ''] = text.slice(0, -1).split('.');
        const micros =
          BigInt(Date.parse(`${whole ?? ''}Z`)) * 1000n + BigInt(fraction.padEnd(6, '0'));
        return micros === us && !fraction.endsWith('0');
      },
    ),
  );
  t.end();
});
