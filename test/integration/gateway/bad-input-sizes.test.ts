/**
 * Requests that are well-formed and far larger in one direction than any sender's: series, hours,
 * different keys, nesting, compression. Each is taken exactly or refused by name, the memory of
 * the gateway's main process stays bounded, and the next good request works.
 */
import { setTimeout as sleep } from 'node:timers/promises';
import { deflateSync, gzipSync, zstdCompressSync } from 'node:zlib';
import t from 'tap';
import { forgetPeak, mebibyte, peakBytes } from '../../support/process-memory.ts';
import { isLongRun } from '../../support/random.ts';
import { RealGateway, type HttpRequest } from '../../support/real-gateway.ts';

/** Sends until it is not told to wait any more. */
async function sendPatiently(gateway: RealGateway, request: HttpRequest) {
  for (let tries = 0; ; tries += 1) {
    const answer = await gateway.send(request);
    if (answer.status !== 503) return answer;
    if (tries > 3000) throw new Error(`refused for good: ${answer.text}`);
    await sleep(20);
  }
}

async function pidOf(gateway: RealGateway): Promise<number> {
  return (await gateway.status()).gateway.pid;
}

void t.test('a million series in one measurement', async (t) => {
  const gateway = await RealGateway.start(t, ['--ingest-memory', '128MiB']);
  const pid = await pidOf(gateway);
  const series = isLongRun() ? 10_000_000 : 1_000_000;
  const perRequest = 50_000;
  forgetPeak(pid);
  for (let from = 0; from < series; from += perRequest) {
    const lines = Array.from({ length: perRequest }, (_, at) => {
      const id = from + at;
      return `m,id=serial-${id} v=${id}i ${1_700_000_000_000_000 + id}`;
    });
    const path = '/write?db=d&precision=u';
    const answer = await sendPatiently(gateway, { path, body: lines.join('\n') });
    if (answer.status !== 204) t.equal(answer.text, '');
  }
  const total = (BigInt(series) * BigInt(series - 1)) / 2n;
  const sql =
    'SELECT count(*), count(DISTINCT id), sum(v)::HUGEINT::VARCHAR, ' +
    "count(*) FILTER (id = 'serial-' || v) FROM d.m";
  const expected = [[BigInt(series), BigInt(series), String(total), BigInt(series)]];
  t.same(await gateway.select(sql), expected);
  const peak = peakBytes(pid) / mebibyte;
  t.comment(`at most ${peak.toFixed(0)} MiB`);
  t.ok(peak < 900, 'memory is bounded');
  t.equal((await gateway.write('m,id=next v=-1i 1')).status, 204);
});

void t.test('ten thousand hours in one request', async (t) => {
  const gateway = await RealGateway.start(t);
  const pid = await pidOf(gateway);
  const hours = 10_000;
  const hourUs = 3_600_000_000;
  const start = 1_600_000_000_000_000;
  const lines = Array.from(
    { length: hours },
    (_, hour) => `m,h=a v=${hour}i ${start + hour * hourUs}`,
  );
  forgetPeak(pid);
  const answer = await gateway.write(lines.join('\n'));
  t.equal(answer.status, 204, answer.text);
  const sql = 'SELECT count(*), sum(v)::BIGINT, min(epoch_us(time)), max(epoch_us(time)) FROM d.m';
  const last = BigInt(start + (hours - 1) * hourUs);
  const expected = [[BigInt(hours), BigInt((hours * (hours - 1)) / 2), BigInt(start), last]];
  t.same(await gateway.select(sql), expected, 'in memory');
  t.equal(await gateway.stop(), 0);
  await gateway.startAgain();
  t.same(await gateway.select(sql), expected, 'in files');
  t.ok(gateway.dataFiles().length <= 500, `${gateway.dataFiles().length} files`);
  t.equal((await gateway.write('m,h=a v=1i 1')).status, 204);
});

/** A row map of MessagePack: `{m: "wide", t: us, fields: {kNNNN: row, ...}}`. */
function putRow(out: Buffer, start: number, row: number, keys: readonly number[]): number {
  let at = start;
  at = out.writeUInt8(0x83, at);
  at += out.write('\xa1m\xa4wide\xa1t\xcf', at, 'latin1');
  at = out.writeBigUInt64BE(1_700_000_000_000_000n + BigInt(row), at);
  at += out.write('\xa6fields', at, 'latin1');
  at = out.writeUInt8(0x80 + keys.length, at);
  for (const key of keys) {
    at += out.write(`\xa5k${String(key).padStart(4, '0')}\xce`, at, 'latin1');
    at = out.writeUInt32BE(row, at);
  }
  return at;
}

