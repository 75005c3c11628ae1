import { once } from 'node:events';
import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import { buffer } from 'node:stream/consumers';
import t, { type Test } from 'tap';
import type { CommandContext } from '../../../../src/fronts/cli/command.ts';
import { progressLine } from '../../../../src/fronts/cli/write-progress.ts';
import { runVerb, verbs } from '../../../../src/fronts/cli/verbs.ts';
import { version } from '../../../../src/base/lib/version.ts';

interface Answer {
  /** 0 cuts the connection without an answer. */
  readonly status: number;
  readonly body?: string;
  readonly headers?: Record<string, string>;
}

interface Asked {
  readonly method: string;
  readonly url: string;
  readonly authorization: string | undefined;
  readonly database: string | undefined;
  readonly key: string | undefined;
  readonly body: string;
}

/** A gateway that gives `answers` in turn (the last one for ever) and keeps what it was asked. */
async function gateway(t: Test, answers: readonly Answer[]) {
  const asked: Asked[] = [];
  const server = createServer((request, response) => {
    void buffer(request).then((body) => {
      const { authorization, 'x-arc-database': database } = request.headers;
      const answer = answers[Math.min(asked.length, answers.length - 1)];
      const isCut = answer?.status === 0;
      asked.push({
        method: request.method ?? '',
        url: request.url ?? '',
        authorization,
        database: typeof database === 'string' ? database : undefined,
        key: [request.headers['idempotency-key']].flat()[0],
        body: body.toString(),
      });
      if (isCut) {
        request.socket.destroy();
        return;
      }
      response.writeHead(answer?.status ?? 500, answer?.headers);
      response.end(answer?.body);
    });
  });
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  t.teardown(() => {
    server.closeAllConnections();
    server.close();
  });
  return { asked, url: `http://127.0.0.1:${(server.address() as AddressInfo).port}` };
}

async function* chunksOf(text: string, bytes = 7): AsyncGenerator<Uint8Array> {
  const all = Buffer.from(text);
  for (let at = 0; at < all.length; at += bytes) yield all.subarray(at, at + bytes);
}

async function run(
  words: string[],
  input = '',
  environment: Record<string, string> = {},
  terminal?: { readonly msPerLook: number },
) {
  let out = '';
  let err = '';
  let nowMs = 0;
  const slept: number[] = [];
  const context: CommandContext = {
    out: { write: (text) => (out += text) },
    err: { write: (text) => (err += text), isTTY: terminal !== undefined },
    input: chunksOf(input, input.length > 1000 ? 65_536 : 7),
    environment,
    fetch,
    sleep: (milliseconds) => {
      slept.push(milliseconds);
      nowMs += milliseconds;
      return Promise.resolve();
    },
    monotonicMs: () => (nowMs += terminal?.msPerLook ?? 0),
  };
  const code = await runVerb(words, context);
  return { code, out, err, slept };
}

const result = JSON.stringify({
  success: true,
  columns: ['time', 'host', 'count', 'note'],
  types: ['TIMESTAMP', 'VARCHAR', 'UBIGINT', 'VARCHAR'],
  data: [
    ['2026-01-01T00:00:00Z', 'a', 0, 'x,"y"'],
    ['2026-01-01T00:00:01.5Z', 'bb', 1, null],
  ],
  row_count: 2,
}).replace('"bb",1', '"bb",18446744073709551615');

t.test('query prints a table with numbers to the right and every digit', async (t) => {
  const { url, asked } = await gateway(t, [{ status: 200, body: result }]);
  const { code, out } = await run(['query', 'SELECT 1', '--url', url, '--database', 'plant']);
  t.equal(code, 0);
  t.equal(
    out,
    [
      'time                    host                 count  note',
      '----------------------  ----  --------------------  -----',
      '2026-01-01T00:00:00Z    a                        0  x,"y"',
      '2026-01-01T00:00:01.5Z  bb    18446744073709551615  NULL',
      '(2 rows)',
      '',
    ].join('\n'),
  );
  t.match(asked[0], { method: 'POST', url: '/api/v1/query', database: 'plant' });
  t.same(JSON.parse(asked[0]?.body ?? ''), { sql: 'SELECT 1' });
});

