/**
 * MessagePack as Arc's senders write it, through a real gateway: every shape, every unit of time,
 * compressed or not, with bad items; read back by SQL in memory, from files and after a kill.
 */
import { gzipSync, zstdCompressSync } from 'node:zlib';
import t from 'tap';
import { ext, Float, packed, Pairs, rawString, timestamp } from '../../support/msgpack-bytes.ts';
import { RealGateway, type HttpAnswer, type HttpRequest } from '../../support/real-gateway.ts';

const route = '/api/v1/write/msgpack';
const second = 1_700_000_000;

const senderOf =
  (gateway: RealGateway) =>
  (body: unknown, headers: HttpRequest['headers'] = {}, path = route): Promise<HttpAnswer> => {
    const bytes = body instanceof Uint8Array ? body : packed(body);
    return gateway.send({ path, body: bytes, headers: { 'x-arc-database': 'd', ...headers } });
  };

void t.test('all shapes come back by SQL, in memory, from files and after a kill', async (t) => {
  const gateway = await RealGateway.start(t);
  const send = senderOf(gateway);
  const telegraf = { 'content-type': 'application/msgpack', 'user-agent': 'Telegraf/1.37' };
  const bodies: [string, unknown, HttpRequest['headers']][] = [
    [
      'columnar',
      { m: 'c', columns: { time: [second, second + 1], host: ['a', 'b'], v: [1.5, null] } },
      telegraf,
    ],
    [
      'a list of columnar items',
      [
        { m: 'c', columns: { time: [second + 2], host: ['c'], v: [3] } },
        { m: 7, columns: { time: [second * 1000], x: [18446744073709551615n] } },
      ],
      { ...telegraf, 'content-encoding': 'gzip' },
    ],
    [
      'row',
      {
        m: 'r',
        t: second,
        h: 'srv',
        fields: { a: 1, b: 'text', ok: true },
        tags: { dc: 'eu', nr: 4 },
      },
      {},
    ],
    [
      'rows without a host, compact, in a batch',
      {
        batch: [
          { m: 'r', t: (second + 1) * 1000, fields: { a: 2 } },
          { m: 'f', t: second, f: [0.25, 'x'] },
        ],
      },
      { 'content-encoding': 'zstd' },
    ],
    [
      'nested',
      [{ batch: [[{ m: 'r', t: second + 2, h: 9, fields: { a: -9223372036854775808n } }]] }],
      {},
    ],
    [
      'timestamps',
      {
        m: 't',
        columns: {
          time: [
            timestamp(BigInt(second), 0, 4),
            timestamp(BigInt(second), 123_456_789, 8),
            timestamp(-1n, 500_000_000, 12),
          ],
          v: [1, 2, 3],
        },
      },
      {},
    ],
  ];
  for (const [name, body, headers = {}] of bodies) {
    const bytes = packed(body);
    const encoding = headers['content-encoding'];
    const sent =
      encoding === 'gzip' ? gzipSync(bytes) : encoding === 'zstd' ? zstdCompressSync(bytes) : bytes;
    const answer = await send(sent, headers);
    t.equal(answer.status, 204, `${name}: ${answer.text}`);
    t.notOk('x-holdfast-rejected' in answer.headers, name);
  }
  const sniffed = await send(
    gzipSync(packed({ m: 'c', columns: { time: [second + 3], host: ['d'] } })),
    {},
    '/write/v2/msgpack',
  );
  t.equal(sniffed.status, 204, 'compressed without saying so, on the older path');

  const us = (at: number) => BigInt(at) * 1_000_000n;
  const check = async (when: string) => {
    t.same(
      await gateway.select('SELECT epoch_us(time), host, v FROM d.c ORDER BY time'),
      [
        [us(second), 'a', 1.5],
        [us(second + 1), 'b', null],
        [us(second + 2), 'c', 3],
        [us(second + 3), 'd', null],
      ],
      `columnar ${when}`,
    );
    t.same(
      await gateway.select('SELECT epoch_us(time), x FROM d.measurement_7'),
      [[us(second), 18446744073709551615n]],
      `uint64 ${when}`,
    );
    t.same(
      await gateway.select('SELECT epoch_us(time), host, dc, nr, a, b, ok FROM d.r ORDER BY time'),
      [
        [us(second), 'srv', 'eu', '4', 1n, 'text', true],
        [us(second + 1), null, null, null, 2n, null, null],
        [us(second + 2), 'host_9', null, null, -9223372036854775808n, null, null],
      ],
      `rows ${when}`,
    );
    t.same(
      await gateway.select('SELECT field_0, field_1 FROM d.f'),
      [[0.25, 'x']],
      `compact ${when}`,
    );
    t.same(
      await gateway.select('SELECT epoch_us(time), v FROM d.t ORDER BY time'),
      [
        [-500_000n, 3n],
        [us(second), 1n],
        [us(second) + 123_456n, 2n],
      ],
      `timestamps ${when}`,
    );
  };
  await check('in memory');
  await gateway.kill();
  await gateway.startAgain();
  await check('after a kill');
  await gateway.filed();
  await check('from files');
  await gateway.stop();
  await gateway.startAgain();
  await check('after a new start');
});

