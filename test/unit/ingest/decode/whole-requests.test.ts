/**
 * Requests of which nothing is kept if a line is bad (`accept_partial=false`): what they leave in
 * the schema registry, also when other requests are decided while they are in the making.
 */
import t from 'tap';
import type { Decoded } from '../../../../src/ingest/decode/types.ts';
import { newDecoder } from '../../../support/line-decoder.ts';

type Rig = ReturnType<typeof newDecoder>;

/** Everything that the registry knows, and what it would put into the next commits. */
function known({ registry }: Rig) {
  const measurements = registry.databases().flatMap((name) => registry.measurements(name));
  return {
    databases: registry.databases(),
    measurements,
    pending: registry.takeChanges(measurements.map(({ id }) => id)),
  };
}

const whole = { acceptPartial: false };

const reasons = ({ rejected }: Decoded) => rejected.map(({ line, reason }) => `${line} ${reason}`);

t.test('a refused request leaves no name and no type behind', async (t) => {
  const rig = newDecoder();
  const before = known(rig);
  const refused = await rig.decode('m,t=x f="text"\nn g=1\nm f=1i\n', whole);
  t.equal(refused.rejectedLines, 1);
  t.match(reasons(refused), [/^3 field type conflict: .*"f"/], 'as if it had been taken');
  t.strictSame(known(rig), before);
  const later = await rig.decode('m f=1i');
  t.equal(later.rows, 1, 'the type of a refused value is nobody’s');
});

t.test('a refused request adds no column to a measurement that stands', async (t) => {
  const rig = newDecoder();
  await rig.decode('m,a=1 f=1i');
  const before = known(rig);
  t.equal((await rig.decode('m,b=2 f=1.5,g=t\nm f="x"', whole)).rejectedLines, 1);
  t.equal((await rig.decode('m,b=2 f=1.5,g=t\nbad', whole)).rejectedLines, 1);
  t.strictSame(known(rig), before);
  t.equal((await rig.decode('m f=2,g="now a string"')).rows, 1);
});

t.test('refused requests use up no cap', async (t) => {
  const rig = newDecoder({ measurementsMax: 3, databasesMax: 2, columnsMax: 3 });
  for (let round = 0; round < 5; round += 1) {
    const body = `m${round} f=1\nm f${round}=1\nbad\n`;
    t.equal((await rig.decode(body, { ...whole, database: `d${round}` })).rejectedLines, 1);
  }
  t.strictSame(reasons(await rig.decode('a f=1\nb f=1\nc f=1\nc f1=1,f2=2', whole)), []);
  t.strictSame(reasons(await rig.decode('a f=1', { database: 'other' })), [
    '1 max measurements exceeded: 3',
  ]);
});

t.test('caps count in a request as if its lines had been taken', async (t) => {
  const rig = newDecoder({ measurementsMax: 2, columnsMax: 2 });
  await rig.decode('a f=1');
  t.strictSame(reasons(await rig.decode('b f=1\nc f=1', whole)), [
    '2 max measurements exceeded: 2',
  ]);
  t.strictSame(reasons(await rig.decode('a g=1\na h=1', whole)), [
    '2 max columns per measurement exceeded: 2',
  ]);
  t.strictSame(reasons(await rig.decode('b f=1\na g=1', whole)), []);
  t.strictSame(
    rig.registry.measurements('d').map(({ name }) => name),
    ['a', 'b'],
  );
});

t.test('a request that is taken is decided as without the parameter', async (t) => {
  const body = 'm,t=x f=1i,s="a"\nm,u=y f=1.5\nm f=18446744073709551615u\nn,Temp=1 temp=2\n';
  const [plain, strict] = [newDecoder(), newDecoder()];
  // Decoded twice: all is new, and nothing is.
  for (let round = 0; round < 2; round += 1) {
    const [expected, found] = [await plain.decode(body), await strict.decode(body, whole)];
    t.equal(found.rows, 4);
    t.strictSame(found.batches, expected.batches);
    t.strictSame(found.counters, expected.counters);
  }
  t.strictSame(known(strict), known(plain));
});

t.test('what others decide meanwhile is met as if they had come first', async (t) => {
  const rig = newDecoder();
  const lines = Array.from({ length: 2000 }, (_, row) => `m,t=${row} f="text"`).join('\n');
  let turns = 0;
  const refused = await rig.decode(lines, {
    ...whole,
    yieldNow: async () => {
      turns += 1;
      if (turns === 1) await rig.decode('m f=1i');
    },
  });
  t.ok(turns > 1, 'others had their turn');
  t.equal(refused.rejectedLines, 2000);
  t.match(reasons(refused)[0], /^1 field type conflict/);
  const [m] = rig.registry.measurements('d');
  t.strictSame(
    m?.columns.map(({ spelling }) => spelling),
    ['f'],
    'neither its tag nor its type was kept',
  );
});

t.test('another base type chosen meanwhile needs no refusal', async (t) => {
  const rig = newDecoder();
  const body = `m f=1i\n${'m f=2i\n'.repeat(2000)}m f=9007199254740993i\n`;
  let turns = 0;
  const taken = await rig.decode(body, {
    ...whole,
    yieldNow: async () => {
      turns += 1;
      if (turns === 1) await rig.decode('m f=1.5');
    },
  });
  t.ok(turns > 1);
  t.strictSame(reasons(taken), []);
  t.equal(taken.rows, 2002);
  t.strictSame(
    taken.batches[0]?.columns.map(({ column, values }) => [column.physical.name, values.length]),
    [
      ['f', 2001],
      ['f__int64', 1],
    ],
  );
});

t.test('a cap reached by others meanwhile refuses all of it', async (t) => {
  const rig = newDecoder({ columnsMax: 2 });
  // The large integer needs a part of its own once `f` is a float: one column too many.
  const body = `m f=1i,t=t\n${'m f=2i\n'.repeat(2000)}m f=9007199254740993i\n`;
  let turns = 0;
  const refused = await rig.decode(body, {
    ...whole,
    yieldNow: async () => {
      turns += 1;
      if (turns === 1) await rig.decode('m f=1.5');
    },
  });
  t.ok(turns > 1);
  t.strictSame(reasons(refused), ['2002 max columns per measurement exceeded: 2']);
  t.strictSame(
    rig.registry.find('d', 'm')?.columns.map(({ sqlName }) => sqlName),
    ['f'],
  );
});
