/**
 * collectd by its plugin write_influxdb_udp: each value that its own CSV files list is served, in
 * order.
 */
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { globSync, readFileSync, writeFileSync } from 'node:fs';
import { join, sep } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import t from 'tap';
import { clientFolder, collectd } from '../../support/client-programs.ts';
import { quoted } from '../../support/gateway-client.ts';
import { RealGateway, scratchDirectory } from '../../support/real-gateway.ts';

t.setTimeout(120_000);

const found = clientFolder(collectd);
const skip = 'absent' in found ? found.absent : false;

function configuration(folder: string, scratch: string, port: string): string {
  return `
Hostname "edge box, 1"
FQDNLookup false
Interval 0.2
BaseDir "${scratch}"
PIDFile "${scratch}/pid"
PluginDir "${folder}/usr/lib/collectd"
TypesDB "${folder}/usr/share/collectd/types.db"
LoadPlugin logfile
<Plugin logfile>
  LogLevel info
  File "${scratch}/log"
</Plugin>
LoadPlugin load
LoadPlugin memory
LoadPlugin cpu
LoadPlugin csv
<Plugin csv>
  DataDir "${scratch}/csv"
  StoreRates true
</Plugin>
LoadPlugin write_influxdb_udp
<Plugin write_influxdb_udp>
  Server "127.0.0.1" "${port}"
  StoreRates true
</Plugin>
`;
}

interface CsvSeries {
  /** SQL of the rows that it should be. */
  readonly sql: string;
  /** Values but those that are no numbers, oldest first. */
  readonly values: readonly (readonly number[])[];
}

/** Series of the CSV files: HOST/PLUGIN[-INSTANCE]/TYPE[-TYPE_INSTANCE]-YYYY-MM-DD. */
function csvSeries(folder: string): readonly CsvSeries[] {
  const series = new Map<string, (readonly number[])[]>();
  for (const path of globSync('*/*/*', { cwd: folder }).sort()) {
    const [host = '', plugin = '', file = ''] = path.split(sep);
    const [measurement = '', instance] = plugin.split(/-(.*)/s);
    const [type, typeInstance] = file.slice(0, -'-YYYY-MM-DD'.length).split(/-(.*)/s);
    const [head = '', ...lines] = readFileSync(join(folder, path), 'utf8').trim().split('\n');
    const fields = head.split(',').slice(1).map(quoted);
    const tags = Object.entries({ host, instance, type, type_instance: typeInstance });
    const known = tags.filter(([, value]) => value !== undefined);
    const where = known.map(([tag, value]) => `${tag} = '${value ?? ''}'`).join(' AND ');
    const sql = `SELECT ${fields.join(', ')} FROM net.${measurement} WHERE ${where} ORDER BY "time"`;
    const values = lines.map((line) => line.split(',').slice(1).map(Number));
    const numbers = values.filter((row) => row.every((value) => !Number.isNaN(value)));
    if (numbers.length > 0) series.set(sql, [...(series.get(sql) ?? []), ...numbers]);
  }
  return [...series].map(([sql, values]) => ({ sql, values }));
}

void t.test('every value of collectd arrives over UDP', { skip }, async (t) => {
  if (!('folder' in found)) return;
  const udp = ['--server-udp-listen', '127.0.0.1:0', '--server-udp-database', 'net'];
  const gateway = await RealGateway.start(t, [...udp, '--server-udp-precision', 'ms']);
  const ports = gateway.lines.map((line) => /"udp":"127\.0\.0\.1:(\d+)"/.exec(line)?.[1]);
  const port = ports.find((each) => each !== undefined) ?? '';
  const scratch = scratchDirectory(t);
  const file = join(scratch, 'collectd.conf');
  writeFileSync(file, configuration(found.folder, scratch, port));
  const program = join(found.folder, 'usr', 'sbin', 'collectd');
  const child = spawn(program, ['-f', '-C', file], { stdio: 'ignore' });
  t.teardown(() => child.kill('SIGKILL'));
  const csv = join(scratch, 'csv');
  const sent = () => csvSeries(csv).reduce((sum, { values }) => sum + values.length, 0);
  while (sent() < 200 && child.exitCode === null) await sleep(100);
  child.kill('SIGTERM');
  if (child.exitCode === null) await once(child, 'exit');
  t.equal(child.exitCode, 0, readFileSync(join(scratch, 'log'), 'utf8'));

  const series = csvSeries(csv);
  t.ok(series.length > 15, `${series.length} series, ${sent()} values`);
  for (const { sql, values } of series) {
    // The last datagrams may still be on their way.
    let served = await gateway.select(sql);
    for (let tries = 0; served.length < values.length && tries < 1000; tries += 1) {
      await sleep(50);
      served = await gateway.select(sql);
    }
    t.strictSame(served, values, sql);
  }
  const { text } = await gateway.send({ path: '/metrics' });
  t.notMatch(text, /^holdfast_ingest_rejected_rows_total\{.*\} [1-9]/m, 'none was bad');
});