void t.test('32 MiB of row maps with 2,000 different keys', async (t) => {
  const gateway = await RealGateway.start(t);
  const pid = await pidOf(gateway);
  const out = Buffer.alloc(32 * mebibyte);
  let rows = 0;
  let end = 0;
  // Each row has two of the keys: as dense columns they would take 11 GB.
  while (end < out.length - 64) {
    end = putRow(out, end, rows, [rows % 2000, (rows * 7 + 1) % 2000]);
    rows += 1;
  }
  const path = '/api/v1/write/msgpack?db=d';
  forgetPeak(pid);
  const answer = await gateway.send({ path, body: out.subarray(0, end) });
  t.equal(answer.status, 204, answer.text);
  t.equal(answer.headers['x-holdfast-rejected'], undefined);
  const peak = peakBytes(pid) / mebibyte;
  t.comment(`${rows} rows, at most ${peak.toFixed(0)} MiB`);
  t.ok(peak < 1500, 'memory is bounded');
  t.equal((await gateway.write('m v=1i 1')).status, 204, 'the next one is taken');
  t.equal(await gateway.count('d.m'), 1);
  // A column for each key in a file of so many rows takes its time.
  if (!isLongRun()) return;
  // Key k is in the rows r with r = k, and in those with 7 r + 1 = k, modulo 2,000.
  const all = Array.from({ length: rows }, (_, row) => row);
  const holders = all.filter((row) => row % 2000 === 8 || (row * 7 + 1) % 2000 === 8);
  const sum = holders.reduce((total, row) => total + row, 0);
  const sql = 'SELECT count(*), count(k0008), sum(k0008)::BIGINT FROM d.wide';
  t.same(await gateway.select(sql), [[BigInt(rows), BigInt(holders.length), BigInt(sum)]]);
});

void t.test('bombs: a small body that becomes a large one', async (t) => {
  const gateway = await RealGateway.start(t);
  const pid = await pidOf(gateway);
  const zeros = Buffer.alloc(256 * mebibyte, 'm f=1\n');
  const member = gzipSync(zeros.subarray(0, 16 * mebibyte));
  const frame = zstdCompressSync(zeros.subarray(0, 16 * mebibyte));
  const empty = gzipSync('');
  const bombs: [what: string, encoding: string, body: Buffer, status: number][] = [
    ['gzip', 'gzip', gzipSync(zeros), 413],
    ['zstd', 'zstd', zstdCompressSync(zeros), 413],
    ['deflate', 'deflate', deflateSync(zeros), 413],
    ['many members of gzip', 'gzip', Buffer.concat(Array<Buffer>(50).fill(member)), 413],
    ['many frames of zstd', 'zstd', Buffer.concat(Array<Buffer>(50).fill(frame)), 413],
    ['a million empty members', 'gzip', Buffer.concat(Array<Buffer>(1_000_000).fill(empty)), 204],
    ['gzip in gzip', 'gzip', gzipSync(member), 400],
    ['gzip twice', 'gzip, gzip', gzipSync(member), 400],
    [
      'very many frames',
      'zstd',
      Buffer.concat(Array<Buffer>(5000).fill(zstdCompressSync(''))),
      400,
    ],
    ['a gzip that ends early', 'gzip', member.subarray(0, member.length / 2), 400],
    ['no gzip', 'gzip', Buffer.from('m f=1'), 400],
  ];
  for (const [what, encoding, body, status] of bombs) {
    forgetPeak(pid);
    const headers = { 'content-encoding': encoding };
    const answer = await gateway.send({ path: '/api/v2/write?bucket=d', body, headers });
    t.equal(answer.status, status, `${what}: ${answer.text.slice(0, 200)}`);
    if (status >= 400) t.match(JSON.parse(answer.text), { code: String, message: String }, what);
    t.ok(peakBytes(pid) / mebibyte < 700, `${what}: memory is bounded`);
    t.equal((await gateway.write('good v=1i')).status, 204, `${what}: the next one is taken`);
  }
  t.equal(await gateway.count('d.good'), bombs.length);
  t.same(await gateway.select('SHOW TABLES FROM d'), [['d', 'good']], 'and nothing else');
});
