/**
 * What becomes of items that are bad, one of each kind: they are rejected alone, with their bytes,
 * and the good ones beside them are taken.
 */
import t from 'tap';
import type { Decoded } from '../../../../src/ingest/decode/types.ts';
import { reasons, rowsOf } from '../../../support/decoded-rows.ts';
import {
  ext,
  packed,
  Pairs,
  rawString,
  timestamp,
  uint64,
} from '../../../support/msgpack-bytes.ts';
import { newMessageDecoder } from '../../../support/msgpack-decoder.ts';

const us = 1_700_000_000_000_000n;

const goodRow = { m: 'good', t: us, fields: { v: 1 } };
const deep = (levels: number): unknown => (levels === 0 ? goodRow : [deep(levels - 1)]);

const badItems: readonly [string, unknown, RegExp][] = [
  ['no map', 7, /no map/],
  ['text', 'text', /no map/],
  ['null', null, /no map/],
  ['an unknown extension', ext(3, [1]), /no map/],
  ['an empty map', {}, /missing measurement/],
  ['no measurement', { fields: { v: 1 } }, /missing measurement/],
  ['no measurement, columnar', { columns: { v: [1] } }, /missing measurement/],
  ['an empty measurement', { m: '', fields: { v: 1 } }, /missing measurement/],
  ['an empty measurement, columnar', { m: '', columns: { v: [1] } }, /missing measurement/],
  ['a measurement that is a list', { m: [1], fields: { v: 1 } }, /no name/],
  ['no fields', { m: 'm', t: us }, /missing fields/],
  ['empty fields', { m: 'm', fields: {} }, /missing fields/],
  ['fields that are a list', { m: 'm', fields: [1] }, /no map/],
  ['compact fields that are a map', { m: 'm', f: { v: 1 } }, /no array/],
  ['tags that are a list', { m: 'm', fields: { v: 1 }, tags: [1] }, /no map/],
  ['a tag that is a list', { m: 'm', fields: { v: 1 }, tags: { a: [1] } }, /no text/],
  ['a host that is a float', { m: 'm', h: 0.5, fields: { v: 1 } }, /no name/],
  ['a time that is text', { m: 'm', t: 'noon', fields: { v: 1 } }, /bad timestamp/],
  ['a time that is NaN', { m: 'm', t: NaN, fields: { v: 1 } }, /bad timestamp/],
  ['a time out of range', { m: 'm', t: uint64(2n ** 64n - 1n), fields: { v: 1 } }, /outside range/],
  ['a time that is far in seconds', { m: 'm', t: 9_999_999_999, fields: { v: 1 } }, /outside/],
  ['a time of an unknown extension', { m: 'm', t: ext(9, [1]), fields: { v: 1 } }, /extension/],
  [
    'a column of times with a null',
    { m: 'm', columns: { time: [1, null], v: [1, 2] } },
    /bad timestamp in row 2/,
  ],
  ['a field that is a map', { m: 'm', fields: { v: {} } }, /a map or an array/],
  ['a field that is a timestamp', { m: 'm', fields: { v: timestamp(1n, 0, 4) } }, /extension/],
  ['a column with a list in it', { m: 'm', columns: { v: [[1]] } }, /an array in column "v"/],
  ['a column with an extension in it', { m: 'm', columns: { v: [ext(1, [2])] } }, /extension/],
  ['columns that are a list', { m: 'm', columns: [] }, /no map/],
  ['a column that is no array', { m: 'm', columns: { v: 1 } }, /no array/],
  [
    'lengths that differ',
    { m: 'm', columns: { time: [1, 2], v: [1] } },
    /expected 2, got 1 for 'v'/,
  ],
  ['a key that is no string', new Pairs([[1, 2]]), /a key that is no string/],
  ['a field key that is no string', { m: 'm', fields: new Pairs([[1, 2]]) }, /no string/],
  ['a column name that is no string', { m: 'm', columns: new Pairs([[1, [2]]]) }, /no string/],
  [
    'a part twice',
    new Pairs([
      ['m', 'a'],
      ['m', 'a'],
      ['fields', { v: 1 }],
    ]),
    /"m" twice/,
  ],
  [
    'a field twice',
    {
      m: 'm',
      fields: new Pairs([
        ['v', 1],
        ['v', 2],
      ]),
    },
    /"v" twice/,
  ],
  [
    'a field twice, once null',
    {
      m: 'm',
      fields: new Pairs([
        ['v', null],
        ['v', 2],
      ]),
    },
    /"v" twice/,
  ],
  [
    'a field twice, otherwise written',
    {
      m: 'm',
      fields: new Pairs([
        ['v', 1],
        [rawString([0x76]), 2],
      ]),
    },
    /"v" twice/,
  ],
  [
    'a tag twice',
    {
      m: 'm',
      fields: { v: 1 },
      tags: new Pairs([
        ['a', 'x'],
        ['a', 'x'],
      ]),
    },
    /"a" twice/,
  ],
  [
    'a column twice',
    {
      m: 'm',
      columns: new Pairs([
        ['v', [1]],
        ['v', [2]],
      ]),
    },
    /"v" twice/,
  ],
  [
    'columns twice',
    new Pairs([
      ['m', 'm'],
      ['columns', {}],
      ['columns', {}],
    ]),
    /"columns" twice/,
  ],
  [
    'columns and a batch',
    new Pairs([
      ['m', 'm'],
      ['columns', { v: [1] }],
      ['batch', []],
    ]),
    /batch/,
  ],
  ['a batch that is no array', { batch: 1 }, /no array/],
  ['invalid UTF-8 in a field', { m: 'm', fields: { v: rawString([0xff]) } }, /invalid UTF-8/],
  ['invalid UTF-8 in a key', { m: 'm', fields: new Pairs([[rawString([0xc3]), 1]]) }, /UTF-8/],
  ['invalid UTF-8 in a tag', { m: 'm', fields: { v: 1 }, tags: { a: rawString([0xff]) } }, /UTF-8/],
  ['invalid UTF-8 in a name', { m: rawString([0x80]), fields: { v: 1 } }, /invalid UTF-8/],
  ['invalid UTF-8 in a columnar name', { m: rawString([0x80]), columns: { v: [1] } }, /UTF-8/],
  ['invalid UTF-8 in a column', { m: 'm', columns: { v: [rawString([0xff])] } }, /UTF-8/],
  [
    'a character cut between two strings',
    { m: 'm', columns: { v: [rawString([0xc3]), rawString([0xa9])] } },
    /UTF-8/,
  ],
  [
    'invalid UTF-8 in a column name',
    { m: 'm', columns: new Pairs([[rawString([0xff]), [1]]]) },
    /UTF-8/,
  ],
  ['a control character in a tag', { m: 'm', fields: { v: 1 }, tags: { a: 'x\ny' } }, /control/],
  ['a control character in a column name', { m: 'm', columns: { 'a\0': [1] } }, /control/],
  ['a tag that is the time', { m: 'm', fields: { v: 1 }, tags: { Time: 'x' } }, /invalid/],
  ['too deep nesting', deep(40), /too deep nesting/],
];

