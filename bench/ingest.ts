/**
 * Ingest bench: the gateway on its default, durable settings against a load maker in a process of
 * its own. For each scenario: rows that warm it up, so that what a start compiles is not what is
 * measured; when they are in Parquet a closed loop for the peak rate and the CPU it costs until
 * every row is in Parquet; then an open loop at half of that rate for the latency, beside that of
 * the log's syncs in the same time. The count of all rows is verified by SQL at the end.
 *
 * `npm run bench [-- --rows 1000000] [--warm-rows 300000] [--only cpu-100] [--directory D]`
 * `npm run bench -- --minutes 10 [--only cpu-4000] [--serve='--ingest-memory 256MiB']`
 * --minutes: instead of the table, one scenario in a closed loop for that long, watched for memory.
 * --open-rate: rows a second of the open loop instead of half of the peak, to compare two states of
 * the code on a machine whose peak varies. --serve: settings other than the defaults; they are
 * printed. --node: options of Node, to profile it (`--node='--cpu-prof --cpu-prof-dir=D'`).
 */
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { parseArgs } from 'node:util';
import { quantileMs } from './duration-counts.ts';
import { Load } from './load.ts';
import { loadLine, machineLine } from './machine.ts';
import { childrenPeakMiB, cpuSeconds, directoryBytes, residentMiB } from './process-figures.ts';
import type { Shape } from './shapes.ts';
import { soak } from './soak.ts';
import { Subject } from './subject.ts';

const rowsPerBody = 1000;
const connections = 16;
/** Multiple of the bodies that a round over 4,000 hosts takes. */
const distinctBodies = 256;
/** So that the slowest thousandth is more than one request. */
const openBodiesMin = 3000;
const openSecondsMax = 45;

interface Scenario {
  readonly name: string;
  readonly shape: Shape;
  readonly gzip: boolean;
  /** Only watched for memory. */
  readonly soakOnly?: boolean;
  /** Rows of the closed loop, and those before it; of others `linesMeasured` and `linesWarm`. */
  readonly rows?: number;
  readonly warmRows?: number;
}

/** Ten seconds or so of a busy core. */
const linesMeasured = 1_000_000;
const linesWarm = 300_000;

const scenarios: readonly Scenario[] = [
  { name: 'iot-1000', shape: { name: 'iot', hosts: 1000 }, gzip: false },
  { name: 'iot-1000-gzip', shape: { name: 'iot', hosts: 1000 }, gzip: true },
  { name: 'cpu-100', shape: { name: 'cpu', hosts: 100 }, gzip: false },
  { name: 'cpu-100-gzip', shape: { name: 'cpu', hosts: 100 }, gzip: true },
  { name: 'cpu-4000', shape: { name: 'cpu', hosts: 4000 }, gzip: false },
  { name: 'cpu-4000-gzip', shape: { name: 'cpu', hosts: 4000 }, gzip: true },
  ...(['iot', 'cpu'] as const).map((name) => ({
    name: `msgpack-${name}`,
    shape: { name, hosts: 1000, format: 'columnar' as const },
    gzip: false,
    rows: name === 'iot' ? 6_000_000 : 2_000_000,
    warmRows: name === 'iot' ? 2_000_000 : 700_000,
  })),
  ...(['iot', 'cpu'] as const).map((name) => ({
    name: `arrow-${name}`,
    shape: { name, hosts: 1000, format: 'arrow-coded' as const },
    gzip: false,
    rows: name === 'iot' ? 6_000_000 : 2_000_000,
    warmRows: name === 'iot' ? 2_000_000 : 700_000,
  })),
  {
    name: 'arrow-cpu-plain',
    shape: { name: 'cpu', hosts: 1000, format: 'arrow' },
    gzip: false,
    rows: 2_000_000,
    warmRows: 700_000,
  },
  {
    name: 'msgpack-rows-cpu',
    shape: { name: 'cpu', hosts: 1000, format: 'rows' },
    gzip: false,
  },
  { name: 'many', shape: { name: 'many', hosts: 4000 }, gzip: false, soakOnly: true },
  { name: 'text', shape: { name: 'text', hosts: 1000 }, gzip: false, soakOnly: true },
];

interface Settings {
  readonly rows: number | undefined;
  readonly warmRows: number | undefined;
  /** Rows a second; half of the peak if not given. */
  readonly openRate: number | undefined;
  readonly port: number;
  readonly parent: string;
  readonly serve: readonly string[];
  readonly node: readonly string[];
}

const columns: readonly (readonly [title: string, width: number])[] = [
  ['scenario', -16],
  ['rows', 10],
  ['warm-up', 10],
  ['rows/s', 9],
  ['rows/CPU-s', 10],
  ['p50 ms', 7],
  ['p99 ms', 7],
  ['p99.9 ms', 8],
  ['sync p50', 8],
  ['sync p99', 8],
  ['p99/sync', 8],
  ['peak MiB', 8],
  ['query MiB', 9],
  ['B/row', 6],
  ['503s', 5],
];

function printRow(cells: readonly string[]): void {
  const padded = cells.map((cell, index) => {
    const width = columns[index]?.[1] ?? 0;
    return width < 0 ? cell.padEnd(-width) : cell.padStart(width);
  });
  console.log(padded.join(' '));
}

