/**
 * Mutated requests on raw connections to a real gateway: each ends with an HTTP answer or a closed
 * connection, none of them is a fault of the gateway's own, and a good request works afterwards.
 */
import { connect } from 'node:net';
import { gzipSync } from 'node:zlib';
import t from 'tap';
import { keptInputs, savedInput } from '../support/fuzz/fuzz-run.ts';
import { pyarrowStream } from '../support/arrow-decoder.ts';
import { mutated } from '../support/fuzz/mutate.ts';
import { text } from '../support/fuzz/target.ts';
import { packed } from '../support/msgpack-bytes.ts';
import { chosenSeed, isLongRun, seededRandom, type Random } from '../support/random.ts';
import { RealGateway } from '../support/real-gateway.ts';

const budgetMs = isLongRun() ? 90_000 : 5000;
const answerMsMax = 60_000;
const together = 16;

function request(target: string, body: string | Uint8Array, fields = '', method = 'POST') {
  const bytes = Buffer.from(body);
  const length = method === 'GET' ? '' : `Content-Length: ${bytes.length}\r\n`;
  const head = `${method} ${target} HTTP/1.1\r\nHost: localhost\r\n${fields}${length}\r\n`;
  return Buffer.concat([text(head), bytes]);
}

const lines = 'm,h=a v=1i,s="x" 1\nm v=2\n';
const chunked = 'Transfer-Encoding: chunked\r\n';
const json = 'Content-Type: application/json\r\n';
const seeds: readonly Uint8Array[] = [
  request('/write?db=d&precision=u', lines),
  request('/api/v2/write?bucket=d%2Fx&org=o', gzipSync(lines), 'Content-Encoding: gzip\r\n'),
  request('/api/v3/write_lp?db=d&accept_partial=false', 'bad\nm v=1', 'Idempotency-Key: k1\r\n'),
  request('/api/v1/write/line-protocol', lines, 'x-arc-database: d\r\n'),
  request('/api/v1/write/msgpack?db=d', packed([{ m: 'p', t: 1_700_000_000, fields: { v: 1 } }])),
  request('/api/v1/write/arrow?db=d&measurement=a&tags=host', pyarrowStream('tags in metadata')),
  request('/query', 'q=CREATE+DATABASE+"x";SHOW+DATABASES', 'Content-Type: a/b\r\n'),
  request('/api/v1/query', '{"sql":"SELECT $1, 2","params":[1]}', json),
  request('/query?q=SHOW%20DATABASES&pretty=true', '', '', 'GET'),
  request('/ping', '', 'Connection: keep-alive\r\nExpect: 100-continue\r\n', 'GET'),
  request('/metrics', '', 'Accept-Encoding: gzip\r\nOrigin: http://localhost\r\n', 'GET'),
  request(
    '/api/v1/status',
    '',
    'X-Forwarded-For: 127.0.0.1\r\nForwarded: for="[::1]:1"\r\n',
    'GET',
  ),
  Buffer.concat([
    text(`POST /write?db=d HTTP/1.1\r\nHost: 127.0.0.1:1\r\n${chunked}\r\n`),
    text('5;x=y\r\nm v=1\r\n3\r\n 1\n\r\n0\r\nTrailer: z\r\n\r\n'),
  ]),
];

const words = [
  ...[
    '\r\n',
    '\n',
    '\r\n\r\n',
    ' ',
    ':',
    '%',
    '%00',
    '%zz',
    '/',
    '//',
    '?',
    '&',
    '=',
    ';',
    '"',
    '\\',
  ],
  ...[
    'GET ',
    'POST ',
    'PUT ',
    'OPTIONS * ',
    'HTTP/1.0',
    'HTTP/2.0',
    'Host: localhost\r\n',
    'Host: x\r\n',
  ],
  ...[
    'Content-Length: 0\r\n',
    'Content-Length: 4294967296\r\n',
    chunked,
    'Content-Encoding: zstd\r\n',
  ],
  ...['Expect: x\r\n', 'Upgrade: websocket\r\nConnection: Upgrade\r\n', 'Connection: close\r\n'],
  ...[
    '0\r\n\r\n',
    'ffffffff\r\n',
    '__proto__',
    'SELECT ',
    'DROP ',
    "'",
    '--',
    '[',
    '{',
    '\0',
    '\xff',
  ],
];

