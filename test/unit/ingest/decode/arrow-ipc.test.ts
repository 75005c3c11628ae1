/** Arrow IPC to columns: what pyarrow and apache-arrow write, and what cannot be taken. */
import {
  Dictionary,
  Field,
  Float64,
  Int64,
  makeData,
  RecordBatch,
  Schema,
  Struct,
  Table,
  tableFromArrays,
  tableToIPC,
  Uint8,
  Utf8,
  vectorFromArray,
} from 'apache-arrow';
import t from 'tap';
import { ArrowDecoder } from '../../../../src/ingest/decode/arrow-ipc/arrow-ipc.ts';
import { newArrowDecoder, pyarrowStream } from '../../../support/arrow-decoder.ts';
import { reasons, rowsOf } from '../../../support/decoded-rows.ts';
import { newMessageDecoder, nowUs } from '../../../support/msgpack-decoder.ts';

const us = 1_700_000_000_000_000n;

const everyRow = [
  [
    us,
    {},
    {
      ...{ i8: 'number:1', i16: 'number:1', i32: 'number:1', i64: 'number:9223372036854775807' },
      ...{ u8: 'number:1', u16: 'number:1', u32: 'number:1', u64: 'number:18446744073709551615' },
      ...{ f16: 'number:1.5', f32: 'number:0.5', f64: 'number:0.1', bool: 'boolean:1' },
      ...{ utf8: 'string:a', large_utf8: 'string:a', view: 'string:a', dictionary: 'string:x' },
      ...{ binary: 'string:b', large_binary: 'string:b', binary_view: 'string:b' },
    },
  ],
  [
    us + 1_000_000n,
    {},
    {
      ...{ i8: 'number:-128', i16: 'number:-32768', i32: 'number:-2147483648' },
      ...{ i64: 'number:-9223372036854775808', u8: 'number:255', u16: 'number:65535' },
      ...{ u32: 'number:4294967295', u64: 'number:1', f16: 'number:-0.000030517578125' },
      ...{ bool: 'boolean:0', utf8: 'string:ü☂', large_utf8: 'string:' },
      ...{ view: 'string:longer than twelve bytes', dictionary: 'string:y', binary: 'string:' },
      ...{ large_binary: 'string:', binary_view: 'string:bytes beyond what a view holds' },
    },
  ],
  [us + 2_000_000n, {}, {}],
];

/** Values of column `v` in order. */
function values(rows: Record<string, unknown[]>, measurement = 'm'): unknown[] {
  return (rows[measurement] as [bigint, object, { v?: string }][]).map(([, , { v }]) => v);
}

const timesOf = (rows: Record<string, unknown[]>) =>
  (rows['m'] as [bigint][]).map(([time]) => time);

void t.test('every type that pyarrow writes, as a stream and as a file', async (t) => {
  for (const name of [
    'every type',
    'every type, file',
    'every type, before 0.15',
    'every type, version 4',
    'several batches',
  ]) {
    const { decode } = newArrowDecoder();
    const decoded = await decode(pyarrowStream(name));
    t.same(rowsOf(decoded), { m: everyRow }, name);
    t.same(reasons(decoded), [], name);
    t.equal(decoded.rows, 3, name);
    t.equal(decoded.counters.nanCells, 2, name);
    t.notOk(decoded.batches[0]?.hasIdentity, name);
  }
  const { decode } = newArrowDecoder();
  t.same(rowsOf(await decode(pyarrowStream('a slice'))), { m: [everyRow[1]] });
});

void t.test('columns of nulls take no type', async (t) => {
  const { decode, registry } = newArrowDecoder();
  await decode(pyarrowStream('every type'));
  const names = registry.find('d', 'm')?.columns.map(({ spelling }) => spelling) ?? [];
  t.ok(names.includes('utf8'));
  t.notOk(names.some((name) => name.includes('null')));
});

