/**
 * Recovery bench: fills the log with `iot` rows that are in no file, kills the gateway, measures
 * the CPU seconds from the start to `/ready`, less those of an empty start: log to buffers. Twice
 * from the same log: all rows into one buffer and nothing flushed (all threads and children count),
 * and with the default settings, where rows are flushed meanwhile (only the main thread and the
 * thread of the log count: the encoders' work is not recovery's).
 *
 * `node bench/recovery.ts [--rows 10000000] [--directory D]`
 */
import { cpSync, mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { parseArgs } from 'node:util';
import { loadLine, machineLine } from './machine.ts';
import { cpuParts, directoryBytes, residentMiB, threadSeconds } from './process-figures.ts';
import { BodySource } from './shapes.ts';
import { Subject } from './subject.ts';

const rowsPerBody = 1000;
const distinctBodies = 256;

/** Nothing is flushed, so the whole log has to be read and kept. */
const unflushed = [
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
async function start(directory: string, port: number, settings: readonly string[]) {
  const fromMs = performance.now();
  const subject = new Subject({ port, directory, settings });
  await subject.ready();
  const threads = threadSeconds(subject.pid);
  const lane = (threads.get('MainThread') ?? 0) + (threads.get('wal') ?? 0);
  return { subject, lane, ...cpuParts(subject.pid), seconds: (performance.now() - fromMs) / 1000 };
}

const { values } = parseArgs({
  options: {
    rows: { type: 'string', default: '10000000' },
    port: { type: 'string', default: '18087' },
    directory: { type: 'string', default: tmpdir() },
  },
});
const port = Number(values.port);
const parent = mkdtempSync(join(values.directory, 'holdfast-bench-'));
const [directory, copy] = [join(parent, 'data'), join(parent, 'copy')];
const million = (rows: number) => (rows / 1e6).toFixed(1);
try {
  console.log(machineLine(parent));
  console.log(loadLine());
  const empty = await start(directory, port, unflushed);
  await write(empty.subject, Number(values.rows));
  await empty.subject.stop('SIGKILL');
  cpSync(directory, copy, { recursive: true });
  const logBytes = directoryBytes(join(directory, 'wal'));

  const whole = await start(directory, port, unflushed);
  const rows = await whole.subject.count('iot');
  await whole.subject.stop('SIGKILL');
  const user = whole.user - empty.user;
  const kernel = whole.kernel - empty.kernel;
  console.log(`${rows.toLocaleString('en')} rows, ${(logBytes / 2 ** 20).toFixed(0)} MiB of log`);
  console.log(
    `all of it into one buffer: ${million(rows / (user + kernel))} M rows per CPU-second ` +
      `(${user.toFixed(2)} s in the program, ${kernel.toFixed(2)} s in the kernel; an empty start, ` +
      `not counted, ${(empty.user + empty.kernel).toFixed(2)} s), ready after ` +
      `${whole.seconds.toFixed(1)} s`,
  );

  const usual = await start(copy, port, []);
  const seen = await usual.subject.count('iot');
  const peak = residentMiB(usual.subject.pid).peak;
  await usual.subject.stop('SIGKILL');
  if (seen !== rows) throw new Error(`${rows} rows in one start, ${seen} in the other`);
  const lane = usual.lane - empty.lane;
  console.log(
    `default settings, flushed meanwhile: ${million(rows / lane)} M rows per CPU-second of the ` +
      `threads that read the log and fill the buffers (${lane.toFixed(2)} s), ready after ` +
      `${usual.seconds.toFixed(1)} s, peak ${peak.toFixed(0)} MiB`,
  );
} finally {
  rmSync(parent, { recursive: true, force: true });
}
