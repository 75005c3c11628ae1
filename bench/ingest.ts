/**
 * Ingest bench: the gateway on its default, durable settings against a load maker in a process of
 * its own. For each shape: a closed loop for the peak rate and the CPU it costs until every row is
 * in Parquet, the count verified by SQL, then an open loop at half of that rate for the latency.
 *
 * `npm run bench [-- --rows 600000] [--only cpu-100] [--minutes 10]`
 * --minutes: instead of the table, the heaviest shape for that long, memory printed each 15 s.
 */
import { fork, type ChildProcess } from 'node:child_process';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { parseArgs } from 'node:util';
import type { DriverCommand, DriverResult, DriverSettings } from './driver.ts';
import { cpuSeconds, directoryBytes, residentMiB } from './process-figures.ts';
import type { Shape } from './shapes.ts';
import { Subject } from './subject.ts';

const rowsPerBody = 1000;
const connections = 16;

interface Scenario {
  readonly name: string;
  readonly shape: Shape;
  readonly gzip: boolean;
}

const scenarios: readonly Scenario[] = [
  { name: 'iot-1000', shape: { name: 'iot', hosts: 1000 }, gzip: false },
  { name: 'iot-1000-gzip', shape: { name: 'iot', hosts: 1000 }, gzip: true },
  { name: 'cpu-100', shape: { name: 'cpu', hosts: 100 }, gzip: false },
  { name: 'cpu-100-gzip', shape: { name: 'cpu', hosts: 100 }, gzip: true },
  { name: 'cpu-4000', shape: { name: 'cpu', hosts: 4000 }, gzip: false },
];

class Load {
  readonly #process: ChildProcess;

  constructor(settings: DriverSettings) {
    const path = fileURLToPath(new URL('driver.ts', import.meta.url));
    this.#process = fork(path, [JSON.stringify(settings)]);
  }

  ready(): Promise<void> {
    return new Promise((resolve) => {
      this.#process.once('message', () => {
        resolve();
      });
    });
  }

  send(command: DriverCommand): Promise<DriverResult> {
    return new Promise((resolve, reject) => {
      this.#process.once('exit', () => {
        reject(new Error('the load maker ended'));
      });
      this.#process.once('message', (result) => {
        resolve(result as DriverResult);
      });
      this.#process.send(command);
    });
  }

  stop(): void {
    this.#process.kill();
  }
}

const quantile = (sorted: readonly number[], share: number) =>
  sorted[Math.min(sorted.length - 1, Math.floor(sorted.length * share))] ?? NaN;

async function measure(scenario: Scenario, rows: number, port: number): Promise<void> {
  const subject = new Subject({ port });
  const peakBodies = Math.floor(rows / rowsPerBody);
  const openBodies = Math.floor(peakBodies / 2);
  const load = new Load({
    shape: scenario.shape,
    gzip: scenario.gzip,
    bodyCount: peakBodies + openBodies,
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
    const seen = await subject.count(scenario.shape.name);
    if (seen !== sent) throw new Error(`acknowledged ${sent} rows, SQL counts ${seen}`);
    const rate = sent / peak.seconds;
    const bytesPerRow = directoryBytes(join(subject.directory, 'data')) / sent;
    const half = rate / 2 / rowsPerBody;
    const open = await load.send({ kind: 'open', bodies: openBodies, bodiesPerSecond: half });
    const cells = [
      scenario.name.padEnd(14),
      Math.round(rate).toLocaleString('en').padStart(10),
      Math.round(sent / cpu)
        .toLocaleString('en')
        .padStart(12),
      quantile(open.latenciesMs, 0.5).toFixed(1).padStart(8),
      quantile(open.latenciesMs, 0.99).toFixed(1).padStart(8),
      quantile(open.latenciesMs, 0.999).toFixed(1).padStart(8),
      residentMiB(subject.pid).peak.toFixed(0).padStart(9),
      bytesPerRow.toFixed(1).padStart(7),
      String(peak.refusedBodies + open.refusedBodies).padStart(5),
    ];
    console.log(cells.join(' '));
  } finally {
    load.stop();
    await subject.stop();
  }
}

/** Memory under the heaviest load: the driver repeats its bodies, so only memory is of interest. */
async function soak(minutes: number, port: number): Promise<void> {
  const subject = new Subject({ port });
  const shape: Shape = { name: 'cpu', hosts: 4000 };
  const settings = {
    shape,
    gzip: false,
    bodyCount: 400,
    rowsPerBody,
    connections,
    url: subject.url,
  };
  const load = new Load(settings);
  try {
    await Promise.all([subject.ready(), load.ready()]);
    const until = performance.now() + minutes * 60_000;
    for (let printedAt = 0; performance.now() < until; ) {
      const result = await load.send({ kind: 'closed', bodies: 400 });
      if (performance.now() - printedAt < 15_000) continue;
      printedAt = performance.now();
      const { now, peak } = residentMiB(subject.pid);
      const rate = (result.acknowledgedBodies * rowsPerBody) / result.seconds;
      console.log(
        `${now.toFixed(0)} MiB now, ${peak.toFixed(0)} MiB peak, ${rate.toFixed(0)} rows/s`,
      );
    }
  } finally {
    load.stop();
    await subject.stop();
  }
}

const { values } = parseArgs({
  options: {
    rows: { type: 'string', default: '600000' },
    only: { type: 'string' },
    minutes: { type: 'string' },
    port: { type: 'string', default: '18086' },
  },
});
if (values.minutes !== undefined) await soak(Number(values.minutes), Number(values.port));
else {
  console.log(`node ${process.version}, ${rowsPerBody} rows a request, ${connections} connections`);
  console.log(
    'scenario           rows/s   rows/CPU-s   p50 ms   p99 ms p99.9 ms  peak MiB   B/row  503s',
  );
  for (const scenario of scenarios) {
    if (values.only !== undefined && values.only !== scenario.name) continue;
    await measure(scenario, Number(values.rows), Number(values.port));
  }
}
