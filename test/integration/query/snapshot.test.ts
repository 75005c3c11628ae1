/** Snapshots, pins, death of the query process, time-outs and cancelling, with the real process. */
import t from 'tap';
import { setTimeout as sleep } from 'node:timers/promises';
import type { QueryAnswer } from '../../../src/query/queries.ts';
import { column, QueryRig } from '../../support/query-rig.ts';

const cpu = {
  id: 16,
  database: 'default',
  name: 'cpu',
  columns: [column('field', 'v', { id: 0, name: 'v', type: 'int64' })],
} as const;

/** Runs for minutes unless it is stopped, without memory. */
const endless =
  'SELECT count(*) FROM range(1000000) a, range(1000000) b WHERE a.range + b.range = 7';

const rig = await QueryRig.open();
const kill = () => {
  const { processId } = rig.queries.status().engine;
  if (processId !== undefined) process.kill(processId, 'SIGKILL');
};
t.teardown(() => rig.close());
rig.addMeasurement(cpu);
const file = (v: number) =>
  rig.fileOf(16, { select: `SELECT ${v} AS t, ${v}::BIGINT AS v`, columnIds: [0] });

await t.test(
  'a file removed after the snapshot is still seen, one added after it is not',
  async (t) => {
    t.same(await rig.rows('SELECT v FROM cpu'), []);
    const [first, second, merged] = [await file(1), await file(2), await file(3)];
    const s = rig.commit([first, second]);
    rig.duringHot = () => {
      rig.duringHot = () => Promise.resolve();
      rig.commit([merged], [first.id, second.id]);
      return Promise.resolve();
    };
    const answer = await rig.queries.execute({
      sql: 'SELECT v FROM cpu ORDER BY 1',
      database: 'default',
    });
    t.equal(answer.commit, s);
    t.same(rig.pins, [s], 'the snapshot is pinned while the answer runs');
    const body = await answer.body.toArray();
    t.match(Buffer.concat(body as Buffer[]).toString(), '"data":[[1],[2]]');
    t.same(rig.pins, []);
    t.same(await rig.rows('SELECT v FROM cpu'), [[3]]);
  },
);

await t.test('a query waits until the process has applied its snapshot', async (t) => {
  const added = await file(4);
  rig.duringHot = () => Promise.resolve();
  const pending = rig.rows('SELECT max(v) FROM cpu');
  rig.commit([added]);
  t.match(
    [[[3]], [[4]]],
    [await pending].map(() => [[Number]]),
  );
  t.same(await rig.rows('SELECT max(v) FROM cpu'), [[4]]);
});

await t.test(
  'a killed process is replaced and seeded; a query that waits on it starts anew',
  async (t) => {
    const before = rig.queries.status().engine;
    rig.duringHot = () => {
      rig.duringHot = () => Promise.resolve();
      kill();
      return Promise.resolve();
    };
    t.same(await rig.rows('SELECT max(v) FROM cpu'), [[4]]);
    const after = rig.queries.status();
    t.equal(after.engine.restarts, 1);
    t.not(after.engine.processId, before.processId);
    t.equal(after.seeds, 2);
    t.same(rig.pins, []);
  },
);

await t.test('an answer that has begun is destroyed when the process dies', async (t) => {
  const answer = await rig.queries.execute({
    sql: "SELECT repeat('x', 1000) AS s, range FROM range(10000000)",
    database: 'default',
  });
  const read = async () => {
    let bytes = 0;
    for await (const chunk of answer.body) {
      if (bytes === 0) kill();
      bytes += (chunk as Buffer).length;
    }
  };
  await t.rejects(read(), { code: 'HF_QUERY_ENGINE_DOWN' });
  t.same(rig.pins, []);
  t.same(await rig.rows('SELECT max(v) FROM cpu'), [[4]]);
});

await t.test(
  'a query that ends its process each time fails in the end, others go on',
  async (t) => {
    let kills = 0;
    rig.duringHot = () => {
      kills += 1;
      kill();
      return Promise.resolve();
    };
    await t.rejects(rig.rows('SELECT max(v) FROM cpu'), { code: 'HF_QUERY_ENGINE_DOWN' });
    rig.duringHot = () => Promise.resolve();
    t.equal(kills, 3);
    t.same(await rig.rows('SELECT max(v) FROM cpu'), [[4]]);
  },
);

await t.test('a late query ends with a time-out and gives its place back', async (t) => {
  await t.rejects(rig.rows(endless, { timeoutMs: 100 }), { code: 'HF_QUERY_TIMEOUT' });
  t.same(await rig.rows('SELECT 1'), [[1]]);
  t.equal(rig.queries.status().running, 0);
});

