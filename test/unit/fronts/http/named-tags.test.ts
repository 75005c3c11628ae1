/** The routes that name and list tags, of a measurement and of a database. */
import t from 'tap';
import { composeFront } from '../../../support/http-front.ts';

const headers = { host: 'localhost:8086' };

t.test('tags are named and listed, of a measurement and of a database', async (t) => {
  const { front, script } = composeFront();
  const ask = async (method: 'GET' | 'PUT', url: string, body?: unknown) => {
    const payload = body === undefined ? {} : { payload: JSON.stringify(body) };
    const answer = await front.app.inject({ method, url, headers, ...payload });
    return { status: answer.statusCode, json: JSON.parse(answer.payload) as object };
  };
  const database = '/api/v1/databases/a%20b/tags';
  const measurement = '/api/v1/measurements/a%20b/disk.io/tags';
  t.same(await ask('GET', database), { status: 200, json: { database: 'a b', tags: [] } });
  t.same(await ask('PUT', database, { tags: ['host'] }), {
    status: 200,
    json: { database: 'a b', tags: ['host'] },
  });
  t.same(await ask('PUT', measurement, { tags: ['rack'] }), {
    status: 200,
    json: { database: 'a b', measurement: 'disk.io', tags: ['rack'] },
  });
  t.same(script.named, [
    ['a b', '*', 'host'],
    ['a b', 'disk.io', 'rack'],
  ]);
  t.match(await ask('GET', measurement), { json: { measurement: 'disk.io', tags: ['rack'] } });
  for (const wrong of [{}, { tags: [] }, { tags: [''] }, { tags: 'host' }, 'host']) {
    t.equal((await ask('PUT', database, wrong)).status, 400);
  }
  t.equal(script.named.length, 2);
  await front.close();
});