void t.test('bad items are told and kept, good ones are taken', async (t) => {
  const gateway = await RealGateway.start(t);
  const send = senderOf(gateway);
  const good = (value: number) => ({ m: 'g', t: second + value, fields: { v: value } });
  const mixed = await send([
    good(1),
    5,
    { m: 'g', t: second, fields: { v: rawString([0xff, 0xfe]) } },
    good(2),
    { m: 'g', t: second, fields: { v: ext(5, [1, 2]) } },
    {
      m: 'g',
      t: second,
      fields: new Pairs([
        ['v', 1],
        ['v', 2],
      ]),
    },
    { m: 'g', columns: { time: [1, 2], v: [1] } },
    { m: 'g', t: 'noon', fields: { v: 1 } },
    { m: 'g', t: second, fields: {} },
    { m: '', t: second, fields: { v: 1 } },
    { fields: { v: 1 } },
    good(3),
  ]);
  t.equal(mixed.status, 204, mixed.text);
  t.equal(mixed.headers['x-holdfast-rejected'], '9');
  t.same(await gateway.select('SELECT v FROM d.g ORDER BY v'), [[1n], [2n], [3n]]);
  const columnar = await send({
    m: 'g',
    columns: { time: [second + 4, second + 5], v: ['text', 5] },
  });
  t.equal(columnar.status, 204);
  t.equal(columnar.headers['x-holdfast-rejected'], '1', 'one row does not fit');
  t.same(await gateway.select('SELECT v FROM d.g ORDER BY v'), [[1n], [2n], [3n], [5n]]);

  const whole = packed([good(6), good(7)]);
  const cut = await send(whole.subarray(0, whole.length - 3));
  t.equal(cut.status, 204);
  t.equal(cut.headers['x-holdfast-rejected'], '1', 'what breaks off is one');
  t.equal(await gateway.count('d.g'), 5);

  for (const [name, body] of [
    ['a number', Uint8Array.of(5)],
    ['line protocol', new TextEncoder().encode('cpu f=1 1')],
    ['JSON', new TextEncoder().encode('{"m":"g"}')],
    ['an item that is cut', packed(good(8)).subarray(0, 9)],
    ['broken gzip', Uint8Array.of(0x1f, 0x8b, 8, 0)],
  ] as const) {
    const answer = await send(body);
    t.equal(answer.status, 400, name);
    t.match(JSON.parse(answer.text), { success: false, error: String }, name);
  }
  t.equal((await send(new Uint8Array(0))).status, 204, 'an empty body');
  t.equal((await send([])).status, 204, 'an empty list');
  t.equal((await send(good(9))).status, 204, 'and the next good one is taken');
  t.equal(await gateway.count('d.g'), 6);
});

void t.test(
  'a columnar column finds its place by its spelling, and keeps it over a start',
  async (t) => {
    const gateway = await RealGateway.start(t);
    const send = senderOf(gateway);
    const columnar = (at: number, x: string) =>
      send({ m: 'p', columns: { time: [second + at], x: [x] } });
    const row = (at: number, fields: object, tags: object) =>
      send({ m: 'p', t: second + at, fields, tags });
    t.equal((await row(1, { x: 'field' }, {})).status, 204);
    t.equal((await columnar(2, 'first')).status, 204);
    t.equal(
      (await row(3, { y: new Float(1) }, { x: 'tag' })).status,
      204,
      'a tag of that spelling',
    );
    t.equal((await columnar(4, 'second')).status, 204);
    const expected = [
      [BigInt(second + 1), 'field', null],
      [BigInt(second + 2), 'first', null],
      [BigInt(second + 3), null, 'tag'],
      [BigInt(second + 4), 'second', null],
    ];
    const sql = 'SELECT epoch(time)::BIGINT, x, x__2 FROM d.p ORDER BY time';
    t.same(await gateway.select(sql), expected);
    await gateway.kill();
    await gateway.startAgain();
    t.equal((await columnar(5, 'after a kill')).status, 204);
    const killed = [...expected, [BigInt(second + 5), 'after a kill', null]];
    t.same(await gateway.select(sql), killed);
    await gateway.stop();
    await gateway.startAgain();
    t.equal((await columnar(6, 'after a stop')).status, 204);
    t.same(await gateway.select(sql), [...killed, [BigInt(second + 6), 'after a stop', null]]);
  },
);