void t.test('times of every unit, zoned ones and dates', async (t) => {
  const { decode } = newArrowDecoder();
  for (const unit of ['s', 'ms', 'us', 'ns']) {
    const plain = await decode(pyarrowStream(`time in ${unit}`));
    t.same(timesOf(rowsOf(plain)), [us, us + 1_000_000n], unit);
    const zoned = await decode(pyarrowStream(`zoned time in ${unit}`));
    const before = { s: -1_000_000n, ms: -1000n, us: -1n, ns: -1n }[unit];
    t.same(timesOf(rowsOf(zoned)), [0n, before], `zoned, ${unit}`);
    t.equal(zoned.counters.cutTimeDigits, unit === 'ns' ? 1 : 0);
  }
  t.same(timesOf(rowsOf(await decode(pyarrowStream('date32')))), [1_709_164_800_000_000n]);
  t.same(timesOf(rowsOf(await decode(pyarrowStream('date64')))), [-310_521_600_000_000n]);
  t.same(timesOf(rowsOf(await decode(pyarrowStream('no time')))), [BigInt(nowUs)]);
});

void t.test(
  'numbers as times are in the unit that is named, or that their size says',
  async (t) => {
    const { decode } = newArrowDecoder();
    const cases: [unknown, string, bigint][] = [
      [[1_700_000_000n], 'auto', us],
      [[1_700_000_000_000n], 'auto', us],
      [[1_700_000_000_000_000_001n], 'auto', us],
      [[1_700_000_000n], 'us', 1_700_000_000n],
      [[28_333_333n], 'm', 1_699_999_980_000_000n],
      [[472_222n], 'h', 1_699_999_200_000_000n],
      [[-2n], 'n', -1n],
    ];
    for (const [list, precision, wanted] of cases) {
      const time = BigInt64Array.from(list as bigint[]);
      const body = tableToIPC(tableFromArrays({ time, v: [1] }), 'stream');
      const decoded = await decode(body, { measurement: 'm' }, { precision: precision as 'us' });
      t.same(timesOf(rowsOf(decoded)), [wanted], `${String(list)} ${precision}`);
    }
    const floats = tableFromArrays({ time: Float64Array.of(1_700_000_000.75), v: [1] });
    const decoded = await decode(tableToIPC(floats, 'stream'));
    t.same(timesOf(rowsOf(decoded)), [us], 'floats are cut');
    t.equal(decoded.counters.cutTimeDigits, 1);
    const small = tableFromArrays({ time: Uint32Array.of(4_000_000_000), v: [1] });
    t.same(timesOf(rowsOf(await decode(tableToIPC(small, 'stream')))), [4_000_000_000_000_000n]);
  },
);

void t.test('a row without a time is refused, and can be sent once more', async (t) => {
  const { decode } = newArrowDecoder();
  const decoded = await decode(pyarrowStream('times of nulls'));
  t.same(values(rowsOf(decoded)), ['number:1']);
  t.same(reasons(decoded), [[1, 'a time that is null']]);
  t.match(decoded.rejected[0], { format: 'msgpack', kind: 'parse', count: 1 });
  t.equal(decoded.rejected[0]?.text, '{"m":"m","columns":{"time":[null],"v":[2]}}');
  const far = tableFromArrays({ time: BigInt64Array.of(2n ** 62n, us), v: [1, 2] });
  const outside = await decode(
    tableToIPC(far, 'stream'),
    { measurement: 'm' },
    { precision: 'us' },
  );
  t.same(values(rowsOf(outside)), ['number:2']);
  t.match(reasons(outside), [[1, /outside range/]]);
});

void t.test('dictionaries grow, are replaced, have doubles and nulls', async (t) => {
  const { decode } = newArrowDecoder();
  const texts = async (name: string) => {
    const rows = rowsOf(await decode(pyarrowStream(name)));
    return (rows['m'] as [bigint, object, { d?: string }][]).map(([, , { d }]) => d);
  };
  t.same(await texts('delta dictionaries'), ['string:a', 'string:a', 'string:b']);
  t.same(await texts('replaced dictionaries'), ['string:a', 'string:b', 'string:c']);
  const doubles = await texts('dictionary with doubles and a null');
  t.same(doubles, ['string:x', 'string:x', undefined, 'string:y']);
});

