import { finish, job, load, many, refused, step, units } from './driver.mjs';

const { FieldType, InfluxDB } = load('influx');
const { hostname: host, port } = new URL(job.relay);
const types = {
  float: FieldType.FLOAT,
  integer: FieldType.INTEGER,
  boolean: FieldType.BOOLEAN,
  string: FieldType.STRING,
};
const schema = Object.values(Object.groupBy(job.points, ({ measurement }) => measurement)).map(
  (points) => ({
    measurement: points[0].measurement,
    tags: points.flatMap(({ tags }) => Object.keys(tags)),
    fields: Object.fromEntries(
      points.flatMap(({ fields }) =>
        Object.entries(fields).map(([name, [kind]]) => [name, types[kind]]),
      ),
    ),
  }),
);
const v = { v: FieldType.INTEGER };
schema.push(
  { measurement: 'many', tags: ['h'], fields: { i: FieldType.INTEGER } },
  ...Object.keys(units).map((unit) => ({ measurement: `at_${unit}`, tags: [], fields: v })),
);
const client = new InfluxDB({ host, port: Number(port), database: job.database, schema });

function valueOf([kind, text]) {
  if (kind === 'float') return Number(text);
  return kind === 'boolean' ? text === 'true' : text;
}

await step('create', () => client.createDatabase(job.database));
await step('ping', async () =>
  (await client.ping(5000)).map(({ online, version }) => [online, version]),
);
await step('exact', () =>
  client.writePoints(
    job.points.map(({ measurement, tags, fields, time }) => ({
      measurement,
      tags,
      fields: Object.fromEntries(
        Object.entries(fields).map(([name, field]) => [name, valueOf(field)]),
      ),
      timestamp: time,
    })),
    { precision: 'n' },
  ),
);
await step('precisions', async () => {
  for (const [precision, size] of Object.entries(units)) {
    const timestamp = String(BigInt(job.at) / size);
    const point = { measurement: `at_${precision}`, fields: { v: 1 }, timestamp };
    await client.writePoints([point], { precision });
  }
});
await step('batch', async () => {
  const points = many().map(({ h, i, time }) => {
    return { measurement: 'many', tags: { h }, fields: { i }, timestamp: String(time) };
  });
  for (let from = 0; from < points.length; from += 1000) {
    await client.writePoints(points.slice(from, from + 1000), { precision: 'u' });
  }
});
await step('databases', () => client.getDatabaseNames());
await step('measurements', () => client.getMeasurements());
await step('series', () => client.getSeries({ measurement: 'many' }));
await step('policies', () => client.showRetentionPolicies());
await step('select', () => client.query('SELECT * FROM many'));
const point = (measurement, value) => ({ measurement, fields: { v: value }, timestamp: '1' });
await step('partial', async () => {
  await client.writePoints([point('kept', 1)]);
  await client.writePoints([point('kept', 'text'), { ...point('kept', 2), timestamp: '2000' }]);
});
await step('refused', () => refused(100, () => client.writePoints([point('refused', 1)])));
finish();
