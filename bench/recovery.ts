/**
 * Recovery bench: fills the log with `iot` rows that are in no file, kills the gateway, measures
 * the CPU seconds (all threads and children) from the start to `/ready`, less those of an empty
 * start: log to buffers. Flushing what was replayed comes after that and is not counted.
 *
 * `node bench/recovery.ts [--rows 10000000]`
 */
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { parseArgs } from 'node:util';
import { loadLine, machineLine } from './machine.ts';
import { cpuParts, directoryBytes } from './process-figures.ts';
import { BodySource } from './shapes.ts';
import { Subject } from './subject.ts';

const rowsPerBody = 1000;
const distinctBodies = 256;

/** Nothing is flushed, so the whole log has to be read. */
const settings = [
  ...['--ingest-memory', '6GiB', '--ingest-buffer-rows', '10000000'],
  ...['--ingest-buffer-age', '10h', '--ingest-buffer-age-max', '10h', '--wal-size-max', '16GiB'],
];

async function write(subject: Subject, rows: number): Promise<void> {
  const source = new BodySource({ name: 'iot', hosts: 1000 }, distinctBodies, rowsPerBody);
  let left = Math.ceil(rows / rowsPerBody);
  const sender = async () => {
    while (left-- > 0) {
      const body = source.next();
      const answer = await fetch(`${subject.url}/write?db=bench`, { method: 'POST', body });
      if (answer.status !== 204) throw new Error(await answer.text());
    }
  };
  await Promise.all(Array.from({ length: 16 }, sender));
}

/** Starts a gateway on `directory` and says what it took until its `/ready`. */
async function start(directory: string, port: number) {
  const fromMs = performance.now();
  const subject = new Subject({ port, directory, settings });
  await subject.ready();
  return { subject, ...cpuParts(subject.pid), seconds: (performance.now() - fromMs) / 1000 };
}

const { values } = parseArgs({
  options: {
    rows: { type: 'string', default: '10000000' },
    port: { type: 'string', default: '18087' },
  },
});
const port = Number(values.port);
const directory = mkdtempSync(join(tmpdir(), 'holdfast-bench-'));
try {
  console.log(machineLine(directory));
  console.log(loadLine());
  const empty = await start(directory, port);
  await write(empty.subject, Number(values.rows));
  await empty.subject.stop('SIGKILL');
  const logBytes = directoryBytes(join(directory, 'wal'));
  const full = await start(directory, port);
  const rows = await full.subject.count('iot');
  await full.subject.stop('SIGKILL');
  const user = full.user - empty.user;
  const kernel = full.kernel - empty.kernel;
  console.log(`${rows.toLocaleString('en')} rows, ${(logBytes / 2 ** 20).toFixed(0)} MiB of log`);
  console.log(`empty start ${(empty.user + empty.kernel).toFixed(2)} CPU s; beyond that`);
  console.log(`${user.toFixed(2)} CPU s in the program, ${kernel.toFixed(2)} in the kernel:`);
  console.log(`${(rows / (user + kernel) / 1e6).toFixed(1)} M rows per CPU-second`);
  console.log(`${full.seconds.toFixed(2)} s from the start to ready`);
} finally {
  rmSync(directory, { recursive: true, force: true });
}
