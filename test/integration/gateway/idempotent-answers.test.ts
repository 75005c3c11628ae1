/**
 * What a request with bad rows is answered when it comes again with its key: on every write route
 * the bytes of the first answer, whether the first one is still under way, was answered, or was
 * killed before its answer was read; from the log and from files. Its rows are there once.
 */
import { once } from 'node:events';
import { connect } from 'node:net';
import { tableFromArrays, tableToIPC } from 'apache-arrow';
import t from 'tap';
import {
  arrowPath,
  lineProtocolPaths,
  messagePackPaths,
} from '../../../src/fronts/http/dialect.ts';
import { packed } from '../../support/msgpack-bytes.ts';
import { RealGateway, type HttpAnswer, type HttpRequest } from '../../support/real-gateway.ts';

t.setTimeout(300_000);

/** Two good rows, without times, and bad ones of each kind. */
function lines(name: string): string {
  const long = `n,t=${'x'.repeat(5000)}`;
  const many = Array.from({ length: 150 }, (_, row) => `bad ${row} of ${name}`);
  return [
    `${name},row=a v=1`,
    'no fields',
    `${name} v="text"`,
    long,
    ...many,
    `${name},row=b v=2`,
  ].join('\n');
}

function items(name: string): Uint8Array {
  return packed([
    { m: name, fields: { v: 1 } },
    { m: name, fields: {} },
    { m: name, columns: { v: [2] } },
    { m: name, fields: { v: 'text' } },
  ]);
}

function table(): Uint8Array {
  const time = Float64Array.of(1_700_000_000, NaN, 1_700_000_001);
  return tableToIPC(tableFromArrays({ time, v: [1, 2, 3] }), 'stream');
}

interface Keyed {
  readonly request: HttpRequest;
  readonly table: string;
  readonly name: string;
}

const all: readonly Keyed[] = [
  ...lineProtocolPaths.map(({ path }) => ({ path, body: lines })),
  ...messagePackPaths.map((path) => ({ path, body: items })),
  { path: arrowPath, body: table },
].map(({ path, body }, index) => {
  const headers = { 'idempotency-key': `key of ${path}`, 'content-type': 'text/plain' };
  const request = {
    path: `${path}?db=d&bucket=d&measurement=m${index}`,
    headers,
    body: body(`m${index}`),
  };
  return { request, table: `d.m${index}`, name: path };
});

/** All of an answer that says what became of the request. */
function told({ status, text, headers }: HttpAnswer): readonly unknown[] {
  const names = ['content-type', 'x-influxdb-error', 'x-holdfast-rejected'];
  return [status, text, ...names.map((name) => headers[name])];
}

const isRepeat = ({ headers }: HttpAnswer) => headers['idempotent-replayed'] === 'true';

async function sendUntilTaken(gateway: RealGateway, request: HttpRequest): Promise<HttpAnswer> {
  for (;;) {
    const answer = await gateway.send(request);
    if (answer.status !== 503) return answer;
    await new Promise((resolve) => setTimeout(resolve, 20));
  }
}

void t.test('each write route gives the bytes of its first answer again', async (t) => {
  const gateway = await RealGateway.start(t);
  const first: (readonly unknown[])[] = [];
  for (const { request, name } of all) {
    // Two connections race: one writes, the other waits for it.
    const both = await Promise.all([gateway.send(request), gateway.send(request)]);
    t.same(both.map(isRepeat).sort(), [false, true], name);
    const [one, other] = both.map(told);
    t.same(other, one, name);
    t.equal(both[0].headers['x-holdfast-rejected'] === undefined, false, name);
    first.push(one ?? []);
  }
  const check = async (when: string) => {
    for (const [index, { request, table, name }] of all.entries()) {
      const again = await sendUntilTaken(gateway, request);
      t.ok(isRepeat(again), `${name} ${when}`);
      t.same(told(again), first[index], `${name} ${when}`);
      t.equal(await gateway.count(table), 2, `${name} ${when}`);
    }
  };
  await check('at once');
  await gateway.kill();
  await gateway.startAgain();
  await check('from the log');
  await gateway.stop();
  await gateway.startAgain();
  await check('from files');
  const letters = await gateway.select(
    'SELECT count(*) FROM _internal.dead_letters WHERE "text" LIKE \'bad 7 of %\'',
  );
  t.same(letters, [[BigInt(lineProtocolPaths.length)]], 'each dead letter is there once');
});

void t.test('an answer that a kill took away is given after the start', async (t) => {
  const gateway = await RealGateway.start(t);
  const { hostname, port } = new URL(gateway.url);
  for (const { request, table } of all) {
    const { path, headers = {}, body = '' } = request;
    const head = Object.entries({ host: 'localhost', ...headers, 'content-length': body.length })
      .map(([name, value]) => `${name}: ${String(value)}\r\n`)
      .join('');
    const socket = connect(Number(port), hostname);
    await once(socket, 'connect');
    // Nobody reads the answer.
    socket.pause();
    socket.on('error', () => undefined);
    socket.write(`POST ${path} HTTP/1.1\r\n${head}\r\n`);
    socket.write(body as string | Uint8Array);
    while ((await gateway.count(table).catch(() => 0)) < 2) {
      await new Promise((resolve) => setTimeout(resolve, 5));
    }
    t.teardown(() => socket.destroy());
  }
  await gateway.kill();
  await gateway.startAgain();
  const other = await RealGateway.start(t);
  for (const { request, table, name } of all) {
    const again = await sendUntilTaken(gateway, request);
    t.ok(isRepeat(again), name);
    t.same(told(again), told(await other.send(request)), `${name}: as one that knows no key`);
    t.equal(await gateway.count(table), 2, name);
  }
});
