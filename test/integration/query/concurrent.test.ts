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
const batch = 50;

/** What the writing side of a gateway does to the query wing. */
class Writer {
  readonly #doomed: { readonly path: string; readonly commit: number }[] = [];
  #live: Live[] = [];
  #flushed = 0;
  total = 0;

  unlinkUnpinned(): void {
    const oldest = Math.min(rig.visibleCommit(), ...rig.pins);
    for (const file of this.#doomed.splice(0)) {
      if (file.commit <= oldest) rmSync(file.path);
      else this.#doomed.push(file);
    }
  }

  /** New rows are hot first; the next flush files them and drops them in one tick. */
  async appendAndFlush(): Promise<void> {
    const [from, to] = [this.#flushed, this.total];
    if (to > from) {
      const file = await rig.fileOf(16, rowsOf(from, to));
      rig.hotChunks.length = 0;
      rig.commit([file]);
      this.#live.push({ file, from, to });
      this.#flushed = to;
    }
    await rig.addHot(16, rowsOf(to, to + batch));
    this.total = to + batch;
  }

  /** Replaces two neighbours by one file with their rows. */
  async merge(): Promise<void> {
    const [first, second, ...rest] = this.#live;
    if (first === undefined || second === undefined) return;
    const file = await rig.fileOf(16, rowsOf(first.from, second.to));
    const commit = rig.commit([file], [first.file.id, second.file.id]);
    for (const gone of [first.file, second.file]) {
      this.#doomed.push({ path: join(rig.directory, 'data', gone.path), commit });
    }
    this.#live = [{ file, from: first.from, to: second.to }, ...rest];
  }
}

await t.test('counts are those of a whole number of writes, and never fall', async (t) => {
  await rig.rows('SELECT count(*) FROM cpu');
  const wrong: unknown[] = [];
  let answers = 0;
  let writing = true;
  const writer = new Writer();
  const written = (async () => {
    for (let round = 0; round < 60; round += 1) {
      // Neither side runs away from the other.
      while (answers < round * 2) await sleep(1);
      await writer.appendAndFlush();
      if (round % 2 === 1) await writer.merge();
      writer.unlinkUnpinned();
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
      const before = writer.total;
      const [row] = await rig.rows('SELECT count(*), count(DISTINCT v), max(v) + 1 FROM cpu');
      const [count, distinct, next] = row ?? [];
      const right = count === distinct && (count === next || count === 0);
      if (!right || Number(count) < Math.max(last, before)) wrong.push([before, last, row]);
      last = Number(count);
      answers += 1;
    }
  };
  await Promise.all([written, reader(), reader(), reader()]);
  t.same(wrong, []);
  t.equal((await rig.rows('SELECT count(*) FROM cpu'))[0]?.[0], writer.total);
  t.same(rig.pins, []);
});
