/**
 * Arrow IPC through a real gateway: every type, compressed or not, with tags and without, read back
 * by SQL in memory, from files and after a kill; and what is refused.
 */
import { gzipSync, zstdCompressSync } from 'node:zlib';
import {
  Field,
  Float64,
  Int64,
  List,
  Table,
  tableToIPC,
  Utf8,
  vectorFromArray,
} from 'apache-arrow';
import t from 'tap';
import { pyarrowStream } from '../../support/arrow-decoder.ts';
import { readCommand } from '../../support/command-json.ts';
import { RealGateway, type HttpRequest } from '../../support/real-gateway.ts';

t.setTimeout(300_000);

const us = 1_700_000_000_000_000n;

const senderOf =
  (gateway: RealGateway) =>
  (body: Uint8Array, parameters = '', headers: HttpRequest['headers'] = {}) =>
    gateway.send({
      path: `/api/v1/write/arrow?db=d${parameters}`,
      body,
      headers: { 'content-type': 'application/vnd.apache.arrow.stream', ...headers },
    });

/** Rows with a text `host`, a number `v` of type double, and the times from `at` on. */
function rows(hosts: readonly string[], values: readonly number[], at = us): Uint8Array {
  const table = new Table({
    time: vectorFromArray(
      hosts.map((_, row) => at + BigInt(row)),
      new Int64(),
    ),
    host: vectorFromArray(hosts, new Utf8()),
    v: vectorFromArray(values, new Float64()),
  });
  return tableToIPC(table, 'stream');
}

void t.test('what comes is served in memory, after a kill and from files', async (t) => {
  const gateway = await RealGateway.start(t);
  const send = senderOf(gateway);
  const every = pyarrowStream('every type');
  const sent: [string, Uint8Array, string, HttpRequest['headers']][] = [
    ['every type', every, '&measurement=e', {}],
    ['gzip', gzipSync(rows(['a', 'b'], [1, 2])), '&measurement=c', { 'content-encoding': 'gzip' }],
    ['zstd unsaid', zstdCompressSync(rows(['c'], [3], us + 2n)), '&measurement=c', {}],
    ['a file', pyarrowStream('every type, file'), '', { 'x-arc-measurement': 'f' }],
    ['tags', rows(['a', 'b'], [1, 2]), '&measurement=t&tags=host', {}],
    ['the same points', rows(['a', 'b'], [3, 4]), '&measurement=t&tags=host', {}],
    ['tags in metadata', pyarrowStream('tags in metadata'), '', {}],
  ];
  for (const [name, body, parameters, headers] of sent) {
    const answer = await send(body, parameters, headers);
    t.equal(answer.status, 204, `${name}: ${answer.text}`);
    t.notOk('x-holdfast-rejected' in answer.headers, name);
  }
  const everyRow = [
    [1n, 9223372036854775807n, 18446744073709551615n, 1.5, 0.1, true, 'a', 'a', 'x'],
    [-128n, -9223372036854775808n, 1n, null, null, false, 'ü☂', 'longer than twelve bytes', 'y'],
    [null, null, null, null, null, null, null, null, null],
  ];
  const check = async (when: string) => {
    for (const table of ['e', 'f']) {
      const found = await gateway.select(
        'SELECT i8, i64, u64, CASE WHEN f16 > 0 THEN f16 END, f64, bool, utf8, "view", ' +
          `"dictionary" FROM d.${table} ORDER BY time`,
      );
      t.same(found, everyRow, `${table} ${when}`);
    }
    t.same(
      await gateway.select('SELECT epoch_us(time), host, v FROM d.c ORDER BY time'),
      [
        [us, 'a', 1],
        [us + 1n, 'b', 2],
        [us + 2n, 'c', 3],
      ],
      `columns ${when}`,
    );
    t.same(await gateway.select('SELECT host, v FROM d.t ORDER BY time'), [
      ['a', 3],
      ['b', 4],
    ]);
    t.same(
      await gateway.select('SELECT host, nr, ok, v FROM d.cpu ORDER BY v'),
      [
        ['a', '4', 'true', 1n],
        [null, null, 'false', 2n],
      ],
      `tags ${when}`,
    );
  };
  await check('in memory');
  await gateway.kill();
  await gateway.startAgain();
  await check('after a kill');
  await gateway.filed();
  await check('from files');
});

