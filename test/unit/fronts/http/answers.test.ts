/**
 * Walks every cell of the table of answers of the write routes: what came (rows) by route. What
 * comes too slowly is in connections.test.ts.
 */
import { gzipSync, zstdCompressSync } from 'node:zlib';
import t from 'tap';
import { GatewayError } from '../../../../src/base/errors/gateway-error.ts';
import type { ErrorCode } from '../../../../src/base/errors/codes.ts';
import {
  arrowPath,
  lineProtocolPaths,
  messagePackPaths,
} from '../../../../src/fronts/http/dialect.ts';
import { dropPhrases } from '../../../../src/fronts/http/reply-error.ts';
import { composeFront, type FrontScript, rejection } from '../../../support/http-front.ts';

type Name = 'v1' | 'v2' | 'v3' | 'arc';

/** Every path that takes rows, with the dialect that it answers in. */
const routes: readonly (readonly [path: string, dialect: Name])[] = [
  ['/write', 'v1'],
  ['/api/v2/write', 'v2'],
  ['/api/v3/write_lp', 'v3'],
  ['/api/v1/write/line-protocol', 'arc'],
  ['/api/v1/write/influxdb', 'arc'],
  ['/api/v1/write', 'arc'],
  ['/api/v1/write/msgpack', 'arc'],
  ['/write/v2/msgpack', 'arc'],
  ['/api/v1/write/arrow', 'arc'],
];

interface Wanted {
  readonly status: number;
  readonly body?: unknown;
  readonly headers?: Record<string, unknown>;
  /** Lines in `data` of a v3 answer. */
  readonly listed?: number;
}

interface Cell {
  readonly what: string;
  readonly script?: (script: FrontScript) => void;
  readonly query?: string;
  readonly payload?: string | Buffer;
  readonly headers?: Record<string, string>;
  readonly wanted: (dialect: Name, path: string) => Wanted;
}

const none = { status: 204, body: '' };
const bad = rejection(2, 'bad', 'missing fields');
const conflict = {
  ...rejection(3, 'm1 f="x"', ''),
  reason:
    'field type conflict: input field "f" on measurement "m1" is type string, already exists as type float',
  kind: 'conflict' as const,
};

/** The error text of a body, wherever the dialect puts it. */
function errorBody(dialect: Name, code: string, message: unknown): object {
  if (dialect === 'v2') return { code, message };
  return dialect === 'arc' ? { success: false, error: message, code } : { error: message, code };
}

const firstPrecisionWords = 'invalid precision "fortnight" (use n, u, ms, s, m or h)';
const precisionWords: Readonly<Record<Name, string>> = {
  v1: firstPrecisionWords,
  arc: firstPrecisionWords,
  v2: 'invalid precision; valid precision units are ns, us, ms, and s',
  v3:
    'serde error: unknown variant `fortnight`, expected one of `auto`, `s`, `second`, ' +
    '`millisecond`, `ms`, `microsecond`, `u`, `us`, `n`, `nanosecond`, `ns`',
};

function refusedBy(code: ErrorCode, word: string): Cell {
  return {
    what: `refused: ${word}`,
    script: (script) => (script.admitError = code),
    payload: 'm f=1',
    wanted: (dialect) => ({
      status: 503,
      body: errorBody(dialect, word, String),
      headers: { 'retry-after': /^[1-9]\d*$/ },
    }),
  };
}

