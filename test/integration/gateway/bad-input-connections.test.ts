/**
 * Senders that do not end, do not begin, or send heads without measure: they are cut off without an
 * answer (a 4xx would make Telegraf drop rows) or told in JSON, and others are served meanwhile.
 */
import { once } from 'node:events';
import { connect, type Socket } from 'node:net';
import { setTimeout as sleep } from 'node:timers/promises';
import t from 'tap';
import { forgetPeak, mebibyte, peakBytes } from '../../support/process-memory.ts';
import { RealGateway } from '../../support/real-gateway.ts';

interface Connection {
  readonly socket: Socket;
  /** All that came until the other side closed. */
  readonly whole: Promise<string>;
}

async function open(port: number): Promise<Connection> {
  const socket = connect(port, '127.0.0.1');
  const parts: Buffer[] = [];
  socket.on('data', (part) => parts.push(part));
  // A reset ends a connection as well as an orderly close does.
  socket.on('error', () => undefined);
  const whole = new Promise<string>((resolve) => {
    socket.once('close', () => {
      resolve(Buffer.concat(parts).toString());
    });
  });
  await once(socket, 'connect');
  return { socket, whole };
}

const head = (path: string, fields: string) =>
  `POST ${path} HTTP/1.1\r\nHost: localhost\r\n${fields}\r\n`;

/** Sends `piece` again and again until the connection is closed. */
async function drip(connection: Connection, piece: string): Promise<string> {
  const { socket, whole } = connection;
  while (!socket.destroyed) {
    socket.write(piece);
    await sleep(100);
  }
  return whole;
}

void t.test('requests that never end are cut off, and others are served meanwhile', async (t) => {
  const gateway = await RealGateway.start(t, ['--server-request-timeout', '2s']);
  const port = Number(new URL(gateway.url).port);
  const chunked = head('/write?db=d', 'Transfer-Encoding: chunked\r\n');
  const endless: [what: string, first: string, piece: string][] = [
    ['nothing at all', '', ''],
    ['half a head', 'POST /write HT', ''],
    ['a head that goes on', head('/write?db=d', '').slice(0, -2), 'X-More: 1\r\n'],
    ['a body that does not come', head('/write?db=d', 'Content-Length: 1000\r\n'), ''],
    ['a body that drips', head('/write?db=d', 'Content-Length: 1000000\r\n'), 'm v=1i 1\n'],
    ['chunks that do not end', chunked, '9\r\nm v=1i 1\n\r\n'],
    ['half of a chunk', `${chunked}1000\r\n`, 'm'],
    [
      'a body that was refused',
      head('/write?db=d&precision=x', 'Content-Length: 1000000\r\n'),
      'm',
    ],
  ];
  const ends = endless.map(async ([what, first, piece]) => {
    const connection = await open(port);
    if (first !== '') connection.socket.write(first);
    const answer = piece === '' ? await connection.whole : await drip(connection, piece);
    if (what === 'a body that was refused') t.match(answer, /^HTTP\/1\.1 400 .*precision/s, what);
    else t.equal(answer, '', `${what}: no answer`);
  });
  t.equal((await gateway.write('good v=1i 1')).status, 204, 'meanwhile');
  await Promise.all(ends);
  t.equal((await gateway.write('good v=2i 2')).status, 204, 'and afterwards');
  t.equal(await gateway.count('d.good'), 2);
  await t.rejects(gateway.count('d.m'), 'nothing of a request that did not end was taken');
});

void t.test('5,000 idle connections leave room for others', async (t) => {
  const gateway = await RealGateway.start(t);
  const { pid } = (await gateway.status()).gateway;
  const port = Number(new URL(gateway.url).port);
  forgetPeak(pid);
  const before = peakBytes(pid);
  const idle: Connection[] = [];
  const ping = 'GET /ping HTTP/1.1\r\nHost: localhost\r\n\r\n';
  for (let count = 0; count < 5000; count += 100) {
    idle.push(...(await Promise.all(Array.from({ length: 100 }, () => open(port)))));
    // Half of them were of use once, and stay.
    for (const { socket } of idle.slice(-50)) socket.write(ping);
  }
  t.equal((await gateway.write('good v=1i 1')).status, 204);
  t.equal(await gateway.count('d.good'), 1);
  const grown = (peakBytes(pid) - before) / mebibyte;
  t.comment(`${grown.toFixed(0)} MiB for 5,000 connections`);
  t.ok(grown < 400, 'memory is bounded');
  t.equal(idle.filter(({ socket }) => socket.destroyed).length, 0, 'none was cut off');
  for (const { socket } of idle) socket.destroy();
  t.equal((await gateway.write('good v=2i 2')).status, 204);
  t.equal(await gateway.stop(), 0);
});

void t.test('heads without measure', async (t) => {
  const gateway = await RealGateway.start(t);
  const { pid } = (await gateway.status()).gateway;
  const port = Number(new URL(gateway.url).port);
  const many = Array.from({ length: 100_000 }, (_, at) => `x${at}: 1\r\n`).join('');
  const bombs: [string, string][] = [
    ['one large header', `X: ${'x'.repeat(64 * mebibyte)}\r\n`],
    ['many headers', many],
    ['many cookies', 'Cookie: a=b\r\n'.repeat(100_000)],
    ['a folded header', `X: a\r\n${' b\r\n'.repeat(100_000)}`],
  ];
  for (const path of ['/write?db=d', `/write?db=${'d'.repeat(mebibyte)}`]) {
    for (const [what, fields] of bombs) {
      forgetPeak(pid);
      const connection = await open(port);
      connection.socket.write(head(path, `${fields}Content-Length: 5\r\n`));
      connection.socket.write('m v=1');
      const answer = await connection.whole;
      // The rest of the head may still be under way when the answer goes out: then it is lost.
      if (answer !== '') {
        t.match(answer, /^HTTP\/1\.1 4(31|00) .*application\/json.*"error":/s, what);
      }
      t.ok(peakBytes(pid) / mebibyte < 700, `${what}: memory is bounded`);
      t.equal((await gateway.write('good v=1i')).status, 204, `${what}: the next one works`);
    }
  }
  await t.rejects(gateway.count('d.m'), 'nothing was taken');
});
