import fc from 'fast-check';
import t, { type Test } from 'tap';
import { LineDecoder } from '../../../../src/ingest/decode/line-protocol.ts';
import { SchemaRegistry } from '../../../../src/storage/catalog/schema-registry.ts';
import { plainRows } from '../../../support/decoded-rows.ts';
import { LineReference, type ReferenceRow } from '../../../support/line-reference.ts';

const nowUs = 1_700_000_000_123_456;

function newDecoder(cacheBytesMax = 1 << 20): LineDecoder {
  const registry = new SchemaRegistry({
    columnsMax: 2000,
    measurementsMax: 2000,
    databasesMax: 10,
    nameBytesMax: 65_535,
    createDatabases: true,
  });
  return new LineDecoder({
    registry,
    monotonicMs: () => performance.now(),
    seed: 1,
    cacheBytesMax,
  });
}

const decode = (decoder: LineDecoder, body: Uint8Array, database = 'd') =>
  decoder.decode(body, {
    database,
    precision: 'n',
    nowUs,
    acceptPartial: true,
    cellsMax: 1_000_000,
    daysMax: 1_000_000,
    lineBytesMax: 1_048_576,
    yieldNow: async () => Promise.resolve(),
  });

function byMeasurement(rows: readonly ReferenceRow[]) {
  const result = new Map<string, object[]>();
  for (const { measurement, timeUs, tags, fields } of rows) {
    const list = result.get(measurement) ?? [];
    list.push({ timeUs: timeUs ?? BigInt(nowUs), tags, fields });
    result.set(measurement, list);
  }
  return result;
}

/** Fails unless decoder and reference agree on every row and every bad line. */
async function compare(t: Test, body: Uint8Array, decoder = newDecoder()): Promise<void> {
  const reference = new LineReference(body);
  const decoded = await decode(decoder, body);
  const shown = JSON.stringify(Buffer.from(body).toString('latin1'));
  const bad = decoded.rejected.map(({ line, text, raw }) => ({
    line,
    text:
      raw === undefined
        ? Buffer.from(text).toString('latin1')
        : Buffer.from(raw).toString('latin1'),
  }));
  if (!t.strictSame(bad, reference.bad, shown)) throw new Error(shown);
  if (!t.strictSame(plainRows(decoded.batches), byMeasurement(reference.rows), shown)) {
    throw new Error(shown);
  }
  t.equal(decoded.rows, reference.rows.length);
  t.equal(decoded.rejectedLines, reference.bad.length);
}

/** Text with what is special somewhere in line protocol more often than elsewhere. */
const awkward = fc.string({
  unit: fc.oneof(
    { weight: 5, arbitrary: fc.constantFrom('a', 'b', '1', 'x', 'T') },
    {
      weight: 3,
      arbitrary: fc.constantFrom(',', '=', ' ', '"', '\\', '#', 'i', '.', '-', 'é', '温'),
    },
    { weight: 1, arbitrary: fc.string({ unit: 'binary', minLength: 1, maxLength: 1 }) },
  ),
  minLength: 1,
  maxLength: 8,
});

const control = /[\u0000-\u001f\u007f]/g;

/** A name that line protocol can express: no control characters, no backslash at awkward places. */
const name = awkward.map((text) => {
  const plain = text.replace(control, '_').replace(/\\(?=[,= ]|$)/g, '/');
  return plain.isWellFormed() ? plain : 'lone';
});

const measurementName = name
  .map((text) => (text.startsWith('#') ? `m${text}` : text))
  .filter((text) => text.trim() !== '');

const stringValue = fc.oneof(
  awkward.map((text) => text.replaceAll('\0', '0')),
  fc.constantFrom('', '\n', 'a\nb f=1\n', '\\', '"', '\\\\"', 'x'.repeat(300), 'né\r\n'),
);

interface Value {
  readonly kind: 'string' | 'boolean' | 'number';
  readonly text: string;
  readonly exact: string;
}

const quoted = (text: string) => `"${text.replace(/(["\\])/g, '\\$1')}"`;

const exact = (value: number | bigint): string => {
  if (typeof value === 'number' && Object.is(value, -0)) return 'number:-0';
  return typeof value === 'bigint' || !Number.isInteger(value)
    ? `number:${value}`
    : `number:${BigInt(value)}`;
};

const float: fc.Arbitrary<Value> = fc
  .oneof(
    fc.double({ noNaN: true, noDefaultInfinity: true }),
    fc.double({ noNaN: true, min: -1000, max: 1000 }),
    fc.integer().map((value) => value / 1000),
    fc.constantFrom(0, -0, 5e-324, Number.MAX_VALUE, 2 ** 53, 2 ** 63, 0.1, 1e22, 1e23),
  )
  .map((value) => {
    const text = Object.is(value, -0) ? '-0' : String(value);
    return { kind: 'number', text, exact: exact(value) };
  });

