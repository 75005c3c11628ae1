/**
 * Rows with every kind of odd value and name, read back exactly: while they are in memory, after
 * the flush, after SIGKILL and a new start, after SIGTERM and a new start; and from the very files
 * by DuckDB and pyarrow, without the gateway.
 */
import { join } from 'node:path';
import process from 'node:process';
import t, { type Test } from 'tap';
import { quoted } from '../../support/gateway-client.ts';
import { pyarrowPython, readWithDuckdb, readWithPyarrow } from '../../support/read-parquet.ts';
import { RealGateway, type SqlValue } from '../../support/real-gateway.ts';

const megabyte = 'x€'.repeat(262_144);
const longName = `n${'é'.repeat(200)}`;
const veryLongName = 'v'.repeat(20_000);
const oddName = 'odd name, = with "quotes" \'and\' / . .. * % $ 測量 🔌';

/** An equals sign is only escaped in the names of tags and fields. */
const escapeKey = (name: string): string => name.replaceAll(/[, =]/g, (each) => `\\${each}`);
const escapeName = (name: string): string => name.replaceAll(/[, ]/g, (each) => `\\${each}`);

interface Case {
  readonly name: string;
  /** Line protocol with times in microseconds; each line a request of its own. */
  readonly lines: readonly string[];
  readonly sql: string;
  readonly rows: readonly (readonly SqlValue[])[];
}

const d = (name: string): string => `d.${quoted(name)}`;

/** Thirty hours, sent out of order. */
const manyHours = Array.from({ length: 300 }, (_, index) => {
  const at = (index * 173) % 300;
  return { at, time: 1_700_000_000_000_000 + at * 360_000_000 };
});

const wideFields = Array.from({ length: 2000 }, (_, index) => `c${index}=${index}i`).join(',');