const cells: Cell[] = [
  { what: 'good lines', payload: 'm f=1\n', wanted: () => none },
  { what: 'an empty body', payload: '', wanted: () => none },
  { what: 'only comments', payload: '# nothing\n\n#', wanted: () => none },
  {
    what: 'an empty body that calls itself gzip',
    payload: '',
    headers: { 'content-encoding': 'gzip' },
    wanted: () => none,
  },
  {
    what: 'gzip',
    payload: gzipSync('m f=1\n'),
    headers: { 'content-encoding': 'gzip' },
    wanted: () => none,
  },
  {
    what: 'a content type that Fastify cannot read',
    payload: 'm f=1\n',
    headers: { 'content-type': ';;=' },
    wanted: () => none,
  },
  {
    what: 'a form content type, as curl --data-binary sends',
    payload: 'm f=1\n',
    headers: { 'content-type': 'application/x-www-form-urlencoded' },
    wanted: () => none,
  },
  {
    what: 'a bad line',
    payload: 'm f=1\nbad',
    script: (script) => (script.rejected = [bad]),
    wanted: (dialect) => {
      const error = "partial write: unable to parse 'bad': missing fields dropped=0";
      if (dialect === 'arc') return { ...none, headers: { 'x-holdfast-rejected': '1' } };
      if (dialect === 'v1') return { status: 400, body: { error } };
      if (dialect === 'v2') {
        return { status: 400, body: { code: 'invalid', message: error, line: 2 } };
      }
      return {
        status: 400,
        body: {
          error: 'partial write of line protocol occurred',
          data: [{ original_line: 'bad', line_number: 2, error_message: 'missing fields' }],
        },
      };
    },
  },
  {
    what: 'a type conflict',
    payload: 'm1 f="x"',
    script: (script) => (script.rejected = [conflict]),
    wanted: (dialect) => {
      const error = `partial write: ${conflict.reason} dropped=1`;
      if (dialect === 'arc') return { ...none, headers: { 'x-holdfast-rejected': '1' } };
      if (dialect === 'v1') return { status: 400, body: { error } };
      if (dialect === 'v2') return { status: 400, body: { message: error, line: 3 } };
      return { status: 400, body: { data: [{ line_number: 3, error_message: conflict.reason }] } };
    },
  },
  {
    what: 'more bad lines than an answer lists',
    payload: 'bad\n'.repeat(150),
    script: (script) => {
      script.rejected = Array.from({ length: 150 }, (_, index) => ({ ...bad, line: index + 1 }));
    },
    wanted: (dialect) => {
      const headers = { 'x-holdfast-rejected': '150' };
      if (dialect === 'arc') return { ...none, headers };
      const words =
        /^partial write: (unable to parse 'bad': missing fields\n){99}unable .* dropped=0$/;
      if (dialect === 'v1') return { status: 400, body: { error: words }, headers };
      if (dialect === 'v2') return { status: 400, body: { message: words, line: 1 }, headers };
      const data = Array.from({ length: 100 }, (_, index) => ({ line_number: index + 1 }));
      return { status: 400, body: { data }, headers, listed: 100 };
    },
  },
  {
    what: 'compression that is broken',
    payload: 'not gzip',
    headers: { 'content-encoding': 'gzip' },
    wanted: (dialect) => ({
      status: 400,
      body: errorBody(dialect, dialect === 'v2' ? 'invalid' : 'body_encoding', /gzip/),
    }),
  },
  {
    what: 'a bad precision',
    payload: 'm f=1',
    query: '&precision=fortnight',
    wanted: (dialect, path) => {
      // Items of MessagePack tell their unit by their size: it is a parameter that is not known.
      if (messagePackPaths.includes(path)) return none;
      const code = dialect === 'v2' ? 'invalid' : 'parameter';
      return { status: 400, body: errorBody(dialect, code, precisionWords[dialect]) };
    },
  },
  {
    what: 'parameters that are not known',
    payload: 'm f=1',
    query: '&rp=autogen&org=o&consistency=all&no_sync=true&what=ever',
    wanted: () => none,
  },
  {
    what: 'more than server.max_body',
    payload: 'm f=1\n'.repeat(1000),
    wanted: (dialect) => ({
      status: 413,
      body: errorBody(dialect, dialect === 'v2' ? 'request too large' : 'body_too_large', String),
    }),
  },
  {
    what: 'more than server.max_body after decompression',
    payload: gzipSync('m f=1\n'.repeat(1000)),
    headers: { 'content-encoding': 'gzip' },
    wanted: () => ({ status: 413 }),
  },
  {
    what: 'a database that may not be created',
    payload: 'm f=1',
    script: (script) => {
      const message = 'database not found: "x"';
      script.writeError = new GatewayError('HF_DATABASE_UNKNOWN', message);
    },
    wanted: (dialect) => ({
      status: 404,
      body: errorBody(
        dialect,
        dialect === 'v2' ? 'not found' : 'database_unknown',
        'database not found: "x"',
      ),
    }),
  },
  refusedBy('HF_DISK_FULL', 'disk_full'),
  refusedBy('HF_RECOVERING', 'recovering'),
  refusedBy('HF_SHUTTING_DOWN', 'shutting_down'),
  refusedBy('HF_INGEST_MEMORY', 'ingest_memory'),
  refusedBy('HF_WAL_STALLED', 'wal_stalled'),
  refusedBy('HF_WAL_FAILED', 'wal_failed'),
  {
    what: 'a request from elsewhere',
    payload: 'm f=1',
    headers: { host: 'gateway.example:8086' },
    wanted: (dialect) => ({
      status: 503,
      body: errorBody(dialect, 'not_local', /Host header/),
      headers: { 'retry-after': /^[1-9]\d*$/ },
    }),
  },
  {
    what: 'a failed sync whose message holds a phrase at which Telegraf drops',
    payload: 'm f=1',
    script: (script) => {
      const message = dropPhrases.join(', ');
      script.writeError = new GatewayError('HF_LOG_APPEND', message);
    },
    wanted: (dialect) => ({ status: 503, body: errorBody(dialect, 'log_append', /segment/) }),
  },
  {
    what: 'a bug',
    payload: 'm f=1',
    script: (script) => {
      script.writeError = new GatewayError('HF_BUG', 'unable to parse the secret');
    },
    wanted: (dialect) => ({
      status: 500,
      body: errorBody(dialect, dialect === 'v2' ? 'internal error' : 'bug', /^internal error/),
    }),
  },
];

