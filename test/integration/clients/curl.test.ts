/**
 * curl as people and scripts use it: plain, gzip and chunked bodies on every route that takes line
 * protocol, files by `--data-binary`, and SQL.
 */
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { text } from 'node:stream/consumers';
import { gzipSync } from 'node:zlib';
import t from 'tap';
import { RealGateway, scratchDirectory } from '../../support/real-gateway.ts';
import { required } from '../../support/requirements.ts';

t.setTimeout(120_000);

const skip = required('curl', [{ kind: 'program', name: 'curl', from: 'curl' }]);

async function curl(words: readonly string[], input: Uint8Array | string = '') {
  const child = spawn('curl', ['--silent', '--show-error', '--max-time', '60', ...words]);
  child.stdin.on('error', () => undefined);
  child.stdin.end(input);
  const [out, err] = await Promise.all([
    text(child.stdout),
    text(child.stderr),
    once(child, 'close'),
  ]);
  return { code: child.exitCode, out, err };
}

const routes = [
  ['v1', '/write?db=d&precision=s'],
  ['v2', '/api/v2/write?bucket=d&org=any&precision=s'],
  ['v3', '/api/v3/write_lp?db=d&precision=second'],
  ['arc', '/api/v1/write/line-protocol?db=d&precision=s'],
] as const;

const status = ['--output', '/dev/null', '--write-out', '%{http_code}'];

void t.test('each route takes each way in which curl sends', { skip }, async (t) => {
  const gateway = await RealGateway.start(t);
  const scratch = scratchDirectory(t);
  for (const [dialect, path] of routes) {
    const url = gateway.url + path;
    const line = (way: string, value: number) =>
      `${dialect},way=${way} v=${value}i,s="ünï,\ncode \\"q\\"" ${1_700_000_000 + value}\n`;
    const file = join(scratch, 'lines');
    writeFileSync(file, line('file', 1) + line('file', 2));
    const packed = gzipSync(line('gzip', 3));
    const gzip = ['--header', 'Content-Encoding: gzip'];
    const chunked = ['--header', 'Transfer-Encoding: chunked'];
    const input = ['--data-binary', '@-'];
    const answers = [
      await curl([...status, url, '--data-binary', line('plain', 0)]),
      await curl([...status, url, '--data-binary', `@${file}`]),
      await curl([...status, url, ...gzip, ...input], packed),
      await curl([...status, url, ...chunked, ...input], line('chunked', 4)),
      await curl([...status, url, ...chunked, ...gzip, ...input], gzipSync(line('both', 5))),
      await curl([...status, url, '--request', 'POST', '--upload-file', '-'], line('upload', 6)),
      await curl([...status, url, '--form-string', 'x=y']),
    ];
    // The last sends a form, which holds no line.
    const expected = [...Array.from({ length: 6 }, () => '204'), dialect === 'arc' ? '204' : '400'];
    t.strictSame(
      answers.map(({ out, code }) => (code === 0 ? out : code)),
      expected,
      dialect,
    );
    const rows = await gateway.select(
      `SELECT way, v, s, epoch("time")::BIGINT FROM d.${dialect} ORDER BY v`,
    );
    const ways = ['plain', 'file', 'file', 'gzip', 'chunked', 'both', 'upload'];
    t.strictSame(
      rows,
      ways.map((way, value) => [
        way,
        BigInt(value),
        'ünï,\ncode "q"',
        1_700_000_000n + BigInt(value),
      ]),
      dialect,
    );
  }
});

void t.test('what curl prints of a bad line, and SQL', { skip }, async (t) => {
  const gateway = await RealGateway.start(t);
  const bad = 'm v=1i 1\nbad\nm v=2i 2000\n';
  const told = await Promise.all(
    routes.map(async ([dialect, path]) => {
      const { out } = await curl([gateway.url + path, '--data-binary', bad]);
      return [dialect, out] as const;
    }),
  );
  const texts = Object.fromEntries(told);
  t.match(texts['v1'], /^\{"error":"partial write: unable to parse 'bad': .* dropped=0"\}\n$/);
  t.match(texts['v2'], /^\{"code":"invalid","message":"partial write: .*","line":2\}\n$/);
  t.match(texts['v3'], /"original_line":"bad","line_number":2/);
  t.equal(texts['arc'], '');

  const query = await curl([
    `${gateway.url}/api/v1/query`,
    '--header',
    'Content-Type: application/json',
    '--data',
    '{"sql":"SELECT DISTINCT v FROM d.m ORDER BY v"}',
  ]);
  t.match(JSON.parse(query.out), { success: true, data: [[1], [2]] });
  const names = await curl([
    '--get',
    `${gateway.url}/query`,
    '--data-urlencode',
    'q=SHOW DATABASES',
  ]);
  t.match(JSON.parse(names.out), { results: [{ series: [{ values: [['d']] }] }] });
  const ping = await curl(['--head', `${gateway.url}/ping`]);
  t.match(ping.out, /^X-Influxdb-Version: 1\.8\.10\r$/im);
});