t.test('query prints CSV and JSON', async (t) => {
  const { url } = await gateway(t, [{ status: 200, body: result }]);
  const csv = await run(['query', 'SELECT 1', '--url', url, '--csv']);
  t.equal(
    csv.out,
    'time,host,count,note\n2026-01-01T00:00:00Z,a,0,"x,""y"""\n' +
      '2026-01-01T00:00:01.5Z,bb,18446744073709551615,\n',
  );
  const json = await run(['query', 'SELECT 1', '--url', url, '--json']);
  t.equal(json.out, `${result}\n`);
});

t.test(
  'what is not there is an error to a person, though an answer to clients of Arc',
  async (t) => {
    const body =
      '{"success":true,"columns":[],"types":[],"data":[],"warning":"not found: \\"x\\""}';
    const { url } = await gateway(t, [{ status: 200, body }]);
    for (const form of [[], ['--csv']]) {
      const { code, out, err } = await run(['query', 'FROM x', '--url', url, ...form]);
      t.strictSame([code, out], [65, '']);
      t.match(err, 'not found: "x"');
    }
    const json = await run(['query', 'FROM x', '--url', url, '--json']);
    t.match(json, { code: 65, out: `${body}\n`, err: /not found: "x"/ });
  },
);

t.test('text in cells cannot steer the terminal', async (t) => {
  const body = '{"columns":["c"],"types":["VARCHAR"],"data":[["\\u001b[2J\\n"]]}';
  const { url } = await gateway(t, [{ status: 200, body }]);
  const { out } = await run(['query', 'SELECT 1', '--url', url]);
  t.equal(out, 'c\n---------\n\\x1b[2J\\n\n(1 row)\n'.replace('---------', '-'.repeat(9)));
});

t.test('errors say what to do and end in the code of sysexits', async (t) => {
  const cases: [Answer, number, RegExp][] = [
    [{ status: 400, body: '{"success":false,"error":"no such column"}' }, 65, /no such column/],
    [{ status: 401, body: '{"error":"token"}' }, 77, /401: token/],
    [{ status: 403, body: '{"error":"not local"}' }, 77, /not local/],
    [{ status: 503, body: '{"code":"x","message":"busy"}' }, 75, /busy/],
    [{ status: 504, body: '{"error":"too slow"}' }, 69, /too slow/],
    [{ status: 502, body: '<html>proxy</html>' }, 69, /<html>/],
  ];
  for (const [answer, code, text] of cases) {
    const { url } = await gateway(t, [answer]);
    const ended = await run(['query', 'SELECT 1', '--url', url]);
    t.equal(ended.code, code, String(answer.status));
    t.match(ended.err, text);
    t.equal(ended.out, '');
  }
  const gone = await run(['status', '--url', 'http://127.0.0.1:9']);
  t.equal(gone.code, 69);
  t.match(gone.err, /no answer from http:\/\/127\.0\.0\.1:9: .*\n.*holdfast serve/);
});

t.test('words that are wrong are told with the nearest right ones', async (t) => {
  const cases: [string[], RegExp][] = [
    [['qerry', 'x'], /unknown verb 'qerry'; did you mean 'query'/],
    [['nope'], /unknown verb 'nope'; there are serve, query, .*, help$/m],
    [['version', 'x'], /one word too many: 'x'/],
    [['query'], /the statement is missing/],
    [['query', 'SELECT', '1'], /one word too many: '1'/],
    [['query', 'x', '--csv', '--json'], /--json and --csv exclude each other/],
    [['query', 'x', '--cvs'], /unknown flag --cvs; did you mean --csv/],
    [['query', 'x', '--url', 'ftp://x'], /not an http or https address/],
    [['write'], /the file .* is missing/],
    [['help', 'qery'], /did you mean 'query'/],
  ];
  for (const [words, text] of cases) {
    const { code, err } = await run(words);
    t.equal(code, 64, words.join(' '));
    t.match(err, text);
  }
});

t.test('the help has all summaries in one column, however long a usage is', async (t) => {
  const { out } = await run(['help']);
  for (const { summary } of Object.values(verbs)) {
    const line = out.split('\n').find((each) => each.endsWith(summary));
    t.equal(line?.indexOf(summary), 27, summary);
  }
});

t.test('address and token come from the environment, flags win', async (t) => {
  const { url, asked } = await gateway(t, [{ status: 200, body: '{"columns":[],"data":[]}' }]);
  const environment = { HOLDFAST_URL: `${url}/`, HOLDFAST_TOKEN: 'one' };
  await run(['query', 'x'], '', environment);
  await run(['query', 'x', '--token', 'two'], '', environment);
  t.same(
    asked.map(({ authorization }) => authorization),
    ['Bearer one', 'Bearer two'],
  );
});