const cases: readonly Case[] = [
  {
    name: 'int64 extremes',
    lines: ['ints v=9223372036854775807i 1', 'ints v=-9223372036854775808i 2', 'ints v=0i 3'],
    sql: `SELECT epoch_us(time), v FROM ${d('ints')} ORDER BY time`,
    rows: [
      [1n, 9223372036854775807n],
      [2n, -9223372036854775808n],
      [3n, 0n],
    ],
  },
  {
    name: 'unsigned beyond int64',
    lines: ['uints v=1u 1', 'uints v=18446744073709551615u 2', 'uints v=-5i 3'],
    sql: `SELECT v, v__uint64 FROM ${d('uints')} ORDER BY time`,
    rows: [
      [1n, null],
      [18446744073709551615n, 18446744073709551615n],
      [-5n, null],
    ],
  },
  {
    name: 'integers, then a float',
    lines: ['mixed v=7i 1', 'mixed v=0.5 2', 'mixed v=9007199254740993i 3'],
    sql: `SELECT v, v__double, v__int64 FROM ${d('mixed')} ORDER BY time`,
    rows: [
      [7, null, 7n],
      [0.5, 0.5, null],
      [9007199254740992, null, 9007199254740993n],
    ],
  },
  {
    name: 'a float, then huge integers',
    lines: [
      'huge v=0.25 1',
      'huge v=3i 2',
      'huge v=9007199254740993i 3',
      'huge v=18446744073709551615u 4',
    ],
    sql: `SELECT v, v__int64, v__uint64 FROM ${d('huge')} ORDER BY time`,
    rows: [
      [0.25, null, null],
      [3, null, null],
      [9007199254740992, 9007199254740993n, null],
      [18446744073709552000, null, 18446744073709551615n],
    ],
  },
  {
    name: 'floats at the edge',
    lines: [
      'floats v=1.7976931348623157e308 1',
      'floats v=5e-324 2',
      'floats v=-0.1 3',
      'floats v=0.30000000000000004 4',
    ],
    sql: `SELECT v FROM ${d('floats')} ORDER BY time`,
    rows: [[1.7976931348623157e308], [5e-324], [-0.1], [0.30000000000000004]],
  },
  {
    name: 'booleans and missing values',
    lines: ['flags,t=x a=t,b=FALSE 1', 'flags a=false 2', 'flags,u=y b=true 3'],
    sql: `SELECT a, b, t, u FROM ${d('flags')} ORDER BY time`,
    rows: [
      [true, false, 'x', null],
      [false, null, null, null],
      [null, true, null, 'y'],
    ],
  },
  {
    name: 'empty, quoted, unicode and megabyte strings',
    lines: [
      'texts v="" 1',
      'texts v="a\\"b\\\\c, d=e\nnext line \\n" 2',
      'texts v="𝄞 é 測 \u0301\u202e" 3',
      `texts v="${megabyte}" 4`,
    ],
    sql: `SELECT v FROM ${d('texts')} ORDER BY time`,
    rows: [[''], ['a"b\\c, d=e\nnext line \\n'], ['𝄞 é 測 \u0301\u202e'], [megabyte]],
  },
  {
    name: 'odd names',
    lines: [`${escapeName(oddName)},${escapeKey(oddName)}=tag\\ value ${escapeKey('f x')}=1i 1`],
    sql: `SELECT ${quoted(oddName)}, "f x" FROM ${d(oddName)}`,
    rows: [['tag value', 1n]],
  },
  {
    name: 'over-long names',
    lines: [
      `${longName} ${longName}=1i 1`,
      `${veryLongName},${veryLongName}=t ${veryLongName}f=2i 1`,
    ],
    sql:
      `SELECT a.${quoted(longName)}, b.${quoted(veryLongName)}, b.${quoted(`${veryLongName}f`)} ` +
      `FROM ${d(longName)} a, ${d(veryLongName)} b`,
    rows: [[1n, 't', 2n]],
  },
  {
    name: 'measurements that differ by case',
    lines: ['CPU v=1i 1', 'cpu v=2i 1', 'Cpu v=3i 1'],
    sql: `SELECT (SELECT v FROM ${d('CPU')}), (SELECT v FROM ${d('cpu')}), (SELECT v FROM ${d('Cpu')})`,
    rows: [[1n, 2n, 3n]],
  },
  {
    name: 'columns that differ by case, a tag and a field of one name, a field called time',
    lines: ['names,x=tag x=1i,Temp=2i,temp=3i,time=4i,TEMP="text" 5'],
    sql: `SELECT epoch_us(time), x, x__2, "Temp", temp__2, temp__3, time__2 FROM (
      SELECT time, x, x__2, "Temp", temp__2, "TEMP__3" AS temp__3, time__2 FROM ${d('names')})`,
    rows: [[5n, 'tag', 1n, 2n, 3n, 'text', 4n]],
  },
  {
    name: 'times from 1677 to 2262',
    lines: [
      'times v=1i -9223372036854775',
      'times v=2i 9223372036854775',
      'times v=3i -1',
      'times v=4i 0',
      'times v=5i -86400000001',
    ],
    sql: `SELECT epoch_us(time), v FROM ${d('times')} ORDER BY time`,
    rows: [
      [-9223372036854775n, 1n],
      [-86400000001n, 5n],
      [-1n, 3n],
      [0n, 4n],
      [9223372036854775n, 2n],
    ],
  },
  {
    name: 'rows out of order over thirty hours',
    lines: [manyHours.map(({ at, time }) => `hours,h=a v=${at}i ${time}`).join('\n')],
    sql: `SELECT epoch_us(time), v FROM ${d('hours')} ORDER BY time`,
    rows: [...manyHours]
      .sort((one, two) => one.at - two.at)
      .map(({ at, time }) => [BigInt(time), BigInt(at)]),
  },
  {
    name: 'two thousand columns',
    lines: [`wide ${wideFields} 1`],
    sql: `SELECT c0, c999, c1999 FROM ${d('wide')}`,
    rows: [[0n, 999n, 1999n]],
  },
];

async function expectAll(t: Test, gateway: RealGateway, when: string): Promise<void> {
  for (const { name, sql, rows } of cases) {
    const found = await gateway.select(sql).catch((error: unknown) => String(error).slice(0, 300));
    // Megabytes of text would drown the report of a failure.
    t.ok(sameRows(found, rows), `${when}: ${name}`, { found: short(found), wanted: short(rows) });
  }
}

