/**
 * Python's clients of InfluxDB 1, 2 and 3 and of Arc, and pyarrow, unmodified: what they write is
 * served as they wrote it, and what they make of each answer is true.
 */
import { join } from 'node:path';
import t, { type Test } from 'tap';
import { ClientChecks } from '../../support/client-checks.ts';
import type { ClientPoint } from '../../support/client-driver.ts';
import { clientPoints } from '../../support/client-points.ts';
import { clientFolder, pythonClients } from '../../support/client-programs.ts';
import { RefusingRelay } from '../../support/refusing-relay.ts';
import { RealGateway } from '../../support/real-gateway.ts';

t.setTimeout(300_000);

const found = clientFolder(pythonClients);
const skip = 'absent' in found ? found.absent : false;

const ability = {
  integers: ['-9223372036854775808', '9223372036854775807'],
  escapesMeasurement: true,
  newLines: true,
} as const;
const points = clientPoints(ability);
const firstPoints = clientPoints({ ...ability, newLines: false });

const units = { n: 1n, u: 1000n, ms: 1_000_000n, s: 1_000_000_000n };

async function run(t: Test, script: string, points: readonly ClientPoint[]) {
  if (!('folder' in found)) throw new Error('skipped');
  const gateway = await RealGateway.start(t);
  const relay = await RefusingRelay.start(t, gateway.url);
  const { folder } = found;
  const program = join(folder, 'bin', 'python');
  const call = { program, script, folder, relay: relay.url, points };
  return { gateway, relay, checks: await ClientChecks.run(t, gateway, call) };
}

void t.test('influxdb, the client of InfluxDB 1', { skip }, async (t) => {
  const { checks, relay } = await run(t, 'python_v1.py', firstPoints);
  checks.done('create', 'exact', 'precisions', 'batch');
  await checks.exact(firstPoints);
  await checks.precisions({ ...units, m: 60_000_000_000n, h: 3_600_000_000_000n });
  await checks.batch();
  t.ok(relay.seen.some(({ headers }) => headers['content-encoding'] === 'gzip'));

  checks.value('ping', '1.8.10');
  checks.value('databases', [{ name: checks.database }]);
  const measurements = checks.outcome('measurements').value as { name: string }[];
  t.ok(measurements.some(({ name }) => name === 'odd name, ünïcode ☂'));
  checks.value(
    'series',
    Array.from({ length: 10 }, (_, host) => `many,h=host${host}`),
  );
  checks.value('policies', [{ name: 'autogen', duration: '0s', default: true }]);
  checks.value('tag_values', [
    { key: 'h', value: 'host0' },
    { key: 'h', value: 'host1' },
  ]);
  checks.value('fields', [{ fieldKey: 'i', fieldType: 'integer' }]);
  checks.failed('select', /SQL is at \/api\/v1\/query/);

  checks.failed('partial', /partial write: unable to parse 'bad line'/);
  await checks.count('kept', 2);
  checks.failed('conflict', /field type conflict: .* dropped=1/);
  checks.failed('refused', /only programs of this machine/);
  await checks.count('refused', 0);
});

void t.test('influxdb-client, the client of InfluxDB 2', { skip }, async (t) => {
  const { checks, relay } = await run(t, 'python_v2.py', points);
  checks.done('exact', 'precisions');
  await checks.exact(points);
  await checks.precisions(units);
  checks.value('batch', { lost: [], kept: 5000, again: 0 });
  await checks.batch();
  t.ok(relay.seen.some(({ headers }) => headers['content-encoding'] === 'gzip'));

  checks.value('ping', true);
  checks.value('version', '1.8.10');
  checks.value('health', 'pass');
  checks.value('ready', 'ready');
  checks.failed('flux', /nothing is at \/api\/v2\/query/);

  checks.failed('partial', /partial write: unable to parse 'bad line'/);
  await checks.count('kept', 2);
  checks.failed('conflict', /field type conflict/);
  checks.failed('refused', /503/);
  await checks.count('refused', 0);
  checks.value('retried', { lost: [], kept: 1, again: 2 });
  await checks.count('retried', 1);
});

