/**
 * The main job on real input: a real Telegraf writes by five of its outputs at once, the gateway is
 * killed twice meanwhile, answers get lost so that whole batches come again, and afterwards every
 * point that Telegraf's own file output lists is in each database exactly once, with nothing
 * dropped on the way. The output `arc` names no tags, so the owner does; without that its points
 * are there at least once.
 */
import { spawn, type ChildProcess } from 'node:child_process';
import { once } from 'node:events';
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { createServer, type AddressInfo } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import t from 'tap';
import { GatewayClient, quoted } from '../../support/gateway-client.ts';
import { GatewayProcess } from '../../support/gateway-process.ts';
import { exactNumber, LineReference } from '../../support/line-reference.ts';
import { rowKey, type PlainRow } from '../../support/plain-row.ts';
import { LossyProxy } from '../../support/lossy-proxy.ts';
import { isLongRun } from '../../support/random.ts';
import { required } from '../../support/requirements.ts';
import { telegrafBinary, telegrafRequirements } from '../../support/telegraf-binary.ts';

const databases = ['from_v1', 'from_v2', 'from_v3', 'from_http', 'from_arc'] as const;
const paths = [
  ...['/write', '/api/v2/write', '/api/v3/write_lp', '/api/v1/write/line-protocol'],
  '/api/v1/write/msgpack',
];
/** What `arc` sends without saying which columns are tags. A tag that never comes does no harm. */
const arcMeasurements = [
  ...['cpu', 'mem', 'disk', 'system'],
  ...['agent', 'gather', 'write', 'memstats', 'serializer', 'parser'].map(
    (part) => `internal_${part}`,
  ),
];
const arcTags = [
  ...['host', 'cpu', 'device', 'fstype', 'label', 'mode', 'path'],
  ...['alias', 'go_version', 'input', 'output', 'type', 'version', '_id'],
];
const sendingMs = isLongRun() ? 120_000 : 26_000;

function telegrafConfig(url: string, oracle: string, log: string): string {
  return `
[agent]
  interval = "1s"
  flush_interval = "1s"
  metric_buffer_limit = 200000
  hostname = "edge box, 1"
  logfile = ${JSON.stringify(log)}
[[inputs.cpu]]
[[inputs.mem]]
[[inputs.disk]]
[[inputs.system]]
[[inputs.internal]]
[[outputs.file]]
  files = [${JSON.stringify(oracle)}]
  data_format = "influx"
[[outputs.influxdb]]
  urls = ["${url}"]
  database = "from_v1"
[[outputs.influxdb_v2]]
  urls = ["${url}"]
  bucket = "from_v2"
  organization = "any"
[[outputs.influxdb_v3]]
  urls = ["${url}"]
  database = "from_v3"
[[outputs.http]]
  url = "${url}/api/v1/write/line-protocol"
  data_format = "influx"
  content_encoding = "gzip"
  [outputs.http.headers]
    x-arc-database = "from_http"
[[outputs.arc]]
  url = "${url}/api/v1/write/msgpack"
  api_key = "none"
  database = "from_arc"
`;
}

async function freePort(): Promise<number> {
  const server = createServer().listen(0, '127.0.0.1');
  await once(server, 'listening');
  const { port } = server.address() as AddressInfo;
  server.close();
  await once(server, 'close');
  return port;
}

/** One value of one point; what must be there, whatever rows it is spread over. */
type Cells = Map<string, string>;

function cellKey(row: Pick<PlainRow, 'measurement' | 'tags' | 'time'>, field: string): string {
  return `${rowKey({ ...row, database: '', fields: {} })} ${field}`;
}

interface Oracle {
  readonly cells: Cells;
  readonly lines: number;
  readonly points: ReadonlySet<string>;
  readonly tagsOf: ReadonlyMap<string, ReadonlySet<string>>;
  readonly dropped: number;
}

function readOracle(path: string): Oracle {
  const { rows, bad } = new LineReference(readFileSync(path));
  if (bad.length > 0) throw new Error(`Telegraf wrote a line that is none: ${bad[0]?.text}`);
  const cells: Cells = new Map();
  const points = new Set<string>();
  const tagsOf = new Map<string, Set<string>>();
  let dropped = 0;
  for (const { measurement, tags, fields, timeUs } of rows) {
    const time = timeUs ?? 0n;
    const known = tagsOf.get(measurement) ?? new Set();
    tagsOf.set(measurement, known);
    for (const tag of tags.keys()) known.add(tag);
    const row = { database: '', measurement, tags: Object.fromEntries(tags), time, fields: {} };
    points.add(rowKey(row));
    for (const [field, value] of fields) {
      cells.set(cellKey(row, field), value);
      const isDrop = /^metrics_(dropped|rejected)$/.test(field) && value !== 'number:0';
      if (isDrop) dropped += 1;
    }
  }
  return { cells, lines: rows.length, points, tagsOf, dropped };
}

function valueOf(value: PlainRow['fields'][string]): string {
  if (typeof value === 'boolean') return `boolean:${value ? 1 : 0}`;
  return typeof value === 'string' ? `string:${value}` : exactNumber(value);
}

interface Found {
  readonly cells: Cells;
  /** Rows of each point. */
  readonly rows: ReadonlyMap<string, number>;
}

