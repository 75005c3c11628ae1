import t from 'tap';
import { alarmIds, Alarms, alarmTable } from '../../../../src/base/telemetry/alarms.ts';
import { openLog } from '../../../../src/base/telemetry/log.ts';
import { LatencyHistogram } from '../../../../src/base/lib/latency-histogram.ts';
import { metricsMarkdown, metricTable } from '../../../../src/base/telemetry/metric-table.ts';
import { Metrics } from '../../../../src/base/telemetry/metrics.ts';
import { GatewayError } from '../../../../src/base/errors/gateway-error.ts';

function logLines() {
  const lines: Record<string, unknown>[] = [];
  const log = openLog('info', {
    write: (line) => lines.push(JSON.parse(line) as Record<string, unknown>),
  });
  return { lines, logger: log.logger };
}

t.test('log lines are JSON with level, time, part and the error with its cause', (t) => {
  const { lines, logger } = logLines();
  const cause = new Error('no space');
  logger.child('flush').error({ error: new GatewayError('HF_DISK_FULL', 'full', { cause }) }, 'no');
  logger.debug({}, 'not shown');
  t.equal(lines.length, 1);
  t.match(lines[0], { level: 'error', part: 'flush', message: 'no' });
  t.match(lines[0], {
    time: /^\d{4}-.*Z$/,
    error: { code: 'HF_DISK_FULL', cause: { message: 'no space' } },
  });
  t.end();
});

t.test('a notice is written whatever level is logged, once', (t) => {
  for (const level of ['trace', 'info', 'fatal'] as const) {
    const lines: unknown[] = [];
    const { logger } = openLog(level, { write: (line) => lines.push(JSON.parse(line)) });
    logger.notice({ url: 'u' }, 'listening');
    logger.child('part').notice({}, 'ready');
    t.match(lines, [
      { level: 'info', url: 'u', message: 'listening' },
      { level: 'info', part: 'part', message: 'ready' },
    ]);
    t.equal(lines.length, 2);
  }
  t.end();
});

t.test('secrets never reach the log', (t) => {
  const { lines, logger } = logLines();
  logger.info({ token: 'abc', headers: { authorization: 'Bearer abc' } }, 'request');
  t.notMatch(JSON.stringify(lines), /abc/);
  t.end();
});

t.test('an alarm is logged once, keeps its time, and goes when cleared', (t) => {
  const { lines, logger } = logLines();
  let now = 10;
  const clock = { wallUs: () => now, monotonicMs: () => 0 };
  const alarms = new Alarms({ clock, logger });
  alarms.raise('flush_failing', 'first', 'cpu');
  now = 20;
  alarms.raise('flush_failing', 'second', 'cpu');
  alarms.raise('flush_failing', 'other', 'mem');
  t.match(alarms.active(), [
    { id: 'flush_failing', subject: 'cpu', detail: 'second', sinceUs: 10, severity: 'critical' },
    { subject: 'mem', sinceUs: 20 },
  ]);
  alarms.clear('flush_failing', 'cpu');
  alarms.clear('flush_failing', 'cpu');
  t.equal(alarms.active().length, 1);
  t.equal(lines.length, 3, 'two raised, one cleared');
  for (const id of alarmIds) t.ok(alarmTable[id].remedy.endsWith('.'), id);
  t.end();
});

t.test('every metric is named by the rule, documented and exported', async (t) => {
  const text = await new Metrics().text();
  for (const [name, entry] of Object.entries(metricTable)) {
    t.match(name, /^holdfast_[a-z]+(_[a-z]+)+$/);
    t.equal(name.endsWith('_total'), entry.type === 'counter', `${name}: counters end in _total`);
    t.ok(text.includes(`# HELP ${name} `), name);
    t.ok(metricsMarkdown().includes(`\`${name}\``), name);
  }
});

t.test('recorders count, readings are taken at each scrape', async (t) => {
  const metrics = new Metrics();
  const rows = metrics.counter('holdfast_ingest_rows_total');
  rows.add(2, { dialect: 'v1' });
  rows.add(3, { dialect: 'v1' });
  metrics.histogram('holdfast_http_write_seconds').observe(0.002);
  let files = 4;
  metrics.read('holdfast_catalog_files', () => files);
  metrics.read('holdfast_alarms_active', () => ({ disk_soft: 1 }));
  metrics.read('holdfast_flush_rows_total', () => 70);
  const syncs = new LatencyHistogram();
  metrics.readHistogram('holdfast_wal_sync_seconds', () => syncs.counts());
  for (const milliseconds of [0.02, 1.2, 1.2, 1e9]) syncs.add(milliseconds);
  await metrics.text();
  files = 5;
  const text = await metrics.text();
  t.match(text, 'holdfast_ingest_rows_total{dialect="v1"} 5');
  t.match(text, 'holdfast_http_write_seconds_bucket{le="0.0025"} 1');
  t.match(text, 'holdfast_catalog_files 5');
  t.match(text, 'holdfast_flush_rows_total 70');
  t.match(text, 'holdfast_wal_sync_seconds_bucket{le="0.001076"} 1');
  t.match(text, 'holdfast_wal_sync_seconds_bucket{le="0.00128"} 3');
  t.match(text, 'holdfast_wal_sync_seconds_bucket{le="+Inf"} 4');
  t.match(text, 'holdfast_wal_sync_seconds_sum 1000000.0024');
  t.match(text, 'holdfast_wal_sync_seconds_count 4');
  t.match(text, 'holdfast_alarms_active{alarm="disk_soft"} 1');
});
