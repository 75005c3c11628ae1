/**
 * What is not rows, or not quite: wrong types, encodings and lengths; bytes, names and times that
 * no column takes. Each is answered clearly, and the next good request works.
 */
import t from 'tap';
import { packed, Raw } from '../../support/msgpack-bytes.ts';
import { RealGateway } from '../../support/real-gateway.ts';

const json = (text: string): Record<string, unknown> => JSON.parse(text) as Record<string, unknown>;

void t.test('bodies and heads of the wrong kind', async (t) => {
  const gateway = await RealGateway.start(t);
  const { url } = gateway;
  let good = 0;
  const next = async (what: string): Promise<void> => {
    const answer = await gateway.write('good v=1i');
    t.equal(answer.status, 204, `${what}: the next good one is taken`);
    good += 1;
  };
  const rows = packed([{ m: 'p', fields: { v: 1 } }]);
  const cases: [
    what: string,
    path: string,
    body: string | Uint8Array,
    want: number,
    type: string,
  ][] = [
    ['JSON to line protocol', '/write?db=d', '{"m":"x","fields":{"v":1}}', 400, 'application/json'],
    ['a form', '/write?db=d', 'q=CREATE+DATABASE+x', 400, 'application/x-www-form-urlencoded'],
    ['MessagePack to line protocol', '/api/v2/write?bucket=d', rows, 400, 'application/msgpack'],
    ['line protocol to MessagePack', '/api/v1/write/msgpack?db=d', 'm f=1', 400, 'text/plain'],
    ['JSON to MessagePack', '/write/v2/msgpack?db=d', '[{"m":"x"}]', 400, 'application/json'],
    ['good lines of an odd type', '/write?db=d', 'odd v=1i', 204, 'image/png; charset=\x80'],
    ['good rows without a type', '/api/v1/write/msgpack?db=d', rows, 204, ''],
    ['line protocol to the queries', '/api/v1/query', 'm f=1', 400, 'text/plain'],
    ['a list to the queries', '/api/v1/query', '["SELECT 1"]', 400, 'application/json'],
    ['a statement to line protocol', '/api/v3/write_lp?db=d', 'SELECT 1', 400, 'text/plain'],
  ];
  for (const [what, path, body, want, type] of cases) {
    const headers = type === '' ? {} : { 'content-type': type };
    const answer = await gateway.send({ path, body, headers });
    t.equal(answer.status, want, `${what}: ${answer.text}`);
    if (want >= 400) {
      const { error, message } = json(answer.text);
      t.type(error ?? message, 'string', `${what}: JSON in the dialect`);
    }
    await next(what);
  }
  for (const query of ['?db=d&precision=fortnight', '?db=a%00b']) {
    const answer = await fetch(`${url}/write${query}`, { method: 'POST', body: 'm v=1i' });
    t.equal(answer.status, 400, query.slice(0, 40));
    t.match(json(await answer.text()), { error: String });
    await next(query.slice(0, 40));
  }
  t.equal(await gateway.count('d.good'), good);
  t.equal(await gateway.count('d.odd'), 1);
});

const letter = (character: string, count: number) => character.repeat(count);