void t.test('a type that cannot be stored refuses all, by the name of the column', async (t) => {
  const { decode, registry } = newArrowDecoder();
  const cases: [string, RegExp][] = [
    ['decimal', /column "v" of type decimal cannot be stored/],
    ['list', /column "v" of type list /],
    ['struct', /column "v" of type struct /],
    ['map', /column "v" of type map /],
    ['timestamp', /column "v" of type timestamp /],
    ['duration', /column "v" of type duration /],
    ['fixed binary', /column "v" of type fixed_size_binary /],
    ['run ends', /column "v" of type run_end_encoded /],
    ['dictionary of integers', /column "v" has a dictionary of int/],
    ['dictionary as time', /column "time" has a dictionary of timestamp/],
    ['a column twice', /column "v" twice/],
    ['lz4', /message \d+ at byte \d+: buffers compressed with lz4/],
    ['zstd', /compressed with zstd/],
    ['invalid UTF-8', /invalid UTF-8 in column "v"/],
  ];
  for (const [name, message] of cases) {
    await t.rejects(decode(pyarrowStream(name)), { code: 'HF_BODY_UNREADABLE', message }, name);
  }
  t.equal(registry.find('d', 'm'), undefined, 'nothing is left behind');
});

void t.test('what has no rows is good', async (t) => {
  const { decode } = newArrowDecoder();
  const names = ['no columns', 'no rows', 'a batch of no rows'];
  for (const body of [...names.map(pyarrowStream), new Uint8Array(0)]) {
    const decoded = await decode(body);
    t.equal(decoded.rows, 0);
    t.same(decoded.rejected, []);
  }
});

void t.test('the measurement is named by the request, else by the schema', async (t) => {
  const { decode } = newArrowDecoder();
  t.same(Object.keys(rowsOf(await decode(pyarrowStream('tags in metadata'), {}))), ['cpu']);
  t.same(Object.keys(rowsOf(await decode(pyarrowStream('as InfluxDB 3 answers'), {}))), ['disk']);
  const both = await decode(pyarrowStream('tags in metadata'), { measurement: 'mine' });
  t.same(Object.keys(rowsOf(both)), ['mine']);
  await t.rejects(decode(pyarrowStream('every type'), {}), {
    code: 'HF_BODY_UNREADABLE',
    message: /no measurement: name it by measurement=/,
  });
});

void t.test('rows that name their tags have identity; tags are texts', async (t) => {
  const { decode } = newArrowDecoder();
  const decoded = await decode(pyarrowStream('tags in metadata'), {});
  t.ok(decoded.batches.every(({ hasIdentity }) => hasIdentity));
  t.same(rowsOf(decoded), {
    cpu: [
      [us, { host: 'a', nr: '4', ok: 'true' }, { v: 'number:1' }],
      [us + 1_000_000n, { ok: 'false' }, { v: 'number:2' }],
    ],
  });
  const influx = await decode(pyarrowStream('as InfluxDB 3 answers'), {});
  t.same(rowsOf(influx), { disk: [[us, { host: 'a' }, { v: 'number:0.5' }]] });
  const own = await decode(pyarrowStream('tags in metadata'), { measurement: 'x', tags: ['nr'] });
  t.same(rowsOf(own)['x'], [
    [us, { nr: '4' }, { host: 'string:a', ok: 'boolean:1', v: 'number:1' }],
    [us + 1_000_000n, {}, { host: 'string:', ok: 'boolean:0', v: 'number:2' }],
  ]);
  await t.rejects(decode(pyarrowStream('no time'), { measurement: 'x', tags: ['hots'] }), {
    message: /no column "hots", which is named as a tag/,
  });
});

void t.test('a row with a tag that cannot be one is refused, and alone', async (t) => {
  const { decode } = newArrowDecoder();
  const decoded = await decode(pyarrowStream('bad tags'), { measurement: 'm', tags: ['host'] });
  t.same(values(rowsOf(decoded)), ['number:1', 'number:3']);
  t.match(reasons(decoded), [[1, /control character in tag value in column "host"/]]);
  t.match(decoded.rejected[0]?.text, /"tags":\["host"\].*"v":\[2\]/);
});

