/**
 * Every shape in which Arc takes MessagePack, with the exact values that come out.
 */
import t from 'tap';
import { reasons, rowsOf } from '../../../support/decoded-rows.ts';
import {
  bin,
  Float,
  int64,
  packed,
  Pairs,
  timestamp,
  uint64,
} from '../../../support/msgpack-bytes.ts';
import { newMessageDecoder, nowUs } from '../../../support/msgpack-decoder.ts';

const us = 1_700_000_000_000_000n;

t.test('a columnar item names no tags', async (t) => {
  const { decode } = newMessageDecoder();
  const decoded = await decode({
    m: 'cpu',
    columns: {
      time: [us, us + 1n],
      host: ['a', 'b'],
      load: [0.5, null],
      n: [null, 7],
      ok: [true, false],
      none: [null, null],
    },
  });
  t.same(reasons(decoded), []);
  t.equal(decoded.rows, 2);
  t.same(
    decoded.batches.map(({ hasIdentity }) => hasIdentity),
    [false],
  );
  t.same(
    decoded.batches[0]?.columns.map(({ column }) => [
      column.kind,
      column.sqlName,
      column.physical.type,
    ]),
    [
      ['unknown', 'host', 'string'],
      ['unknown', 'load', 'double'],
      ['unknown', 'n', 'int64'],
      ['unknown', 'ok', 'boolean'],
    ],
    'a column of nulls takes no type',
  );
  t.same(rowsOf(decoded), {
    cpu: [
      [us, {}, { host: 'string:a', load: 'number:0.5', ok: 'boolean:1' }],
      [us + 1n, {}, { host: 'string:b', n: 'number:7', ok: 'boolean:0' }],
    ],
  });
});

t.test('a columnar item that names its tags has rows with identity', async (t) => {
  const { decode } = newMessageDecoder();
  const columns = {
    time: [us, us + 1n, us + 2n],
    host: ['a', '', null],
    load: [0.5, 1, null],
    note: ['x', null, ''],
  };
  for (const item of [
    { m: 'before', tags: ['host', 'absent'], columns },
    new Pairs([
      ['columns', columns],
      ['tags', ['host']],
      ['m', 'behind'],
    ]),
  ]) {
    const decoded = await decode(item);
    t.same(reasons(decoded), []);
    t.ok(decoded.batches.every(({ hasIdentity }) => hasIdentity));
    t.same(Object.values(rowsOf(decoded)), [
      [
        [us, { host: 'a' }, { load: 'number:0.5', note: 'string:x' }],
        [us + 1n, {}, { load: 'number:1' }],
        [us + 2n, {}, { note: 'string:' }],
      ],
    ]);
  }
  // Nothing but a list of names is one: Arc passes over what it does not know.
  const other = await decode({ m: 'map', tags: { host: 'a' }, columns });
  t.notOk(other.batches[0]?.hasIdentity);
});

t.test('a columnar item with tags that are none is bad; a conflict keeps its tags', async (t) => {
  const { decode } = newMessageDecoder();
  const item = (tags: unknown, host: unknown) => ({
    m: 'm',
    tags,
    columns: { v: [1], host: [host] },
  });
  const cases: [unknown, RegExp][] = [
    [item([5], 'a'), /the name of a tag that is no string/],
    [item([bin([0xff])], 'a'), /invalid UTF-8 in the name of a tag/],
    [item(['host'], 5), /a value of tag "host" that is no text/],
    [item(['host'], 'a\nb'), /control character in tag value/],
    [
      new Pairs([
        ['m', 'm'],
        ['columns', { v: [1] }],
        ['tags', []],
        ['tags', []],
      ]),
      /key "tags" twice/,
    ],
  ];
  for (const [body, reason] of cases) {
    const decoded = await decode(body);
    t.equal(decoded.rows, 0);
    t.match(decoded.rejected, [{ kind: 'parse', count: 1, reason }]);
  }
  await decode({ m: 'm', t: us, fields: { v: 1 } });
  const mixed = {
    m: 'm',
    tags: ['host'],
    columns: { time: [us, us], host: ['a', 'b'], v: ['x', 2] },
  };
  const refused = await decode(mixed);
  t.same(rowsOf(refused), { m: [[us, { host: 'b' }, { v: 'number:2' }]] });
  const again = await newMessageDecoder().decode(refused.rejected[0]?.raw);
  t.same(rowsOf(again), { m: [[us, { host: 'a' }, { v: 'string:x' }]] });
  t.ok(again.batches[0]?.hasIdentity);
});

