/**
 * SHOW statements of InfluxQL answer byte for byte as a real InfluxDB 1.6 does over the same rows.
 */
import t from 'tap';
import { influxdBinary, InfluxServer } from '../support/influxdb-server.ts';
import { RealGateway, scratchDirectory, sendHttp } from '../support/real-gateway.ts';

t.setTimeout(180_000);

const found = influxdBinary();
const required = process.env['HOLDFAST_TEST_REQUIRE'] === '1';
if ('absent' in found && required) throw new Error(found.absent);
const skip = 'absent' in found ? found.absent : false;

const lines = [
  'cpu,host=a,region=x f=1,i=2i,s="t",b=true 1',
  'cpu,host=b f=2 2',
  "cpu,host=it's,region=é\\ ü f=1 3",
  'cpu f=1 4',
  'mem used=1i 1',
  'd\\ isk\\,x,p\\ q=v\\=w,a=1 f=1 1',
  'quo"te,t"g=v"l "f\\ d"=1i 1',
].join('\n');

const statements = [
  'SHOW DATABASES',
  'show databases;;',
  'SHOW MEASUREMENTS',
  'SHOW MEASUREMENTS ON e',
  'SHOW MEASUREMENTS ON "nope"',
  'SHOW MEASUREMENTS LIMIT 1 OFFSET 1',
  'SHOW MEASUREMENTS LIMIT 0',
  'SHOW MEASUREMENTS WITH MEASUREMENT = cpu',
  'SHOW MEASUREMENTS WITH MEASUREMENT =~ /c.*/',
  'SHOW MEASUREMENTS WITH MEASUREMENT =~ /(?i)CPU/ LIMIT 100',
  "SHOW MEASUREMENTS WHERE host = 'a'",
  'SHOW FIELD KEYS',
  'SHOW FIELD KEYS ON d',
  'SHOW FIELD KEYS FROM cpu LIMIT 2 OFFSET 1',
  'SHOW FIELD KEYS FROM d.autogen.cpu',
  'SHOW FIELD KEYS FROM "quo\\"te"',
  'SHOW FIELD KEYS FROM nope',
  'SHOW TAG KEYS',
  'SHOW TAG KEYS LIMIT 1',
  'SHOW TAG KEYS FROM /c.*/, "d isk,x"',
  "SHOW TAG KEYS FROM cpu WHERE region = 'x'",
  "SHOW TAG KEYS FROM cpu WHERE host = 'b'",
  "SHOW TAG KEYS FROM cpu WHERE region = 'y'",
  'SHOW TAG VALUES WITH KEY = host',
  'SHOW TAG VALUES FROM "cpu" WITH KEY = "host"',
  'SHOW TAG VALUES FROM cpu, mem WITH KEY = host LIMIT 1 OFFSET 1',
  'SHOW TAG VALUES WITH KEY IN (host, "region")',
  'SHOW TAG VALUES WITH KEY =~ /.*/ LIMIT 2',
  'SHOW TAG VALUES WITH KEY != host',
  'SHOW TAG VALUES WITH KEY !~ /host/',
  'SHOW TAG VALUES WITH KEY = nope',
  "SHOW TAG VALUES FROM cpu WITH KEY = host WHERE region = 'x'",
  "SHOW TAG VALUES FROM cpu WITH KEY = host WHERE region != 'x'",
  "SHOW TAG VALUES FROM cpu WITH KEY = host WHERE (region = 'x' OR host = 'b')",
  'SHOW TAG VALUES FROM cpu WITH KEY = host WHERE f = 1',
  'SHOW TAG VALUES FROM cpu WITH KEY = host WHERE time > 0',
  'SHOW SERIES',
  'SHOW SERIES LIMIT 2 OFFSET 1',
  'SHOW SERIES FROM cpu, mem',
  'SHOW SERIES FROM "d isk,x"',
  "SHOW SERIES FROM cpu WHERE host = 'a'",
  "SHOW SERIES FROM cpu WHERE host = ''",
  "SHOW SERIES FROM cpu WHERE host = 'it\\'s'",
  'SHOW SERIES FROM cpu WHERE host =~ /a|b/ AND region !~ /y/ LIMIT 5',
  'SHOW RETENTION POLICIES',
  'SHOW RETENTION POLICIES ON e',
  'SHOW RETENTION POLICIES ON "nope"',
  'SHOW SERIES /* all */; SHOW TAG KEYS -- and\n; SHOW DATABASES',
];

void t.test('SHOW statements answer as InfluxDB does', { skip }, async (t) => {
  if (!('binary' in found)) return;
  const influx = await InfluxServer.start(found.binary, scratchDirectory(t));
  t.teardown(() => influx.stop());
  const gateway = await RealGateway.start(t);
  const ask = async (url: string, q: string, db: string) => {
    const form = new URLSearchParams({ q, ...(db !== '' && { db }) }).toString();
    const headers = { 'content-type': 'application/x-www-form-urlencoded' };
    const { status, text } = await sendHttp(url, { path: '/query', headers, body: form });
    return `${status} ${text.trim()}`;
  };
  for (const { url } of [influx, gateway]) {
    await ask(url, 'CREATE DATABASE d; CREATE DATABASE e', '');
    const answer = await sendHttp(url, { path: '/write?db=d', body: lines });
    t.equal(answer.status, 204, answer.text);
  }
  for (const statement of statements) {
    const expected = await ask(influx.url, statement, 'd');
    t.equal(await ask(gateway.url, statement, 'd'), expected, statement);
  }
  const bare = statements.filter((statement) => /^SHOW [A-Z ]+( = host)?$/.test(statement));
  for (const statement of bare) {
    for (const database of ['', 'nope']) {
      const expected = await ask(influx.url, statement, database);
      t.equal(await ask(gateway.url, statement, database), expected, `${statement} (${database})`);
    }
  }
});
