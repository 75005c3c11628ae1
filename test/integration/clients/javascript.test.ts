/**
 * JavaScript's clients of InfluxDB 1, 2 and 3, unmodified: what they write is served as they wrote
 * it, and what they make of each answer is true.
 */
import process from 'node:process';
import t, { type Test } from 'tap';
import { ClientChecks } from '../../support/client-checks.ts';
import type { ClientPoint } from '../../support/client-driver.ts';
import { clientPoints } from '../../support/client-points.ts';
import { clientFolder, nodeClients } from '../../support/client-programs.ts';
import { RefusingRelay } from '../../support/refusing-relay.ts';
import { RealGateway } from '../../support/real-gateway.ts';

t.setTimeout(300_000);

const found = clientFolder(nodeClients);
const skip = 'absent' in found ? found.absent : false;

const units = { n: 1n, u: 1000n, ms: 1_000_000n, s: 1_000_000_000n };

/** All of them turn integers into doubles on their way. */
const ability = {
  integers: ['-9007199254740991', '9007199254740991'],
  escapesMeasurement: true,
  newLines: true,
} as const;
const firstPoints = clientPoints({ ...ability, escapesMeasurement: false });
const secondPoints = clientPoints({ ...ability, unsigned: '18446744073709551615' });
const thirdPoints = clientPoints({ ...ability, unsigned: '9007199254740991' });

async function run(t: Test, script: string, points: readonly ClientPoint[]) {
  if (!('folder' in found)) throw new Error('skipped');
  const gateway = await RealGateway.start(t);
  const relay = await RefusingRelay.start(t, gateway.url);
  const { folder } = found;
  const call = { program: process.execPath, script, folder, relay: relay.url, points };
  return { relay, checks: await ClientChecks.run(t, gateway, call) };
}

void t.test('influx, the client of InfluxDB 1', { skip }, async (t) => {
  const { checks } = await run(t, 'node-v1.mjs', firstPoints);
  checks.done('create', 'exact', 'precisions', 'batch');
  await checks.exact(firstPoints);
  await checks.precisions(units);
  await checks.batch();
  checks.value('ping', [[true, '1.8.10']]);
  checks.value('databases', [checks.database]);
  t.ok((checks.outcome('measurements').value as string[]).includes('odd-name.ünïcode☂'));
  checks.value(
    'series',
    Array.from({ length: 10 }, (_, host) => `many,h=host${host}`),
  );
  checks.value('policies', [{ name: 'autogen', default: true }]);
  checks.failed('select', /SQL is at \/api\/v1\/query/);
  checks.failed('partial', /field type conflict: .* dropped=1/);
  await checks.count('kept', 2);
  checks.failed('refused', /Service Unavailable/);
  await checks.count('refused', 0);
});

void t.test('@influxdata/influxdb-client, the client of InfluxDB 2', { skip }, async (t) => {
  const { checks, relay } = await run(t, 'node-v2.mjs', secondPoints);
  checks.done('exact', 'precisions', 'batch');
  await checks.exact(secondPoints);
  await checks.precisions(units);
  await checks.batch();
  t.ok(relay.seen.some(({ headers }) => headers['content-encoding'] === 'gzip'));
  checks.failed('partial', /partial write: unable to parse 'bad line'/);
  await checks.count('kept', 2);
  checks.failed('conflict', /field type conflict/);
  checks.failed('refused', /only programs of this machine/);
  await checks.count('refused', 0);
  checks.value('retried', [503, 503]);
  await checks.count('retried', 1);
});

void t.test('@influxdata/influxdb3-client, the client of InfluxDB 3', { skip }, async (t) => {
  const { checks, relay } = await run(t, 'node-v3.mjs', thirdPoints);
  checks.done('exact', 'precisions', 'batch', 'no_sync');
  await checks.exact(thirdPoints);
  await checks.precisions(units);
  await checks.batch();
  t.ok(relay.seen.some(({ headers }) => headers['content-encoding'] === 'gzip'));
  t.ok(relay.seen.some(({ path }) => path.startsWith('/api/v3/write_lp')));
  checks.value('version', '1.8.10');
  checks.failed('partial', /partial write: unable to parse 'bad line'/);
  await checks.count('kept', 2);
  checks.failed('conflict', /field type conflict/);
  await checks.count('no_sync', 1);
  checks.failed('refused', /only programs of this machine/);
  await checks.count('refused', 0);
  // Its queries are Flight SQL over gRPC.
  checks.failed('query', /./);
});
