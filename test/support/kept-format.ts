/**
 * A data directory as a build left it when the plug was pulled: some rows in files, some in the log
 * only. One is kept for each version of the on-disk formats (test/fixtures/formats/VERSION) and
 * opened by every later build.
 *
 * `node test/support/kept-format.ts VERSION` makes the directory of this build. It is run once, in
 * the change that raises a version; what it wrote is never made again.
 */
import { spawnSync } from 'node:child_process';
import { mkdirSync, mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import process from 'node:process';
import { fileURLToPath } from 'node:url';
import { isMainThread } from 'node:worker_threads';
import { packed } from './msgpack-bytes.ts';
import { RealGateway, type HttpRequest, type SqlValue } from './real-gateway.ts';

const fixtures = fileURLToPath(new URL('../fixtures/formats/', import.meta.url));

/** Small segments, so that there are several. */
const flags = ['--wal-segment-size', '1MiB'];

/** 2026-01-04 22:30 UTC in microseconds: rows reach into the next day. */
const start = 1_767_565_800_000_000;
const minute = 60_000_000;

/** Written before anything else and filed. */
const firstRows = [
  ...Array.from({ length: 200 }, (_, row) => {
    const time = start + row * minute;
    return `cpu,host=h${row % 4},zone=north idle=${row / 8},count=${row}i,up=${row % 3 === 0} ${time}`;
  }),
  `exact,k=a i=-9223372036854775808i,u=18446744073709551615u,f=-0.1,s="",b=true ${start}`,
  `exact,k=b i=9223372036854775807i,f=1e308,s="two\nlines \\"quoted\\"" ${start}`,
  `late,k=a v=1i ${start}`,
  `late,k=a v=2i ${start + minute}`,
  `odd\\ name,tag\\,key=Ü time_=1,Field=2,field=3 ${start}`,
  `old v=1 -9223372036854775`,
  `both,x=tag y=1 ${start}`,
];

/** Repeats of filed points, one field each; filed too. */
const repeats = [
  `late,k=a w=9i ${start}`,
  `late,k=a v=20i ${start + minute}`,
  `cpu,host=h1,zone=north idle=1000 ${start + minute}`,
];

/** In the log only. */
const lastRows = [
  `late,k=a v=10i ${start}`,
  `cpu,host=h0,zone=north idle=-1 ${start + 200 * minute}`,
  `exact,k=c f=5i,i=0.5 ${start}`,
  `both,x=tag y=2 ${start + minute}`,
];

const columnar = (rows: readonly number[]) =>
  packed({
    m: 'columns',
    columns: {
      time: rows.map((row) => start / 1_000_000 + row),
      host: rows.map((row) => `c${row}`),
      v: rows.map((row) => row / 2),
      n: rows.map(() => null),
    },
  });

/** One point, if its tags are known. */
const named = (v: number) =>
  packed({
    m: 'named',
    columns: { time: [start / 1_000_000], host: ['n'], rack: ['r'], v: [v] },
  });

/** Answered once, in the log only: a later build still knows its key. */
export const keyedRequest: HttpRequest = {
  path: '/write?db=d&precision=u',
  headers: { 'idempotency-key': 'kept', 'user-agent': 'kept format' },
  body: `keyed v=1i\nbad line\n`,
};

/** What every later build answers. */
const questions: readonly string[] = [
  'SELECT * FROM d.cpu ORDER BY time, host',
  'SELECT * FROM d.exact ORDER BY time, k',
  'SELECT * FROM d.late ORDER BY time',
  'SELECT * FROM d."odd name"',
  'SELECT * FROM d.old',
  'SELECT * FROM d.both ORDER BY time',
  'SELECT host, v, time FROM d.columns ORDER BY time, v',
  'SELECT host, rack, v, time FROM d.named ORDER BY v',
  'SELECT v FROM d.keyed',
  'SELECT reason, line FROM _internal.dead_letters ORDER BY line',
  'SHOW DATABASES',
  'SHOW TABLES FROM d',
  'DESCRIBE d.exact',
];

export interface KeptAnswer {
  readonly sql: string;
  readonly rows: readonly (readonly unknown[])[];
}

/** A value as the kept answers have it: exact, in JSON. */
function plain(value: SqlValue): unknown {
  return typeof value === 'bigint' ? value.toString() : value;
}

export async function answersOf(gateway: RealGateway): Promise<readonly KeptAnswer[]> {
  const answers: KeptAnswer[] = [];
  for (const sql of questions) {
    const rows = await gateway.select(sql);
    answers.push({ sql, rows: rows.map((row) => row.map(plain)) });
  }
  return answers;
}

/** Versions of which a directory is kept. */
export function keptVersions(): readonly string[] {
  return readdirSync(fixtures).sort();
}

export function keptAnswers(version: string): readonly KeptAnswer[] {
  const text = readFileSync(join(fixtures, version, 'answers.json'), 'utf8');
  return JSON.parse(text) as readonly KeptAnswer[];
}

/** Lays the kept directory out in `directory`, which is empty. */
export function unpackKept(version: string, directory: string): void {
  tar('-xzf', join(fixtures, version, 'directory.tar.gz'), '-C', directory);
}

function tar(...words: readonly string[]): void {
  const { status, stderr } = spawnSync('tar', words, { encoding: 'utf8' });
  if (status !== 0) throw new Error(`tar ${words.join(' ')}: ${stderr}`);
}

async function expectStatus(gateway: RealGateway, request: HttpRequest, status: number) {
  const answer = await gateway.send(request);
  if (answer.status !== status) throw new Error(`${request.path}: ${answer.status} ${answer.text}`);
}

async function make(version: string): Promise<void> {
  const directory = mkdtempSync(join(tmpdir(), 'holdfast-kept-'));
  const ends: (() => unknown)[] = [];
  const gateway = await RealGateway.start({ teardown: (end) => ends.push(end) }, flags, directory);
  const lines = (rows: readonly string[]) =>
    expectStatus(gateway, { path: '/write?db=d&precision=u', body: rows.join('\n') }, 204);
  const arc = { 'x-arc-database': 'd' };
  const columns = (body: Uint8Array) =>
    expectStatus(gateway, { path: '/api/v1/write/msgpack', headers: arc, body }, 204);
  const name = (path: string, tags: readonly string[]) =>
    expectStatus(gateway, { method: 'PUT', path, body: JSON.stringify({ tags }) }, 200);
  await lines(firstRows);
  await columns(columnar([0, 1]));
  await name('/api/v1/measurements/d/named/tags', ['host']);
  await name('/api/v1/databases/plant/tags', ['line']);
  await columns(named(1));
  await columns(named(2));
  await gateway.stop();
  await gateway.startAgain();
  await lines(repeats);
  await gateway.stop();
  await gateway.startAgain();
  await lines(lastRows);
  await columns(columnar([1, 2]));
  await name('/api/v1/measurements/d/named/tags', ['host', 'rack']);
  await columns(named(3));
  await columns(named(4));
  await expectStatus(gateway, keyedRequest, 400);
  const answers = await answersOf(gateway);
  for (const end of ends) await end();
  const to = join(fixtures, version);
  mkdirSync(to, { recursive: true });
  tar('-czf', join(to, 'directory.tar.gz'), '-C', directory, '.');
  writeFileSync(join(to, 'answers.json'), `${JSON.stringify(answers, undefined, 1)}\n`);
  rmSync(directory, { recursive: true, force: true });
}

const isProgram = process.argv[1] === fileURLToPath(import.meta.url);
if (isMainThread && isProgram) await make(process.argv[2] ?? '');
