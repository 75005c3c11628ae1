import t from 'tap';
import { emptyState } from '../../../../src/log/journal/live-state.ts';
import type { Precision } from '../../../../src/ingest/decode/types.ts';
import { plainRows } from '../../../support/decoded-rows.ts';
import { newDecoder } from '../../../support/line-decoder.ts';

t.test('a type conflict costs its line and is told in the words of InfluxDB', async (t) => {
  const { registry, decode } = newDecoder();
  await decode('m1 f=1.5,s="x",b=t\n');
  const { rejected: bad, rows } = await decode('m1 new=1,f="x"\nm1 s=1\nm1 b="x"\nm1 f=2i\n');
  t.same(
    bad.map(({ reason, kind }) => [reason, kind]),
    [
      [
        'field type conflict: input field "f" on measurement "m1" is type string, already exists as type float',
        'conflict',
      ],
      [
        'field type conflict: input field "s" on measurement "m1" is type float, already exists as type string',
        'conflict',
      ],
      [
        'field type conflict: input field "b" on measurement "m1" is type string, already exists as type boolean',
        'conflict',
      ],
    ],
  );
  t.equal(rows, 1);
  t.equal(
    registry.find('d', 'm1')?.columns.length,
    3,
    'the new column of the bad line is not made',
  );
});

const times: readonly (readonly [Precision, string, bigint])[] = [
  ['n', '1700000000123456789', 1_700_000_000_123_456n],
  ['n', '-1', -1n],
  ['n', '-1000', -1n],
  ['n', '-1001', -2n],
  ['n', '0', 0n],
  ['n', '-0', 0n],
  ['n', '9223372036854775806', 9_223_372_036_854_775n],
  ['n', '-9223372036854775806', -9_223_372_036_854_776n],
  ['n', '9007199254740991999', 9_007_199_254_740_991n],
  ['n', '9007199254740992000', 9_007_199_254_740_992n],
  ['n', '-9007199254740993001', -9_007_199_254_740_994n],
  ['n', '000000000000000000001700000000123456789', 1_700_000_000_123_456n],
  ['us', '1700000000123456', 1_700_000_000_123_456n],
  ['us', '9223372036854775', 9_223_372_036_854_775n],
  ['us', '-9223372036854775', -9_223_372_036_854_775n],
  ['ms', '1700000000123', 1_700_000_000_123_000n],
  ['ms', '-9223372036854', -9_223_372_036_854_000n],
  ['s', '1700000000', 1_700_000_000_000_000n],
  ['s', '9223372036', 9_223_372_036_000_000n],
  ['m', '28333333', 1_699_999_980_000_000n],
  ['h', '472222', 1_699_999_200_000_000n],
  ['h', '-2562047', -9_223_369_200_000_000n],
  ['auto', '1700000000', 1_700_000_000_000_000n],
  ['auto', '4999999999', 4_999_999_999_000_000n],
  ['auto', '5000000000', 5_000_000_000_000n],
  ['auto', '-4999999999999', -4_999_999_999_999_000n],
  ['auto', '5000000000000', 5_000_000_000_000n],
  ['auto', '4999999999999999', 4_999_999_999_999_999n],
  ['auto', '5000000000000000', 5_000_000_000_000n],
];

t.test('times of every precision become microseconds, rounded down', async (t) => {
  for (const [precision, text, us] of times) {
    const { batches } = await newDecoder().decode(`m f=1 ${text}`, { precision });
    t.equal(batches[0]?.times[0], us, `${precision} ${text}`);
  }
});

t.test('times outside 1677 to 2262 are rejected in every precision', async (t) => {
  for (const [precision, text] of [
    ['n', '9223372036854775807'],
    ['n', '-9223372036854775808'],
    ['us', '9223372036854776'],
    ['us', '-9223372036854776'],
    ['ms', '9223372036855'],
    ['s', '9223372037'],
    ['m', '153722868'],
    ['h', '2562048'],
    ['h', '9223372036854775807'],
    ['auto', '-9223372036854775807'],
  ] as const) {
    const { rejected: bad } = await newDecoder().decode(`m f=1 ${text}`, { precision });
    t.match(bad[0]?.reason, /^time outside range/, `${precision} ${text}`);
  }
});

