/** What only a real socket shows: slow, chunked, broken and refused bodies, and stopping. */
import { once } from 'node:events';
import { request, type IncomingMessage } from 'node:http';
import { connect, type Socket } from 'node:net';
import { Readable } from 'node:stream';
import { gzipSync } from 'node:zlib';
import t, { type Test } from 'tap';
import { composeFront } from '../../../support/http-front.ts';
import type { HttpFrontOptions } from '../../../../src/fronts/http/front-types.ts';

async function listening(t: Test, options: Partial<HttpFrontOptions> = {}) {
  const composed = composeFront(options);
  const url = new URL(await composed.front.open());
  t.teardown(() => composed.front.close());
  return { ...composed, url, port: Number(url.port) };
}

/** All that the server sends on a raw connection until it closes it. */
async function rawAnswer(port: number, send: (socket: Socket) => void): Promise<string> {
  const socket = connect(port, '127.0.0.1');
  await once(socket, 'connect');
  const received: Buffer[] = [];
  socket.on('data', (chunk) => received.push(chunk));
  // A reset ends a connection as well as an orderly close does.
  socket.on('error', () => undefined);
  const closed = new Promise((resolve) => socket.once('close', resolve));
  send(socket);
  await closed;
  return Buffer.concat(received).toString();
}

const head = (length: number | string) =>
  `POST /write HTTP/1.1\r\nHost: localhost\r\nContent-Length: ${length}\r\n\r\n`;

t.test('a gzip body in many small chunks is put together', async (t) => {
  const { url, script } = await listening(t, { maxBodyBytes: 1024 * 1024 });
  const lines = 'm,host=a f=1,g=2\n'.repeat(500);
  const outgoing = request(new URL('/write?db=x', url), {
    method: 'POST',
    headers: { 'content-encoding': 'gzip' },
  });
  for (const byte of gzipSync(lines)) outgoing.write(Buffer.of(byte));
  outgoing.end();
  const [answer] = (await once(outgoing, 'response')) as [IncomingMessage];
  t.equal(answer.statusCode, 204);
  t.equal(Buffer.from(script.writes[0]?.body ?? []).toString(), lines);
});

