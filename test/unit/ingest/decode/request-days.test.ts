/** The limit on the UTC days of one request, in every shape in which rows come. */
import t from 'tap';
import fc from 'fast-check';
import { DaySet } from '../../../../src/ingest/decode/request-days.ts';
import type { Decoded } from '../../../../src/ingest/decode/types.ts';
import { newDecoder } from '../../../support/line-decoder.ts';
import { newMessageDecoder } from '../../../support/msgpack-decoder.ts';

const day = 86_400;
const reasons = ({ rejected }: Decoded) => rejected.map(({ line, reason }) => `${line} ${reason}`);

t.test('lines of further days are refused, those of known days are not', async (t) => {
  const { registry, decode } = newDecoder();
  const body = [
    `m f=1 ${day}`,
    `n f=1 ${day}`,
    `m f=1 ${2 * day}`,
    `m f=1,new=1 ${3 * day}`,
    `n f=1 ${2 * day - 1}`,
    `m f=1 ${day}`,
    `o f=1 ${day}`,
    `m f=1 ${-1}`,
  ].join('\n');
  for (let round = 0; round < 2; round += 1) {
    const decoded = await decode(body, { precision: 's', daysMax: 3 });
    t.equal(decoded.rows, 5);
    t.strictSame(reasons(decoded), [
      '4 max days per request exceeded: 3',
      '7 max days per request exceeded: 3',
      '8 max days per request exceeded: 3',
    ]);
    t.ok(decoded.rejected.every(({ kind }) => kind === 'cap'));
  }
  t.strictSame(
    registry.measurements('d').map(({ name, columns }) => [name, columns.length]),
    [
      ['m', 1],
      ['n', 1],
    ],
    'a refused row leaves nothing behind',
  );
});

t.test('refused rows use up no day', async (t) => {
  const { decode } = newDecoder();
  await decode('m f=1 0');
  const body = `m f="x" ${day}\nm f="x" ${2 * day}\nm f=1 ${3 * day}\n`;
  const decoded = await decode(body, { precision: 's', daysMax: 1 });
  t.equal(decoded.rows, 1);
  t.match(reasons(decoded), [/^1 field type conflict/, /^2 field type conflict/]);
});

t.test('rows and columns of MessagePack share the limit', async (t) => {
  const { decode } = newMessageDecoder();
  const row = (m: string, at: number) => ({ m, t: at * day, fields: { f: 1 } });
  const columns = (m: string, ...days: number[]) => ({
    m,
    columns: { time: days.map((each) => each * day), f: days },
  });
  const decoded = await decode(
    [
      row('m', 20_000),
      columns('m', 20_000, 20_001),
      row('m', 20_001),
      columns('n', 20_000),
      row('m', 20_002),
      columns('n', 20_000, 20_001),
      columns('n', 20_000, 20_000),
    ],
    { daysMax: 3 },
  );
  t.equal(decoded.rows, 7);
  t.strictSame(
    decoded.rejected.map(({ reason, kind }) => [reason, kind]),
    [
      ['max days per request exceeded: 3', 'cap'],
      ['max days per request exceeded: 3', 'cap'],
    ],
  );
});

t.test('days are those of the calendar, before 1970 too', (t) => {
  const time = fc.bigInt({ min: -(2n ** 52n), max: 2n ** 52n });
  const halves = (us: bigint) => [Number(BigInt.asIntN(32, us)), Number(us >> 32n)] as const;
  const dayOf = (us: bigint) => us - (((us % 86_400_000_000n) + 86_400_000_000n) % 86_400_000_000n);
  fc.assert(
    fc.property(fc.array(time, { maxLength: 20 }), fc.array(time), (added, asked) => {
      const set = new DaySet();
      for (const us of added) set.add(...halves(us));
      const days = new Set(added.map(dayOf));
      const near = added.flatMap((us) => [us, dayOf(us), dayOf(us) - 1n]);
      for (const us of [...near, ...asked]) {
        if (set.has(...halves(us)) !== days.has(dayOf(us))) return false;
      }
      return true;
    }),
  );
  t.end();
});
