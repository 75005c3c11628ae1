/**
 * InfluxDB 1.6 as an oracle: what it takes, the gateway takes with the same points and types, and
 * what it refuses, the gateway refuses in the same words. Each group has a database of its own.
 */
import t from 'tap';
import { GatewayClient, microseconds, quoted } from '../support/gateway-client.ts';
import { influxdBinary, InfluxNumber, InfluxServer } from '../support/influxdb-server.ts';
import { exactNumber } from '../support/line-reference.ts';
import { oracleGroup } from '../support/oracle-lines.ts';
import { chosenSeed, isLongRun, seededRandom } from '../support/random.ts';
import { RealGateway, scratchDirectory } from '../support/real-gateway.ts';

const found = influxdBinary();
const absent = 'absent' in found ? `InfluxDB oracle needs ${found.absent}` : false;
if (absent !== false && process.env['HOLDFAST_TEST_REQUIRE'] === '1') throw new Error(absent);

/** Cells of a row by column, with their types; nulls left out. */
type Cells = Record<string, string>;

function rowText(measurement: string, timeUs: bigint, cells: Cells): string {
  return JSON.stringify([measurement, String(timeUs), Object.entries(cells).sort()]);
}

function floorUs(nanoseconds: bigint): bigint {
  const us = nanoseconds / 1000n;
  return us * 1000n > nanoseconds ? us - 1n : us;
}

function influxCell(value: unknown, type: string | undefined): string {
  if (value instanceof InfluxNumber) {
    const exact = type === 'float' ? exactNumber(Number(value.text)) : String(BigInt(value.text));
    return `${type ?? 'unknown'}:${exact}`;
  }
  return `${type ?? 'unknown'}:${String(value)}`;
}

const quotedForInflux = (name: string): string =>
  `"${name.replaceAll('\\', '\\\\').replaceAll('"', '\\"')}"`;

/** All rows of one measurement as InfluxDB has them. */
async function influxRows(server: InfluxServer, database: string, name: string) {
  const from = quotedForInflux(name);
  const [keys] = await server.query(`SHOW FIELD KEYS FROM ${from}`, database);
  const types = new Map(keys?.values.map(([key, type]) => [String(key), String(type)]));
  const rows: string[] = [];
  for (const series of await server.query(`SELECT * FROM ${from} GROUP BY *`, database)) {
    const tags: Cells = {};
    for (const [key, value] of Object.entries(series.tags ?? {})) {
      if (value !== '') tags[key] = `string:${value}`;
    }
    for (const values of series.values) {
      const cells = { ...tags };
      let time = 0n;
      for (const [index, column] of series.columns.entries()) {
        const value = values[index];
        if (value === null || value === undefined) continue;
        if (column === 'time') time = BigInt((value as InfluxNumber).text);
        else cells[column] = influxCell(value, types.get(column));
      }
      rows.push(rowText(series.name, floorUs(time), cells));
    }
  }
  return rows;
}

const typeNames: Readonly<Record<string, string>> = {
  DOUBLE: 'float',
  BIGINT: 'integer',
  VARCHAR: 'string',
  BOOLEAN: 'boolean',
};

/** All rows of one measurement as the gateway has them. */
async function gatewayRows(client: GatewayClient, database: string, name: string) {
  const sql = `SELECT * FROM ${quoted(database)}.${quoted(name)}`;
  const { columns, types, rows } = await client.query(sql);
  return rows.map((values) => {
    const cells: Cells = {};
    let timeUs = 0n;
    for (const [index, column] of columns.entries()) {
      const value = values[index];
      if (value === null || value === undefined) continue;
      const type = typeNames[types[index] ?? ''] ?? types[index] ?? '';
      if (column === 'time') timeUs = microseconds(String(value));
      else if (typeof value !== 'object') cells[column] = `${type}:${String(value)}`;
      else {
        const exact = type === 'float' ? exactNumber(Number(value.text)) : value.text;
        cells[column] = `${type}:${exact}`;
      }
    }
    return rowText(name, timeUs, cells);
  });
}

