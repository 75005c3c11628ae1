/**
 * Seed bench: what a query process that is killed costs the main thread of a gateway with many
 * files. A catalog of made-up files is committed; then the process is killed again and again, and
 * the longest time that the event loop stood still until a query was answered is printed: by the
 * clock, in which other programs of a busy machine count, and by the CPU of the main thread.
 *
 * `node bench/query-seed.ts [--files 100000] [--kills 5] [--directory D]`
 */
import { mkdirSync, mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { text } from 'node:stream/consumers';
import { parseArgs } from 'node:util';
import { nodeFiles } from '../src/base/disk/files.ts';
import { systemClock } from '../src/base/lib/clock.ts';
import type { FileFacts, FileStatistics } from '../src/base/model/commit.ts';
import { CommitClient } from '../src/log/journal/commit-client.ts';
import { Queries } from '../src/query/queries.ts';
import { queryHost } from '../src/query/snapshots.ts';
import { SchemaRegistry } from '../src/storage/catalog/schema-registry.ts';
import { loadLine, machineLine } from './machine.ts';

const measurementId = 16;
const columns = 10;
const filesPerCommit = 1000;

function factsOf(id: number): FileFacts {
  const digits = id.toString(16).padStart(16, '0');
  return {
    id,
    measurementId,
    path: `default/cpu/2026/01/04/17/cpu_20260104_170000_50000_${digits}.parquet`,
    sha256: digits.repeat(4),
    bytes: 500_000,
    rows: 50_000,
    hours: [[490_901 + (id % 9000), 0, 3_599_999_999]],
    flags: 0,
    lsns: [id, id],
    part: [0, 1],
    seqMax: id,
    columns: [[0, columns - 1]],
  };
}

function statisticsOf(fileId: number): FileStatistics {
  const one = { min: '0.123456789', max: '99.987654321', nullCount: 0 };
  return {
    fileId,
    columns: Array.from({ length: columns }, (_, columnId) => ({ columnId, ...one })),
  };
}

async function fill(commits: CommitClient, files: number): Promise<void> {
  for (let made = 0; made < files; made += filesPerCommit) {
    const ids: number[] = [];
    while (ids.length < filesPerCommit) {
      const id = commits.takeFileId();
      if (id === undefined) await commits.reserveFileIds();
      else ids.push(id);
    }
    const last = ids.at(-1) ?? 0;
    commits.walSynced(last);
    const positions = [[measurementId, last]] as const;
    await commits.commit(
      { kind: 'flush', adds: ids.map(factsOf), positions },
      ids.map(statisticsOf),
    );
  }
}

const { values } = parseArgs({
  options: {
    files: { type: 'string', default: '100000' },
    kills: { type: 'string', default: '5' },
    directory: { type: 'string', default: tmpdir() },
  },
});

const root = mkdtempSync(join(values.directory, 'holdfast-bench-'));
const at = (name: string) => join(root, name);
for (const name of ['journal', 'data', 'quarantine', 'orphans', 'hot', 'spill', 'run']) {
  mkdirSync(at(name));
}
console.log(`${machineLine(root)}\n${loadLine()}`);

const open = () =>
  CommitClient.open({
    thread: new URL('../src/storage/catalog/commit-thread.ts', import.meta.url),
    root,
    directory: at('journal'),
    dataDirectory: at('data'),
    quarantine: at('quarantine'),
    orphans: at('orphans'),
    segmentBytes: 1 << 20,
    syncMode: 'fdatasync',
  });
const first = await open();
await fill(first, Number(values.files));
await first.close();
const startedMs = performance.now();
const commits = await open();
console.log(`start of the journal: ${Math.round(performance.now() - startedMs)} ms`);

const registry = new SchemaRegistry({
  columnsMax: 100,
  measurementsMax: 100,
  databasesMax: 10,
  nameBytesMax: 100,
  createDatabases: true,
});
const queries = new Queries(
  {
    host: queryHost({
      commits,
      registry,
      hot: { pin: () => ({ chunks: Promise.resolve([]), release: () => undefined }) },
      recovered: Promise.resolve(),
      recovering: () => false,
    }),
    files: nodeFiles,
    clock: systemClock,
  },
  {
    queueMax: 10,
    timeoutMs: 60_000,
    process: {
      entry: new URL('../src/query/child/main.ts', import.meta.url),
      runtimeDirectory: at('run'),
      poolSize: 1,
      engine: {
        dataDirectory: at('data'),
        readDirectories: [at('hot')],
        spillDirectory: at('spill'),
        spillBytesMax: 2 ** 28,
        threads: 1,
        memoryBytes: 2 ** 28,
      },
    },
  },
);

/** Watches the turns of the event loop until it is told to stop, then gives the longest. */
function watchTurns(): () => { readonly clockMs: number; readonly cpuMs: number } {
  const cpuMs = () => {
    const { user, system } = process.threadCpuUsage();
    return (user + system) / 1000;
  };
  let last = { clock: performance.now(), cpu: cpuMs() };
  const longest = { clockMs: 0, cpuMs: 0 };
  const timer = setInterval(() => {
    const now = { clock: performance.now(), cpu: cpuMs() };
    longest.clockMs = Math.max(longest.clockMs, now.clock - last.clock);
    longest.cpuMs = Math.max(longest.cpuMs, now.cpu - last.cpu);
    last = now;
  }, 1);
  return () => {
    clearInterval(timer);
    return longest;
  };
}

queries.start();
for (let round = 0; round <= Number(values.kills); round += 1) {
  const cpu = process.cpuUsage();
  const seeds = queries.status().seeds;
  const stop = watchTurns();
  const fromMs = performance.now();
  const { processId } = queries.status().engine;
  if (round > 0 && processId !== undefined) process.kill(processId, 'SIGKILL');
  while (queries.status().seeds === seeds) await new Promise((resolve) => setTimeout(resolve, 5));
  await text((await queries.execute({ sql: 'SELECT 1', database: 'default' })).body);
  const longest = stop();
  const { user, system } = process.cpuUsage(cpu);
  console.log(
    `${round === 0 ? 'start' : `kill ${round}`}: loop stood still for at most ` +
      `${longest.clockMs.toFixed(0)} ms by the clock, ${longest.cpuMs.toFixed(1)} ms by CPU; ` +
      `answered after ${Math.round(performance.now() - fromMs)} ms; ` +
      `CPU of this process ${Math.round((user + system) / 1000)} ms`,
  );
}
console.log(`heap ${Math.round(process.memoryUsage().heapUsed / 2 ** 20)} MiB`);
await queries.close();
await commits.close();
rmSync(root, { recursive: true });
