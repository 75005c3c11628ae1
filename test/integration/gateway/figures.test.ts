/**
 * The figures that a gateway shows are true: what was written is what the status, the seed's
 * monitoring path and the metrics count, before and after the flush.
 */
import { setTimeout as sleep } from 'node:timers/promises';
import t from 'tap';
import { parseMetrics, sum } from '../../support/metrics-text.ts';
import { RealGateway } from '../../support/real-gateway.ts';

t.setTimeout(60_000);

interface BufferAnswer {
  readonly total_records_buffered: number;
  readonly total_records_written: number;
  readonly total_flushes: number;
  readonly total_errors: number;
  readonly current_buffer_sizes: Readonly<Record<string, number>>;
  readonly oldest_buffer_age_seconds: number;
}

void t.test('counts equal what was written', async (t) => {
  const gateway = await RealGateway.start(t, ['--ingest-buffer-rows', '500']);
  const metrics = async () => parseMetrics((await gateway.send({ path: '/metrics' })).text);
  const buffer = () => gateway.json<BufferAnswer>('/api/monitoring/buffer');
  const before = await metrics();
  for (let request = 0; request < 7; request += 1) {
    const rows = Array.from({ length: 10 }, (_, row) => `a,h=x f=${row}i ${request * 10 + row}`);
    t.equal((await gateway.write(rows.join('\n'), 'db=default&precision=u')).status, 204);
  }
  t.equal((await gateway.write('a f=1i 1\nb f=1i 1\nb f=2i 2\nbad\nworse\n')).status, 400);

  const held = await buffer();
  t.match(held, {
    // Rejected lines are rows too, of their own measurement.
    total_records_buffered: 75,
    total_records_written: 0,
    total_flushes: 0,
    total_errors: 0,
    current_buffer_sizes: { a: 70, 'd.a': 1, 'd.b': 2, '_internal.dead_letters': 2 },
  });
  t.ok(held.oldest_buffer_age_seconds >= 0 && held.oldest_buffer_age_seconds < 60);
  t.same(await gateway.json('/api/v1/monitoring/buffer').then(Object.keys), Object.keys(held));
  const status = await gateway.status();
  t.match(status, {
    gateway: { phase: 'ready', version: String, id: String, pid: Number },
    writes: { accepted: true },
    buffers: { rows_entered: 75, rows_held: 75, rows_filed: 0 },
    wal: { requests: 8 },
    catalog: { files: 0 },
    alarms: [],
    replication: [],
  });
  const after = await metrics();
  const grown = (name: string): number => sum(after, name) - sum(before, name);
  t.equal(grown('holdfast_ingest_rows_total'), 73, 'good rows');
  t.equal(grown('holdfast_ingest_rejected_rows_total'), 2, 'bad lines');
  t.equal(sum(after, 'holdfast_buffer_rows'), 75);

  const many = Array.from({ length: 1000 }, (_, row) => `big f=${row}i ${row}`);
  t.equal((await gateway.write(many.join('\n'))).status, 204);
  while ((await gateway.status()).catalog.files === 0) await gateway.count('d.big');
  const filed = await buffer();
  t.equal(filed.total_records_buffered, 1075);
  t.equal(filed.total_records_written, 1000);
  t.equal(filed.total_flushes, 1);
  t.notOk('d.big' in filed.current_buffer_sizes);
  const { buffers, catalog } = await gateway.status();
  t.equal(catalog.files, gateway.dataFiles().length);
  t.equal(buffers.files_filed, catalog.files);
  const last = await metrics();
  t.equal(sum(last, 'holdfast_flush_rows_total'), 1000);
  t.equal(sum(last, 'holdfast_catalog_files'), catalog.files);
  t.ok(sum(last, 'holdfast_http_write_seconds_count') >= 9);

  await gateway.kill();
  await gateway.startAgain();
  const replayed = await gateway.status();
  t.equal(replayed.buffers.rows_entered, 75, 'only what was in no file entered the buffers again');
  t.equal(replayed.gateway.id, status.gateway.id, 'the id stays');
  // Its log comes by a pipe and may be behind its answers.
  const logged = () =>
    gateway.lines.map((line) => JSON.parse(line) as { level?: string; message?: string });
  while (!logged().some(({ message }) => message === 'the write-ahead log is read')) await sleep(5);
  t.ok(
    logged().every(({ level, message }) => level !== undefined && message !== undefined),
    'each line of the log is JSON with level and message',
  );
});

void t.test('what was changed or refused on the way is counted', async (t) => {
  const gateway = await RealGateway.start(t);
  await gateway.write('m,x=a f=1i,f=2i,x=3i 1000000001', 'db=d&precision=ns');
  await gateway.send({
    path: '/write?db=d',
    body: 'm f=1i 1',
    headers: { 'x-real-ip': '10.0.0.1' },
  });
  const samples = parseMetrics((await gateway.send({ path: '/metrics' })).text);
  t.equal(sum(samples, 'holdfast_ingest_cut_times_total'), 1, 'digits below a microsecond');
  t.equal(sum(samples, 'holdfast_ingest_duplicate_fields_total'), 1, 'a field given twice');
  t.ok(
    sum(samples, 'holdfast_ingest_renamed_columns_total') >= 1,
    'a field with the name of a tag',
  );
  t.equal(samples.get('holdfast_ingest_refused_requests_total{code="not_local"}'), 1);
  t.same(await gateway.select('SELECT f, x, x__2, epoch_us(time) FROM d.m'), [
    [2n, 'a', 3n, 1_000_000n],
  ]);
});