t.test('a request without a Host is turned away in the words of its dialect', async (t) => {
  const { port, script } = await listening(t);
  const ask = (line: string) =>
    rawAnswer(port, (socket) => socket.write(`${line} HTTP/1.1\r\nConnection: close\r\n\r\n`));
  const write = await ask('POST /write?db=x');
  t.match(write, /^HTTP\/1\.1 503 [^]*\r\nretry-after: \d+\r\n[^]*"code":"not_local"/);
  t.match(await ask('POST /api/v2/write'), /^HTTP\/1\.1 503 [^]*\{"code":"not_local","message":/);
  t.match(await ask('GET /ready'), /^HTTP\/1\.1 403 [^]*\{"success":false,[^]*"not_local"/);
  t.equal(script.writes.length, 0);
});

t.test('a body that comes too slowly is cut off without an answer', async (t) => {
  const { port, script } = await listening(t, { requestTimeoutMs: 150, slownessCheckMs: 20 });
  const answer = await rawAnswer(port, (socket) => socket.write(`${head(100)}m f=1`));
  t.equal(answer, '', 'any 4xx would make Telegraf drop the batch');
  t.equal(script.writes.length, 0);
});

t.test('a head that comes too slowly is cut off without an answer', async (t) => {
  const { port } = await listening(t, { requestTimeoutMs: 150, slownessCheckMs: 20 });
  t.equal(await rawAnswer(port, (socket) => socket.write('POST /write HT')), '');
});

t.test('a chunked body that breaks is cut off without an answer', async (t) => {
  const { port, script } = await listening(t);
  const answer = await rawAnswer(port, (socket) => {
    socket.write('POST /write HTTP/1.1\r\nHost: localhost\r\nTransfer-Encoding: chunked\r\n\r\n');
    setTimeout(() => socket.write('zz not hex\r\n'), 50);
  });
  t.equal(answer, '');
  t.equal(script.writes.length, 0);
});

t.test('bytes that are not HTTP get 400 in JSON', async (t) => {
  const { port } = await listening(t);
  const answer = await rawAnswer(port, (socket) => socket.write('\x16\x03\x01 TLS?\r\n\r\n'));
  t.match(answer, /^HTTP\/1\.1 400 .*application\/json.*"code":"http"/s);
});

t.test('a head that is too long gets 431 in JSON', async (t) => {
  const { port } = await listening(t);
  const answer = await rawAnswer(port, (socket) => {
    socket.write(`GET /ping HTTP/1.1\r\nHost: localhost\r\nX-Long: ${'a'.repeat(20_000)}\r\n\r\n`);
  });
  t.match(answer, /^HTTP\/1\.1 431 .*application\/json/s);
});

t.test(
  'broken heads are answered in words of every dialect, and the next request works',
  async (t) => {
    const { port } = await listening(t);
    const host = 'Host: localhost\r\n';
    const lengths = ['-5', 'x', '0x5', '5, 6', '99999999999999999999', '5\r\nContent-Length: 6'];
    const heads: [string, number][] = [
      ...lengths.map((length): [string, number] => [`${host}Content-Length: ${length}\r\n`, 400]),
      [`${host}Content-Length: 5\r\nTransfer-Encoding: chunked\r\n`, 400],
      [`${host}X-Nul: a\0b\r\n`, 400],
      [`${host}X Space: a\r\n`, 400],
      [`${host}${Array.from({ length: 3000 }, (_, at) => `x${at}:\r\n`).join('')}`, 431],
      [`${host}X-Long: ${'a'.repeat(1_000_000)}\r\n`, 431],
    ];
    for (const [fields, status] of heads) {
      const answer = await rawAnswer(port, (socket) => {
        socket.write(`POST /api/v2/write HTTP/1.1\r\n${fields}\r\nm f=1`);
      });
      t.match(answer, new RegExp(`^HTTP/1\\.1 ${status} `), JSON.stringify(fields.slice(0, 60)));
      const [, body = ''] = answer.split('\r\n\r\n');
      t.match(JSON.parse(body), { success: false, error: String, message: String, code: 'http' });
    }
    const next = await rawAnswer(port, (socket) => {
      socket.end('GET /ping HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n');
    });
    t.match(next, /^HTTP\/1\.1 204 /);
  },
);

t.test('an expectation that nobody knows is passed over', async (t) => {
  const { port, script } = await listening(t);
  const answer = await rawAnswer(port, (socket) => {
    const fields = 'Host: localhost\r\nExpect: the-unexpected\r\nConnection: close\r\n';
    socket.write(`POST /write HTTP/1.1\r\n${fields}Content-Length: 5\r\n\r\nm f=1`);
  });
  t.match(answer, /^HTTP\/1\.1 204 /);
  t.equal(script.writes.length, 1);
});

t.test('ends of bodies that are too long or none are cut off without an answer', async (t) => {
  const { port, script } = await listening(t);
  const chunked = 'POST /write HTTP/1.1\r\nHost: localhost\r\nTransfer-Encoding: chunked\r\n\r\n';
  const bombs = {
    'a chunk extension': `5;${'x'.repeat(1_000_000)}\r\nm f=1\r\n0\r\n\r\n`,
    'a trailer': `5\r\nm f=1\r\n0\r\nX: ${'x'.repeat(1_000_000)}\r\n\r\n`,
    'many trailers': `5\r\nm f=1\r\n0\r\n${'x:\r\n'.repeat(100_000)}\r\n`,
    'a length of no number': 'g\r\nm f=1\r\n0\r\n\r\n',
    'a length beyond all': 'fffffffffffffffff\r\nm f=1',
  };
  for (const [what, body] of Object.entries(bombs)) {
    t.equal(await rawAnswer(port, (socket) => socket.write(chunked + body)), '', what);
  }
  t.equal(script.writes.length, 0, 'nothing of them was taken');
});

t.test('a request without Host is refused', async (t) => {
  const { port } = await listening(t);
  const answer = await rawAnswer(port, (socket) => socket.write('GET /health HTTP/1.0\r\n\r\n'));
  t.match(answer, /^HTTP\/1\.1 403 /);
});

t.test('a sender that goes away midway leaves nothing behind', async (t) => {
  const { front, port, script } = await listening(t);
  const socket = connect(port, '127.0.0.1');
  socket.write(`${head(100)}m f=1`);
  await once(socket, 'connect');
  while (front.active === 0) await new Promise(setImmediate);
  socket.destroy();
  await front.drain();
  t.equal(front.active, 0);
  t.equal(script.writes.length, 0);
});

for (const encoded of [false, true]) {
  const kind = encoded ? 'compressed' : 'plain';
  t.test(`a ${kind} body over the limit: the sender reads 413, the connection stays`, async (t) => {
    const { port } = await listening(t, { maxBodyBytes: 100_000 });
    const big = 'm f=1\n'.repeat(1_000_000);
    const chunks = encoded ? gzipSync(big, { level: 0 }) : Buffer.from(big);
    const answer = await rawAnswer(port, (socket) => {
      const encoding = encoded ? 'Content-Encoding: gzip\r\n' : '';
      socket.write(`POST /write HTTP/1.1\r\nHost: localhost\r\nTransfer-Encoding: chunked\r\n`);
      socket.write(`${encoding}\r\n`);
      socket.write(`${chunks.length.toString(16)}\r\n`);
      socket.write(chunks);
      socket.write('\r\n0\r\n\r\n');
      socket.write('GET /ping HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n');
    });
    t.match(answer, /^HTTP\/1\.1 413 .*"code":"body_too_large".*HTTP\/1\.1 204 /s);
  });
}

t.test('a write refused before its body was read is answered, the connection stays', async (t) => {
  const { port, script } = await listening(t);
  script.admitError = 'HF_DISK_FULL';
  const body = 'm f=1\n'.repeat(1_000_000);
  const answer = await rawAnswer(port, (socket) => {
    socket.write(head(body.length));
    socket.write(body);
    socket.write('GET /ping HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n');
  });
  t.match(answer, /^HTTP\/1\.1 503 .*"code":"disk_full".*HTTP\/1\.1 204 /s);
});

t.test('while stopping, what is under way is answered and what is new gets 503', async (t) => {
  const { front, url, script } = await listening(t);
  const { promise, resolve: openGate } = Promise.withResolvers<undefined>();
  script.gate = promise;
  const first = fetch(new URL('/write', url), { method: 'POST', body: 'm f=1' });
  while (script.writes.length === 0) await new Promise(setImmediate);
  const drained = front.drain();
  const second = await fetch(new URL('/write', url), { method: 'POST', body: 'm f=2' });
  t.equal(second.status, 503);
  t.match(await second.json(), { code: 'shutting_down' });
  t.match(second.headers.get('retry-after'), /^\d+$/);
  t.equal((await fetch(new URL('/health', url))).status, 200, 'its end can be watched');
  openGate(undefined);
  t.equal((await first).status, 204);
  await drained;
  await front.close();
  await t.rejects(fetch(new URL('/ping', url)), 'no longer listening');
});

t.test('a client that goes away ends its query', async (t) => {
  const { url, script, front } = await listening(t);
  let destroyed = false;
  script.queryBody = () =>
    new Readable({
      read() {
        this.push('['.padEnd(1000));
      },
      destroy(error, done) {
        destroyed = true;
        done(error);
      },
    });
  const stop = new AbortController();
  const body = '{"sql":"SELECT 1"}';
  const target = new URL('/api/v1/query', url);
  const answer = await fetch(target, { method: 'POST', body, signal: stop.signal });
  t.equal(answer.status, 200);
  stop.abort();
  await front.drain();
  t.equal(script.queries[0]?.signal?.aborted, true);
  t.equal(destroyed, true);
});

t.test('an answer that breaks midway is cut, so that it never looks complete', async (t) => {
  const { url, script } = await listening(t);
  script.queryBody = () => {
    let sent = false;
    return new Readable({
      read() {
        if (sent) this.destroy(new Error('engine died'));
        else this.push('{"success":true,');
        sent = true;
      },
    });
  };
  const body = '{"sql":"SELECT 1"}';
  const target = new URL('/api/v1/query', url);
  const whole = fetch(target, { method: 'POST', body }).then((answer) => answer.text());
  await t.rejects(whole);
});

t.test('an address that is taken is said', async (t) => {
  const { port } = await listening(t);
  const { front } = composeFront({ port });
  await t.rejects(front.open(), { code: 'HF_LISTEN', message: /EADDRINUSE/ });
  await front.close();
});

t.test('keep-alive: many requests on one connection', async (t) => {
  const { port, script } = await listening(t);
  const answer = await rawAnswer(port, (socket) => {
    for (let index = 0; index < 20; index += 1) socket.write(`${head(5)}m f=1`);
    socket.write('GET /ping HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n');
  });
  t.equal(answer.match(/HTTP\/1\.1 204 /g)?.length, 21);
  t.equal(script.writes.length, 20);
});