/** A mutated request; half of them have a good head, so that what is behind it is met. */
function mutatedRequest(random: Random, corpus: readonly Uint8Array[]): Uint8Array {
  if (random.chance(0.5)) return mutated(random, { corpus, words });
  const whole = Buffer.from(random.pick(seeds));
  const split = whole.indexOf('\r\n\r\n') + 4;
  const bodies = seeds.map((seed) => seed.subarray(Buffer.from(seed).indexOf('\r\n\r\n') + 4));
  const own = whole.subarray(split);
  const body = mutated(random, { corpus: own.length > 0 ? [own, own, ...bodies] : bodies, words });
  const head = whole.toString('latin1', 0, split);
  const length = `Content-Length: ${body.length}`;
  return Buffer.concat([Buffer.from(head.replace(/Content-Length: \d+/, length), 'latin1'), body]);
}

/** What came back until the connection was closed; undefined if it was not. */
function answerTo(port: number, bytes: Uint8Array): Promise<Buffer | undefined> {
  return new Promise((resolve) => {
    const parts: Buffer[] = [];
    const socket = connect(port, '127.0.0.1');
    const timer = setTimeout(() => {
      resolve(undefined);
      socket.destroy();
    }, answerMsMax);
    socket.on('data', (part) => parts.push(part));
    // A reset ends a connection as well as an orderly close does.
    socket.on('error', () => undefined);
    socket.on('close', () => {
      clearTimeout(timer);
      resolve(Buffer.concat(parts));
    });
    socket.end(bytes);
  });
}

/** What is wrong with an answer, or undefined. */
function wrongWith(answer: Buffer | undefined): string | undefined {
  if (answer === undefined) return 'neither an answer nor the end of the connection';
  const [first = ''] = answer.toString('latin1').split('\r\n', 1);
  if (answer.length === 0) return undefined;
  const status = /^HTTP\/1\.1 (\d{3}) /.exec(first)?.[1];
  if (status === undefined) return `no HTTP: ${first}`;
  return status === '500' ? `a fault of its own: ${answer.toString('latin1')}` : undefined;
}

void t.test('mutated requests', async (t) => {
  const gateway = await RealGateway.start(t);
  const port = Number(new URL(gateway.url).port);
  const seed = chosenSeed();
  const random = seededRandom(seed);
  const kept = keptInputs('http-front').map(({ bytes }) => Buffer.from(bytes, 'base64'));
  const corpus = [...seeds, ...kept];
  const waiting: Uint8Array[] = [...corpus];
  const statuses = new Map<string, number>();
  let cases = 0;
  let good = 0;
  const untilMs = performance.now() + budgetMs;
  while (waiting.length > 0 || performance.now() < untilMs) {
    const inputs = Array.from(
      { length: together },
      () => waiting.shift() ?? mutatedRequest(random, corpus),
    );
    const answers = await Promise.all(inputs.map((input) => answerTo(port, input)));
    cases += inputs.length;
    for (const [index, answer] of answers.entries()) {
      const status = answer?.toString('latin1', 9, 12) ?? '';
      statuses.set(status, (statuses.get(status) ?? 0) + 1);
      const wrong = wrongWith(answer);
      if (wrong === undefined) continue;
      t.fail(`${wrong}, --seed=${seed}, ${savedInput('http-front', inputs[index] ?? text(''))}`);
      return;
    }
    const next = await gateway.write(`good v=${cases}i ${cases}`);
    if (next.status !== 204) t.equal(next.text, '', 'a good request works');
    good += 1;
  }
  t.comment(`${cases} cases, --seed=${seed}: ${JSON.stringify([...statuses].sort())}`);
  t.equal(gateway.hasEnded, false, 'it stays up');
  t.equal(await gateway.count('d.good'), good, 'and kept what was good');
  t.same(
    gateway.lines.filter((line) => line.includes('a request failed')),
    [],
    'with no fault of its own',
  );
  t.ok((statuses.get('204') ?? 0) > 0 && (statuses.get('400') ?? 0) > 0, 'of several kinds');
  t.equal(await gateway.stop(), 0);
});

void t.test('a fault of the gateway, and what is no HTTP, would be seen', (t) => {
  t.match(wrongWith(Buffer.from('HTTP/1.1 500 Internal Server Error\r\n\r\n')), /fault/);
  t.match(wrongWith(Buffer.from('Segmentation fault')), /no HTTP/);
  t.match(wrongWith(undefined), /neither/);
  t.equal(wrongWith(Buffer.from('HTTP/1.1 400 Bad Request\r\n\r\n')), undefined);
  t.equal(wrongWith(Buffer.alloc(0)), undefined);
  t.end();
});
