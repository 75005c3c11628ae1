/**
 * `Idempotency-Key` through a real gateway: a request that is sent again, in each dialect, at once
 * or after kills, is one request; a sender that has one key for all loses nothing. Rows come
 * without identity (columnar MessagePack) or without times, so that nothing else would merge them.
 */
import { once } from 'node:events';
import { connect } from 'node:net';
import t from 'tap';
import { RealGateway, type HttpAnswer } from '../../support/real-gateway.ts';

t.setTimeout(300_000);

const agent = { 'user-agent': 'test sender' };

const routes: readonly { readonly path: string; readonly good: number }[] = [
  { path: '/write?db=d', good: 204 },
  { path: '/api/v2/write?bucket=d', good: 204 },
  { path: '/api/v3/write_lp?db=d', good: 204 },
  { path: '/api/v1/write/line-protocol?db=d', good: 204 },
];

/** {"m": "mp", "columns": {"time": [1000000], "v": [1]}} */
const columnar = Buffer.from(
  '82a16da26d70a7636f6c756d6e7382a474696d6591ce000f4240a17691' + '01',
  'hex',
);

function isRepeat({ headers }: HttpAnswer): boolean {
  return headers['idempotent-replayed'] === 'true';
}

void t.test('each dialect: the second of two equal requests writes nothing', async (t) => {
  const gateway = await RealGateway.start(t);
  for (const [index, { path, good }] of routes.entries()) {
    const headers = { ...agent, 'idempotency-key': `key ${index}` };
    const sendOnce = () => gateway.send({ path, headers, body: `m${index} v=1\n` });
    const answers = [await sendOnce(), await sendOnce()];
    t.same(
      answers.map(({ status }) => status),
      [good, good],
      path,
    );
    t.same(answers.map(isRepeat), [false, true], path);
    t.equal(await gateway.count(`d.m${index}`), 1, path);
  }
  for (const path of ['/api/v1/write/msgpack', '/write/v2/msgpack']) {
    const headers = { ...agent, 'x-arc-database': 'd', 'idempotency-key': 'packed' };
    const answer = await gateway.send({ path, headers, body: columnar });
    t.equal(answer.status, 204, answer.text);
  }
  t.equal(await gateway.count('d.mp'), 1);
  const headers = { ...agent, 'idempotency-key': 'partly' };
  const partly = () =>
    gateway.send({ path: '/write?db=d', headers, body: 'p v=1\nbad\np v="text"\n' });
  const [first, second] = [await partly(), await partly()];
  t.equal(first.status, 400);
  t.equal(second.status, 400);
  t.equal(second.text, first.text);
  t.equal(await gateway.count('d.p'), 1);

  for (const key of ['x'.repeat(256), 'a\tb']) {
    for (const { path } of routes) {
      const refused = await gateway.send({
        path,
        headers: { 'idempotency-key': key },
        body: 'm v=1\n',
      });
      t.equal(refused.status, 400, path);
      t.match(refused.text, /Idempotency-Key/);
    }
  }
});

void t.test('a sender with one key for all loses nothing, and is named', async (t) => {
  const gateway = await RealGateway.start(t);
  const headers = { ...agent, 'idempotency-key': 'always the same' };
  for (let value = 0; value < 5; value += 1) {
    const body = `m v=${value}i ${value}\n`;
    t.equal((await gateway.send({ path: '/write?db=d&precision=u', headers, body })).status, 204);
  }
  t.equal(await gateway.count('d.m'), 5);
  const { alarms } = await gateway.status();
  t.match(alarms, [{ id: 'key_reused', detail: /127\.0\.0\.1 test sender/ }]);
  const { text } = await gateway.send({ path: '/metrics' });
  t.match(text, /^holdfast_ingest_keys_reused_total\{dialect="v1"\} 4$/m);
  t.match(text, /^holdfast_ingest_keys 1$/m);
});

void t.test('keys outlive kills, in the log and in files whose log is gone', async (t) => {
  const gateway = await RealGateway.start(t, ['--ingest-buffer-age-max', '100ms']);
  const send = (key: string) =>
    gateway.send({
      path: '/api/v1/write/msgpack?db=d',
      headers: { 'idempotency-key': key },
      body: columnar,
    });
  const keys = Array.from({ length: 20 }, (_, index) => `key ${index}`);
  let sent = 0;
  for (let life = 0; life < 4; life += 1) {
    for (const key of keys.slice(0, sent)) {
      const again = await send(key);
      t.ok(isRepeat(again), `${key} in life ${life}: ${again.status} ${again.text}`);
    }
    for (const key of keys.slice(sent, sent + 5)) t.equal((await send(key)).status, 204);
    sent += 5;
    // Every other life files its rows, keys included, and the log lets go of them.
    if (life % 2 === 1) {
      await gateway.filed();
      t.ok(gateway.dataFiles().some((path) => path.startsWith('_internal/idempotency_keys/')));
    }
    await gateway.kill();
    await gateway.startAgain();
    await keysReady(gateway);
  }
  t.equal(await gateway.count('d.mp'), keys.length);
  for (const key of keys) t.ok(isRepeat(await send(key)), key);
  t.equal(await gateway.count('d.mp'), keys.length);
  t.equal(await gateway.stop(), 0);
  await gateway.startAgain();
  await keysReady(gateway);
  for (const key of keys) t.ok(isRepeat(await send(key)), key);
  t.equal(await gateway.count('d.mp'), keys.length);
});