/** Lines that both refuse, each with a line before it that is kept. */
const badLines: readonly string[] = [
  ...['m', 'm,a=b', 'm,a', 'm,', 'm,a=', 'm,a=b,', 'm ', 'm f', 'm f=', 'm f 1', 'm =1', 'm f= 1'],
  ...[',a=b f=1', 'm, f=1', 'm,a f=1', 'm,=a f=1', 'm,a= f=1', 'm,a=b, f=1', 'm,a=b=c f=1'],
  ...['m,a=b,a=c f=1', 'm,c=d,a=b,c=e f=1', 'm,time=x f=1', 'm,a=b\\ f=1', 'm\\ f=1'],
  ...['m f=1,', 'm f=1, 3', 'm f=1,,g=2', 'm f=1,g', 'm f=1,g 1', 'm ,f=1', '"m 1" f=1 1'],
  ...['m f=NaN', 'm f=Inf', 'm f=-Inf', 'm f=+1', 'm f=0x10', 'm f=--1', 'm f=1.2.3', 'm f=1-2'],
  ...['m f=-', 'm f=.', 'm f=1e', 'm f=1e+', 'm f=1ee5', 'm f=1ex', 'm f=1e400', 'm f=1x'],
  ...['m f=i', 'm f=-i', 'm f=1.5i', 'm f=1i1', 'm f=9223372036854775808i', 'm f=1\\ 1'],
  ...['m f=-9223372036854775809i', 'm f=tr', 'm f=F1', 'm f=true1', 'm f=tRUE', 'm f=abc'],
  ...['m f=e5', 'm f=a"b"', 'm f=1 1.5', 'm f=1 +3', 'm f=1 -', 'm f=1 1x', 'm f=1 x', 'm f=1 1 1'],
  ...['m f=1 9223372036854775807', 'm f=1 -9223372036854775807', 'm f=1 99999999999999999999'],
  ...['m f=1 -9223372036854775809', 'good f="text" 5', 'good f=t 6', 'm f="abc', 'm f="a",g="b'],
];

const skip = absent;

void t.test('InfluxDB 1.6 as an oracle', { skip }, async (t) => {
  const seed = chosenSeed();
  const random = seededRandom(seed);
  t.comment(`seed ${seed}`);
  const server = await InfluxServer.start(
    'binary' in found ? found.binary : '',
    scratchDirectory(t),
  );
  t.teardown(() => server.stop());
  // A database a group.
  const gateway = await RealGateway.start(t, ['--ingest-databases-max', '2000']);
  const client = new GatewayClient(gateway.url);

  await t.test('generated lines give the same points in both', async (t) => {
    const groups = isLongRun() ? 1000 : 60;
    let lines = 0;
    for (let number = 0; number < groups; number += 1) {
      const database = `group${number}`;
      const group = oracleGroup(random);
      await server.query(`CREATE DATABASE "${database}"`);
      const theirs = await server.write(database, group.precision, group.body);
      const ours = await gateway.write(group.body, `db=${database}&precision=${group.precision}`);
      if (theirs.status !== 204) t.fail(`InfluxDB refuses: ${theirs.text}\n${group.body}`);
      if (ours.status !== 204) t.fail(`the gateway refuses: ${ours.text}\n${group.body}`);
      for (const name of group.measurements) {
        const want = (await influxRows(server, database, name)).sort();
        if (want.length === 0) continue;
        lines += want.length;
        const got = (await gatewayRows(client, database, name)).sort();
        const same = JSON.stringify(got) === JSON.stringify(want);
        if (!same) t.same(got, want, `precision ${group.precision}\n${group.body}`);
      }
      await server.query(`DROP DATABASE "${database}"`);
    }
    t.comment(`${lines} points in ${groups} groups`);
    t.ok(lines >= groups * 10, 'the points were there');
  });

  await t.test('the comparison sees another value, type, time or tag', async (t) => {
    await server.query('CREATE DATABASE "seen"');
    const pairs = ['f=1 1000', 'f=2 1000', 'f=1i 1000', 'f=1 2000', 'g=1 1000', 'f="1" 1000'];
    for (const [number, other] of [...pairs.slice(1), ',t=a f=1 1000'].entries()) {
      const name = `m${number}`;
      const separator = other.startsWith(',') ? '' : ' ';
      t.equal((await server.write('seen', 'n', `${name} ${pairs[0]}`)).status, 204);
      t.equal((await gateway.write(`${name}${separator}${other}`, 'db=seen')).status, 204);
      const theirs = await influxRows(server, 'seen', name);
      t.notSame(await gatewayRows(client, 'seen', name), theirs, other);
    }
  });

  await t.test('bad lines are refused in the same words', async (t) => {
    await server.query('CREATE DATABASE "bad"');
    for (const bad of badLines) {
      const body = `good f=1 1\n${bad}`;
      const theirs = await server.write('bad', 'n', body);
      const ours = await gateway.write(body, 'db=bad&precision=n');
      const { error } = JSON.parse(theirs.text) as { error: string };
      t.equal(theirs.status, 400, bad);
      t.same(
        { status: ours.status, body: JSON.parse(ours.text) as unknown },
        {
          status: 400,
          body: { error },
        },
      );
    }
  });
});