async function readAll(client: GatewayClient, database: string, oracle: Oracle): Promise<Found> {
  const cells: Cells = new Map();
  const rows = new Map<string, number>();
  for (const [measurement, tags] of oracle.tagsOf) {
    for (const row of await client.rows({ database, measurement, tags: [...tags] })) {
      const point = rowKey({ ...row, database: '', fields: {} });
      rows.set(point, (rows.get(point) ?? 0) + 1);
      for (const [field, value] of Object.entries(row.fields)) {
        cells.set(cellKey(row, field), valueOf(value));
      }
    }
  }
  return { cells, rows };
}

/** What is not exactly as the oracle has it, in words. */
function differences({ cells, rows }: Found, oracle: Oracle): string[] {
  return [
    ...[...oracle.cells].filter(([key, value]) => cells.get(key) !== value).map(([key]) => key),
    ...[...cells.keys()].filter((key) => !oracle.cells.has(key)).map((key) => `invented ${key}`),
    ...[...rows].filter(([, count]) => count > 1).map(([key, count]) => `${count} times ${key}`),
    ...[...oracle.points].filter((key) => !rows.has(key)).map((key) => `no row ${key}`),
  ];
}

async function nameArcTags(url: string): Promise<void> {
  for (const measurement of arcMeasurements) {
    const answer = await fetch(`${url}/api/v1/measurements/from_arc/${measurement}/tags`, {
      method: 'PUT',
      body: JSON.stringify({ tags: arcTags }),
    });
    if (answer.status !== 200) throw new Error(await answer.text());
  }
}

/** Sends for a while, with answers lost, and the gateway killed and started again twice. */
async function sendThroughKills(
  first: GatewayProcess,
  start: () => GatewayProcess,
  telegraf: ChildProcess,
  proxy: LossyProxy,
): Promise<GatewayProcess> {
  let gateway = first;
  for (let kill = 0; kill < 2; kill += 1) {
    proxy.loseNext(paths);
    await sleep(sendingMs / 3);
    if (telegraf.exitCode !== null) throw new Error('Telegraf ended');
    await gateway.kill();
    // Long enough for each output to fail at least once.
    await sleep(1500);
    gateway = start();
    await gateway.ready();
  }
  proxy.loseNext(paths);
  await sleep(sendingMs / 3);
  return gateway;
}

t.setTimeout(600_000);
const skip = required('telegraf', telegrafRequirements);

void t.test(
  'each point of a real Telegraf is there once, through two kills',
  { skip },
  async (t) => {
    const scratch = mkdtempSync(join(tmpdir(), 'holdfast-telegraf-'));
    const oraclePath = join(scratch, 'oracle');
    const logPath = join(scratch, 'telegraf.log');
    const port = await freePort();
    const url = `http://127.0.0.1:${port}`;
    const proxy = await LossyProxy.start(port);
    writeFileSync(join(scratch, 'telegraf.conf'), telegrafConfig(proxy.url, oraclePath, logPath));
    const started: GatewayProcess[] = [];
    const start = (): GatewayProcess => {
      const gateway = GatewayProcess.start({ dataDirectory: join(scratch, 'data'), port });
      started.push(gateway);
      return gateway;
    };
    const first = start();
    await nameArcTags(await first.ready());
    const telegraf = spawn(telegrafBinary(), ['--config', join(scratch, 'telegraf.conf')], {
      stdio: 'ignore',
    });
    t.teardown(async () => {
      telegraf.kill('SIGKILL');
      await proxy.close();
      for (const gateway of started) await gateway.kill();
      rmSync(scratch, { recursive: true, force: true });
    });
    const gateway = await sendThroughKills(first, start, telegraf, proxy);
    telegraf.kill('SIGTERM');
    await once(telegraf, 'exit');

    const oracle = readOracle(oraclePath);
    const { size } = oracle.points;
    t.comment(`${oracle.lines} lines, ${size} points, ${oracle.cells.size} values`);
    t.ok(size > 200, 'Telegraf sent something to speak of');
    t.ok(size < oracle.lines, 'its input `system` sends a point in several lines');
    for (const path of paths) t.ok((proxy.lost.get(path) ?? 0) > 0, `${path} sent a batch twice`);
    const client = new GatewayClient(url);
    for (const [measurement, tags] of oracle.tagsOf) {
      t.ok(arcMeasurements.includes(measurement), `the tags of ${measurement} are named`);
      const unnamed = [...tags].filter((tag) => !arcTags.includes(tag));
      t.same(unnamed, [], `and each of them`);
    }
    for (const database of databases) {
      const wrong = differences(await readAll(client, database, oracle), oracle);
      t.same(wrong.slice(0, 3), [], `${database}: ${wrong.length} are not there exactly once`);
    }
    const tables = await client.query(`SHOW TABLES FROM ${quoted('from_v1')}`);
    t.ok(tables.rows.length >= 5, 'each input has its measurement');
    const told = readFileSync(logPath, 'utf8').split('\n');
    t.ok(
      told.some((line) => /EOF|reset|refused/.test(line)),
      'it met the gateway being away',
    );
    const drops = told.filter((line) => /drop|reject/i.test(line));
    t.same(drops, [], 'its log tells of no drop');
    t.equal(oracle.dropped, 0, 'its own counters tell of no drop');
    t.equal(await gateway.stop(), 0, 'the gateway stops cleanly');
  },
);