/** Resolves when requests with a key come in: the answer to one of a database of its own. */
async function keysReady(gateway: RealGateway): Promise<void> {
  for (;;) {
    const headers = { 'idempotency-key': `probe ${Math.random()}` };
    const { status } = await gateway.send({ path: '/write?db=probe', headers, body: '#\n' });
    if (status === 204) return;
    await new Promise((resolve) => setTimeout(resolve, 20));
  }
}

/** {"m": "killed", "columns": {"time": [0], "v": [number]}}: two of them are two rows. */
function numbered(number: number): Buffer {
  const body = Buffer.from('82a16da66b696c6c6564a7636f6c756d6e7382a474696d659100a17691ce', 'hex');
  const value = Buffer.alloc(4);
  value.writeUInt32BE(number);
  return Buffer.concat([body, value]);
}

void t.test('what is sent until it is answered, through kills, is there once', async (t) => {
  const gateway = await RealGateway.start(t, ['--ingest-buffer-age-max', '50ms']);
  const total = 400;
  const lanes = 4;
  const killsAfter = [40, 120, 200, 280];
  let answered = 0;
  let alive = Promise.resolve();
  const killSometimes = () => {
    if (answered < (killsAfter[0] ?? Infinity)) return;
    killsAfter.shift();
    alive = gateway.kill().then(() => gateway.startAgain());
  };
  let repeats = 0;
  let retries = 0;
  const deliver = async (number: number) => {
    const headers = { 'idempotency-key': `row ${number}` };
    const path = '/api/v1/write/msgpack?db=d';
    for (let attempt = 0; ; attempt += 1) {
      await alive;
      const answer = await gateway
        .send({ path, headers, body: numbered(number) })
        .catch(() => undefined);
      retries += attempt > 0 ? 1 : 0;
      if (answer === undefined || answer.status === 503) {
        await new Promise((resolve) => setTimeout(resolve, 10));
        continue;
      }
      if (answer.status !== 204) throw new Error(`${answer.status} ${answer.text}`);
      repeats += isRepeat(answer) ? 1 : 0;
      return;
    }
  };
  let next = 0;
  const lane = async () => {
    while (next < total) {
      await deliver((next += 1));
      answered += 1;
      killSometimes();
    }
  };
  await Promise.all(Array.from({ length: lanes }, lane));
  await alive;
  t.same(killsAfter, [], 'it was killed each time');
  t.ok(retries > 0, `${retries} requests were sent again, ${repeats} of them were known`);
  const counts = await gateway.select('SELECT count(*), count(DISTINCT v), max(v) FROM d.killed');
  t.strictSame(counts, [[BigInt(total), BigInt(total), BigInt(total)]]);
});

void t.test('an answer that the sender did not read is given again', async (t) => {
  const gateway = await RealGateway.start(t);
  const { hostname, port } = new URL(gateway.url);
  for (let round = 0; round < 5; round += 1) {
    const body = `lost v=${round}i\n`;
    const head = `POST /write?db=d HTTP/1.1\r\nHost: localhost\r\nIdempotency-Key: r${round}\r\n`;
    const socket = connect(Number(port), hostname);
    await once(socket, 'connect');
    socket.write(`${head}Content-Length: ${body.length}\r\n\r\n${body}`);
    while (!(await hasRow(gateway, round))) await new Promise((go) => setTimeout(go, 5));
    socket.destroy();
    const headers = { 'idempotency-key': `r${round}` };
    const again = await gateway.send({ path: '/write?db=d', headers, body });
    t.equal(again.status, 204);
    t.ok(isRepeat(again));
  }
  t.equal(await gateway.count('d.lost'), 5);
});

async function hasRow(gateway: RealGateway, value: number): Promise<boolean> {
  const { text } = await gateway.send({
    path: '/api/v1/query',
    body: JSON.stringify({ sql: `SELECT count(*) FROM d.lost WHERE v = ${value}` }),
  });
  return text.includes('[[1]]');
}
