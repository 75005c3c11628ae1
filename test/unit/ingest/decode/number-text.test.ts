import fc from 'fast-check';
import t from 'tap';
import { divideExactly, parseInteger } from '../../../../src/ingest/decode/number-text.ts';
import {
  hugeExactForm,
  hugeForm,
  integerExactForm,
  integerForm,
} from '../../../../src/ingest/decode/value-forms.ts';

/** digits * 10^-fraction the way the scanner asks for it. */
function divided(digits: string, fraction: number): number {
  const trailing = digits.slice(15);
  return divideExactly(Number(digits.slice(0, 15)), Number(trailing), trailing.length, fraction);
}

function check(t: { fail(message: string): unknown }, digits: string, fraction: number): boolean {
  const value = divided(digits, fraction);
  if (Number.isNaN(value)) return false;
  if (value !== Number(`${digits}e-${fraction}`)) t.fail(`${digits}e-${fraction}: ${value}`);
  return true;
}

t.test('a quotient is the nearest double, or is not given at all', (t) => {
  let given = 0;
  fc.assert(
    fc.property(fc.bigInt({ min: 0n, max: 10n ** 19n - 1n }), fc.nat(22), (value, fraction) => {
      if (check(t, String(value), fraction)) given += 1;
    }),
    { numRuns: 20_000 },
  );
  t.ok(given > 19_000, `${given} of 20,000 are proven`);
  t.end();
});

t.test('decimals next to the middle between two doubles are never rounded wrongly', (t) => {
  fc.assert(
    fc.property(
      fc.double({ min: 1e-3, max: 1e15, noNaN: true }),
      fc.integer({ min: -2, max: 2 }),
      (value, off) => {
        // The middle between a double and the next, cut to 19 digits, and its neighbours.
        const bits = new BigUint64Array(new Float64Array([value]).buffer);
        const next = new Float64Array(new BigUint64Array([(bits[0] ?? 0n) + 1n]).buffer)[0] ?? 0;
        const whole = Math.max(1, Math.trunc(value).toString().length);
        const fraction = Math.min(22, 19 - whole);
        const scale = 10n ** BigInt(fraction);
        const unit = 2n ** 80n;
        const exact = (each: number) => {
          const high = Math.floor(each);
          return BigInt(high) * unit + BigInt((each - high) * 2 ** 80);
        };
        const middle = ((exact(value) + exact(next)) * scale) / (2n * unit) + BigInt(off);
        if (middle < 0n || middle >= 10n ** 19n) return;
        check(t, String(middle), fraction);
      },
    ),
    { numRuns: 20_000 },
  );
  t.pass('none was');
  t.end();
});

t.test('an exact middle is left to the conversion that rounds to even', (t) => {
  t.ok(Number.isNaN(divided('9007199254740993', 0)));
  t.ok(Number.isNaN(divided('9007199254740995', 0)));
  t.equal(divided('9007199254740992', 0), 2 ** 53);
  t.equal(divided('0', 5), 0);
  t.equal(divided('1234567890123456789', 18), 1.234567890123456789);
  t.end();
});

t.test('integers are exact, and say whether a double holds them', (t) => {
  const cases: readonly (readonly [string, boolean, boolean, bigint | undefined, number?])[] = [
    ['0', true, false, 0n, integerExactForm],
    ['9007199254740992', false, false, 2n ** 53n, integerExactForm],
    ['9007199254740993', false, false, 2n ** 53n + 1n, integerForm],
    ['9007199254740994', false, true, 2n ** 53n + 2n, integerExactForm],
    ['9223372036854775807', false, false, 2n ** 63n - 1n, integerForm],
    ['9223372036854775808', true, false, -(2n ** 63n), integerExactForm],
    ['9223372036854775808', false, false, undefined],
    ['9223372036854775808', false, true, 2n ** 63n, hugeExactForm],
    ['18446744073709551615', false, true, 2n ** 64n - 1n, hugeForm],
    ['18446744073709551616', false, true, undefined],
    ['000000000000000000000000000000', false, false, 0n, integerExactForm],
    [`${'0'.repeat(50)}18446744073709549568`, false, true, 2n ** 64n - 2048n, hugeExactForm],
    ['9'.repeat(100_000), false, true, undefined],
  ];
  for (const [digits, negative, unsigned, value, form] of cases) {
    const parsed = parseInteger(digits, negative, unsigned);
    t.same(parsed, value === undefined ? undefined : { value, form }, digits.slice(0, 40));
  }
  t.end();
});
