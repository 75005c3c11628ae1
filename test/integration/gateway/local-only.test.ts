/**
 * An open gateway answers programs of this machine only: pages of other sites, names that were
 * rebound to this machine, and proxies that speak for others are turned away on every route, and in
 * a way that loses no rows where rows were sent.
 */
import { connect } from 'node:net';
import { text } from 'node:stream/consumers';
import t from 'tap';
import { RealGateway, type HttpAnswer } from '../../support/real-gateway.ts';

t.setTimeout(60_000);

void t.test('only programs of this machine are answered', async (t) => {
  const gateway = await RealGateway.start(t);
  const { host, port } = new URL(gateway.url);
  const ask = (headers: Record<string, string>, path = '/api/v1/status'): Promise<HttpAnswer> =>
    gateway.send({ path, headers });
  let points = 0;
  const write = (headers: Record<string, string>, path: string): Promise<HttpAnswer> => {
    points += 1;
    return gateway.send({ path, body: `m f=1i ${points}000`, headers });
  };

  const welcome: Record<string, string>[] = [
    {},
    { host: 'localhost' },
    { host: `localhost:${port}` },
    { host: '127.0.0.1:9999' },
    { host: '127.1.2.3' },
    { host: '[::1]:8086' },
    { origin: `http://${host}` },
    { 'sec-fetch-site': 'same-origin' },
    { 'sec-fetch-site': 'none' },
    { 'x-forwarded-for': '127.0.0.1' },
    { forwarded: 'for=127.0.0.1;by="[::1]"' },
    { 'x-real-ip': '::1' },
  ];
  for (const headers of welcome) {
    t.equal((await ask(headers)).status, 200, JSON.stringify(headers));
    t.equal((await write(headers, '/write?db=d')).status, 204, JSON.stringify(headers));
  }
  const strangers: Record<string, string>[] = [
    { host: 'evil.example' },
    { host: `evil.example:${port}` },
    { host: '127.0.0.1.evil.example' },
    { host: 'localhost.evil.example' },
    { host: '192.168.1.5' },
    { host: '0.0.0.0' },
    { origin: 'http://evil.example' },
    { origin: `https://${host}` },
    { origin: 'null' },
    { origin: 'http://localhost' },
    { 'sec-fetch-site': 'cross-site' },
    { 'sec-fetch-site': 'same-site' },
    { 'x-forwarded-for': '192.168.1.5' },
    { 'x-forwarded-for': '127.0.0.1, 10.0.0.1' },
    { 'x-real-ip': '10.0.0.1' },
    { forwarded: 'for=10.0.0.1' },
    { forwarded: 'for=unknown' },
    { forwarded: 'proto=https' },
  ];
  for (const headers of strangers) {
    const name = JSON.stringify(headers);
    const asked = await ask(headers);
    t.equal(asked.status, 403, `${name}: ${asked.text}`);
    t.match(JSON.parse(asked.text), { code: 'not_local' }, name);
    for (const path of ['/metrics', '/health', '/ping', '/query?q=SHOW+DATABASES', '/nowhere']) {
      t.equal((await ask(headers, path)).status, 403, `${path} ${name}`);
    }
    for (const path of [
      '/write?db=d',
      '/api/v2/write?bucket=d',
      '/api/v3/write_lp?db=d',
      '/api/v1/write/line-protocol?db=d',
    ]) {
      const wrote = await write(headers, path);
      t.equal(wrote.status, 503, `${path} ${name}`);
      t.match(wrote.headers['retry-after'], /^\d+$/);
      t.match(wrote.text, /not_local|loopback|Host|Origin|proxy|site/);
    }
  }
  t.equal(await gateway.count('d.m'), welcome.length, 'nothing of strangers was kept');

  // What Node's client would never send.
  const hosts: readonly (readonly string[])[] = [
    [`Host: ${host}`, 'Host: evil.example'],
    ['Host: evil.example', `Host: ${host}`],
    ['Host:'],
    [],
  ];
  for (const lines of hosts) {
    for (const version of ['1.1', '1.0']) {
      const head = [`GET /api/v1/status HTTP/${version}`, ...lines, 'Connection: close', '', ''];
      const answer = await rawAnswer(Number(port), head.join('\r\n'));
      t.match(answer, /^HTTP\/1\.1 40[03] /, `HTTP/${version} ${JSON.stringify(lines)}`);
    }
  }
});

async function rawAnswer(port: number, request: string): Promise<string> {
  const socket = connect(port, '127.0.0.1');
  socket.write(request);
  return text(socket);
}