t.test('what stands under keys that no shape knows is not looked at', async (t) => {
  const { decode } = newMessageDecoder();
  const odd = new Pairs([
    ['a', 1],
    ['a', bin([0xff])],
    ['b', timestamp(1n, 0, 4)],
  ]);
  const keys = [
    ['x', odd],
    ['x', [[[[[odd]]]]]],
    [bin([0xff]), 1],
  ] as [string, unknown][];
  for (const item of [
    new Pairs([['m', 'm'], ['t', us], ['fields', { v: 1 }], ...keys]),
    new Pairs([...keys, ['m', 'm'], ['columns', { time: [us], v: [1] }]]),
  ]) {
    const decoded = await decode(item);
    t.same(reasons(decoded), []);
    t.same(rowsOf(decoded), { m: [[us, {}, { v: 'number:1' }]] });
  }
  // What a shape knows is.
  const known = new Pairs([
    ['m', 'm'],
    ['m', 'm'],
    ['fields', { v: 1 }],
  ]);
  t.match(reasons(await decode(known)), [[1, 'key "m" twice']]);
});

t.test('a row names its tags; a host that is missing stays missing', async (t) => {
  const { decode } = newMessageDecoder();
  const decoded = await decode([
    {
      m: 'r',
      t: 1_700_000_000,
      h: 'srv',
      fields: { a: 1, s: 'x' },
      tags: { dc: 'eu', nr: 4, ok: true, f: 0.5, none: null, empty: '' },
    },
    { m: 'r', t: 1_700_000_001, fields: { a: 2 } },
    { m: 'r', t: 1_700_000_002, h: 'first', fields: { a: 3 }, tags: { host: 'second' } },
    { m: 3, t: 1_700_000_003, h: 12, fields: { a: 4 } },
    { fields: { a: 5 }, tags: {}, m: 'later', t: null, other: { deep: [1, [2]] } },
  ]);
  t.same(reasons(decoded), []);
  t.ok(decoded.batches.every(({ hasIdentity }) => hasIdentity));
  t.same(rowsOf(decoded), {
    r: [
      [
        us,
        { dc: 'eu', nr: '4', ok: 'true', f: '0.5', host: 'srv' },
        { a: 'number:1', s: 'string:x' },
      ],
      [us + 1_000_000n, {}, { a: 'number:2' }],
      [us + 2_000_000n, { host: 'second' }, { a: 'number:3' }],
    ],
    measurement_3: [[us + 3_000_000n, { host: 'host_12' }, { a: 'number:4' }]],
    later: [[BigInt(nowUs), {}, { a: 'number:5' }]],
  });
});

t.test('compact lists, batches, lists, and these within each other', async (t) => {
  const { decode } = newMessageDecoder();
  const columnar = (v: number) => ({ m: 'c', columns: { v: [v], time: [us] } });
  const decoded = await decode([
    { m: 'f', t: us, f: [1, 0.5, 'x', null, true] },
    { m: 'f', t: us, f: [2], fields: { extra: 1 } },
    { batch: [columnar(1), { m: 'f', t: us, f: [3] }, [columnar(2)], { batch: [columnar(3)] }] },
    [[columnar(4)]],
    [],
    { batch: [] },
    { columns: { v: [5] }, m: 'c' },
  ]);
  t.same(reasons(decoded), []);
  t.same(rowsOf(decoded), {
    f: [
      [
        us,
        {},
        { field_0: 'number:1', field_1: 'number:0.5', field_2: 'string:x', field_4: 'boolean:1' },
      ],
      [us, {}, { field_0: 'number:2', extra: 'number:1' }],
      [us, {}, { field_0: 'number:3' }],
    ],
    c: [1, 2, 3, 4, 5].map((v) => [v === 5 ? BigInt(nowUs) : us, {}, { v: `number:${v}` }]),
  });
});