t.test('a missing time is the time of the request, cut to the precision', async (t) => {
  for (const [precision, us] of [
    ['n', 1_700_000_000_123_456n],
    ['us', 1_700_000_000_123_456n],
    ['auto', 1_700_000_000_123_456n],
    ['ms', 1_700_000_000_123_000n],
    ['s', 1_700_000_000_000_000n],
    ['m', 1_699_999_980_000_000n],
    ['h', 1_699_999_200_000_000n],
  ] as const) {
    const { batches } = await newDecoder().decode('m f=1\nm f=2', { precision });
    t.same([...(batches[0]?.times ?? [])], [us, us], precision);
  }
});

t.test('what was changed on the way in is counted', async (t) => {
  const { decode } = newDecoder();
  const body = 'm f=1.5,f=2,f=3 1001\nm f=4i,time=1 2000\nm f=9007199254740993i,Time=1 -1\n';
  const { counters, batches } = await decode(body);
  t.same(counters, {
    nanCells: 0,
    duplicateFields: 2,
    cutTimeDigits: 2,
    renamedCells: 2,
    integersAsFloats: 1,
  });
  t.same(
    batches[0]?.columns.map(({ column }) => column.physical.name),
    ['f', 'time__2', 'f__int64', 'Time__3'],
  );
});

t.test('columns of lines with different fields and tags are sparse', async (t) => {
  const { decode } = newDecoder();
  const body = 'm,a=x f=1\nm g=2\nm,b=y f=3,h="s"\nm,a=x,b=z f=4\n';
  const { batches } = await decode(body);
  const columns = batches[0]?.columns ?? [];
  t.same(
    columns.map(({ column, rows }) => [column.physical.name, rows && [...rows]]),
    [
      ['a', [0, 3]],
      ['f', [0, 2, 3]],
      ['g', [1]],
      ['b', [2, 3]],
      ['h', [2]],
    ],
  );
  t.equal((await decode('m f=1\nm f=2\n')).batches[0]?.columns[0]?.rows, undefined, 'dense');
});

t.test('lines of many measurements mixed give one batch for each', async (t) => {
  const lines = Array.from(
    { length: 100 },
    (_, index) => `m${index % 10},h=${index} f=${index} ${index}000`,
  );
  const { batches } = await newDecoder().decode(lines.join('\n'));
  t.same(
    batches.map(({ measurement, rowCount }) => [measurement, rowCount]),
    Array.from({ length: 10 }, (_, index) => [`m${index}`, 10]),
  );
  t.same([...(batches[3]?.times ?? [])], [3n, 13n, 23n, 33n, 43n, 53n, 63n, 73n, 83n, 93n]);
});

t.test('a dictionary holds the values of its rows and no others', async (t) => {
  const { decode } = newDecoder();
  await decode('m,h=old f="old"\n');
  const { batches } = await decode('m,h=a f="x"\nm,h=bad f="bad" oops\nm,h=b f="x"\nm,h=a f="y"\n');
  for (const { column, dictionary, values } of batches[0]?.columns ?? []) {
    const text = Buffer.from(dictionary?.bytes ?? []).toString();
    t.equal(text, column.kind === 'tag' ? 'ab' : 'xy');
    t.same([...values], column.kind === 'tag' ? [0, 1, 0] : [0, 0, 1]);
  }
});

t.test(
  'cells beyond the cap are rejected line by line, and narrower lines still fit',
  async (t) => {
    const { registry, decode } = newDecoder();
    const body = 'm,a=b f=1,g=2\nm,a=b f=1,g=2\nm f=3\nm f=4\nm2 f=5\n';
    const { rows, rejected: bad } = await decode(body, { cellsMax: 5 });
    t.equal(rows, 3);
    t.same(
      bad.map(({ line, kind, reason }) => [line, kind, reason]),
      [
        [2, 'cap', 'max cells per request exceeded: 5'],
        [5, 'cap', 'max cells per request exceeded: 5'],
      ],
    );
    t.equal(registry.find('d', 'm2'), undefined);
  },
);

