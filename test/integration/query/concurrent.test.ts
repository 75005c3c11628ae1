/**
 * Queries beside flushes and merges: each row is seen exactly once in every answer, though files
 * come, go and are deleted as soon as no pin holds them.
 */
import t from 'tap';
import { rmSync } from 'node:fs';
import { setTimeout as sleep } from 'node:timers/promises';
import { join } from 'node:path';
import type { FileFacts } from '../../../src/base/model/commit.ts';
import { column, QueryRig } from '../../support/query-rig.ts';

const rig = await QueryRig.open({ memoryBytes: 2 ** 28, queueMax: 100 });
t.teardown(() => rig.close());
rig.addMeasurement({
  id: 16,
  database: 'default',
  name: 'cpu',
  columns: [column('field', 'v', { id: 0, name: 'v', type: 'int64' })],
});

/** A file with the rows [from, to). */
interface Live {
  readonly file: FileFacts;
  readonly from: number;
  readonly to: number;
}

const rowsOf = (from: number, to: number) => {
  return { select: `SELECT i AS t, i AS v FROM range(${from}, ${to}) r(i)`, columnIds: [0] };
};
const doomed: { readonly path: string; readonly commit: number }[] = [];
const unlinkUnpinned = () => {
  const oldest = Math.min(rig.visibleCommit(), ...rig.pins);
  for (const file of doomed.splice(0)) {
    if (file.commit <= oldest) rmSync(file.path);
    else doomed.push(file);
  }
};

const batch = 50;
let live: Live[] = [];
let flushed = 0;
let total = 0;

/** New rows are hot first; the next flush files them and drops them in one tick. */
const appendAndFlush = async () => {
  if (total > flushed) {
    const file = await rig.fileOf(16, rowsOf(flushed, total));
    rig.hotChunks.length = 0;
    rig.commit([file]);
    live.push({ file, from: flushed, to: total });
    flushed = total;
  }
  await rig.addHot(16, rowsOf(total, total + batch));
  total += batch;
};

/** Replaces two neighbours by one file with their rows. */
const merge = async () => {
  const [first, second, ...rest] = live;
  if (first === undefined || second === undefined) return;
  const file = await rig.fileOf(16, rowsOf(first.from, second.to));
  const commit = rig.commit([file], [first.file.id, second.file.id]);
  for (const gone of [first.file, second.file]) {
    doomed.push({ path: join(rig.directory, 'data', gone.path), commit });
  }
  live = [...rest, { file, from: first.from, to: second.to }].toSorted((a, b) => a.from - b.from);
};

await t.test('counts are those of a whole number of writes, and never fall', async (t) => {
  await rig.rows('SELECT count(*) FROM cpu');
  const wrong: unknown[] = [];
  let answers = 0;
  let writing = true;
  const writer = (async () => {
    for (let round = 0; round < 60; round += 1) {
      // Neither side runs away from the other.
      while (answers < round * 2) await sleep(1);
      await appendAndFlush();
      if (round % 2 === 1) await merge();
      unlinkUnpinned();
      if (round === 30) {
        const { processId } = rig.queries.status().engine;
        if (processId !== undefined) process.kill(processId, 'SIGKILL');
      }
    }
    writing = false;
  })();
  const reader = async () => {
    let last = 0;
    while (writing) {
      const before = total;
      const [row] = await rig.rows('SELECT count(*), count(DISTINCT v), max(v) + 1 FROM cpu');
      const [count, distinct, next] = row ?? [];
      const right = count === distinct && (count === next || count === 0);
      if (!right || Number(count) < Math.max(last, before)) wrong.push([before, last, row]);
      last = Number(count);
      answers += 1;
    }
  };
  await Promise.all([writer, reader(), reader(), reader()]);
  t.same(wrong, []);
  t.equal((await rig.rows('SELECT count(*) FROM cpu'))[0]?.[0], total);
  t.same(rig.pins, []);
});