void t.test('influxdb3-python, the client of InfluxDB 3', { skip }, async (t) => {
  const { checks, relay } = await run(t, 'python_v3.py', points);
  checks.done('exact', 'exact_v3', 'precisions', 'batch', 'no_sync');
  await checks.exact(points);
  await checks.exact(points, 'v3_');
  await checks.precisions(units);
  await checks.batch();
  t.ok(relay.seen.some(({ headers }) => headers['content-encoding'] === 'gzip'));
  checks.value('version', '1.8.10');

  checks.failed('partial_v2', /partial write: unable to parse 'bad line'/);
  checks.failed('partial', /partial write .*line 2: invalid field format \(bad line\)/s);
  t.equal(checks.outcome('partial').error, 'InfluxDBPartialWriteError');
  await checks.count('kept', 2);
  t.equal(checks.outcome('whole').error, 'InfluxDBPartialWriteError');
  await checks.count('none', 0);
  checks.failed('conflict', /field type conflict/);
  await checks.count('no_sync', 1);
  checks.failed('refused', /503/);
  await checks.count('refused', 0);
  checks.value('retried', { lost: [], again: 2 });
  await checks.count('retried', 1);
  // Its queries are Flight SQL over gRPC.
  checks.failed('query', /Flight/);
});

void t.test('arc-tsdb-client', { skip }, async (t) => {
  const { checks, gateway, relay } = await run(t, 'python_arc.py', points);
  checks.done('exact_lines', 'exact_records', 'exact_columns', 'precisions', 'batch');
  for (const prefix of ['lp_', 'rows_', 'columns_']) await checks.exact(points, prefix);
  await checks.precisions({ us: 1000n, ms: 1_000_000n, s: 1_000_000_000n });
  await checks.batch();
  t.ok(relay.seen.some(({ headers }) => headers['content-encoding'] === 'gzip'));

  checks.value('health', 'pass');
  checks.done('ready');
  const first = [
    ['host0', 0],
    ['host1', 1],
  ];
  checks.value('read', { columns: ['h', 'i'], data: first, rows: 2 });
  t.ok((checks.outcome('databases').value as string[]).includes(checks.database));
  checks.failed('bad_query', /nonsense/);

  // As Arc: good rows are kept, and bad ones are no error to its sender.
  checks.done('partial');
  await checks.count('kept', 2);
  const letters = await gateway.select(
    'SELECT "database", text FROM _internal.dead_letters WHERE part = 0',
  );
  t.strictSame(letters, [[checks.database, 'bad line']]);
  checks.failed('refused', /only programs of this machine/);
  await checks.count('refused', 0);
});

void t.test('pyarrow', { skip }, async (t) => {
  const { checks, gateway } = await run(t, 'python_arrow.py', points);
  checks.done('exact', 'precisions');
  await checks.exact(points);
  await checks.precisions({ s: units.s, ms: units.ms, u: 1000n, n: 1n });
  // As a stream, then as a file: each point is there once, because its tags are named.
  const good = { status: 204, rejected: null };
  checks.value('batch', [good, good]);
  await checks.batch();

  checks.value('partial', { status: 204, rejected: '1' });
  checks.value('conflict', { status: 204, rejected: '1' });
  await checks.count('kept', 1);
  const letters = await gateway.select(
    'SELECT reason, format FROM _internal.dead_letters WHERE part = 0 ORDER BY "time"',
  );
  t.match(letters, [
    ['a time that is null', 'msgpack'],
    [/field type conflict/, 'msgpack'],
  ]);
  checks.failed('list', /^400 .*column \\"v\\" of type list cannot be stored.*"body_unreadable"/);
  checks.failed('nameless', /^400 .*no measurement: name it by measurement=/);
  checks.failed('broken', /^400 .*Invalid Arrow IPC payload: message \d at byte \d+/);
  await checks.count('none', 0);
  checks.failed('refused', /^503 /);
  await checks.count('refused', 0);
});