void t.test('lines that no table takes cost themselves only', async (t) => {
  const gateway = await RealGateway.start(t);
  const fields = (count: number) => Array.from({ length: count }, (_, at) => `f${at}=1`).join(',');
  const tags = (count: number) => Array.from({ length: count }, (_, at) => `t${at}=x`).join(',');
  const bad: [what: string, line: string | Buffer, reason: RegExp][] = [
    ['NUL in a string', 'm s="a\0b"', /NUL in line/],
    ['NUL in a name', 'm\0,a=b v=1', /control character in measurement/],
    ['invalid UTF-8', Buffer.from('m s="\xff\xfe"', 'latin1'), /invalid UTF-8/],
    ['a cut character', Buffer.from('m s="\xe6\xb8"', 'latin1'), /invalid UTF-8/],
    ['a huge line', `m s="${letter('x', 9_000_000)}"`, /line too long|max string length/],
    ['a huge name', `${letter('n', 100_000)} v=1`, /max measurement length/],
    ['a huge tag value', `m,t=${letter('v', 100_000)} v=1`, /max tag value length/],
    ['a huge field key', `m ${letter('k', 100_000)}=1`, /max field key length/],
    ['a huge tag set', `wide,${tags(5000)} v=1`, /max columns per measurement/],
    ['a huge field set', `wide ${fields(5000)}`, /max columns per measurement/],
    ['a time too late', 'm v=1 9223372036854775807', /time outside range/],
    ['a time too early', 'm v=1 -9223372036854775808', /time outside range/],
    ['a time beyond all numbers', `m v=1 ${letter('9', 1000)}`, /out of range/],
    ['a number beyond all', `m v=1e${letter('9', 1000)}`, /invalid float/],
    ['an integer beyond all', `m v=${letter('9', 100_000)}i`, /out of range/],
  ];
  let round = 0;
  for (const [what, line, reason] of bad) {
    round += 1;
    const parts = [`good v=${round}i ${round}000\n`, line, `\ngood v=${round}i -${round}000\n`];
    const body = Buffer.concat(parts.map((part) => Buffer.from(part)));
    const answer = await gateway.send({ path: '/write?db=d', body });
    t.equal(answer.status, 400, what);
    t.match(json(answer.text)['error'], reason, what);
    t.match(answer.headers['x-holdfast-rejected'], '1', `${what}: one line`);
  }
  t.equal(await gateway.count('d.good'), 2 * bad.length, 'the good lines around each are kept');
  t.equal((await gateway.status()).gateway.phase, 'ready');
});

/** `levels` of arrays, or of batches, around a good row. */
function nested(levels: number, how: 'arrays' | 'batches' | 'fields'): Uint8Array {
  const row = [...packed({ m: 'deep', fields: { v: 1 } })];
  const heads = { arrays: [0x91], batches: [...packed({ batch: 0 })].slice(0, -1), fields: [] };
  if (how === 'fields') {
    const value = new Raw([...Array<number>(levels).fill(0x91), 1]);
    return packed({ m: 'deep', fields: { v: value } });
  }
  const out = Buffer.alloc(levels * heads[how].length + row.length);
  for (let level = 0; level < levels; level += 1) out.set(heads[how], level * heads[how].length);
  out.set(row, levels * heads[how].length);
  return out;
}

void t.test('MessagePack nested beyond reason is one bad item', async (t) => {
  const gateway = await RealGateway.start(t);
  const path = '/api/v1/write/msgpack?db=d';
  let time = 1_700_000_000;
  const good = () => packed({ m: 'good', t: (time += 1), fields: { v: 1 } });
  for (const how of ['arrays', 'batches', 'fields'] as const) {
    const body = Buffer.concat([
      good(),
      nested(how === 'fields' ? 100_000 : 3_000_000, how),
      good(),
    ]);
    const answer = await gateway.send({ path, body });
    t.equal(answer.status, 204, `${how}: ${answer.text}`);
    t.equal(answer.headers['x-holdfast-rejected'], '1', how);
  }
  const lengths = [0xdd, 0xdf, 0xdb, 0xc6, 0xc9].map((head) => [head, 0xff, 0xff, 0xff, 0xff]);
  for (const bytes of lengths) {
    const answer = await gateway.send({
      path,
      body: Buffer.concat([good(), Uint8Array.from(bytes)]),
    });
    t.equal(answer.status, 204, 'a length that the body does not hold');
    t.equal(answer.headers['x-holdfast-rejected'], '1');
  }
  t.equal(await gateway.count('d.good'), 2 * 3 + lengths.length);
  t.same(await gateway.select('SHOW TABLES FROM d'), [['d', 'good']], 'and nothing else');
});