void t.test('another column may be the one of the times', async (t) => {
  const { decode } = newArrowDecoder();
  const table = tableFromArrays({ ts: BigInt64Array.of(us), v: [1] });
  const body = tableToIPC(table, 'stream');
  const decoded = await decode(body, { measurement: 'm', timeColumn: 'ts' });
  t.same(rowsOf(decoded), { m: [[us, {}, { v: 'number:1' }]] });
  await t.rejects(decode(body, { measurement: 'm', timeColumn: 'tz' }), {
    message: /no column "tz"/,
  });
});

/** A stream of `rows` rows: their number as a double, an integer, a coded text. */
function manyRows(rows: number, distinct: number, from = 0) {
  const numbers = Array.from({ length: rows }, (_, row) => from + row);
  return new Table({
    time: vectorFromArray(
      numbers.map((row) => us + BigInt(row)),
      new Int64(),
    ),
    f: vectorFromArray(
      numbers.map((row) => row + 0.5),
      new Float64(),
    ),
    i: vectorFromArray(numbers.map(BigInt), new Int64()),
    d: vectorFromArray(
      numbers.map((row) => `text ${row % distinct}`),
      new Dictionary(new Utf8(), new Uint8()),
    ),
  });
}

void t.test('large batches stay in the arrays of the body; small ones are joined', async (t) => {
  const { decode } = newArrowDecoder();
  const large = await decode(tableToIPC(manyRows(1000, 5), 'stream'));
  t.equal(large.batches.length, 1);
  const columns = large.batches[0]?.columns ?? [];
  const body = columns.filter(({ column }) => 'fi'.includes(column.spelling));
  t.equal(new Set(body.map(({ values }) => values.buffer)).size, 1, 'one memory');
  const rows = rowsOf(large)['m'] as [bigint, object, Record<string, string>][];
  t.same(rows[999], [us + 999n, {}, { f: 'number:999.5', i: 'number:999', d: 'string:text 4' }]);

  const tables = Array.from({ length: 10 }, (_, index) => manyRows(7, 3, index * 7));
  const streams = tables.map((table) => tableToIPC(table, 'stream'));
  const small = await decode(Buffer.concat(streams));
  t.equal(small.batches.length, 1, 'streams one behind the other');
  t.equal(small.rows, 70);
  const last = (rowsOf(small)['m'] as unknown[])[69];
  t.same(last, [us + 69n, {}, { f: 'number:69.5', i: 'number:69', d: 'string:text 0' }]);
});

void t.test('a body that does not begin at a multiple of eight is the same', async (t) => {
  const body = pyarrowStream('every type');
  for (let shift = 0; shift < 8; shift += 1) {
    const memory = new Uint8Array(body.length + 16);
    memory.set(body, shift);
    const decoded = await newArrowDecoder().decode(memory.subarray(shift, shift + body.length));
    t.same(rowsOf(decoded), { m: everyRow }, `shifted by ${shift}`);
  }
});

void t.test('rows whose values conflict with their column are refused alone', async (t) => {
  const { decode } = newArrowDecoder();
  const first = tableFromArrays({ time: BigInt64Array.of(us), v: Float64Array.of(1) });
  await decode(tableToIPC(first, 'stream'));
  const texts = new Table({
    time: vectorFromArray([us, us + 1n, us + 2n], new Int64()),
    v: vectorFromArray(['a', null, 'b'], new Utf8()),
    w: vectorFromArray([1, 2, 3], new Float64()),
  });
  const decoded = await decode(tableToIPC(texts, 'stream'));
  t.same(rowsOf(decoded), { m: [[us + 1n, {}, { w: 'number:2' }]] });
  t.match(decoded.rejected, [{ kind: 'conflict', count: 2, format: 'msgpack', line: 1 }]);
  t.match(decoded.rejected[0]?.text, /"v":\["a","b"\],"w":\[1,3\]/);
  // What is refused is whole in itself: where there is no conflict all of it is taken.
  const other = newMessageDecoder();
  const again = await other.decode(decoded.rejected[0]?.raw);
  t.same(rowsOf(again), {
    m: [
      [us, {}, { v: 'string:a', w: 'number:1' }],
      [us + 2n, {}, { v: 'string:b', w: 'number:3' }],
    ],
  });
  t.same(again.rejected, []);
});

