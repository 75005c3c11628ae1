/**
 * Ingest bench: the gateway on its default, durable settings against a load maker in a process of
 * its own. For each scenario: a closed loop for the peak rate and the CPU it costs until every row
 * is in Parquet, then an open loop at half of that rate for the latency. The count of all rows is
 * verified by SQL at the end.
 *
 * `npm run bench [-- --rows 3000000] [--only cpu-100] [--directory D]`
 * `npm run bench -- --minutes 10 [--only cpu-4000] [--serve='--ingest-memory 256MiB']`
 * --minutes: instead of the table, one scenario in a closed loop for that long, watched for memory.
 * --serve: settings other than the defaults; they are printed. --node: options of Node, to profile
 * it (`--node='--cpu-prof --cpu-prof-dir=D'`).
 */
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { parseArgs } from 'node:util';
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
}

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
  })),
  {
    name: 'msgpack-rows-cpu',
    shape: { name: 'cpu', hosts: 1000, format: 'rows' },
    gzip: false,
  },
  { name: 'many', shape: { name: 'many', hosts: 4000 }, gzip: false, soakOnly: true },
  { name: 'text', shape: { name: 'text', hosts: 1000 }, gzip: false, soakOnly: true },
];

interface Settings {
  readonly rows: number;
  readonly port: number;
  readonly parent: string;
  readonly serve: readonly string[];
  readonly node: readonly string[];
}

const columns: readonly (readonly [title: string, width: number])[] = [
  ['scenario', -16],
  ['rows/s', 9],
  ['rows/CPU-s', 10],
  ['p50 ms', 7],
  ['p99 ms', 7],
  ['p99.9 ms', 8],
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
  const { rows, port, parent, serve, node } = settings;
  const subject = new Subject({ port, parent, settings: serve, nodeOptions: node });
  const peakBodies = Math.floor(rows / rowsPerBody);
  const load = new Load({
    shape: scenario.shape,
    gzipBodies: scenario.gzip ? peakBodies + openBodiesMin : 0,
    distinctBodies,
    rowsPerBody,
    connections,
    url: subject.url,
  });
  try {
    await Promise.all([subject.ready(), load.ready()]);
    const cpuBefore = cpuSeconds(subject.pid);
    const peak = await load.send({ kind: 'closed', bodies: peakBodies });
    await subject.settled();
    const cpu = cpuSeconds(subject.pid) - cpuBefore;
    const sent = peak.acknowledgedBodies * rowsPerBody;
    const rate = sent / peak.seconds;
    const bytesPerRow = directoryBytes(join(subject.directory, 'data')) / sent;
    const half = rate / 2 / rowsPerBody;
    const bodies = Math.min(openBodiesMin, Math.ceil(half * openSecondsMax));
    const open = await load.send({ kind: 'open', bodies, bodiesPerSecond: half });
    const acknowledged = sent + open.acknowledgedBodies * rowsPerBody;
    const seen = await subject.count(scenario.shape.name);
    if (seen !== acknowledged) {
      throw new Error(`acknowledged ${acknowledged} rows, SQL counts ${seen}`);
    }
    printRow([
      scenario.name,
      Math.round(rate).toLocaleString('en'),
      Math.round(sent / cpu).toLocaleString('en'),
      quantile(open.latenciesMs, 0.5).toFixed(1),
      quantile(open.latenciesMs, 0.99).toFixed(1),
      quantile(open.latenciesMs, 0.999).toFixed(1),
      residentMiB(subject.pid).peak.toFixed(0),
      childrenPeakMiB(subject.pid).toFixed(0),
      bytesPerRow.toFixed(1),
      String(peak.refusedBodies + open.refusedBodies),
    ]);
  } finally {
    load.stop();
    await subject.stop();
  }
}

const words = (text: string) => text.split(' ').filter((word) => word !== '');

const { values } = parseArgs({
  options: {
    rows: { type: 'string', default: '3000000' },
    only: { type: 'string' },
    minutes: { type: 'string' },
    port: { type: 'string', default: '18086' },
    directory: { type: 'string', default: tmpdir() },
    serve: { type: 'string', default: '' },
    node: { type: 'string', default: '' },
  },
});
const settings: Settings = {
  rows: Number(values.rows),
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
  console.log(`${settings.rows.toLocaleString('en')} rows in the closed loop`);
  printRow(columns.map(([title]) => title));
  for (const scenario of chosen) await measure(scenario, settings);
  console.log(loadLine());
}
