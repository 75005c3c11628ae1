/**
 * Dead letters from the operator's side, through a real gateway: listed, exported, and sent once
 * more after the cause is gone, exactly once however often; and bounded.
 */
import t from 'tap';
import { readCommand } from '../../support/command-json.ts';
import { RealGateway, type SqlValue } from '../../support/real-gateway.ts';

t.setTimeout(300_000);

interface Listed {
  readonly count: number;
  readonly lines: number;
  readonly letters: readonly Record<string, unknown>[];
}

interface Replayed {
  readonly replayed: number;
  readonly rows: number;
  readonly refused: number;
  readonly refusals: readonly { readonly id: string; readonly reason: string }[];
}

const list = (gateway: RealGateway, ...flags: string[]) =>
  readCommand<Listed>(gateway, ['deadletter', 'list', '--json', ...flags]);

const replay = (gateway: RealGateway, ...flags: string[]) =>
  readCommand<Replayed>(gateway, ['deadletter', 'replay', '--json', ...flags]);

/** {"m": name, "columns": {"time": [1, 2], "v": [7, 8]}} */
function columnar(name: string): Buffer {
  const head = Buffer.from([0x82, 0xa1, 0x6d, 0xa0 + name.length, ...Buffer.from(name)]);
  const columns = '82a474696d6592' + '0102' + 'a17692' + '0708';
  return Buffer.concat([head, Buffer.from('a7636f6c756d6e73' + columns, 'hex')]);
}

const capped = ['--ingest-measurements-max', '1'];

void t.test('letters are read by SQL, with all that is known of them', async (t) => {
  const gateway = await RealGateway.start(t);
  const headers = { 'user-agent': 'probe/2' };
  await gateway.send({ path: '/write?db=plant&precision=s', headers, body: 'm v=1 5\nbad\n' });
  const columns = ['database', 'dialect', 'format', 'precision', 'line', 'lines', 'kind', 'reason'];
  const own = ['text', 'sender', 'agent', 'part', 'parts', 'whole'];
  const sql = `SELECT ${[...columns, ...own].map((name) => `"${name}"`).join()} FROM _internal.dead_letters`;
  const wanted: SqlValue[][] = [
    [
      ...['plant', 'v1', 'line', 's', 2n, 1n, 'parse', 'missing fields'],
      ...['bad', '127.0.0.1', 'probe/2', 0n, 1n, true],
    ],
  ];
  t.strictSame(await gateway.select(sql), wanted);
  await gateway.kill();
  await gateway.startAgain();
  await gateway.filed();
  t.strictSame(await gateway.select(sql), wanted, 'from files too');
  t.strictSame(await gateway.select('SELECT count(*) FROM _internal.dead_letter_replays'), [[0n]]);
});

void t.test('a replay after the cause is gone files the rows once', async (t) => {
  const gateway = await RealGateway.start(t, capped);
  const send = (path: string, body: string | Buffer) => gateway.send({ path, body });
  t.equal((await send('/write?db=d&precision=s', 'm v=1 1\n')).status, 204);
  t.equal((await send('/write?db=d&precision=s', 'n v=2i 1700000000\nm v=2 2\n')).status, 400);
  t.equal((await send('/api/v2/write?bucket=e', 'bad line\n')).status, 400);
  t.equal((await send('/api/v1/write/msgpack?db=d', columnar('packed'))).status, 204);
  const long = `long s="${'x'.repeat(90_000)}\n${'y'.repeat(50_000)}",v=3i 1700000000`;
  t.equal((await send('/write?db=d&precision=s', long)).status, 400);

  const before = await list(gateway);
  t.match(before, { count: 4, letters: { length: 4 } });
  t.match(await list(gateway, '--database', 'e'), { count: 1, letters: [{ text: 'bad line' }] });
  t.match(await list(gateway, '--reason', 'MEASUREMENTS'), { count: 3 });
  t.match(await list(gateway, '--kind', 'parse'), { count: 1 });
  t.match(await list(gateway, '--since', '2999-01-01'), { count: 0, letters: [] });
  t.match(await list(gateway, '--limit', '1'), { count: 4, letters: { length: 1 } });

  t.match(await replay(gateway), { replayed: 0, rows: 0, refused: 4 }, 'the cause stands');
  t.match(await list(gateway), { count: 4 }, 'no letter of a letter');

  await gateway.kill();
  await gateway.startAgain([]);
  const done = await replay(gateway);
  t.match(done, { replayed: 2, rows: 3, refused: 2 });
  const reasons = done.refusals.map(({ reason }) => reason).sort();
  t.match(
    reasons,
    [/invalid field format/, /not all of its bytes/],
    'a line was too long to be kept',
  );
  for (let run = 0; run < 2; run += 1) {
    t.match(await replay(gateway), { replayed: 0, rows: 0, refused: 2 });
  }
  const check = async (when: string) => {
    t.strictSame(await gateway.select('SELECT v, epoch_us("time") FROM d.n'), [
      [2n, 1_700_000_000_000_000n],
    ]);
    t.strictSame(await gateway.select('SELECT v FROM d.packed ORDER BY v'), [[7n], [8n]], when);
  };
  await check('at once');
  t.match(await list(gateway), { count: 2 });
  t.match(await list(gateway, '--state', 'replayed'), { count: 2, letters: [{ replayed: true }] });
  await gateway.kill();
  await gateway.startAgain([]);
  t.match(await replay(gateway), { replayed: 0, rows: 0, refused: 2 }, 'after a kill');
  await gateway.filed();
  t.equal(await gateway.stop(), 0);
  await gateway.startAgain([]);
  t.match(await replay(gateway), { replayed: 0, rows: 0, refused: 2 }, 'with the marks in files');
  await check('after all');
});