const integer: fc.Arbitrary<Value> = fc
  .oneof(
    fc.bigInt({ min: -(2n ** 63n), max: 2n ** 63n - 1n }),
    fc.integer().map(BigInt),
    fc.constantFrom(-(2n ** 63n), 2n ** 63n - 1n, 0n, 2n ** 53n, 2n ** 53n + 1n, 10n ** 15n),
  )
  .map((value) => ({ kind: 'number', text: `${value}i`, exact: exact(value) }));

const unsigned: fc.Arbitrary<Value> = fc
  .oneof(
    fc.bigInt({ min: 0n, max: 2n ** 64n - 1n }),
    fc.constantFrom(2n ** 64n - 1n, 2n ** 63n, 2n ** 63n - 1n, 0n),
  )
  .map((value) => ({ kind: 'number', text: `${value}u`, exact: exact(value) }));

const value: fc.Arbitrary<Value> = fc.oneof(
  float,
  integer,
  unsigned,
  stringValue.map(
    (text): Value => ({ kind: 'string', text: quoted(text), exact: `string:${text}` }),
  ),
  fc
    .constantFrom('t', 'T', 'true', 'True', 'TRUE', 'f', 'F', 'false', 'False', 'FALSE')
    .map(
      (text): Value => ({ kind: 'boolean', text, exact: `boolean:${/^t/i.test(text) ? 1 : 0}` }),
    ),
);

interface Line {
  readonly measurement: string;
  readonly tags: readonly (readonly [string, string])[];
  readonly fields: readonly (readonly [string, Value])[];
  readonly time: bigint | undefined;
}

const line: fc.Arbitrary<Line> = fc.record({
  measurement: fc.oneof(fc.constantFrom('cpu', 'mem'), measurementName),
  tags: fc.uniqueArray(
    fc.tuple(fc.oneof(fc.constantFrom('host', 'region'), name), name).filter(([key]) => {
      return key.toUpperCase() !== 'TIME';
    }),
    { selector: ([key]) => key, maxLength: 4 },
  ),
  fields: fc.uniqueArray(fc.tuple(fc.oneof(fc.constantFrom('a', 'b', 'time'), name), value), {
    // Types of one key stay apart, so that no line is a type conflict with another.
    selector: ([key, { kind }]) => `${kind} ${key}`,
    minLength: 1,
    maxLength: 5,
  }),
  time: fc.option(fc.bigInt({ min: 2n - 2n ** 63n, max: 2n ** 63n - 2n }), { nil: undefined }),
});

const escaped = (text: string) => text.replace(/[,= ]/g, '\\$&');

function written({ measurement, tags, fields, time }: Line): string {
  const series = [measurement.replace(/[, ]/g, '\\$&')];
  for (const [key, each] of tags) series.push(`${escaped(key)}=${escaped(each)}`);
  const cells = fields.map(([key, { kind, text }]) => `${escaped(key)}_${kind}=${text}`);
  return `${series.join(',')} ${cells.join(',')}${time === undefined ? '' : ` ${time}`}`;
}

const floorDivide = (value: bigint): bigint =>
  value >= 0n || value % 1000n === 0n ? value / 1000n : value / 1000n - 1n;

function expected(lines: readonly Line[]) {
  return byMeasurement(
    lines.map(({ measurement, tags, fields, time }) => ({
      measurement,
      timeUs: time === undefined ? undefined : floorDivide(time),
      tags: new Map(tags),
      fields: new Map(fields.map(([key, each]) => [`${key}_${each.kind}`, each.exact])),
    })),
  );
}

const lineEnd = fc.constantFrom('\n', '\r\n', ' \n', '\n\n# note "=\n', '\n  ');

t.test('every valid line gives its row, exactly', async (t) => {
  const shared = newDecoder(20_000);
  await fc.assert(
    fc.asyncProperty(fc.array(fc.tuple(line, lineEnd), { maxLength: 8 }), async (pairs) => {
      const lines = pairs.map(([each]) => each);
      const body = Buffer.from(pairs.map(([each, end]) => written(each) + end).join(''));
      for (const decoder of [newDecoder(), shared]) {
        // The shared decoder's registry fills up; a database of its own keeps the types apart.
        const decoded = await decode(decoder, body);
        if (decoder === shared && decoded.rejected.some(({ kind }) => kind !== 'parse')) return;
        t.strictSame(decoded.rejected, [], JSON.stringify(body.toString()));
        t.strictSame(plainRows(decoded.batches), expected(lines), JSON.stringify(body.toString()));
      }
    }),
    { numRuns: 400 },
  );
});

t.test('the reference reads valid lines as they were meant', (t) => {
  fc.assert(
    fc.property(fc.array(fc.tuple(line, lineEnd), { maxLength: 5 }), (pairs) => {
      const body = Buffer.from(pairs.map(([each, end]) => written(each) + end).join(''));
      const reference = new LineReference(body);
      t.strictSame(reference.bad, []);
      t.strictSame(byMeasurement(reference.rows), expected(pairs.map(([each]) => each)));
    }),
    { numRuns: 200 },
  );
  t.end();
});