await t.test('a client that leaves stops its query in the process', async (t) => {
  const controller = new AbortController();
  const pending = rig.rows(endless, { signal: controller.signal });
  while (rig.queries.status().running === 0) await sleep(5);
  controller.abort();
  await t.rejects(pending, { code: 'HF_QUERY_CANCELLED' });
  // One thread: the next answer comes only if the other query is not running any more.
  t.same(await rig.rows('SELECT 1', { timeoutMs: 10_000 }), [[1]]);
});

await t.test('dropping the body of an answer stops its query', async (t) => {
  const answer = await rig.queries.execute({
    sql: "SELECT repeat('x', 1000) AS s FROM range(100000000)",
    database: 'default',
  });
  answer.body.destroy();
  await new Promise((resolve) => answer.body.once('close', resolve));
  t.equal(rig.queries.status().running, 0);
  t.same(rig.pins, []);
  t.same(await rig.rows('SELECT 1', { timeoutMs: 10_000 }), [[1]]);
});

await t.test(
  'an answer that nobody reads ends with its time, and gives its place back',
  async (t) => {
    const begun = async (timeoutMs: number): Promise<QueryAnswer> => {
      const sql = "SELECT repeat('x', 1000) AS s FROM range(100000000)";
      try {
        return await rig.queries.execute({ sql, database: 'default', timeoutMs });
      } catch (error) {
        // A busy machine has not begun the answer by then.
        t.match(error, { code: 'HF_QUERY_TIMEOUT' });
        return begun(timeoutMs * 2);
      }
    };
    const answer = await begun(300);
    const error = await new Promise((resolve) => answer.body.once('error', resolve));
    t.match(error, { code: 'HF_QUERY_TIMEOUT' });
    await new Promise((resolve) => setImmediate(resolve));
    t.equal(rig.queries.status().running, 0);
    t.same(rig.pins, []);
  },
);

await t.test('an error behind the first rows does not look like an end', async (t) => {
  const sql = "SELECT CASE WHEN range = 500000 THEN error('late') ELSE 'x' END FROM range(600000)";
  await t.rejects(rig.rows(sql), { code: 'HF_QUERY_ENGINE_DOWN' });
});

await t.test('an error behind a few rows still has its own words', async (t) => {
  const sql = "SELECT CASE WHEN range = 5000 THEN error('late') ELSE NULL END FROM range(6000)";
  await t.rejects(rig.rows(sql), { code: 'HF_QUERY_INVALID', message: /late/ });
});

await t.test('the pool is bounded, the queue too, and priorities are kept', async (t) => {
  const controller = new AbortController();
  const blockers = [0, 1].map(() => rig.rows(endless, { signal: controller.signal }));
  const order: string[] = [];
  const low = rig.rows('SELECT 1', { priority: 'low' }).then(() => order.push('low'));
  const critical = rig
    .rows('SELECT 1', { priority: 'critical' })
    .then(() => order.push('critical'));
  await t.rejects(rig.rows('SELECT 1'), { code: 'HF_QUERY_QUEUE_FULL' });
  t.match(rig.queries.status(), { running: 2, waiting: 2 });
  controller.abort();
  await Promise.allSettled(blockers);
  await Promise.all([low, critical]);
  t.equal(rig.queries.status().running, 0);
  t.equal(order.length, 2);
});

await t.test('during replay a query waits, unless it takes a partial answer', async (t) => {
  rig.replaying = Promise.withResolvers();
  await t.rejects(rig.rows('SELECT max(v) FROM cpu', { timeoutMs: 50 }), { code: 'HF_RECOVERING' });
  const partial = await rig.queries.execute({
    sql: 'SELECT max(v) FROM cpu',
    database: 'default',
    partial: true,
  });
  t.equal(partial.incomplete, true);
  await partial.body.toArray();
  const pending = rig.rows('SELECT max(v) FROM cpu');
  // Databases and measurements that only the log names are as missing as rows.
  for (const sql of ['SHOW DATABASES', 'SHOW TABLES', 'DESCRIBE cpu', 'DESCRIBE late']) {
    await t.rejects(rig.rows(sql, { timeoutMs: 50 }), { code: 'HF_RECOVERING' }, sql);
    const { incomplete } = await rig.queries
      .execute({ sql, database: 'default', partial: true })
      .catch(() => ({ incomplete: true }));
    t.equal(incomplete, true);
  }
  const described = rig.rows('DESCRIBE late');
  rig.addMeasurement({ id: 99, database: 'default', name: 'late', columns: [] });
  rig.replaying.resolve();
  rig.replaying = undefined;
  t.same(await pending, [[4]]);
  t.same(await described, [['time', 'TIMESTAMP', 'time', 'time', '']]);
});

await t.test('a query that waits when the gateway stops is refused', async (t) => {
  const other = await QueryRig.open();
  const pending = other.rows('SELECT 1');
  const closed = other.close();
  await t.rejects(pending, { code: 'HF_SHUTTING_DOWN' });
  await closed;
  await t.rejects(other.rows('SELECT 1'), { code: 'HF_SHUTTING_DOWN' });
});
