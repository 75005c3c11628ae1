/**
 * Contract W11: senders that are faster than the gateway get 503 with Retry-After and lose nothing;
 * the gateway neither grows beyond its bounds nor falls over.
 */
import { setTimeout as sleep } from 'node:timers/promises';
import t from 'tap';
import { parseMetrics, sum } from '../../support/metrics-text.ts';
import { RealGateway, type HttpAnswer } from '../../support/real-gateway.ts';

t.setTimeout(120_000);

const rowsOfRequest = 2000;

/** About 300 KB: new strings in each row, so that buffers grow. */
function bodyOf(request: number): string {
  const lines: string[] = [];
  for (let row = 0; row < rowsOfRequest; row += 1) {
    const at = request * rowsOfRequest + row;
    lines.push(`m,h=h${row % 50} request=${request}i,text="${'text '.repeat(20)}${at}" ${at}`);
  }
  return lines.join('\n');
}

void t.test('a sender that is too fast is told to wait and loses nothing', async (t) => {
  const memoryBytes = 8 * 1024 * 1024;
  const flags = ['--ingest-memory', '8MiB', '--wal-segment-size', '1MiB'];
  const gateway = await RealGateway.start(t, flags);
  const acknowledged: number[] = [];
  const refused: HttpAnswer[] = [];
  let next = 0;
  let bytesMost = 0;
  let isOver = false;
  const sender = async (): Promise<void> => {
    while (!isOver) {
      const request = next;
      next += 1;
      const answer = await gateway.write(bodyOf(request));
      if (answer.status === 204) acknowledged.push(request);
      else refused.push(answer);
    }
  };
  const watcher = async (): Promise<void> => {
    while (!isOver) {
      bytesMost = Math.max(bytesMost, (await gateway.status()).buffers.bytes);
      isOver = acknowledged.length >= 300 && refused.length >= 100;
      await sleep(50);
    }
  };
  await Promise.all([...Array.from({ length: 12 }, sender), watcher()]);
  t.comment(`${acknowledged.length} taken, ${refused.length} refused, ${bytesMost} bytes at most`);
  t.same(
    refused.filter(({ status, headers }) => {
      return status !== 503 || !/^\d+$/.test(headers['retry-after'] ?? '');
    }),
    [],
    'with 503 and Retry-After only',
  );
  t.match(JSON.parse(refused[0]?.text ?? ''), { code: 'ingest_memory' });
  const metrics = parseMetrics((await gateway.send({ path: '/metrics' })).text);
  t.equal(
    sum(metrics, 'holdfast_ingest_refused_requests_total'),
    refused.length,
    'each is counted',
  );
  t.ok(bytesMost <= memoryBytes, `${bytesMost} bytes held at most`);

  const check = async (when: string): Promise<void> => {
    const rows = await gateway.select('SELECT request, count(*) FROM d.m GROUP BY request');
    const counts = new Map(rows.map(([request, count]) => [Number(request), Number(count)]));
    const wrong = acknowledged.filter((request) => counts.get(request) !== rowsOfRequest);
    t.same(wrong, [], `${when}: all that was answered is there once`);
    t.equal(counts.size, acknowledged.length, `${when}: and nothing that was refused`);
  };
  await check('afterwards');
  await gateway.kill();
  await gateway.startAgain();
  await check('after a kill');
  t.equal(await gateway.stop(), 0);
});

void t.test('a request of the largest size is taken beside a few rows', async (t) => {
  const gateway = await RealGateway.start(t, ['--ingest-memory', '8MiB']);
  const lines = Array.from(
    { length: 14_000 },
    (_, row) => `m text="${'x'.repeat(120)}${row}" ${row}`,
  );
  const body = lines.join('\n');
  t.ok(body.length > 1_900_000 && body.length < 2_097_152, 'close to the largest body');
  t.equal((await gateway.write('other v=1i 1')).status, 204);
  const answer = await gateway.write(body);
  t.equal(answer.status, 204, answer.text);
  t.equal(await gateway.count('d.m'), 14_000);
  const tooLarge = await gateway.write(`${body}\n${body}`);
  t.equal(tooLarge.status, 413, 'beyond a quarter of the memory');
});

void t.test('many small measurements under a small memory', async (t) => {
  const gateway = await RealGateway.start(t, ['--ingest-memory', '8MiB']);
  let rows = 0;
  let refused = 0;
  for (let round = 0; round < 40; round += 1) {
    const lines = Array.from(
      { length: 200 },
      (_, at) => `m${at},h=a v=${round}i,s="${round}" ${round}`,
    );
    for (;;) {
      const answer = await gateway.write(lines.join('\n'));
      if (answer.status === 204) break;
      t.equal(answer.status, 503);
      refused += 1;
      if (refused > 200) throw new Error(`refused for good: ${answer.text}`);
      await sleep(100);
    }
    rows += lines.length;
  }
  t.comment(`${refused} refused on the way`);
  let found = 0;
  for (let from = 0; from < 200; from += 50) {
    const parts = Array.from({ length: 50 }, (_, at) => `SELECT count(*) n FROM d.m${from + at}`);
    found += Number(await gateway.value(`SELECT sum(n) FROM (${parts.join(' UNION ALL ')})`));
  }
  t.equal(found, rows);
});
