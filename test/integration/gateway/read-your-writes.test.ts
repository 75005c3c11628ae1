/**
 * Contract W12 and W2 while everything moves: writers that query after each answer, and readers
 * that look at all at once, on buffers so small that a flush is always under way. Each request is
 * seen whole, once, in all its measurements, from its answer on; also by the queries that run while
 * the query process is killed, and after a kill of the whole.
 */
import { setTimeout as sleep } from 'node:timers/promises';
import process from 'node:process';
import t from 'tap';
import { queryChildren, RealGateway } from '../../support/real-gateway.ts';

t.setTimeout(240_000);

const rowsOfRequest = 20;
const hour = 3_600_000_000;
const newest = 1_700_000_000_000_000;

/** A request over two measurements; its rows lie in this hour and, for some, hours ago. */
function bodyOf(request: number): string {
  const lines: string[] = [];
  for (let row = 0; row < rowsOfRequest; row += 1) {
    const late = request % 7 === 0 ? (row % 5) * hour : 0;
    const time = newest + request * 100 + row - late;
    for (const name of ['a', 'b']) lines.push(`${name},r=${row} request=${request}i ${time}`);
  }
  return lines.join('\n');
}

const countsSql = (where: string): string =>
  `SELECT request, sum(a), sum(b), sum(da), sum(db) FROM (
     SELECT request, count(*) a, 0 b, count(DISTINCT r) da, 0 db FROM d.a ${where} GROUP BY request
     UNION ALL
     SELECT request, 0, count(*), 0, count(DISTINCT r) FROM d.b ${where} GROUP BY request
   ) GROUP BY request`;

/** Requests that are not there exactly once in both measurements. */
async function torn(gateway: RealGateway, where: string): Promise<[Set<number>, unknown[]]> {
  const rows = await gateway.select(countsSql(where));
  const bad = rows.filter((row) => row.slice(1).some((count) => Number(count) !== rowsOfRequest));
  return [new Set(rows.map(([request]) => Number(request))), bad];
}

interface Shared {
  next: number;
  readonly acknowledged: Set<number>;
  isOver: boolean;
}

async function writeAndRead(gateway: RealGateway, shared: Shared): Promise<string[]> {
  const faults: string[] = [];
  while (!shared.isOver) {
    const request = shared.next;
    shared.next += 1;
    const answer = await gateway.write(bodyOf(request));
    if (answer.status !== 204) {
      faults.push(`request ${request}: ${answer.status} ${answer.text}`);
      continue;
    }
    shared.acknowledged.add(request);
    const [seen, bad] = await torn(gateway, `WHERE request = ${request}`);
    if (!seen.has(request) || bad.length > 0) {
      faults.push(`request ${request} after its answer: ${String(bad)}`);
    }
  }
  return faults;
}

async function readAll(gateway: RealGateway, shared: Shared): Promise<string[]> {
  const faults: string[] = [];
  while (!shared.isOver) {
    const before = [...shared.acknowledged];
    const [seen, bad] = await torn(gateway, '');
    if (bad.length > 0) faults.push(`not whole or not once: ${String(bad)}`);
    const missing = before.filter((request) => !seen.has(request));
    if (missing.length > 0) faults.push(`not seen: ${missing.join(' ')}`);
    shared.isOver = (await gateway.status()).buffers.flushes >= 15;
  }
  return faults;
}

const flags = ['--ingest-buffer-rows', '150', '--query-pool-size', '3'];

void t.test('each request is seen whole and once from its answer on', async (t) => {
  const gateway = await RealGateway.start(t, flags);
  t.equal((await gateway.write(bodyOf(0))).status, 204);
  const shared: Shared = { next: 1, acknowledged: new Set([0]), isOver: false };
  const writers = Array.from({ length: 4 }, () => writeAndRead(gateway, shared));
  const faults = (await Promise.all([...writers, readAll(gateway, shared)])).flat();
  t.same(faults.slice(0, 5), [], `${faults.length} faults`);
  const { buffers, catalog } = await gateway.status();
  t.comment(`${shared.acknowledged.size} requests, ${buffers.flushes} flushes`);
  t.ok(catalog.files > 20, 'files were made');
  t.equal(buffers.rows_entered, shared.acknowledged.size * rowsOfRequest * 2);

  await gateway.kill();
  await gateway.startAgain();
  const [seen, bad] = await torn(gateway, '');
  t.same(bad, [], 'after a kill each request is whole and there once');
  t.equal(seen.size, shared.acknowledged.size, 'and all that were answered are there');
  await gateway.filed();
  const [filed, badFiled] = await torn(gateway, '');
  t.same(badFiled, []);
  t.equal(filed.size, shared.acknowledged.size);
});

void t.test('queries go on when the query process is killed, writes never notice', async (t) => {
  const gateway = await RealGateway.start(t, flags);
  t.equal((await gateway.write(bodyOf(0))).status, 204);
  t.equal(await gateway.count('d.a'), rowsOfRequest);
  const shared: Shared = { next: 1, acknowledged: new Set([0]), isOver: false };
  const writing = (async (): Promise<string[]> => {
    const faults: string[] = [];
    while (!shared.isOver) {
      const request = shared.next;
      shared.next += 1;
      const answer = await gateway.write(bodyOf(request));
      if (answer.status === 204) shared.acknowledged.add(request);
      else faults.push(`${answer.status} ${answer.text}`);
      await sleep(5);
    }
    return faults;
  })();
  let answered = 0;
  for (let kill = 0; kill < 3; kill += 1) {
    const { gateway: own } = await gateway.status();
    const children = queryChildren(own.pid);
    t.equal(children.length, 1);
    const asked = [1, 2, 3].map(() => torn(gateway, '').catch(String));
    await sleep(10);
    for (const pid of children) process.kill(pid, 'SIGKILL');
    for (const during of await Promise.all(asked)) {
      if (typeof during === 'string') t.match(during, /^Error: 50[0-9] /, 'an honest error');
      else t.same(during[1], [], 'or an answer from the next one');
    }
    const before = [...shared.acknowledged];
    const [seen, bad] = await torn(gateway, '');
    t.same(bad, []);
    t.ok(
      before.every((request) => seen.has(request)),
      `kill ${kill}: the next query sees all`,
    );
    answered += 1;
    await sleep(300);
  }
  shared.isOver = true;
  t.same(await writing, [], 'no write was refused');
  t.equal(answered, 3);
  const { queries } = await gateway.status();
  t.ok(queries.engine_restarts >= 3, 'its restarts are counted');
  const [seen, bad] = await torn(gateway, '');
  t.same(bad, []);
  t.equal(seen.size, shared.acknowledged.size);
});