t.test('messages one behind the other are taken like a list of them', async (t) => {
  const { decode } = newMessageDecoder();
  const one = packed({ m: 'a', t: us, fields: { v: 1 } });
  const decoded = await decode(new Uint8Array([...one, ...one, ...packed([])]));
  t.equal(decoded.rows, 2);
  t.same(reasons(decoded), []);
});

t.test('times are in the unit that their size speaks for', async (t) => {
  const { decode } = newMessageDecoder();
  const cases: [string, unknown, bigint][] = [
    ['seconds', 1_700_000_000, us],
    ['the last second', 9_223_372_035, 9_223_372_035_000_000n],
    ['milliseconds', 1_700_000_000_123, us + 123_000n],
    ['the first millisecond', 10_000_000_000, 10_000_000_000_000n],
    ['microseconds', us + 1n, us + 1n],
    ['the first microsecond', 10n ** 13n, 10n ** 13n],
    ['nanoseconds', us * 1000n + 1999n, us + 1n],
    ['the first nanosecond', 10n ** 16n, 10n ** 13n],
    ['the last time', 2n ** 63n - 1n, 9_223_372_036_854_775n],
    ['zero', 0, 0n],
    ['before 1970', -1, -1_000_000n],
    ['a negative int64', int64(-5_000_000_000n), -5_000_000_000_000_000n],
    ['a float', new Float(1_700_000_000.9), us],
    ['a short float', new Float(1024, 32), 1_024_000_000n],
    ['a float of milliseconds', new Float(1_700_000_000_123.5), us + 123_000n],
    ['a timestamp of 4 bytes', timestamp(1_700_000_000n, 0, 4), us],
    ['a timestamp of 8 bytes', timestamp(1_700_000_000n, 999_999_999, 8), us + 999_999n],
    [
      'a timestamp of 8 bytes beyond 32 bits',
      timestamp(2n ** 33n, 1000, 8),
      2n ** 33n * 1_000_000n + 1n,
    ],
    ['a timestamp of 12 bytes', timestamp(-1n, 1_500, 12), -1_000_000n + 1n],
  ];
  for (const [name, time, expected] of cases) {
    const decoded = await decode([
      { m: 'r', t: time, fields: { v: 1 } },
      { m: 'c', columns: { time: [time], v: [1] } },
    ]);
    t.same(reasons(decoded), [], name);
    t.same(
      decoded.batches.map(({ times }) => [...times]),
      [[expected], [expected]],
      name,
    );
  }
});

t.test('the first time of a column decides the unit of all', async (t) => {
  const { decode } = newMessageDecoder();
  const column = async (time: unknown) => {
    const decoded = await decode({ m: 'c', columns: { time, v: [1, 2, 3] } });
    return [...(decoded.batches[0]?.times ?? [])];
  };
  t.same(await column([1_700_000_000_000, 5, -1]), [us, 5000n, -1000n], 'milliseconds');
  t.same(await column([us, 1, 2]), [us, 1n, 2n], 'microseconds');
  t.same(await column([us * 1000n, -1, 999]), [us, -1n, 0n], 'nanoseconds');
  t.same(await column([5, 1_700_000_000, 6]), [5_000_000n, us, 6_000_000n], 'seconds');
  t.same(await column([]), [nowUs, nowUs, nowUs].map(BigInt), 'none: the time of the server');
  const cut = await decode({ m: 'c', columns: { time: [us * 1000n + 1n], v: [1] } });
  t.equal(cut.counters.cutTimeDigits, 1);
});