t.test('a bad item is rejected alone, and kept whole', async (t) => {
  for (const [name, item, reason] of badItems) {
    const { decode, registry } = newMessageDecoder();
    const decoded = await decode([goodRow, item, goodRow]);
    t.equal(decoded.rows, 2, name);
    t.equal(decoded.rejectedLines, 1, name);
    t.match(
      decoded.rejected,
      [{ line: 2, count: 1, reason }],
      `${name}: ${String(decoded.rejected[0]?.reason)}`,
    );
    t.same(
      registry.measurements('d').map((each) => each.name),
      ['good'],
      `${name} leaves no measurement`,
    );
    if (name !== 'too deep nesting') {
      t.same([...(decoded.rejected[0]?.raw ?? [])], [...packed(item)], `${name}: its bytes`);
    }
    t.type(decoded.rejected[0]?.text, 'string');
  }
});

t.test('a bad item in the place of the body is rejected', async (t) => {
  const { decode } = newMessageDecoder();
  const decoded = await decode({ m: 'm', columns: { v: [1], w: [1, 2] } });
  t.equal(decoded.rows, 0);
  t.match(decoded.rejected, [{ line: 1, text: '{"m":"m","columns":{"v":[1],"w":[1,2]}}' }]);
});

t.test('rows of a columnar item that conflict are rejected alone', async (t) => {
  const { decode } = newMessageDecoder();
  await decode({ m: 'm', columns: { time: [us], v: [1], s: ['x'] } });
  for (const rows of [4, 400]) {
    const fill = <T>(some: T[], rest: T) =>
      Array.from({ length: rows }, (_, row) => (row < some.length ? (some[row] as T) : rest));
    const decoded = await decode({
      m: 'm',
      columns: {
        time: fill([us], us),
        v: fill<unknown>([1, 'two', 3, null], 4),
        s: fill<unknown>(['a', 'b', 3, 'd'], 'e'),
        only: fill<unknown>([null, 'gone', null, null], null),
      },
    });
    t.equal(decoded.rows, rows - 2);
    t.equal(decoded.rejectedLines, 2);
    t.match(decoded.rejected, [
      {
        line: 1,
        kind: 'conflict',
        reason: /input field "v" on measurement "m" is type string, already exists as type integer/,
        text: `{"m":"m","columns":{"time":[${us},${us}],"v":["two",3],"s":["b",3],"only":["gone",null]}}`,
      },
    ]);
    const again = await decode(decoded.rejected[0]?.raw);
    t.equal(again.rejectedLines, 2, 'what was kept is an item by itself');
    const kept = (rowsOf(decoded)['m'] ?? []).map((row) => (row as unknown[])[2]);
    t.same(kept.slice(0, 2), [{ v: 'number:1', s: 'string:a' }, { s: 'string:d' }]);
    t.same(
      decoded.batches[0]?.columns.map(({ column }) => column.sqlName),
      ['v', 's'],
      'a column that only rejected rows have is not made',
    );
  }
  const none = await decode({ m: 'm', columns: { v: ['a', 'b'] } });
  t.equal(none.rows, 0);
  t.match(none.rejected, [
    { kind: 'conflict', count: 2, text: '{"m":"m","columns":{"v":["a","b"]}}' },
  ]);
});