void t.test('refused rows keep their tags, types and times when they are sent again', async (t) => {
  const { decode } = newArrowDecoder({ columnsMax: 3 });
  const terms = { measurement: 'm', tags: ['host'] };
  const table = new Table({
    time: vectorFromArray([us, -1n], new Int64()),
    host: vectorFromArray(['a', 'b'], new Utf8()),
    i: vectorFromArray([-5n, 2n ** 62n], new Int64()),
    f: vectorFromArray([0.5, null], new Float64()),
  });
  const body = tableToIPC(table, 'stream');
  await decode(tableToIPC(tableFromArrays({ a: [1], b: [2] }), 'stream'));
  const decoded = await decode(body, terms, { precision: 'us' });
  t.equal(decoded.rows, 0);
  t.match(decoded.rejected, [{ kind: 'cap', count: 1, reason: /max columns/ }]);
  const again = await newMessageDecoder().decode(decoded.rejected[0]?.raw);
  t.same(rowsOf(again), {
    m: [
      [us, { host: 'a' }, { i: 'number:-5', f: 'number:0.5' }],
      [-1n, { host: 'b' }, { i: 'number:4611686018427387904' }],
    ],
  });
  t.ok(again.batches[0]?.hasIdentity);
});

void t.test('limits of cells and days refuse a batch, which is kept whole', async (t) => {
  const body = tableToIPC(manyRows(50_000, 5), 'stream');
  const { decode } = newArrowDecoder();
  const cells = await decode(body, { measurement: 'm' }, { cellsMax: 100_000 });
  t.equal(cells.rows, 0);
  t.equal(cells.rejectedLines, 1);
  t.equal(cells.rejected[0]?.reason, 'max cells per request exceeded: 100000');
  const raw = Buffer.concat(cells.rejected.map((each) => each.raw ?? new Uint8Array(0)));
  t.notOk(cells.rejected.some(({ isCut }) => isCut));
  t.equal((await newMessageDecoder().decode(raw)).rows, 50_000);
  const rows = await decode(body, { measurement: 'm' }, { cellsMax: 40_000 });
  t.match(rows.rejected[0], { kind: 'cap', reason: /max cells/ });
  const days = tableFromArrays({
    time: BigInt64Array.from({ length: 300 }, (_, day) => BigInt(day) * 86_400_000_000n),
    v: new Float64Array(300),
  });
  const refused = await decode(
    tableToIPC(days, 'stream'),
    { measurement: 'm' },
    { daysMax: 100, precision: 'us' },
  );
  t.match(refused.rejected[0], { kind: 'cap', reason: 'max days per request exceeded: 100' });
});

void t.test('refused rows that would be much more than the body are not all kept', async (t) => {
  // A long text named by every row.
  const coded = new Dictionary(new Utf8(), new Uint8());
  const rows = 5000;
  const table = new Table({
    time: vectorFromArray(
      Array.from({ length: rows }, (_, row) => us + BigInt(row)),
      new Int64(),
    ),
    d: vectorFromArray(new Array<string>(rows).fill('x'.repeat(10_000)), coded),
  });
  const body = tableToIPC(table, 'stream');
  const decoded = await newArrowDecoder().decode(body, undefined, { cellsMax: 1000 });
  const bytes = decoded.rejected.reduce((sum, { raw }) => sum + (raw?.length ?? 0), 0);
  t.ok(bytes < 3 * body.length + 200_000, `${bytes} bytes kept of ${body.length}`);
  t.ok(
    decoded.rejected.every(({ isCut }) => isCut),
    'and it is said',
  );
});