void t.test('of a letter that is good in part the rest becomes a letter', async (t) => {
  const gateway = await RealGateway.start(t, capped);
  const lines = Array.from({ length: 1500 }, (_, row) =>
    row % 3 === 0 ? `bad${row}` : `n v=${row}i ${row + 1}`,
  );
  await gateway.write('m v=1 1\n');
  t.equal((await gateway.write(lines.join('\n'))).status, 400);
  await gateway.kill();
  await gateway.startAgain([]);
  t.equal((await list(gateway)).lines, 1500);
  const first = await replay(gateway);
  t.equal(first.rows, 1000);
  t.equal(await gateway.count('d.n'), 1000);
  t.equal((await list(gateway)).lines, 500, 'the bad ones are still there, once');
  t.match(await replay(gateway), { replayed: 0, rows: 0 });
  t.equal(await gateway.count('d.n'), 1000);
  t.equal((await list(gateway)).lines, 500);
});

void t.test('a replay that is killed at any moment gives each row once', async (t) => {
  const gateway = await RealGateway.start(t, capped);
  await gateway.send({ path: '/api/v1/write/msgpack?db=d', body: columnar('m') });
  const count = 300;
  const items = Array.from({ length: count }, () => columnar('packed'));
  for (const item of items) {
    await gateway.send({ path: '/api/v1/write/msgpack?db=d', body: item });
  }
  await gateway.stop();
  await gateway.startAgain(['--ingest-buffer-age-max', '50ms']);
  for (const killAt of [40, 120, 200]) {
    const running = replay(gateway).catch(() => undefined);
    while ((await replayedCount(gateway)) < killAt) await new Promise((go) => setTimeout(go, 2));
    await gateway.kill();
    await running;
    await gateway.startAgain();
  }
  await replay(gateway);
  t.equal(await gateway.count('d.packed'), 2 * count);
  t.match(await list(gateway), { count: 0 });
});

async function replayedCount(gateway: RealGateway): Promise<number> {
  return Number(await gateway.value('SELECT count(*) FROM _internal.dead_letter_replays'));
}

void t.test('an export gives what came, as JSON lines or as the bytes themselves', async (t) => {
  const gateway = await RealGateway.start(t, capped);
  await gateway.write('m v=1 1\n');
  await gateway.write('n v=2i 2\nzwei\n');
  await gateway.send({ path: '/api/v1/write/msgpack?db=d', body: columnar('packed') });
  const json = await gateway.command(['deadletter', 'export']);
  t.equal(json.code, 0);
  const letters = json.out
    .trimEnd()
    .split('\n')
    .map((line) => JSON.parse(line) as Record<string, unknown>);
  t.match(letters, [
    { text: 'n v=2i 2', format: 'line', dialect: 'v1', database: 'd', precision: 'us' },
    { text: 'zwei' },
    { format: 'msgpack', raw: columnar('packed').toString('base64') },
  ]);
  t.notOk(Object.hasOwn(letters[0] ?? {}, 'raw'), 'text is not repeated');
  const lines = await gateway.command(['deadletter', 'export', '--as', 'line']);
  t.equal(lines.out, 'n v=2i 2\nzwei\n');
  const packed = await gateway.send({ path: '/api/v1/deadletter/export?as=msgpack' });
  t.equal(packed.text, columnar('packed').toString('utf8'));
  const people = await gateway.command(['deadletter', 'list']);
  t.match(people.out, /missing fields +zwei/);
  t.match(people.out, /^3 letters with 3 lines$/m);
});

void t.test('words that mean nothing are told', async (t) => {
  const gateway = await RealGateway.start(t);
  for (const words of [[], ['lose'], ['drop'], ['list', 'x'], ['list', '--no-such', '1']]) {
    t.equal((await gateway.command(['deadletter', ...words])).code, 64, words.join(' '));
  }
  for (const query of ['state=x', 'limit=-1', 'limit=x', 'since=yesterday']) {
    const answer = await gateway.send({ path: `/api/v1/deadletter/list?${query}` });
    t.equal(answer.status, 400, query);
    t.match(JSON.parse(answer.text), { success: false, code: 'parameter' });
  }
  const wrong = '/api/v1/deadletter/replay?after=nowhere';
  t.equal((await gateway.send({ method: 'POST', path: wrong })).status, 400);
});