void t.test('values and names come back exactly, whatever happened between', async (t) => {
  const gateway = await RealGateway.start(t, ['--ingest-buffer-rows', '1000000']);
  for (const line of cases.flatMap(({ lines }) => lines)) {
    const answer = await gateway.write(line);
    t.equal(answer.status, 204, `${line.slice(0, 60)}: ${answer.text.slice(0, 200)}`);
  }
  await expectAll(t, gateway, 'in memory');
  t.same(gateway.dataFiles(), [], 'nothing was filed so far');

  await gateway.kill();
  await gateway.startAgain();
  await expectAll(t, gateway, 'after SIGKILL');
  await gateway.filed();
  t.not(gateway.dataFiles().length, 0, 'what was replayed is filed');
  await expectAll(t, gateway, 'filed');

  t.equal((await gateway.write('ints v=1i 4')).status, 204);
  t.equal(await gateway.stop(), 0);
  await gateway.startAgain();
  t.equal(await gateway.count(d('ints')), 4, 'after SIGTERM the last row is there');
  t.equal((await gateway.status()).recovery.rows, 0, 'nothing was left in the log');
  t.equal(await gateway.stop(), 0);

  await readByOthers(t, gateway);
});

/** The files of a few measurements, by programs that know nothing of Holdfast. */
async function readByOthers(t: Test, gateway: RealGateway): Promise<void> {
  const found = pyarrowPython();
  if ('absent' in found) {
    if (process.env['HOLDFAST_TEST_REQUIRE'] === '1') throw new Error(found.absent);
    t.comment(`pyarrow is absent: ${found.absent}`);
  }
  const measurementOf = (path: string): string => path.split('/').slice(0, 2).join('/');
  const files = gateway.dataFiles();
  for (const path of files) {
    // A Python for each of the thirty hours would show nothing new.
    if (files.find((other) => measurementOf(other) === measurementOf(path)) !== path) continue;
    const whole = join(gateway.dataDirectory, 'data', path);
    const byDuckdb = await readWithDuckdb(whole);
    if ('absent' in found) continue;
    const byPyarrow = readWithPyarrow(found.python, whole);
    t.same(byPyarrow.columns, byDuckdb.columns, `columns of ${path.slice(0, 80)}`);
    t.ok(sameRows(byPyarrow.rows, byDuckdb.rows), `rows of ${path.slice(0, 80)}`);
  }
  const exact = (measurement: string) => {
    const paths = gateway.dataFiles().filter((path) => path.startsWith(`d/${measurement}/`));
    return Promise.all(
      paths.map((path) => readWithDuckdb(join(gateway.dataDirectory, 'data', path))),
    );
  };
  const rowsOf = async (measurement: string) =>
    (await exact(measurement)).flatMap(({ rows }) => rows.map((row) => [...row]));
  t.same(
    (await rowsOf('times')).map(([time]) => time).sort(),
    [-1n, -86400000001n, -9223372036854775n, 0n, 9223372036854775n].sort(),
  );
  const [uints] = await exact('uints');
  t.same(uints?.columns.slice(0, 3), ['time', 'v', 'v__uint64']);
  t.same(
    uints?.rows.map((row) => row.slice(1)),
    [
      [1n, null],
      [null, 18446744073709551615n],
      [-5n, null],
    ],
    'each part is exact in the files',
  );
  t.equal((await exact('hours')).length, 31, 'one file for each hour that the rows touch');
}

function sameRows(found: unknown, rows: readonly (readonly unknown[])[]): boolean {
  if (!Array.isArray(found) || found.length !== rows.length) return false;
  return (found as unknown[][]).every((row, at) => {
    const wanted = rows[at] ?? [];
    return row.length === wanted.length && row.every((value, column) => value === wanted[column]);
  });
}

function short(value: unknown): string {
  const text = JSON.stringify(value, (_key, each: unknown) =>
    typeof each === 'bigint' ? `${each}n` : each,
  );
  return text.length > 400 ? `${text.slice(0, 400)}...` : text;
}