t.test('write sends all of its input and names bad lines by their place in it', async (t) => {
  const bad = {
    error: 'partial write of line protocol occurred',
    data: [{ line_number: 2, original_line: 'bad', error_message: 'missing fields' }],
  };
  const { url, asked } = await gateway(t, [
    { status: 400, body: JSON.stringify(bad), headers: { 'x-holdfast-rejected': '3' } },
  ]);
  const lines = 'm f=1\nbad\n';
  const { code, err } = await run(
    ['write', '-', '--url', url, '--database', 'my db', '--precision', 'second'],
    lines,
  );
  t.equal(code, 65);
  t.match(
    err,
    /line 2: missing fields: bad\n\.\.\. and 2 more\n3 bad lines went to the dead letters/,
  );
  t.equal(asked[0]?.body, lines);
  t.equal(asked[0]?.url, '/api/v3/write_lp?db=my+db&precision=second');
});

t.test('write reads files, in blocks when they are large', async (t) => {
  const lines = Array.from({ length: 60_000 }, (_, index) => `m,host=a f="a\nb",g=${index}\n`).join(
    '',
  );
  const directory = t.testdir({ 'lines.lp': lines });
  const { url, asked } = await gateway(t, [{ status: 204 }]);
  const { code, out } = await run(['write', `${directory}/lines.lp`, '--url', url, '--json']);
  t.equal(code, 0);
  t.same(JSON.parse(out), {
    bytes: lines.length,
    lines: 60_000,
    rejected_lines: 0,
    repeated_bytes: 0,
  });
  t.ok(asked.length > 1, `${asked.length} requests`);
  t.equal(asked.map(({ body }) => body).join(''), lines);
  for (const { body } of asked) {
    if (!body.endsWith('\n') || body.startsWith('b"')) t.fail('cut inside a string');
  }
  const none = await run(['write', `${directory}/none.lp`, '--url', url]);
  t.equal(none.code, 74);
  t.match(none.err, /none\.lp/);
});

t.test('write waits for a gateway that is busy, and gives up after a minute', async (t) => {
  const busy = { status: 503, body: '{"error":"disk full"}', headers: { 'retry-after': '2' } };
  const passing = await gateway(t, [busy, busy, { status: 204 }]);
  const good = await run(['write', '-', '--url', passing.url], 'm f=1\n');
  t.equal(good.code, 0);
  t.same(good.slept, [2000, 2000]);
  const stuck = await gateway(t, [busy]);
  const ended = await run(['write', '-', '--url', stuck.url], 'm f=1\n');
  t.equal(ended.code, 75);
  t.match(ended.err, /disk full/);
  t.equal(ended.slept.length, 30);
});

t.test('write sends a file again under the same keys, block by block', async (t) => {
  const lines = Array.from({ length: 60_000 }, (_, index) => `m,host=a f="a",g=${index}\n`).join(
    '',
  );
  const directory = t.testdir({ 'lines.lp': lines, 'copy.lp': lines });
  const { url, asked } = await gateway(t, [{ status: 204 }]);
  const keysOf = async (...words: string[]) => {
    const before = asked.length;
    t.equal((await run(['write', ...words, '--url', url], lines)).code, 0);
    return asked.slice(before).map(({ key }) => key ?? 'none');
  };
  const file = `${directory}/lines.lp`;
  const first = await keysOf(file);
  t.ok(first.length > 1);
  t.equal(new Set(first).size, first.length, 'each block has a key of its own');
  t.notOk(first.includes('none'));
  t.same(await keysOf(file), first);
  for (const other of [
    [file, '--again'],
    [file, '--database', 'other'],
    [file, '--precision', 'second'],
    [`${directory}/copy.lp`],
    ['-'],
    ['-'],
  ]) {
    const keys = await keysOf(...other);
    t.ok(
      keys.every((key) => !first.includes(key)),
      other.join(' '),
    );
    first.push(...keys);
  }
});

t.test('write says what an earlier run had sent already', async (t) => {
  const repeat = { status: 204, headers: { 'idempotent-replayed': 'true' } };
  const { url } = await gateway(t, [repeat]);
  const directory = t.testdir({ 'lines.lp': 'm f=1\n' });
  const { code, err, out } = await run(['write', `${directory}/lines.lp`, '--url', url, '--json']);
  t.equal(code, 0);
  t.match(err, /^all of it was sent by an earlier run and is not written twice \(--again does\)$/m);
  t.match(JSON.parse(out), { repeated_bytes: 6 });
});