t.test('a body cut anywhere gives no row that was not sent whole', async (t) => {
  await fc.assert(
    fc.asyncProperty(
      fc.array(line, { minLength: 1, maxLength: 4 }),
      fc.nat(),
      async (lines, cut) => {
        const body = Buffer.from(lines.map((each) => `${written(each)}\n`).join(''));
        await compare(t, body.subarray(0, cut % body.length));
      },
    ),
    { numRuns: 400 },
  );
});

t.test('flipped bits cost the lines that they hit and make no wrong row', async (t) => {
  const shared = newDecoder(20_000);
  await fc.assert(
    fc.asyncProperty(
      fc.array(line, { minLength: 1, maxLength: 4 }),
      fc.array(fc.tuple(fc.nat(), fc.nat(7)), { minLength: 1, maxLength: 3 }),
      async (lines, flips) => {
        const body = Buffer.from(lines.map((each) => `${written(each)}\n`).join(''));
        for (const [position, bit] of flips) {
          const at = position % body.length;
          body[at] = (body[at] ?? 0) ^ (1 << bit);
        }
        await compare(t, body);
        await decode(shared, body);
      },
    ),
    { numRuns: 500 },
  );
});

t.test('tokens in any order are read as the reference reads them', async (t) => {
  const token = fc.constantFrom(
    ...['m', ',', '=', ' ', '\n', '"', '\\', 't', 'f=1', 'a=b', ' f=', '1i', '2u', '1.5', '-', '.'],
    ...['e5', 'true', '#', '\r', '\t', '\0', '9223372036854775807', '99999999999999999999'],
    ...[
      'm,a=b f=1 1\n',
      'm f="x',
      '="',
      '\\"',
      '\\\\',
      '\\ ',
      '\\\n',
      'é',
      'time',
      '+',
      'NaN',
      '0x1',
    ],
  );
  await fc.assert(
    fc.asyncProperty(fc.array(token, { maxLength: 25 }), async (parts) => {
      await compare(t, Buffer.from(parts.join('')));
    }),
    { numRuns: 3000 },
  );
});

t.test('random bytes are read as the reference reads them', async (t) => {
  await fc.assert(
    fc.asyncProperty(fc.uint8Array({ maxLength: 60 }), async (bytes) => {
      await compare(t, bytes);
    }),
    { numRuns: 500 },
  );
});

t.test('a bad line costs none of the good lines around it', async (t) => {
  // No quote and no backslash: those may draw in what follows, as in InfluxDB.
  const garbage = fc
    .string({
      unit: fc.oneof(
        fc.constantFrom(',', '=', ' ', 'f', '1'),
        fc.string({ unit: 'binary', minLength: 1, maxLength: 1 }),
      ),
      maxLength: 20,
    })
    .map((text) => `!bad!${text.replace(/["\\\n]/g, '')}`);
  const simple = line.filter(({ fields }) => fields.every(([, { text }]) => !text.includes('\n')));
  await fc.assert(
    fc.asyncProperty(
      fc.array(fc.tuple(simple, fc.option(garbage)), { minLength: 1, maxLength: 6 }),
      async (pairs) => {
        const body = pairs.map(
          ([each, bad]) => `${bad === null ? '' : `${bad}\n`}${written(each)}\n`,
        );
        const decoded = await decode(newDecoder(), Buffer.from(body.join('')));
        const rows = plainRows(decoded.batches);
        for (const [measurement, list] of expected(pairs.map(([each]) => each))) {
          t.strictSame(rows.get(measurement), list, JSON.stringify(body.join('')));
        }
      },
    ),
    { numRuns: 300 },
  );
});

t.test('requests that take turns inside the decoder do not mix', async (t) => {
  await fc.assert(
    fc.asyncProperty(
      fc.array(fc.array(line, { minLength: 1, maxLength: 6 }), { minLength: 2, maxLength: 4 }),
      async (bodies) => {
        const registry = new SchemaRegistry({
          columnsMax: 2000,
          measurementsMax: 2000,
          databasesMax: 10,
          nameBytesMax: 65_535,
          createDatabases: true,
        });
        let tick = 0;
        // A clock that runs out at each look: a turn for the others whenever there is a chance.
        const decoder = new LineDecoder({
          registry,
          monotonicMs: () => (tick += 10),
          seed: 1,
          cacheBytesMax: 3000,
        });
        // Long comments make each step end early.
        const pad = `#${'x'.repeat(70_000)}\n`;
        const results = await Promise.all(
          bodies.map((lines, index) =>
            decoder.decode(Buffer.from(lines.map((each) => `${written(each)}\n${pad}`).join('')), {
              database: `d${index % 2}`,
              precision: 'n',
              nowUs,
              // Half of them are decided on trial first.
              acceptPartial: index % 4 < 2,
              cellsMax: 1_000_000,
              daysMax: 1_000_000,
              lineBytesMax: 1_048_576,
              yieldNow: () => new Promise((resolve) => void setImmediate(resolve)),
            }),
          ),
        );
        for (const [index, { batches, rejected }] of results.entries()) {
          t.strictSame(rejected, []);
          t.strictSame(plainRows(batches), expected(bodies[index] ?? []));
          t.ok(batches.every(({ database }) => database === `d${index % 2}`));
        }
      },
    ),
    { numRuns: 60 },
  );
});