const quantile = (sorted: readonly number[], share: number) =>
  sorted[Math.min(sorted.length - 1, Math.floor(sorted.length * share))] ?? NaN;

async function measure(scenario: Scenario, settings: Settings): Promise<void> {
  const { port, parent, serve, node } = settings;
  const rows = settings.rows ?? scenario.rows ?? linesMeasured;
  const warmRows = settings.warmRows ?? scenario.warmRows ?? linesWarm;
  const subject = new Subject({ port, parent, settings: serve, nodeOptions: node });
  const peakBodies = Math.floor(rows / rowsPerBody);
  const warmBodies = Math.floor(warmRows / rowsPerBody);
  const load = new Load({
    shape: scenario.shape,
    gzipBodies: scenario.gzip ? warmBodies + peakBodies + openBodiesMin : 0,
    distinctBodies,
    rowsPerBody,
    connections,
    url: subject.url,
  });
  try {
    await Promise.all([subject.ready(), load.ready()]);
    const warm = await load.send({ kind: 'closed', bodies: warmBodies });
    await subject.settled();
    const bytesBefore = directoryBytes(join(subject.directory, 'data'));
    const cpuBefore = cpuSeconds(subject.pid);
    const peak = await load.send({ kind: 'closed', bodies: peakBodies });
    await subject.settled();
    const cpu = cpuSeconds(subject.pid) - cpuBefore;
    const sent = peak.acknowledgedBodies * rowsPerBody;
    const rate = sent / peak.seconds;
    const bytes = directoryBytes(join(subject.directory, 'data')) - bytesBefore;
    const half = (settings.openRate ?? rate / 2) / rowsPerBody;
    const bodies = Math.min(openBodiesMin, Math.ceil(half * openSecondsMax));
    const syncsBefore = await subject.syncs();
    const open = await load.send({ kind: 'open', bodies, bodiesPerSecond: half });
    const syncsAfter = await subject.syncs();
    const syncMs = (share: number) => quantileMs(syncsBefore, syncsAfter, share);
    const others = warm.acknowledgedBodies + open.acknowledgedBodies;
    const acknowledged = sent + others * rowsPerBody;
    const seen = await subject.count(scenario.shape.name);
    if (seen !== acknowledged) {
      throw new Error(`acknowledged ${acknowledged} rows, SQL counts ${seen}`);
    }
    printRow([
      scenario.name,
      sent.toLocaleString('en'),
      (warm.acknowledgedBodies * rowsPerBody).toLocaleString('en'),
      Math.round(rate).toLocaleString('en'),
      Math.round(sent / cpu).toLocaleString('en'),
      quantile(open.latenciesMs, 0.5).toFixed(1),
      quantile(open.latenciesMs, 0.99).toFixed(1),
      quantile(open.latenciesMs, 0.999).toFixed(1),
      syncMs(0.5).toFixed(2),
      syncMs(0.99).toFixed(2),
      (quantile(open.latenciesMs, 0.99) / syncMs(0.99)).toFixed(1),
      residentMiB(subject.pid).peak.toFixed(0),
      childrenPeakMiB(subject.pid).toFixed(0),
      (bytes / sent).toFixed(1),
      String(warm.refusedBodies + peak.refusedBodies + open.refusedBodies),
    ]);
  } finally {
    load.stop();
    await subject.stop();
  }
}

const words = (text: string) => text.split(' ').filter((word) => word !== '');

const { values } = parseArgs({
  options: {
    rows: { type: 'string' },
    'warm-rows': { type: 'string' },
    'open-rate': { type: 'string' },
    only: { type: 'string' },
    minutes: { type: 'string' },
    port: { type: 'string', default: '18086' },
    directory: { type: 'string', default: tmpdir() },
    serve: { type: 'string', default: '' },
    node: { type: 'string', default: '' },
  },
});
const settings: Settings = {
  rows: values.rows === undefined ? undefined : Number(values.rows),
  warmRows: values['warm-rows'] === undefined ? undefined : Number(values['warm-rows']),
  openRate: values['open-rate'] === undefined ? undefined : Number(values['open-rate']),
  port: Number(values.port),
  parent: values.directory,
  serve: words(values.serve),
  node: words(values.node),
};
console.log(machineLine(settings.parent));
console.log(loadLine());
console.log(
  `settings: ${values.serve === '' ? 'defaults (fdatasync before each answer)' : values.serve}`,
);
console.log(`${rowsPerBody} rows a request, ${connections} connections`);
const only = values.only ?? (values.minutes === undefined ? undefined : 'cpu-4000');
const chosen = scenarios.filter(({ name, soakOnly = false }) =>
  only === undefined ? !soakOnly : name === only,
);
if (chosen.length === 0) throw new Error(`no scenario ${only ?? ''}`);
if (values.minutes !== undefined) {
  const shape = chosen[0]?.shape ?? { name: 'cpu', hosts: 4000 };
  const driver = { shape, gzipBodies: 0, distinctBodies, rowsPerBody, connections };
  await soak(Number(values.minutes), driver, settings);
} else {
  printRow(columns.map(([title]) => title));
  for (const scenario of chosen) await measure(scenario, settings);
  console.log(loadLine());
}