t.test('write asks again after a lost connection, under the same key', async (t) => {
  const lines = Array.from({ length: 60_000 }, (_, index) => `m,host=a f="a",g=${index}\n`).join(
    '',
  );
  const cut = { status: 0 };
  const { url, asked } = await gateway(t, [{ status: 204 }, cut, cut, { status: 204 }]);
  const { code, slept } = await run(['write', '-', '--url', url], lines);
  t.equal(code, 0);
  t.same(slept, [1000, 1000]);
  t.equal(asked[1]?.key, asked[2]?.key);
  t.equal(asked[1]?.key, asked[3]?.key);
  const gone = await gateway(t, [{ status: 204 }, cut]);
  t.match(await run(['write', '-', '--url', gone.url], lines), { code: 69, err: /no answer from/ });
  const never = await gateway(t, [cut]);
  t.match(await run(['write', '-', '--url', never.url], lines), { code: 69, slept: [] });
});

t.test('write shows on a terminal how far it is', async (t) => {
  const lines = Array.from({ length: 60_000 }, (_, index) => `m,host=a f="a",g=${index}\n`).join(
    '',
  );
  const busy = { status: 503, body: '{"error":"disk full"}' };
  const { url } = await gateway(t, [{ status: 204 }, busy, { status: 204 }]);
  const { err } = await run(['write', '-', '--url', url], lines, {}, { msPerLook: 1000 });
  t.match(err, /\r\x1b\[K1\.0 MiB, [\d,]+ rows, [\d,]+\/s/);
  t.match(err, /  waiting: disk full/);
  t.match(err, /\r\x1b\[K60,000 rows, 1\.\d MiB in [\d.]+ s\n$/);
  const quick = await run(['write', '-', '--url', url], 'm f=1\n', {}, { msPerLook: 1 });
  t.equal(quick.err, '', 'nothing for what takes no second');
});

t.test('the line of a file has a bar and the time left', (t) => {
  const mebibyte = 1024 * 1024;
  const figures = { bytes: 25 * mebibyte, bytesTotal: 100 * mebibyte, rows: 1_234_567 };
  t.equal(
    progressLine({ ...figures, elapsedMs: 50_000 }),
    '[#####               ] 25 %  25.0 of 100.0 MiB, 1,234,567 rows, 24,691/s, 2:30 left',
  );
  t.match(progressLine({ ...figures, elapsedMs: 4_000_000 }), /, 3:20:00 left$/);
  t.match(progressLine({ ...figures, bytes: 0, elapsedMs: 1000 }), /0 % .*\/s$/);
  t.match(progressLine({ ...figures, bytes: 200 * mebibyte, elapsedMs: 1000 }), /100 %.*0:00 left/);
  t.end();
});

t.test('write stops at an answer that is no list of bad lines', async (t) => {
  const { url } = await gateway(t, [{ status: 400, body: '{"error":"invalid precision"}' }]);
  const { code, err } = await run(['write', '-', '--url', url], 'm f=1\n');
  t.equal(code, 65);
  t.match(err, /invalid precision/);
});

t.test('database tags names tags of all its measurements, and lists them', async (t) => {
  const body = '{"database":"a b","tags":["host"]}';
  const none = '{"database":"a b","tags":[]}';
  const answers = [body, none].map((each) => ({ status: 200, body: each }));
  const { url, asked } = await gateway(t, answers);
  const words = ['database', 'tags', 'a b'];
  t.match(await run([...words, 'host,', '--url', url]), { code: 0, out: 'tags of a b: host\n' });
  t.match(asked[0], { method: 'PUT', url: '/api/v1/databases/a%20b/tags' });
  t.same(JSON.parse(asked[0]?.body ?? ''), { tags: ['host'] });
  t.match(await run([...words, '--url', url]), { code: 0, out: 'tags of a b: none\n' });
  t.match(asked[1], { method: 'GET', url: '/api/v1/databases/a%20b/tags' });
  t.match(await run(['database', 'drop', 'a', '--url', url]), { code: 64 });
});

t.test('measurement tags names tags of a measurement, whose name may have dots', async (t) => {
  const body = '{"database":"d","measurement":"disk.io","tags":["host","rack"]}';
  const { url, asked } = await gateway(t, [{ status: 200, body }]);
  const words = ['measurement', 'tags', 'd.disk.io', 'host,rack', '--url', url];
  t.match(await run(words), { code: 0, out: 'tags of d.disk.io: host, rack\n' });
  t.match(asked[0], { method: 'PUT', url: '/api/v1/measurements/d/disk.io/tags' });
  t.same(JSON.parse(asked[0]?.body ?? ''), { tags: ['host', 'rack'] });
  t.match(await run([...words, '--json']), { code: 0, out: `${body}\n` });
  for (const wrong of [
    ['tags', 'd.m', 'a', 'b'],
    ['tags', 'm', 'a'],
    ['drop', 'd.m', 'a'],
  ]) {
    t.match(await run(['measurement', ...wrong, '--url', url]), { code: 64 });
  }
  t.equal(asked.length, 2);
});

t.test('status in words and as JSON', async (t) => {
  const body = JSON.stringify({
    gateway: { id: 'g1', version: '0.1.0', phase: 'recovering', uptime_seconds: 3 },
    writes: { accepted: false, reason: 'the log is being read' },
    recovery: { share: 0.255 },
    buffers: { rows_held: 5, bytes: 2048 },
    wal: { synced_lsn: 9, live_bytes: 1048576 },
    catalog: { visible_commit: 4, files: 2, bytes: 10 },
    disk: { free_bytes: 3 * 1024 ** 3, total_bytes: 4 * 1024 ** 3 },
    alarms: [{ severity: 'warning', text: 'Low.', detail: '', remedy: 'Free space.' }],
  });
  const { url } = await gateway(t, [{ status: 200, body }]);
  const { code, out } = await run(['status', '--url', url]);
  t.equal(code, 0);
  t.match(out, /recovering \(25 %\)/);
  t.match(out, /refused: the log is being read/);
  t.match(out, /5 rows, 2\.0 KiB/);
  t.match(out, /3\.0 GiB free of 4\.0 GiB/);
  t.match(out, /warning +Low\. Free space\./);
  t.equal((await run(['status', '--url', url, '--json'])).out, `${body}\n`);
});

t.test('help and version', async (t) => {
  const all = await run([]);
  t.equal(all.code, 0);
  for (const verb of ['serve', 'query', 'write', 'status', 'version']) t.match(all.out, verb);
  t.match((await run(['help', 'query'])).out, /--csv/);
  t.match((await run(['query', '--help'])).out, /--csv/);
  t.match((await run(['help', 'serve'])).out, /--listen/);
  t.equal((await run(['version'])).out, `holdfast ${version}\n`);
  t.match(JSON.parse((await run(['version', '--json'])).out), { version });
});

t.test(
  'deadletter replay goes on where the gateway stopped, and waits while it is busy',
  async (t) => {
    const part = (more: object) => ({
      status: 200,
      body: JSON.stringify({ replayed: 2, rows: 3, refused: 0, refusals: [], ...more }),
    });
    const { url, asked } = await gateway(t, [
      { status: 503, headers: { 'retry-after': '2' }, body: '{"error":"the log is being read"}' },
      part({ next: '17.a-0' }),
      part({ next: '18.b-0', stopped: { code: 'disk_full', error: 'no room' } }),
      part({ refused: 1, refusals: [{ id: 'c-0', reason: 'missing fields\u0007' }] }),
    ]);
    const { code, out, slept } = await run(['deadletter', 'replay', '--url', url, '--kind', 'cap']);
    t.equal(code, 65);
    t.equal(
      out,
      '6 letters sent once more, which gave 9 rows\n' +
        '1 stay, because they still cannot be kept:\n  c-0: missing fields\\x07\n',
    );
    t.same(slept, [2000, 1000]);
    const replayed = '/api/v1/deadletter/replay?kind=cap';
    t.same(
      asked.map((each) => each.url),
      [replayed, replayed, `${replayed}&after=17.a-0`, `${replayed}&after=18.b-0`],
    );
  },
);

t.test(
  'deadletter tells what the gateway answers, and gives up on one that stays busy',
  async (t) => {
    const refused = await gateway(t, [{ status: 400, body: '{"error":"limit: x is no number"}' }]);
    for (const action of ['list', 'export', 'replay']) {
      const { code, err } = await run(['deadletter', action, '--url', refused.url]);
      t.equal(code, 65, action);
      t.match(err, 'limit: x is no number');
    }
    const busy = await gateway(t, [{ status: 503, body: '{"error":"full"}' }]);
    t.equal((await run(['deadletter', 'replay', '--url', busy.url])).code, 75);
  },
);