t.test('strings and numbers in one new column: the first decides', async (t) => {
  const { decode } = newMessageDecoder();
  const decoded = await decode({ m: 'm', columns: { v: [null, 'a', 1, 'b', true] } });
  t.equal(decoded.rows, 3);
  t.equal(decoded.rejectedLines, 2);
  t.same(
    (rowsOf(decoded)['m'] ?? []).map((row) => (row as unknown[])[2]),
    [{}, { v: 'string:a' }, { v: 'string:b' }],
  );
});

t.test('a body that breaks off keeps the items before', async (t) => {
  const { decode } = newMessageDecoder();
  const item = (v: number) => ({ m: 'm', t: us, fields: { v, s: 'x'.repeat(20) } });
  const whole = packed({ batch: [item(1), item(2), item(3)] });
  const start = packed({ batch: [item(1), item(2), item(3)] }).length - packed(item(3)).length;
  const decoded = await decode(whole.subarray(0, whole.length - 5));
  t.equal(decoded.rows, 2);
  t.equal(decoded.rejectedLines, 1);
  t.match(decoded.rejected, [{ line: 3, reason: /breaks off/ }]);
  t.same([...(decoded.rejected[0]?.raw ?? [])], [...whole.subarray(start, whole.length - 5)]);

  const unused = await decode(new Uint8Array([...packed(item(1)), 0xc1, 1, 2]));
  t.equal(unused.rows, 1);
  t.same([...(unused.rejected[0]?.raw ?? [])], [0xc1, 1, 2], 'a byte that begins no value');

  const long = new Uint8Array([
    ...packed(item(1)),
    0xc6,
    0x7f,
    0,
    0,
    0,
    ...new Uint8Array(100_000),
  ]);
  const cut = await decode(long);
  t.equal(cut.rejected[0]?.raw?.length, 65_536, 'of a long rest 64 KiB are kept');
});

t.test('a body in which nothing can be read is refused', async (t) => {
  const { decode } = newMessageDecoder();
  const bodies: [string, Uint8Array][] = [
    ['a number', Uint8Array.of(1)],
    ['text', new TextEncoder().encode('cpu f=1')],
    ['a byte that begins nothing', Uint8Array.of(0xc1)],
    ['an item that is cut', packed(goodRow).subarray(0, 8)],
    ['a columnar item that is cut', packed({ m: 'm', columns: { v: [1, 2] } }).subarray(0, 14)],
    ['a list of nothing yet', Uint8Array.of(0x93)],
    ['a map that claims much', Uint8Array.of(0xdf, 0xff, 0xff, 0xff, 0xff, 0xa1, 0x6d)],
    [
      'columns that claim much',
      Uint8Array.of(
        0x81,
        0xa7,
        ...new TextEncoder().encode('columns'),
        0x81,
        0xa1,
        0x76,
        0xdd,
        0xff,
        0xff,
        0xff,
        0xff,
      ),
    ],
  ];
  for (const [name, body] of bodies) {
    await t.rejects(decode(body), { code: 'HF_BODY_UNREADABLE' }, name);
  }
  t.equal((await decode(new Uint8Array(0))).rows, 0, 'an empty body is none');
});