void t.test('refused rows with long texts are kept in several items, all of them', async (t) => {
  const texts = Array.from({ length: 3000 }, (_, row) => `${row} `.repeat(500));
  const table = new Table({ v: vectorFromArray(texts, new Utf8()) });
  const { decode } = newArrowDecoder();
  const decoded = await decode(tableToIPC(table, 'stream'), undefined, { cellsMax: 1000 });
  t.notOk(decoded.rejected.some(({ isCut }) => isCut));
  t.equal(decoded.rejectedLines, 1);
  const raw = Buffer.concat(decoded.rejected.map((each) => each.raw ?? new Uint8Array(0)));
  const again = await newMessageDecoder().decode(raw);
  t.same(
    values(rowsOf(again)),
    texts.map((text) => `string:${text}`),
  );
});

void t.test('batches before a break are kept, the rest is one rejection', async (t) => {
  const body = pyarrowStream('several batches');
  const { decode } = newArrowDecoder();
  const decoded = await decode(body.subarray(0, body.length - 200));
  t.same(rowsOf(decoded), { m: everyRow.slice(0, 2) });
  t.equal(decoded.rejectedLines, 1);
  t.match(decoded.rejected[0], { isCut: true, kind: 'parse' });
  t.match(decoded.rejected[0]?.reason, /^the body breaks off: message \d+ at byte \d+: /);
  t.equal(decoded.rejected[0]?.format, undefined, 'in the format of the request');
  await t.rejects(decode(body.subarray(0, 100)), {
    code: 'HF_BODY_UNREADABLE',
    message: /message 1/,
  });
  await t.rejects(decode(Buffer.from('cpu,host=a v=1 1\n')), { code: 'HF_BODY_UNREADABLE' });
  await t.rejects(decode(new Uint8Array(64)), { message: /no schema/ });
});

void t.test('a bad batch costs that batch', async (t) => {
  const streams = [pyarrowStream('every type'), pyarrowStream('invalid UTF-8')];
  const decoded = await newArrowDecoder().decode(Buffer.concat(streams));
  t.same(rowsOf(decoded), { m: everyRow });
  t.match(reasons(decoded), [[2, /message 6 at byte \d+: invalid UTF-8 in column "v"/]]);
});

void t.test('memory is not taken on the word of a length', async (t) => {
  // Rows of nulls cost no byte; offsets, views and indexes lead anywhere.
  const schema = new Schema([new Field('v', new Float64(), true)]);
  const data = makeData({
    type: new Struct(schema.fields),
    length: 2 ** 31 - 1,
    nullCount: 0,
    children: [
      makeData({
        type: new Float64(),
        length: 2 ** 31 - 1,
        nullCount: 2 ** 31 - 1,
        data: new Float64Array(0),
        nullBitmap: new Uint8Array(0),
      }),
    ],
  });
  const body = tableToIPC(new Table(schema, [new RecordBatch(schema, data)]), 'stream');
  const decoded = await newArrowDecoder().decode(body);
  t.equal(decoded.rows, 0);
  t.match(decoded.rejected[0]?.reason, /max cells per request exceeded/);
});

void t.test('a decoder gives way while it reads', async (t) => {
  let pauses = 0;
  const { registry } = newArrowDecoder();
  let tick = 0;
  const decoder = new ArrowDecoder({ registry, seed: 1, monotonicMs: () => (tick += 1) });
  await decoder.decode(tableToIPC(manyRows(200_000, 200), 'stream'), {
    ...{ database: 'd', precision: 'us', table: { measurement: 'm' }, nowUs, acceptPartial: true },
    ...{ cellsMax: 1_000_000, daysMax: 1000, lineBytesMax: 65_536 },
    yieldNow: () => {
      pauses += 1;
      return Promise.resolve();
    },
  });
  // A look at the clock for each step, of which several hundred are needed for so many cells.
  t.ok(tick > 50, `${tick} steps`);
  t.ok(pauses > 10, `${pauses} pauses`);
});
