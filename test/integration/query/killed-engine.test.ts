/**
 * The query process of a real gateway is killed at random times while others write and query: an
 * answer is exact or says clearly that there is none, and no write waits for the process. A
 * process that hangs instead of dying holds up nothing but its own queries.
 */
import { setTimeout as sleep } from 'node:timers/promises';
import process from 'node:process';
import t from 'tap';
import { chosenSeed, isLongRun, seededRandom } from '../../support/random.ts';
import {
  queryChildren,
  RealGateway,
  type HttpAnswer,
  type Teardown,
} from '../../support/real-gateway.ts';

t.setTimeout(300_000);

const rowsOfRequest = 20;
const flags = ['--ingest-buffer-rows', '150', '--query-pool-size', '3'];

/** Request `number` of a writer: the next twenty values of its measurement. */
function bodyOf(writer: number, number: number): string {
  const values = Array.from({ length: rowsOfRequest }, (_, row) => number * rowsOfRequest + row);
  return values.map((v) => `m,w=${writer} v=${v}i ${1_700_000_000_000_000 + v}`).join('\n');
}

/** Requests of a writer that were sent, and those of them that were answered. */
interface Writer {
  readonly id: number;
  sent: number;
  acknowledged: number;
}

interface Run {
  readonly gateway: RealGateway;
  readonly writers: readonly Writer[];
  readonly faults: string[];
  exact: number;
  failed: number;
  isOver: boolean;
}

async function write({ gateway, faults }: Run, writer: Writer): Promise<void> {
  const number = writer.sent;
  writer.sent += 1;
  const { status, text } = await gateway.write(bodyOf(writer.id, number));
  if (status === 204) writer.acknowledged += 1;
  else faults.push(`write: ${status} ${text}`);
}

const sql = 'SELECT w, count(*), count(DISTINCT v), max(v) + 1 FROM d.m GROUP BY w ORDER BY w';

interface Answer {
  readonly success: boolean;
  readonly data: readonly (readonly [string, number, number, number])[];
  readonly code?: string;
}

/** What is wrong with an answer, which began when `before` were acknowledged. */
function faultOf({ status, headers, text }: HttpAnswer, run: Run, before: readonly number[]) {
  let answer: Answer;
  try {
    answer = JSON.parse(text) as Answer;
  } catch {
    return `no JSON: ${status} ${text.slice(0, 100)}`;
  }
  if (status !== 200) {
    run.failed += 1;
    const isClear = status === 503 && !answer.success && answer.code === 'query_engine_down';
    return isClear && Number(headers['retry-after']) > 0 ? undefined : `${status} ${text}`;
  }
  run.exact += 1;
  for (const { id, sent } of run.writers) {
    const [, count, distinct, next] = answer.data.find(([w]) => w === String(id)) ?? ['', 0, 0, 0];
    const isWhole = count % rowsOfRequest === 0 && count === distinct && count === Number(next);
    const known = (before[id] ?? 0) * rowsOfRequest;
    if (!isWhole || count < known || count > sent * rowsOfRequest) {
      return `writer ${id}, known ${known}, sent ${sent * rowsOfRequest}: ${text}`;
    }
  }
  return undefined;
}

async function read(run: Run): Promise<void> {
  while (!run.isOver) {
    const before = run.writers.map(({ acknowledged }) => acknowledged);
    const body = JSON.stringify({ sql });
    const headers = { 'content-type': 'application/json' };
    try {
      const answer = await run.gateway.send({ path: '/api/v1/query', headers, body });
      const fault = faultOf(answer, run, before);
      if (fault !== undefined) run.faults.push(fault);
    } catch {
      // The connection was cut before the answer was whole: that is clear, too.
      run.failed += 1;
    }
  }
}

const newRun = async (test: Teardown, writers: number): Promise<Run> => ({
  gateway: await RealGateway.start(test, flags),
  writers: Array.from({ length: writers }, (_, id) => ({ id, sent: 0, acknowledged: 0 })),
  faults: [],
  exact: 0,
  failed: 0,
  isOver: false,
});

/** The running query process, when it is another than `last`. */
async function nextChild(gatewayId: number, last: number): Promise<number> {
  for (;;) {
    const child = queryChildren(gatewayId).find((id) => id !== last);
    if (child !== undefined) return child;
    await sleep(2);
  }
}

void t.test('killed at random times: exact or a clear error, and writes go on', async (t) => {
  const seed = chosenSeed();
  t.comment(`--seed=${seed}`);
  const random = seededRandom(seed);
  const run = await newRun(t, 2);
  const { pid } = (await run.gateway.status()).gateway;
  const writing = run.writers.map(async (writer) => {
    while (!run.isOver) {
      await write(run, writer);
      await sleep(5);
    }
  });
  const reading = [read(run), read(run)];
  let child = 0;
  for (let kills = 0; kills < (isLongRun() ? 60 : 10); kills += 1) {
    child = await nextChild(pid, child);
    if (random.chance(0.4)) {
      // While it starts or is seeded.
      await sleep(random.below(500));
    } else {
      // While it answers.
      const { exact } = run;
      while (run.faults.length === 0 && run.exact === exact) await sleep(2);
      await sleep(random.below(100));
    }
    process.kill(child, 'SIGKILL');
    const before = run.writers.map(({ acknowledged }) => acknowledged);
    const hasGoneOn = () =>
      run.writers.every(({ acknowledged }, id) => acknowledged >= (before[id] ?? 0) + 2);
    while (run.faults.length === 0 && !hasGoneOn()) await sleep(2);
  }
  const answered = run.exact;
  while (run.faults.length === 0 && run.exact < answered + 5) await sleep(5);
  run.isOver = true;
  await Promise.all([...writing, ...reading]);
  t.same(run.faults.slice(0, 5), [], `${run.faults.length} faults`);
  t.comment(`${run.exact} exact answers, ${run.failed} errors`);
  const { queries, buffers } = await run.gateway.status();
  t.ok(queries.engine_restarts >= 9, 'each kill met a process');
  t.ok(buffers.flushes > 0, 'rows were filed meanwhile');
});

void t.test('a process that hangs stalls no write and no flush', async (t) => {
  const run = await newRun(t, 1);
  const [writer] = run.writers;
  if (writer === undefined) throw new Error('no writer');
  await write(run, writer);
  t.equal(await run.gateway.count('d.m'), rowsOfRequest);
  const { gateway, buffers } = await run.gateway.status();
  const child = await nextChild(gateway.pid, 0);
  process.kill(child, 'SIGSTOP');
  let isAnswered = false;
  const count = run.gateway.count('d.m').finally(() => {
    isAnswered = true;
  });
  for (let request = 0; request < 50; request += 1) await write(run, writer);
  while ((await run.gateway.status()).buffers.flushes < buffers.flushes + 3) {
    await write(run, writer);
  }
  t.notOk(isAnswered, 'while the query waits for the process that hangs');
  t.same(run.faults, []);
  process.kill(child, 'SIGKILL');
  t.ok((await count) >= rowsOfRequest, 'then it is answered by the next process');
  t.equal(await run.gateway.count('d.m'), writer.acknowledged * rowsOfRequest);
});
