import { finish, job, load, many, refused, step, units } from './driver.mjs';

const { HttpError, InfluxDB, Point, setLogger } = load('@influxdata/influxdb-client');
setLogger({ error: () => undefined, warn: () => undefined });
const client = new InfluxDB({ url: job.relay, token: 'any' });
const words = { n: 'ns', u: 'us', ms: 'ms', s: 's' };

function pointOf({ measurement, tags, fields, time }) {
  const point = new Point(measurement).timestamp(time);
  for (const [key, value] of Object.entries(tags)) point.tag(key, value);
  for (const [name, [kind, text]] of Object.entries(fields)) {
    if (kind === 'float') point.floatField(name, Number(text));
    else if (kind === 'integer') point.intField(name, text);
    else if (kind === 'unsigned') point.uintField(name, text);
    else if (kind === 'boolean') point.booleanField(name, text === 'true');
    else point.stringField(name, text);
  }
  return point;
}

/** Writes all, and waits for the end of it; what the client met and gave up on. */
async function write(unit, points, options = {}) {
  const met = [];
  const api = client.getWriteApi('any', job.database, words[unit], {
    // Batches that fill up by themselves are sent in the background, and `close` forgets them.
    batchSize: 2000,
    minRetryDelay: 100,
    retryJitter: 0,
    maxRetries: 5,
    gzipThreshold: 1000,
    ...options,
    writeFailed(error) {
      met.push(error instanceof HttpError ? error.statusCode : String(error));
    },
  });
  if (typeof points === 'string') api.writeRecord(points);
  else {
    for (let from = 0; from < points.length; from += 1000) {
      api.writePoints(points.slice(from, from + 1000));
      await api.flush();
    }
  }
  await api.close();
  return met;
}

/** A write that is refused at first: `flush` and `close` do not wait for the second try. */
async function writeLater(point) {
  const met = [];
  const written = Promise.withResolvers();
  const api = client.getWriteApi('any', job.database, 'ns', {
    minRetryDelay: 100,
    retryJitter: 0,
    writeFailed(error) {
      met.push(error.statusCode);
    },
    writeSuccess: () => written.resolve(),
  });
  api.writePoint(point);
  void api.flush().catch(() => undefined);
  await written.promise;
  await api.close();
  return met;
}

const one = (measurement, value) => new Point(measurement).intField('v', value).timestamp('1');
await step('exact', () => write('n', job.points.map(pointOf)));
await step('precisions', async () => {
  for (const [unit, size] of Object.entries(units)) {
    const timestamp = String(BigInt(job.at) / size);
    await write(unit, [new Point(`at_${unit}`).intField('v', 1).timestamp(timestamp)]);
  }
});
await step('batch', () => {
  const points = many().map(({ h, i, time }) =>
    new Point('many').tag('h', h).intField('i', i).timestamp(String(time)),
  );
  return write('u', points);
});
await step('partial', () => write('n', job.partial, { maxRetries: 0 }));
await step('conflict', () =>
  write('n', [new Point('many').stringField('i', 'text').timestamp('1')], { maxRetries: 0 }),
);
await step('refused', () => refused(100, () => write('n', [one('refused', 1)], { maxRetries: 0 })));
await step('retried', () => refused(2, () => writeLater(one('retried', 1))));
finish();