t.test('limits: columns, cells, long rows', async (t) => {
  const { decode } = newMessageDecoder({ columnsMax: 3 });
  const many = Object.fromEntries(Array.from({ length: 70 }, (_, index) => [`c${index}`, index]));
  const lists = Object.fromEntries(Object.entries(many).map(([key, value]) => [key, [value]]));
  const wide = await decode([
    { m: 'm', fields: many },
    { m: 'm', columns: lists },
    { m: 'm', fields: { v: 1 }, tags: many },
    goodRow,
  ]);
  t.equal(wide.rows, 1);
  t.same(
    wide.rejected.map(({ kind }) => kind),
    ['cap', 'cap', 'cap'],
  );
  const few = { cellsMax: 3 };
  const cells = await decode(
    [
      goodRow,
      { m: 'c', columns: { a: [1, 2, 3] } },
      { m: 'c', columns: { a: [1, null, 2] } },
      goodRow,
    ],
    few,
  );
  t.equal(cells.rows, 4);
  t.same(reasons(cells), [
    [2, 'max cells per request exceeded: 3'],
    [4, 'max cells per request exceeded: 3'],
  ]);
  const long = await decode([{ m: 'm', fields: { v: 'x'.repeat(5000) } }, goodRow], {
    lineBytesMax: 1024,
  });
  t.same(reasons(long), [[1, 'max row length exceeded: 1024']]);
  t.equal(long.rows, 1);
});

t.test('a great many bad items share entries, and none is lost', async (t) => {
  const { decode } = newMessageDecoder();
  const decoded = await decode(Array.from({ length: 5000 }, (_, index) => index % 100));
  t.equal(decoded.rejectedLines, 5000);
  t.equal(decoded.rejected.length, 1001);
  t.equal(
    decoded.rejected.reduce((sum, { raw }) => sum + (raw?.length ?? 0), 0),
    5000,
  );
  const long = await decode([{ m: 'm', fields: { v: ext(1, [0]), s: 'x'.repeat(200_000) } }]);
  t.equal(long.rejectedLines, 1);
  t.same(
    long.rejected.map(({ count }) => count),
    [1, 0, 0, 0],
    'a long one is kept in pieces',
  );
});

t.test('many different keys take memory for the values that came, not for all rows', async (t) => {
  const { decode } = newMessageDecoder({ columnsMax: 2000 });
  const rows = 20_000;
  const body = Array.from({ length: rows }, (_, row) => ({
    m: 'm',
    t: us,
    fields: { [`key${row % 2000}`]: row },
  }));
  const bytesOf = (decoded: Decoded) =>
    decoded.batches
      .flatMap(({ columns }) => columns)
      .reduce((sum, { values, rows: places }) => {
        return sum + values.buffer.byteLength + (places?.buffer.byteLength ?? 0);
      }, 0);
  const keyed = await decode(body);
  t.equal(keyed.rows, rows);
  t.ok(bytesOf(keyed) < rows * 100, `${bytesOf(keyed)} bytes`);

  const nulls = (value: unknown) => [value, ...new Array<null>(rows - 1).fill(null)];
  const columns = Object.fromEntries(
    Array.from({ length: 100 }, (_, column) => [`c${column}`, nulls(column)]),
  );
  const sparse = await decode({ m: 'n', columns });
  t.equal(sparse.rows, rows);
  t.ok(bytesOf(sparse) < 100 * 4096 * 13, `${bytesOf(sparse)} bytes`);
});

t.test('of two batches in one map the second is not lost untold', async (t) => {
  const { decode } = newMessageDecoder();
  const row = (v: number) => ({ m: 'm', t: 1_700_000_000, fields: { v } });
  const twice = new Pairs([
    ['batch', [row(1)]],
    ['batch', [row(2)]],
  ]);
  const decoded = await decode(twice);
  t.equal(decoded.rows, 1);
  t.match(decoded.rejected, [{ reason: 'key "batch" twice', isCut: true, count: 1 }]);
});