t.test('the table is walked for every route that takes rows', (t) => {
  const lines = lineProtocolPaths.map(({ path, dialect }) => [path, dialect]);
  const all = [...lines, ...[...messagePackPaths, arrowPath].map((path) => [path, 'arc'])];
  t.same(all.sort(), routes.map((route) => [...route]).sort());
  t.end();
});

for (const cell of cells) {
  t.test(`${cell.what}, on each route`, async (t) => {
    for (const [path, dialect] of routes) {
      const { front, script } = composeFront();
      cell.script?.(script);
      const answer = await front.app.inject({
        method: 'POST',
        url: `${path}?db=x${cell.query ?? ''}`,
        payload: cell.payload ?? '',
        headers: { host: '127.0.0.1:8086', ...cell.headers },
      });
      const wanted = cell.wanted(dialect, path);
      t.equal(answer.statusCode, wanted.status, `${path}: status`);
      if (wanted.status === 204) {
        t.equal(answer.payload, '', `${path}: empty body`);
      } else {
        t.match(answer.headers['content-type'], /^application\/json/, `${path}: JSON`);
        t.match(JSON.parse(answer.payload), wanted.body ?? {}, `${path}: body`);
      }
      if (wanted.listed !== undefined) {
        const { data } = JSON.parse(answer.payload) as { data: unknown[] };
        t.equal(data.length, wanted.listed, `${path}: listed lines`);
      }
      t.match(answer.headers, wanted.headers ?? {}, `${path}: headers`);
      if (wanted.status >= 500) {
        const text = answer.payload.toLowerCase();
        for (const phrase of dropPhrases) {
          if (text.includes(phrase)) t.fail(`${path}: '${phrase}' makes Telegraf drop the batch`);
        }
      }
      await front.close();
    }
  });
}

t.test('v3 with accept_partial=false says that nothing was kept', async (t) => {
  const { front, script } = composeFront();
  script.rejected = [bad];
  const answer = await front.app.inject({
    method: 'POST',
    url: '/api/v3/write_lp?db=x&accept_partial=false',
    payload: 'bad',
    headers: { host: 'localhost' },
  });
  t.equal(answer.statusCode, 400);
  t.match(JSON.parse(answer.payload), { error: 'parsing failed for write_lp endpoint' });
  t.equal(script.writes[0]?.acceptPartial, false);
  await front.close();
});

t.test('what the log keeps by is said when it is less than synced', async (t) => {
  for (const durability of ['async', 'memory'] as const) {
    const { front } = composeFront({ durability });
    const answer = await front.app.inject({
      method: 'POST',
      url: '/write',
      payload: 'm f=1',
      headers: { host: 'localhost' },
    });
    t.equal(answer.statusCode, 204);
    t.equal(answer.headers['x-holdfast-durability'], durability);
    await front.close();
  }
});