t.test('caps of the registry reject the lines that would exceed them', async (t) => {
  const { decode } = newDecoder({ columnsMax: 2, measurementsMax: 2, databasesMax: 1 });
  const body = 'a f=1\nb f=1\nc f=1\na g=1\na h=1\na f=2\n';
  const { rejected: bad, rows } = await decode(body);
  t.equal(rows, 4);
  t.same(
    bad.map(({ line, kind, reason }) => [line, kind, reason]),
    [
      [3, 'cap', 'max measurements exceeded: 2'],
      [5, 'cap', 'max columns per measurement exceeded: 2'],
    ],
  );
  const other = await decode('a f=1\n', { database: 'other' });
  t.match(other.rejected, [{ kind: 'cap', reason: 'max databases exceeded: 1' }]);
  const internal = await decode('dead_letters f=1\n\n# x\nm f=1\n', { database: '_internal' });
  t.equal(internal.rejectedLines, 2);
  t.match(internal.rejected, [{ kind: 'parse', reason: 'database "_internal" is reserved' }]);
});

t.test('a line over the limit is rejected and the next one is kept', async (t) => {
  for (const [title, long] of [
    ['fields', `m ${Array.from({ length: 900 }, (_, index) => `f${index % 90}=1`).join(',')} 1`],
    ['string', `m f="${'x\n'.repeat(3000)}" 1`],
    ['strings', `m f="${'x'.repeat(800)}",g="${'y'.repeat(800)}" 1`],
    ['digits', `m f=${'1'.repeat(200_000)} 1`],
    ['name', `${'m'.repeat(200_000)} f=1 1`],
    ['string before digits', `m f="\n",g=${'1'.repeat(200_000)} 1`],
    ['escapes', `m f="${'\\"'.repeat(100_000)}" 1`],
  ] as const) {
    const { decode } = newDecoder();
    const body = `m f=1 1000\n${long}\nm f=2 2000\n`;
    const decoded = await decode(body, { lineBytesMax: 1024 });
    t.equal(decoded.rows, 2, title);
    t.equal(decoded.rejectedLines, 1, title);
    t.match(decoded.rejected[0]?.reason, /line too long|max columns/, title);
    const line = 3 + long.split('\n').length;
    const after = await decode(`${body}bad\n`, { lineBytesMax: 1024 });
    t.equal(after.rejected.at(-1)?.line, line, `${title}: line number behind it`);
  }
});

t.test('a quote that is never closed draws in the rest, of which nothing is lost', async (t) => {
  const { decode } = newDecoder();
  const rest = Array.from({ length: 20_000 }, (_, index) => `m f=${index} ${index}`).join('\n');
  const { rejected: bad, rejectedLines, rows } = await decode(`m f=1\nm f="oops\n${rest}`);
  t.equal(rows, 1);
  t.equal(rejectedLines, 1);
  t.ok(bad.length > 4 && bad.every(({ text }) => text.length <= 65_536));
  t.equal(bad.map(({ text }) => text).join('\n'), `m f="oops\n${rest}`);
  t.same([...new Set(bad.map(({ count }) => count))], [1, 0]);
  const line =
    2 +
    bad
      .slice(0, 3)
      .map(({ text }) => text.split('\n').length)
      .reduce((a, b) => a + b, 0);
  t.equal(bad[3]?.line, line);
});

t.test('very many bad lines share entries, and each text is kept', async (t) => {
  const { decode } = newDecoder();
  const lines = Array.from({ length: 20_000 }, (_, index) => `bad-line-${index}`);
  const body = lines.map((line) => `${line}\nm f=1 1\n`).join('');
  const { rejected: bad, rejectedLines, rows } = await decode(body);
  t.equal(rows, 20_000);
  t.equal(rejectedLines, 20_000);
  t.ok(bad.length < 1010, `${bad.length} entries`);
  t.same(
    bad.flatMap(({ text }) => text.split('\n')),
    lines,
  );
  t.equal(
    bad.reduce((sum, { count }) => sum + count, 0),
    20_000,
  );
  t.match(bad[1000]?.reason, /^missing fields \(and \d+ lines more\)$/);
  t.equal(bad[1000]?.line, 2001);
});