t.test('every number comes out exactly', async (t) => {
  const { decode } = newMessageDecoder();
  const numbers: [unknown, string][] = [
    [0, '0'],
    [127, '127'],
    [-32, '-32'],
    [200, '200'],
    [-100, '-100'],
    [60_000, '60000'],
    [-30_000, '-30000'],
    [4_000_000_000, '4000000000'],
    [-2_000_000_000, '-2000000000'],
    [uint64(1n), '1'],
    [int64(-1n), '-1'],
    [uint64(2n ** 53n + 1n), '9007199254740993'],
    [int64(-(2n ** 63n)), '-9223372036854775808'],
    [uint64(2n ** 63n - 1n), '9223372036854775807'],
    [uint64(2n ** 63n), '9223372036854775808'],
    [uint64(2n ** 64n - 1n), '18446744073709551615'],
    [new Float(0.1), '0.1'],
    [new Float(5e-324), '5e-324'],
    [new Float(1.5, 32), '1.5'],
    [new Float(1e300), String(10n ** 300n)],
  ];
  for (const [value, digits] of numbers) {
    const decoded = await decode([
      { m: `r${digits}`.slice(0, 30), t: us, fields: { v: value } },
      { m: `r${digits}`.slice(0, 30), columns: { time: [us], v: [value] } },
    ]);
    const texts = Object.values(rowsOf(decoded)).flat() as [unknown, unknown, { v: string }][];
    t.equal(texts.length, 2);
    for (const [, , { v }] of texts) t.equal(Number(v.slice(7)), Number(digits), digits);
    if (/^-?\d{1,20}$/.test(digits)) {
      for (const [, , { v }] of texts) t.equal(v, `number:${digits}`);
    }
  }
});

t.test('integers and floats of one column go to the parts that hold them exactly', async (t) => {
  const { decode } = newMessageDecoder({ measurementsMax: 50 });
  const big = 2n ** 53n + 1n;
  const columns = async (values: unknown[], rows = values.length) => {
    const all = Array.from({ length: rows }, (_, row) => values[row] ?? null);
    const decoded = await decode({
      m: `m${values.length}_${rows}_${String(values[0])}`,
      columns: { v: all },
    });
    t.same(reasons(decoded), []);
    return decoded.batches[0]?.columns.map(({ column, values: held, rows: places }) => [
      column.physical.name,
      [...held],
      places && [...places],
    ]);
  };
  for (const rows of [5, 300]) {
    const places = (...each: number[]) => (each.length === rows ? undefined : each);
    t.same(await columns([1, 2.5, big, uint64(2n ** 64n - 1n), 3], rows), [
      ['v', [1n, big, 3n], places(0, 2, 4)],
      ['v__double', [2.5], [1]],
      ['v__uint64', [2n ** 64n - 1n], [3]],
    ]);
    t.same(await columns([0.5, 2, big, uint64(2n ** 63n), null], rows), [
      ['v', [0.5, 2, 2 ** 63], places(0, 1, 3)],
      ['v__int64', [big], [2]],
    ]);
  }
});

t.test('NaN and infinities become null and are counted', async (t) => {
  const { decode } = newMessageDecoder();
  const decoded = await decode([
    { m: 'c', columns: { time: [us, us, us], v: [NaN, 1.5, Infinity], w: [-Infinity, NaN, NaN] } },
    { m: 'r', t: us, fields: { v: NaN, w: 1 } },
    { m: 'r', t: us, fields: { v: new Float(-Infinity, 32) } },
  ]);
  t.equal(decoded.counters.nanCells, 7);
  t.same(rowsOf(decoded), {
    c: [
      [us, {}, {}],
      [us, {}, { v: 'number:1.5' }],
      [us, {}, {}],
    ],
    r: [
      [us, {}, { w: 'number:1' }],
      [us, {}, {}],
    ],
  });
});

t.test('text comes as strings or as binary', async (t) => {
  const { decode } = newMessageDecoder();
  const utf8 = [...new TextEncoder().encode('日本')];
  const decoded = await decode([
    { m: bin([0x61]), columns: new Pairs([[bin([0x76]), [bin(utf8), 'é', '', 'x'.repeat(300)]]]) },
    {
      m: 'a',
      t: us,
      fields: new Pairs([
        [bin([0x77]), bin(utf8)],
        ['v', ''],
      ]),
    },
  ]);
  t.same(reasons(decoded), []);
  t.same(
    (rowsOf(decoded)['a'] ?? []).map((row) => (row as unknown[])[2]),
    [
      { v: 'string:日本' },
      { v: 'string:é' },
      { v: 'string:' },
      { v: `string:${'x'.repeat(300)}` },
      { w: 'string:日本', v: 'string:' },
    ],
  );
});