t.test('database, precision and sender reach the door as each dialect names them', async (t) => {
  const cases: [string, Record<string, string>, Record<string, unknown>][] = [
    ['/write', {}, { dialect: 'v1', database: 'default', precision: 'n' }],
    ['/write?db=plant&precision=h', {}, { database: 'plant', precision: 'h' }],
    ['/write?db=plant&precision=u', {}, { precision: 'us' }],
    ['/write?db=a&db=b', {}, { database: 'a' }],
    ['/write?db=', {}, { database: 'default' }],
    ['/write/?db=slash', {}, { database: 'slash' }],
    ['/write?db=M%C3%BCll+1', {}, { database: 'Müll 1' }],
    ['/write?db=plant', { 'x-arc-database': 'over' }, { database: 'over' }],
    ['/api/v2/write?bucket=b/autogen&org=o', {}, { dialect: 'v2', database: 'b', precision: 'n' }],
    ['/api/v2/write?bucket=b&precision=ms', {}, { database: 'b', precision: 'ms' }],
    ['/api/v3/write_lp?db=d', {}, { dialect: 'v3', database: 'd', precision: 'auto' }],
    ['/api/v3/write_lp?db=d&precision=second', {}, { precision: 's' }],
    ['/api/v1/write/line-protocol?precision=m', {}, { dialect: 'arc', precision: 'm' }],
    ['/api/v1/write', { 'x-arc-database': 'old' }, { dialect: 'arc', database: 'old' }],
    ['/api/v1/write/influxdb?db=older', {}, { dialect: 'arc', database: 'older' }],
    ['/api/v2/write', { 'idempotency-key': 'Schl\u00fcssel 1' }, { key: 'Schlüssel 1' }],
    ['/api/v1/write/line-protocol', { 'idempotency-key': 'k'.repeat(255) }, { key: /^k{255}$/ }],
    [
      '/api/v1/write/arrow?db=d',
      {},
      { dialect: 'arc', format: 'arrow', database: 'd', precision: 'auto', table: {} },
    ],
    [
      '/api/v1/write/arrow?measurement=cpu&tags=host,r%C3%A4ck&time_column=ts&precision=s',
      { 'x-arc-database': 'plant' },
      {
        database: 'plant',
        precision: 's',
        table: { measurement: 'cpu', tags: ['host', 'räck'], timeColumn: 'ts' },
      },
    ],
    [
      '/api/v1/write/arrow?measurement=cpu',
      { 'x-arc-measurement': 'over' },
      { table: { measurement: 'over' } },
    ],
    ['/write', { 'user-agent': 'Telegraf/1.39' }, { sender: '127.0.0.1', agent: 'Telegraf/1.39' }],
  ];
  for (const [url, headers, wanted] of cases) {
    const { front, script } = composeFront();
    const answer = await front.app.inject({
      method: 'POST',
      url,
      payload: 'm f=1',
      headers: { host: 'localhost:8086', ...headers },
    });
    t.equal(answer.statusCode, 204, url);
    t.match(script.writes[0], wanted, url);
    await front.close();
  }
});

t.test("Arc's route takes compression by its first bytes", async (t) => {
  for (const payload of [gzipSync('m f=1'), zstdCompressSync('m f=1'), Buffer.from('m f=1')]) {
    const { front, script } = composeFront();
    const url = '/api/v1/write/line-protocol';
    const headers = { host: 'localhost' };
    const answer = await front.app.inject({ method: 'POST', url, payload, headers });
    t.equal(answer.statusCode, 204);
    t.equal(Buffer.from(script.writes[0]?.body ?? []).toString(), 'm f=1');
    await front.close();
  }
});

t.test('several bad lines are joined, with what conflicts last and counted', async (t) => {
  const { front, script } = composeFront();
  script.rejected = [bad, { ...conflict, count: 2 }, { ...bad, line: 9, text: 'worse' }];
  const answer = await front.app.inject({
    method: 'POST',
    url: '/write',
    payload: 'x',
    headers: { host: 'localhost' },
  });
  t.same(JSON.parse(answer.payload), {
    error:
      "partial write: unable to parse 'bad': missing fields\n" +
      `unable to parse 'worse': missing fields\n${conflict.reason} dropped=2`,
  });
  t.match(answer.headers, { 'x-holdfast-rejected': '4', 'x-influxdb-error': /^[\x20-\x7e]+$/ });
  await front.close();
});

t.test('control characters of a bad line do not reach a header', async (t) => {
  const { front, script } = composeFront();
  script.rejected = [rejection(1, 'm\u0000\r\nx: y\u{1f4a5}', 'missing fields')];
  const answer = await front.app.inject({
    method: 'POST',
    url: '/write',
    payload: 'x',
    headers: { host: 'localhost' },
  });
  t.equal(answer.statusCode, 400);
  t.match(answer.headers['x-influxdb-error'], /^[\x20-\x7e]+$/);
  await front.close();
});
