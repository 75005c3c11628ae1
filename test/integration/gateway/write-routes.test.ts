/**
 * Line protocol over every route, as senders send it: compressed, chunked, in every precision, with
 * bad lines. Each answer is the one of its dialect, and the rows come back by SQL.
 */
import { gzipSync, zstdCompressSync } from 'node:zlib';
import t from 'tap';
import { RealGateway, type HttpAnswer } from '../../support/real-gateway.ts';

const routes = [
  { dialect: 'v1', path: '/write?db=' },
  { dialect: 'v2', path: '/api/v2/write?org=any&bucket=' },
  { dialect: 'v3', path: '/api/v3/write_lp?db=' },
  { dialect: 'arc', path: '/api/v1/write/line-protocol?db=' },
] as const;

const second = 1_700_000_000n;
const json = (answer: HttpAnswer): Record<string, unknown> =>
  JSON.parse(answer.text) as Record<string, unknown>;

void t.test('every route keeps good lines', async (t) => {
  const gateway = await RealGateway.start(t);
  const { url } = gateway;
  const send = (path: string, body: string | Uint8Array, headers = {}): Promise<HttpAnswer> =>
    gateway.send({ path, method: 'POST', body, headers });

  for (const { dialect, path } of routes) {
    await t.test(`${dialect}: plain, compressed and chunked bodies`, async (t) => {
      const database = `bodies_${dialect}`;
      const line = (number: number): string => `m,t=a f=${number}i ${second}00000${number}000\n`;
      const bodies: [string, string | Uint8Array | Uint8Array[], Record<string, string>][] = [
        ['plain', line(1), {}],
        ['gzip', gzipSync(line(2)), { 'content-encoding': 'gzip' }],
        [
          'two gzip members',
          Buffer.concat([gzipSync(line(3)), gzipSync(line(4))]),
          { 'content-encoding': 'gzip' },
        ],
        ['zstd', zstdCompressSync(line(5)), { 'content-encoding': 'zstd' }],
        ['chunked', [Buffer.from('m,t=a f'), Buffer.from(`=6i ${second}000006000\n`)], {}],
        ['chunked gzip', [...splitAt(gzipSync(line(7)), 9)], { 'content-encoding': 'gzip' }],
        ['a form, as curl says', line(8), { 'content-type': 'application/x-www-form-urlencoded' }],
        ['CRLF', line(9).replace('\n', '\r\n'), { 'content-type': 'text/plain' }],
      ];
      for (const [name, body, headers] of bodies) {
        const answer = await gateway.send({ path: `${path}${database}`, body, headers });
        t.equal(answer.status, 204, `${name}: ${answer.text}`);
        t.equal(answer.text, '', `${name}: no body`);
      }
      for (const [name, body] of [
        ['empty', ''],
        ['comments', '# nothing\n\n  \n#\n'],
      ] as const) {
        const answer = await send(`${path}${database}`, body);
        t.equal(answer.status, 204, name);
      }
      const rows = await gateway.select(`SELECT f, t FROM ${database}.m ORDER BY f`);
      t.same(
        rows,
        [1n, 2n, 3n, 4n, 5n, 6n, 7n, 8n, 9n].map((f) => [f, 'a']),
      );
    });

    await t.test(`${dialect}: what cannot be read is an error in its dialect`, async (t) => {
      const target = `${path}broken_${dialect}`;
      const gzip = gzipSync('m f=1i 1\n'.repeat(100));
      const cut = await send(target, gzip.subarray(0, gzip.length - 12), {
        'content-encoding': 'gzip',
      });
      t.equal(cut.status, 400, 'half a gzip');
      const junk = await send(target, 'm f=1', { 'content-encoding': 'gzip' });
      t.equal(junk.status, 400, 'no gzip');
      const unknown = await send(target, 'm f=1', { 'content-encoding': 'br' });
      t.equal(unknown.status, 400, `unknown encoding: ${unknown.text}`);
      const precision = await send(`${target}&precision=fortnight`, 'm f=1');
      t.equal(precision.status, 400, 'unknown precision');
      const method = await gateway.send({ method: 'PATCH', path: target, body: 'm f=1' });
      t.equal(method.status, 405, 'wrong method');
      for (const answer of [cut, junk, unknown, precision, method]) {
        t.match(String(answer.headers['content-type']), 'application/json');
        const { error, code, message } = json(answer);
        if (dialect === 'v2') t.type(code && message, 'string');
        else t.type(error, 'string');
      }
      const tables = await gateway.select('SHOW DATABASES');
      t.notOk(
        tables.some(([name]) => name === `broken_${dialect}`),
        'nothing of it was kept',
      );
    });

    await t.test(
      `${dialect}: a body beyond server.max_body is 413, however it is packed`,
      async (t) => {
        const body = Buffer.from('m f=1i 1\n'.repeat(4_000_000));
        const packed = gzipSync(body, { level: 1 });
        const answer = await send(`${path}big_${dialect}`, packed, { 'content-encoding': 'gzip' });
        t.equal(answer.status, 413, answer.text.slice(0, 200));
        t.ok(json(answer), 'in JSON');
      },
    );
  }

  await t.test('v1: bad lines', async (t) => {
    const answer = await send('/write?db=bad_v1', 'm f=1i 1000\nbad\nm f=2i 2000\n');
    t.equal(answer.status, 400);
    t.equal(
      json(answer)['error'],
      "partial write: unable to parse 'bad': missing fields dropped=0",
    );
    const conflict = await send('/write?db=bad_v1', 'm f="text" 3000\nm f=3i 3000\n');
    t.equal(conflict.status, 400);
    t.match(
      json(conflict)['error'],
      /^partial write: field type conflict: input field "f" on measurement "m" is type string, already exists as type integer dropped=1$/,
    );
    t.equal(await gateway.count('bad_v1.m'), 3, 'good lines are kept');
  });

  await t.test('v2: bad lines', async (t) => {
    const answer = await send('/api/v2/write?bucket=bad_v2', 'm f=1i 1000\n\nbad\nm f=2i 2000\n');
    t.equal(answer.status, 400);
    t.match(json(answer), { code: 'invalid', line: 3, message: /unable to parse 'bad'/ });
    t.equal(await gateway.count('bad_v2.m'), 2);
  });

  await t.test('v3: bad lines, in part and whole', async (t) => {
    const body = 'm f=1i 1\nbad\nm f=2i 2\n';
    const part = await send('/api/v3/write_lp?db=bad_v3', body);
    t.equal(part.status, 400);
    t.match(json(part), {
      error: 'partial write of line protocol occurred',
      data: [{ original_line: 'bad', line_number: 2, error_message: String }],
    });
    t.equal(await gateway.count('bad_v3.m'), 2);
    const whole = await send('/api/v3/write_lp?db=bad_v3&accept_partial=false', body);
    t.equal(whole.status, 400);
    t.match(json(whole), { data: [{ original_line: 'bad', line_number: 2 }] });
    t.equal(await gateway.count('bad_v3.m'), 2, 'nothing of it was kept');
    const typed = 'other f="text" 1\nbad\n';
    t.equal((await send('/api/v3/write_lp?db=none&accept_partial=false', typed)).status, 400);
    const shown = await send('/query?q=SHOW+DATABASES', '');
    t.match(shown.text, '"bad_v3"');
    t.notMatch(shown.text, '"none"', 'nor is its database');
    t.equal((await send('/api/v3/write_lp?db=none', 'other f=1i 1\n')).status, 204, 'nor a type');
    const many = await send('/api/v3/write_lp?db=bad_v3', 'bad\n'.repeat(250));
    t.equal((json(many)['data'] as object[]).length, 100, 'the first hundred are listed');
    t.equal(many.headers['x-holdfast-rejected'], '250');
  });

  await t.test('arc: bad lines', async (t) => {
    const answer = await send('/api/v1/write/line-protocol?db=bad_arc', 'bad\nm f=1i 1\nbad\n');
    t.equal(answer.status, 204);
    t.equal(answer.headers['x-holdfast-rejected'], '2');
    t.equal(await gateway.count('bad_arc.m'), 1);
  });

  await t.test('every precision of every dialect', async (t) => {
    const words: [string, string, bigint][] = [
      ['/write?db=units&precision=n', 'ns', second * 1_000_000_000n],
      ['/write?db=units&precision=ns', 'ns', second * 1_000_000_000n],
      ['/write?db=units&precision=u', 'us', second * 1_000_000n],
      ['/write?db=units&precision=ms', 'ms', second * 1000n],
      ['/write?db=units&precision=s', 's', second],
      ['/write?db=units&precision=m', 'm', second / 60n],
      ['/write?db=units&precision=h', 'h', second / 3600n],
      ['/write?db=units', 'default', second * 1_000_000_000n],
      ['/api/v2/write?bucket=units&precision=ns', 'ns', second * 1_000_000_000n],
      ['/api/v2/write?bucket=units&precision=us', 'us', second * 1_000_000n],
      ['/api/v2/write?bucket=units&precision=ms', 'ms', second * 1000n],
      ['/api/v2/write?bucket=units&precision=s', 's', second],
      ['/api/v3/write_lp?db=units&precision=nanosecond', 'ns', second * 1_000_000_000n],
      ['/api/v3/write_lp?db=units&precision=microsecond', 'us', second * 1_000_000n],
      ['/api/v3/write_lp?db=units&precision=millisecond', 'ms', second * 1000n],
      ['/api/v3/write_lp?db=units&precision=second', 's', second],
      ['/api/v3/write_lp?db=units', 'auto s', second],
      ['/api/v3/write_lp?db=units', 'auto ms', second * 1000n],
      ['/api/v3/write_lp?db=units&precision=auto', 'auto us', second * 1_000_000n],
      ['/api/v3/write_lp?db=units&precision=auto', 'auto ns', second * 1_000_000_000n],
      ['/api/v1/write/line-protocol?db=units&precision=ms', 'ms', second * 1000n],
    ];
    for (const [index, [path, , time]] of words.entries()) {
      t.equal((await send(path, `m,of=${index} row=${index}i ${time}`)).status, 204, path);
    }
    const rows = await gateway.select('SELECT row, epoch_us(time) FROM units.m ORDER BY row');
    const want = words.map(([path, unit], index) => {
      const step = unit === 'm' ? 60n : unit === 'h' ? 3600n : 1n;
      return { path, row: BigInt(index), us: (second / step) * step * 1_000_000n };
    });
    t.same(
      rows,
      want.map(({ row, us }) => [row, us]),
    );
  });

  await t.test(
    'the header names the database; rp, org and consistency change nothing',
    async (t) => {
      await send('/api/v1/write/line-protocol', 'm f=1i 1', { 'x-arc-database': 'by_header' });
      await send('/write?db=by_parameter&rp=autogen&consistency=all&u=x', 'm f=1i 1');
      await send('/api/v2/write?bucket=by_bucket%2Fautogen', 'm f=1i 1');
      await send('/write', 'm f=1i 1');
      for (const name of ['by_header', 'by_parameter', 'by_bucket', '"default"']) {
        t.equal(await gateway.count(`${name}.m`), 1, name);
      }
    },
  );

  await t.test('ping, health, and a path that is none', async (t) => {
    const ping = await gateway.send({ path: '/ping' });
    t.equal(ping.status, 204);
    t.ok(ping.headers['x-influxdb-version']);
    t.equal((await gateway.send({ method: 'HEAD', path: '/ping' })).status, 204);
    t.match(await gateway.json('/ping?verbose=true'), { version: String });
    t.match(await gateway.json('/health'), { status: 'pass' });
    const nowhere = await gateway.send({ path: '/api/v2/nowhere', method: 'POST', body: 'x' });
    t.equal(nowhere.status, 404);
    t.match(json(nowhere), { code: 'not found', message: String });
    t.ok(url.startsWith('http://127.0.0.1:'));
  });
});

function* splitAt(bytes: Uint8Array, size: number): Generator<Uint8Array> {
  for (let at = 0; at < bytes.length; at += size) yield bytes.subarray(at, at + size);
}