t.test('bytes that are not UTF-8 are kept as they came', async (t) => {
  const { decode } = newDecoder();
  const line = Buffer.from('m,a=\xff\xfe f=1', 'latin1');
  const { rejected: bad } = await decode(Buffer.concat([line, Buffer.from('\nm f="é"\n# \xff')]));
  t.equal(bad.length, 1);
  t.same(Buffer.from(bad[0]?.raw ?? []), line);
  t.equal(bad[0]?.text, 'm,a=\ufffd\ufffd f=1');
});

t.test('others get a turn in the middle of a large body, and of one large line', async (t) => {
  const lines = 'cpu,host=a usage=1.5 1000\n'.repeat(50_000);
  for (const [title, body] of [
    ['lines', lines],
    ['one string that is too long', `m f="${'x'.repeat(3_000_000)}"\n`],
    ['a bad line', `bad ${'x'.repeat(3_000_000)}\n`],
    ['bad lines', 'bad\n'.repeat(100_000)],
  ] as const) {
    const { decode } = newDecoder();
    let turns = 0;
    await decode(body, { yieldNow: async () => Promise.resolve(void (turns += 1)) });
    // The clock of this test moves on with each look at it.
    t.ok(turns >= 3, `${title}: ${turns} turns`);
  }
});

t.test('what is remembered of series is bounded, and forgetting changes no row', async (t) => {
  const { decode } = newDecoder({}, 50_000);
  for (let round = 0; round < 3; round += 1) {
    const lines = Array.from(
      { length: 3000 },
      (_, index) => `m,h=${index},r=x f=${index},g="v${index}" 1000`,
    );
    const { batches, rows } = await decode(lines.join('\n'));
    t.equal(rows, 3000);
    t.equal(batches.length, 1);
    const got = plainRows(batches).get('m') ?? [];
    t.ok(
      got.every(({ tags, fields }, index) => {
        return tags.get('h') === String(index) && fields.get('f') === `number:${index}`;
      }),
    );
  }
});

t.test('a registry that starts over is asked again, also in the middle of a request', async (t) => {
  const { registry, decode } = newDecoder();
  await decode('m,h=a f=1,g="x"\n');
  registry.load(emptyState);
  const { rows } = await decode('m,h=a f=2\nm,h=a g=1\n');
  t.equal(rows, 2, 'g was a string in the registry of before');
  t.equal(registry.find('d', 'm')?.columns.length, 3);
  let loads = 0;
  await decode('m,h=a f=1\n'.repeat(5000), {
    yieldNow: () => {
      loads += 1;
      if (loads === 1) registry.load(emptyState);
      return Promise.resolve();
    },
  });
  t.ok(loads > 1);
  t.equal(registry.find('d', 'm')?.columns.length, 2);
});

t.test('an integer of minus zero is zero, also in a column of floats', async (t) => {
  const { batches } = await newDecoder().decode('m f=1.5\nm f=-0i\nm f=-0\n');
  const [values] = batches[0]?.columns ?? [];
  t.ok(Object.is(values?.values[1], 0));
  t.ok(Object.is(values?.values[2], -0));
});

t.test('an escaped newline does not end a bad line, and is counted', async (t) => {
  const { rejected: bad } = await newDecoder().decode(
    'm f=1x a\\\nn f=1\nbad\nm,a=b\\\nn f=1\nbad',
  );
  t.same(
    bad.map(({ line, text }) => [line, text]),
    [
      [1, 'm f=1x a\\\nn f=1'],
      [3, 'bad'],
      [4, 'm,a=b\\\nn f=1'],
      [6, 'bad'],
    ],
  );
});

t.test('series written with their tags in another order have the same columns', async (t) => {
  const { decode } = newDecoder();
  const { batches } = await decode('m,a=1,b=2 f=1 1\nm,b=2,a=1 f=2 2\n');
  const rows = plainRows(batches).get('m') ?? [];
  t.same(rows[0]?.tags, rows[1]?.tags);
  t.equal(batches[0]?.columns.length, 3);
});