void t.test('what cannot be taken is told, and the next request is served', async (t) => {
  const gateway = await RealGateway.start(t, ['--server-max-body', '64KiB']);
  const send = senderOf(gateway);
  const lists = new Table({
    v: vectorFromArray([[1]], new List(new Field('item', new Float64()))),
  });
  const good = rows(['a'], [1]);
  const cases: [string, Uint8Array, string, number, RegExp][] = [
    ['a list', tableToIPC(lists, 'stream'), '&measurement=m', 400, /column \\"v\\" of type list/],
    ['no measurement', good, '', 400, /no measurement/],
    ['line protocol', Buffer.from('m v=1 1\n'), '&measurement=m', 400, /Invalid Arrow IPC payload/],
    ['cut short', good.subarray(0, 300), '&measurement=m', 400, /message 2 at byte \d+/],
    ['no such tag', good, '&measurement=m&tags=hots', 400, /no column \\"hots\\"/],
    ['a unit that is none', good, '&measurement=m&precision=fortnight', 400, /invalid precision/],
    ['too much', new Uint8Array(70_000), '&measurement=m', 413, /65536/],
    ['a bomb', gzipSync(new Uint8Array(1_000_000)), '&measurement=m', 413, /65536/],
  ];
  for (const [name, body, parameters, status, words] of cases) {
    const answer = await send(body, parameters);
    t.equal(answer.status, status, `${name}: ${answer.text}`);
    t.match(JSON.parse(answer.text), { success: false, error: String, code: String }, name);
    t.match(answer.text, words, name);
  }
  t.equal((await send(good, '&measurement=m')).status, 204);
  t.equal(await gateway.count('d.m'), 1);
});

void t.test('refused rows are dead letters, and a replay files them once', async (t) => {
  const gateway = await RealGateway.start(t, ['--ingest-measurements-max', '1']);
  const send = senderOf(gateway);
  t.equal((await send(rows(['a'], [1]), '&measurement=first')).status, 204);
  const refused = await send(rows(['a', 'b'], [1, 2]), '&measurement=m&tags=host');
  t.equal(refused.status, 204, refused.text);
  t.equal(refused.headers['x-holdfast-rejected'], '1');
  t.same(await gateway.select('SELECT format, kind, whole FROM _internal.dead_letters'), [
    ['msgpack', 'cap', true],
  ]);
  await gateway.stop();
  await gateway.startAgain([]);
  const replay = () =>
    readCommand<{ replayed: number; rows: number }>(gateway, ['deadletter', 'replay', '--json']);
  t.match(await replay(), { replayed: 1, rows: 2 });
  t.match(await replay(), { replayed: 0 });
  // The tags are still tags: the same points sent again are the same points.
  t.equal((await send(rows(['a', 'b'], [3, 4]), '&measurement=m&tags=host')).status, 204);
  t.same(await gateway.select('SELECT host, v FROM d.m ORDER BY host'), [
    ['a', 3],
    ['b', 4],
  ]);
});

void t.test('a key makes one request of two, but not of those for two measurements', async (t) => {
  const gateway = await RealGateway.start(t);
  const send = senderOf(gateway);
  const headers = { 'idempotency-key': 'one' };
  const body = rows(['a'], [1]);
  for (const [measurement, isRepeat] of [
    ['m', false],
    ['m', true],
    ['n', false],
  ] as const) {
    const answer = await send(body, `&measurement=${measurement}`, headers);
    t.equal(answer.status, 204, answer.text);
    t.equal(answer.headers['idempotent-replayed'] === 'true', isRepeat, measurement);
  }
  t.equal(await gateway.count('d.m'), 1);
  t.equal(await gateway.count('d.n'), 1);
});
