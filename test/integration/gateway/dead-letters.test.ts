/**
 * Bad lines are not lost: they are filed as rows of `_internal.dead_letters` with the same sync as
 * the good rows of their request, also when the gateway is killed before any flush, and are read by
 * SQL while the gateway is open.
 */
import { join } from 'node:path';
import t from 'tap';
import { readWithDuckdb } from '../../support/read-parquet.ts';
import { RealGateway } from '../../support/real-gateway.ts';

interface Sent {
  readonly path: string;
  readonly body: string | Buffer;
  readonly dialect: string;
  readonly line: number;
  readonly text: string;
  readonly reason: RegExp;
}

const long = `m f=${'9'.repeat(100_000)}i`;

const sent: readonly Sent[] = [
  {
    path: '/write?db=one',
    body: 'm f=1i 1\n\nbad\n',
    dialect: 'v1',
    line: 3,
    text: 'bad',
    reason: /missing fields/,
  },
  {
    path: '/write?db=one',
    body: 'm f="text" 2\n',
    dialect: 'v1',
    line: 1,
    text: 'm f="text" 2',
    reason: /field type conflict/,
  },
  {
    path: '/api/v2/write?bucket=two',
    body: 'm,t=a,t=b f=1i 1\n',
    dialect: 'v2',
    line: 1,
    text: 'm,t=a,t=b f=1i 1',
    reason: /duplicate tags/,
  },
  {
    path: '/api/v3/write_lp?db=three',
    body: 'm f=1i 1\r\nm f=1e400 2\r\n',
    dialect: 'v3',
    line: 2,
    text: 'm f=1e400 2',
    reason: /./,
  },
  {
    path: '/api/v1/write/line-protocol?db=four',
    body: 'm f=NaN\n',
    dialect: 'arc',
    line: 1,
    text: 'm f=NaN',
    reason: /./,
  },
  {
    path: '/write?db=_internal',
    body: 'dead_letters f=1i\n',
    dialect: 'v1',
    line: 1,
    text: 'dead_letters f=1i',
    reason: /reserved/,
  },
  {
    path: '/api/v3/write_lp?db=three&accept_partial=false',
    body: 'm f=1i 1\nnot kept\n',
    dialect: '',
    line: 0,
    text: '',
    reason: /./,
  },
  { path: '/write?db=one', body: long, dialect: 'v1', line: 1, text: long, reason: /./ },
];

async function lettersOf(gateway: RealGateway): Promise<Record<string, unknown>[]> {
  const files = gateway.dataFiles().filter((path) => path.startsWith('_internal/dead_letters/'));
  const read = await Promise.all(
    files.map((path) => readWithDuckdb(join(gateway.dataDirectory, 'data', path))),
  );
  return read.flatMap(({ columns, rows }) =>
    rows.map((row) => Object.fromEntries(columns.map((column, at) => [column, row[at]]))),
  );
}

void t.test('what was refused in part is filed with its reason, after a kill too', async (t) => {
  const gateway = await RealGateway.start(t);
  const startedUs = BigInt(Date.now()) * 1000n;
  for (const { path, body } of sent) {
    const headers = { 'user-agent': 'test sender' };
    const answer = await gateway.send({ path, body, headers });
    t.equal(answer.status, path.startsWith('/api/v1/') ? 204 : 400, path);
    const listed = answer.headers['x-holdfast-rejected'];
    t.equal(listed, '1', path);
  }
  const invalid = Buffer.concat([
    Buffer.from('m f="'),
    Buffer.from([0xff, 0xfe]),
    Buffer.from('"'),
  ]);
  t.equal((await gateway.write(invalid, 'db=one')).status, 400, 'no UTF-8');
  await gateway.kill();
  t.same(gateway.dataFiles(), [], 'nothing was filed so far');
  await gateway.startAgain();
  await gateway.filed();
  const letters = await lettersOf(gateway);
  const wanted = sent.filter(({ dialect }) => dialect !== '');
  t.equal(letters.length, wanted.length + 1, 'one row each');
  for (const { path, dialect, line, text, reason } of wanted) {
    const shown = text.slice(0, 65_536);
    const letter = letters.find((each) => each['text'] === shown && each['dialect'] === dialect);
    if (letter === undefined) {
      t.fail(`no row for ${text.slice(0, 80)}`);
      continue;
    }
    t.match(letter, { line: BigInt(line), lines: 1n, reason }, text.slice(0, 60));
    t.equal(letter['database'], /(?:db|bucket)=(\w+)/.exec(path)?.[1]);
    t.match(letter, { sender: '127.0.0.1', agent: 'test sender', format: 'line' });
    t.ok((letter['time'] as bigint) >= startedUs, 'at the time of arrival');
  }
  const raw = letters.find((each) => typeof each['raw'] === 'string');
  t.same(Buffer.from(String(raw?.['raw']), 'base64'), invalid, 'bytes that are no text are kept');
  t.equal(await gateway.count('one.m'), 1, 'the good line is there, once');
  const before = await gateway.count('three.m');
  t.equal(before, 1, 'nothing of the request with accept_partial=false was kept');

  // An open gateway serves this machine only, whose programs may do all.
  t.equal(await gateway.count('_internal.dead_letters'), wanted.length + 1);
  const tables = await gateway.select('SHOW TABLES FROM _internal');
  t.ok(tables.some(([, name]) => name === 'dead_letters'));
  const answer = await gateway.send({ path: '/query?q=SHOW+DATABASES' });
  t.notMatch(answer.text, '_internal', 'InfluxQL lists the databases of senders');

  t.equal(await gateway.stop(), 0);
  await gateway.startAgain();
  await gateway.filed();
  t.equal((await lettersOf(gateway)).length, wanted.length + 1, 'none twice after more starts');
});

void t.test('a flood of bad lines is kept line by line, and good rows with it', async (t) => {
  const gateway = await RealGateway.start(t);
  const body = Array.from({ length: 5000 }, (_, index) =>
    index % 2 === 0 ? `m f=${index}i ${index}` : `bad ${index}`,
  ).join('\n');
  const answer = await gateway.write(body);
  t.equal(answer.status, 400);
  t.equal(answer.headers['x-holdfast-rejected'], '2500');
  await gateway.kill();
  await gateway.startAgain();
  await gateway.filed();
  t.equal(await gateway.count('d.m'), 2500);
  const letters = await lettersOf(gateway);
  const lines = letters.reduce((sum, letter) => sum + Number(letter['lines']), 0);
  t.equal(lines, 2500, `${letters.length} rows`);
});
