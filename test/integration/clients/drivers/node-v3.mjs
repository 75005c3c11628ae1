import { finish, job, load, many, refused, step, units } from './driver.mjs';

const { InfluxDBClient, Point, setLogger } = load('@influxdata/influxdb3-client');
setLogger({ error: () => undefined, warn: () => undefined });
const client = new InfluxDBClient({ host: job.relay, token: 'any', database: job.database });
const words = { n: 'ns', u: 'us', ms: 'ms', s: 's' };

function pointOf({ measurement, tags, fields, time }) {
  const point = Point.measurement(measurement).setTimestamp(time);
  for (const [key, value] of Object.entries(tags)) point.setTag(key, value);
  for (const [name, [kind, text]] of Object.entries(fields)) {
    if (kind === 'float') point.setFloatField(name, Number(text));
    else if (kind === 'integer') point.setIntegerField(name, text);
    else if (kind === 'unsigned') point.setUintegerField(name, text);
    else if (kind === 'boolean') point.setBooleanField(name, text === 'true');
    else point.setStringField(name, text);
  }
  return point;
}

const write = (points, options = {}) =>
  client.write(points, job.database, undefined, { gzipThreshold: 1000, ...options });
const one = (measurement) => Point.measurement(measurement).setIntegerField('v', 1);

await step('version', () => client.getServerVersion());
await step('exact', () => write(job.points.map(pointOf)));
await step('precisions', async () => {
  for (const [unit, size] of Object.entries(units)) {
    const timestamp = String(BigInt(job.at) / size);
    await write([one(`at_${unit}`).setTimestamp(timestamp)], { precision: words[unit] });
  }
});
await step('batch', async () => {
  const points = many().map(({ h, i, time }) =>
    Point.measurement('many').setTag('h', h).setIntegerField('i', i).setTimestamp(String(time)),
  );
  for (let from = 0; from < points.length; from += 1000) {
    await write(points.slice(from, from + 1000), { precision: 'us' });
  }
});
await step('partial', () => write(job.partial));
await step('conflict', () =>
  write([Point.measurement('many').setStringField('i', 'text').setTimestamp('1')]),
);
await step('no_sync', () => write([one('no_sync').setTimestamp('1')], { noSync: true }));
await step('refused', () => refused(100, () => write([one('refused').setTimestamp('1')])));
await step('query', async () => {
  const rows = [];
  for await (const row of client.query('SELECT 1')) rows.push(row);
  return rows;
});
await client.close();
finish();
