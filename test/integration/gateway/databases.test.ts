/**
 * Databases as InfluxDB's clients make and list them, over a restart; writes to unknown ones while
 * they may not be made; what SQL shows of databases, tables and columns.
 */
import t from 'tap';
import { RealGateway } from '../../support/real-gateway.ts';

t.setTimeout(60_000);

const names = ['plain', 'with space', 'ünï/ço"de', 'Plain'];

const quotedName = (name: string): string =>
  `"${name.replaceAll('\\', '\\\\').replaceAll('"', '\\"')}"`;

async function listed(gateway: RealGateway): Promise<unknown> {
  const answer = await gateway.json<{ results: [{ series: [{ values: [string][] }] }] }>(
    `/query?q=${encodeURIComponent('SHOW DATABASES')}`,
  );
  return answer.results[0].series[0].values.map(([name]) => name);
}

void t.test('CREATE DATABASE is durable before its answer', async (t) => {
  const gateway = await RealGateway.start(t);
  for (const [index, name] of names.entries()) {
    const q = `CREATE DATABASE ${quotedName(name)}`;
    const answer = await gateway.send(
      index % 2 === 0
        ? {
            path: '/query',
            body: `q=${encodeURIComponent(q)}`,
            headers: { 'content-type': 'application/x-www-form-urlencoded' },
          }
        : { path: `/query?q=${encodeURIComponent(q)}`, method: 'POST', body: '' },
    );
    t.equal(answer.status, 200, answer.text);
    t.same(JSON.parse(answer.text), { results: [{ statement_id: 0 }] }, name);
  }
  const again = await gateway.send({ path: '/query', body: 'q=CREATE DATABASE plain' });
  t.same(JSON.parse(again.text), { results: [{ statement_id: 0 }] }, 'twice is no error');
  await gateway.kill();
  await gateway.startAgain();
  t.same(await listed(gateway), [...names].sort(), 'all are there after a kill');
  t.same(
    await gateway.select('SHOW DATABASES'),
    [...names, '_internal'].sort().map((name) => [name]),
  );
  t.same(await gateway.select('SHOW TABLES FROM "with space"'), [], 'empty');
  t.equal((await gateway.write('m f=1i 1', `db=${encodeURIComponent('ünï/ço"de')}`)).status, 204);
  t.equal(await gateway.count('"ünï/ço""de".m'), 1);
  t.equal(await gateway.stop(), 0);
  await gateway.startAgain();
  t.same(await listed(gateway), [...names].sort(), 'and after a stop');
  t.equal(await gateway.count('"ünï/ço""de".m'), 1);
  for (const name of ['', '_internal']) {
    const q = `CREATE DATABASE "${name}"`;
    const answer = await gateway.send({ path: `/query?q=${encodeURIComponent(q)}` });
    t.match(answer.text, /error/, q);
  }
});

void t.test('with ingest.create_databases=false unknown databases are 404', async (t) => {
  const gateway = await RealGateway.start(t, ['--ingest-create-databases', 'false']);
  const send = (path: string) => gateway.send({ path, body: 'm f=1i 1' });
  const first = await send('/write?db=unknown');
  t.equal(first.status, 404);
  t.match(JSON.parse(first.text), { error: 'database not found: "unknown"' });
  const second = await send('/api/v2/write?bucket=unknown');
  t.equal(second.status, 404);
  t.match(JSON.parse(second.text), { code: 'not found', message: String });
  const third = await send('/api/v3/write_lp?db=unknown');
  t.equal(third.status, 404);
  t.match(JSON.parse(third.text), { error: String });
  const fourth = await send('/api/v1/write/line-protocol?db=unknown');
  t.equal(fourth.status, 404);
  t.match(JSON.parse(fourth.text), { error: String });
  t.same(await listed(gateway), []);

  // What Telegraf does next.
  await gateway.send({ path: '/query', body: 'q=CREATE DATABASE "unknown"' });
  t.equal((await send('/write?db=unknown')).status, 204);
  await gateway.kill();
  await gateway.startAgain();
  t.equal(await gateway.count('unknown.m'), 1);
  t.equal((await send('/write?db=unknown')).status, 204);
});

void t.test('SQL shows tables and columns, and finds names by case', async (t) => {
  const gateway = await RealGateway.start(t);
  await gateway.write(
    'Cpu,Host=a Load=1i,load=0.5,temp=3i 1\nmem used=1i 1\nMEM used=2i 1',
    'db=Edge',
  );
  t.same(await gateway.select('SHOW TABLES FROM edge'), [
    ['Edge', 'Cpu'],
    ['Edge', 'MEM'],
    ['Edge', 'mem'],
  ]);
  const columns = (await gateway.select('DESCRIBE edge.cpu')).map((row) => row.slice(0, 4));
  t.same(columns, [
    ['time', 'TIMESTAMP', 'time', 'time'],
    ['Host', 'VARCHAR', 'tag', 'Host'],
    ['Load', 'BIGINT', 'field', 'Load'],
    ['load__2', 'DOUBLE', 'field', 'load'],
    ['temp', 'BIGINT', 'field', 'temp'],
  ]);
  t.equal(await gateway.value('SELECT host FROM EDGE.CPU'), 'a', 'the only one but for case');
  t.equal(await gateway.value('SELECT used FROM "Edge".mem'), 1n, 'exact first');
  await t.rejects(
    gateway.value('SELECT used FROM "Edge".Mem'),
    { message: /^400 .*MEM.*mem/ },
    'else it lists them',
  );
  await t.rejects(gateway.value('SELECT used FROM "Edge".disk'), { message: /not found: "disk"/ });
  const inDefault = await gateway.send({
    path: '/api/v1/query',
    headers: { 'x-arc-database': 'Edge' },
    body: JSON.stringify({ sql: 'SELECT used FROM mem WHERE used = $1', params: [1] }),
  });
  t.match(JSON.parse(inDefault.text), { success: true, data: [[1]], row_count: 1 });
  t.ok(inDefault.headers['x-holdfast-commit']);
  const joined = await gateway.value(
    'WITH c AS (SELECT * FROM edge.cpu) SELECT c.temp + m.used FROM c JOIN "Edge"."MEM" m USING (time)',
  );
  t.equal(joined, 5n);
  for (const sql of [
    'DROP TABLE edge.cpu',
    'INSERT INTO edge.cpu VALUES (1)',
    "COPY edge.cpu TO '/tmp/x'",
    "SELECT * FROM read_csv('/etc/passwd')",
    "SELECT * FROM '/etc/passwd'",
    "SELECT content FROM read_text('/etc/passwd')",
    'SELECT 1; SELECT 2',
    "ATTACH '/tmp/x.db'",
    'INSTALL httpfs',
    "SET memory_limit = '1GB'",
    'PRAGMA database_list',
    "SELECT getenv('HOME')",
  ]) {
    await t.rejects(gateway.select(sql), { message: /^400 / }, sql);
  }
  t.equal(await gateway.count('edge.mem'), 1, 'and goes on');
});
