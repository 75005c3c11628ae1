/**
 * Tags that the owner names for rows that come without (contract W9): from the next row on a
 * columnar batch that a sender repeats is there once, before and after it is filed and after kills;
 * rows that came before stay as they are.
 */
import t from 'tap';
import { packed } from '../../support/msgpack-bytes.ts';
import { RealGateway } from '../../support/real-gateway.ts';

t.setTimeout(120_000);

const second = 1_700_000_000;
const flags = ['--ingest-buffer-age', '300ms', '--ingest-buffer-age-max', '300ms'];

function batch(first: number, value: number, host: (row: number) => string): Uint8Array {
  const rows = [0, 1, 2, 3];
  const columns = {
    time: rows.map((row) => second + first + row),
    host: rows.map(host),
    v: rows.map((row) => value + row),
  };
  return packed({ m: 'disk.io', columns });
}

void t.test('a repeated columnar batch is there once where its tags are named', async (t) => {
  const gateway = await RealGateway.start(t, flags);
  const send = async (body: Uint8Array) => {
    const { status } = await gateway.send({
      path: '/api/v1/write/msgpack',
      body,
      headers: { 'x-arc-database': 'd' },
    });
    t.equal(status, 204);
  };
  const rows = () => gateway.select('SELECT host, v FROM d."disk.io" ORDER BY time, host, v');
  const byRow = (row: number) => `h${row}`;
  await send(batch(0, 10, byRow));
  await send(batch(0, 10, byRow));
  t.equal((await rows()).length, 8, 'without named tags every row counts');

  const named = await gateway.command(['measurement', 'tags', 'd.disk.io', 'host,region']);
  t.match(named, { code: 0, out: 'tags of d.disk.io: host, region\n' }, named.err);
  await gateway.filed();
  t.equal((await rows()).length, 8, 'rows that are there stay as they are');

  await send(batch(100, 20, byRow));
  await send(batch(100, 30, byRow));
  const once = async (why: string) => {
    const found = (await rows()).slice(8);
    t.same(found, [['h0', 30n], ['h1', 31n], ['h2', 32n], ['h3', 33n]], why); // prettier-ignore
  };
  await once('in memory');
  await gateway.kill();
  await gateway.startAgain();
  await once('after a kill');
  await gateway.filed();
  await send(batch(100, 20, byRow));
  await send(batch(100, 30, byRow));
  await once('filed and sent again');
  await gateway.filed();
  await gateway.kill();
  await gateway.startAgain();
  await send(batch(100, 30, byRow));
  await once('after another kill');
  await send(batch(100, 40, () => 'other'));
  t.equal((await rows()).length, 16, 'another host is another point');
});

void t.test('what cannot be a tag is refused, and nothing of the request is named', async (t) => {
  const gateway = await RealGateway.start(t, flags);
  const put = (body: unknown, path = '/api/v1/measurements/d/m/tags') =>
    gateway.send({ method: 'PUT', path, body: JSON.stringify(body) });
  await gateway.send({
    path: '/api/v1/write/msgpack',
    body: packed({ m: 'm', columns: { time: [second], a: ['x'], n: [1] } }),
    headers: { 'x-arc-database': 'd' },
  });
  await gateway.write(`m f="text" ${second}000000`);
  t.match(await put({ tags: ['a', 'n'] }), {
    status: 400,
    text: /column .*n.* holds int64 values/,
  });
  t.match(await put({ tags: ['a', 'f'] }), { status: 400, text: /column .*f.* is a field/ });
  t.match(await put({ tags: ['time'] }), { status: 400, text: /invalid tag key/ });
  t.match(await put({ tags: [] }), { status: 400, text: /tags/ });
  t.match(await put('tags'), { status: 400 });
  t.match(await put({ tags: ['a'] }, '/api/v1/measurements/_internal/dead_letters/tags'), {
    status: 400,
  });
  const answer = await put({ tags: ['a'] });
  t.same(JSON.parse(answer.text), { database: 'd', measurement: 'm', tags: ['a'] });
});

void t.test('tags of a database hold for what comes, and uncover nothing', async (t) => {
  const gateway = await RealGateway.start(t, flags);
  const send = async (measurement: string, region: string, v: number) => {
    const columns = { time: [second], host: ['a'], region: [region], v: [v] };
    const { status, text } = await gateway.send({
      path: '/api/v1/write/msgpack',
      body: packed({ m: measurement, columns }),
      headers: { 'x-arc-database': 'd' },
    });
    t.equal(status, 204, text);
  };
  const rows = (measurement: string) =>
    gateway.select(`SELECT host, region, v FROM d."${measurement}" ORDER BY region, v`);
  const name = async (tags: string) => {
    const named = await gateway.command(['database', 'tags', 'd', tags]);
    t.equal(named.code, 0, named.err);
    return named.out;
  };
  t.equal(await name('host'), 'tags of d: host\n');
  await send('old', 'x', 1);
  await gateway.filed();
  await send('old', 'y', 2);
  t.same(await rows('old'), [['a', 'y', 2n]], 'the region is a value that was overwritten');
  t.equal(await name('region'), 'tags of d: host, region\n');
  const kept = async (why: string) => {
    t.same(await rows('old'), [['a', 'y', 2n]], why);
  };
  await kept('a tag that is named later');
  await gateway.filed();
  await gateway.kill();
  await gateway.startAgain();
  await kept('after a kill');
  const listed = await gateway.command(['database', 'tags', 'd']);
  t.equal(listed.out, 'tags of d: host, region\n');
  const own = await gateway.command(['measurement', 'tags', 'd.new']);
  t.equal(own.out, 'tags of d.new: host, region\n', 'of one that is not there yet');
  for (const v of [3, 4]) {
    await send('new', 'x', v);
    await send('new', '', v);
    await send('old', 'x', v);
  }
  t.same(await rows('new'), [['a', 'x', 4n], ['a', null, 4n]]); // prettier-ignore
  t.same(await rows('old'), [['a', 'x', 4n], ['a', 'y', 2n]], 'another point than that of before'); // prettier-ignore
  await gateway.filed();
  await send('new', 'x', 5);
  t.same(await rows('new'), [['a', 'x', 5n], ['a', null, 4n]]); // prettier-ignore
  const { buffers } = await gateway.json<{ buffers: Record<string, number> }>('/api/v1/status');
  // A buffer may have been sealed between two rows of the new measurement.
  const repeated = buffers['rows_repeated'] ?? 0;
  t.ok(repeated >= 3 && repeated <= 5, 'two rows of old, one of new at least');
  t.equal(buffers['rows_unmerged'], 2, 'the rows of old');
  const metrics = await gateway.send({ method: 'GET', path: '/metrics' });
  t.match(metrics.text, /^holdfast_ingest_repeated_rows_total [345]$/m);
  t.match(metrics.text, /^holdfast_ingest_unmerged_rows_total 2$/m);
});