t.test('the decoder gives way while it works, also on one large item', async (t) => {
  const { decode } = newMessageDecoder();
  const goodRow = { m: 'good', t: us, fields: { v: 1 } };
  const count = 40_000;
  const all = <T>(value: T): T[] => new Array<T>(count).fill(value);
  let pauses = 0;
  const yieldNow = () => {
    pauses += 1;
    return Promise.resolve();
  };
  const wide = await decode(
    { m: 'm', columns: { time: all(us), v: all(0.5), s: all('x') } },
    { yieldNow },
  );
  t.equal(wide.rows, count);
  t.ok(pauses > 1, `${pauses} pauses`);
  pauses = 0;
  const skipped = await decode([{ m: 'm', fields: { v: all(all(0).slice(0, 2)) } }, goodRow], {
    yieldNow,
  });
  t.equal(skipped.rows, 1);
  t.ok(pauses > 0, `${pauses} pauses while passing over a bad one`);
});

t.test('requests that are decoded together do not disturb each other', async (t) => {
  const { decode } = newMessageDecoder();
  const yieldNow = () => new Promise<void>((resolve) => void setImmediate(resolve));
  const body = (name: string) =>
    Array.from({ length: 2000 }, (_, v) => ({
      m: 'm',
      t: us,
      fields: { [name]: v },
      tags: { t: `${v % 7}`, name },
    }));
  const all = await Promise.all(['a', 'b', 'c'].map((name) => decode(body(name), { yieldNow })));
  for (const [index, decoded] of all.entries()) {
    const name = 'abc'.charAt(index);
    t.same(
      (rowsOf(decoded)['m'] ?? []).map((row) => (row as unknown[]).slice(1)),
      Array.from({ length: 2000 }, (_, v) => [{ t: `${v % 7}`, name }, { [name]: `number:${v}` }]),
    );
  }
});

t.test('versions of a point in one body stand in the order in which they came', async (t) => {
  const { decode, registry } = newMessageDecoder();
  registry.nameTags('d', 'cpu', ['host']);
  const item = (rowCount: number, v: number) => {
    const time = Array.from({ length: rowCount }, (_, row) => us + BigInt(row));
    return { m: 'cpu', columns: { time, host: time.map(() => 'a'), v: time.map(() => v) } };
  };
  const body = [item(1, 1), item(300, 2), item(1, 3), item(300, 4), item(1, 5)];
  const decoded = await decode(body);
  const rows = (rowsOf(decoded)['cpu'] ?? []) as [bigint, unknown, { v: string }][];
  t.same(
    rows.filter(([time]) => time === us).map(([, , { v }]) => v),
    [1, 2, 3, 4, 5].map((v) => `number:${v}`),
  );
});

t.test('rows that come while tags are named have both identity and tags, or neither', async (t) => {
  const rows = Array.from({ length: 300 }, (_, row) => row);
  const columns = {
    time: rows.map(() => us),
    host: rows.map((row) => `h${row}`),
    ...Object.fromEntries(
      rows.slice(0, 60).map((n) => [`v${n}`, rows.map((v) => (v % 2 ? 1 : null))]),
    ),
  };
  const seen = new Set<string>();
  for (let namedAt = 1, turns = Infinity; namedAt <= turns; namedAt += 1) {
    const { decode, registry } = newMessageDecoder();
    turns = 0;
    const yieldNow = () => {
      turns += 1;
      if (turns === namedAt) registry.nameTags('d', 'cpu', ['host']);
      return Promise.resolve();
    };
    const { batches } = await decode({ m: 'cpu', columns }, { yieldNow });
    for (const { hasIdentity, columns: held } of batches) {
      const host = held.find(({ column }) => column.spelling === 'host');
      seen.add(`${hasIdentity} ${host?.column.kind}`);
    }
  }
  t.same([...seen].sort(), ['false unknown', 'true tag']);
});
