/**
 * A data directory in which something was deleted, garbled or added between two runs: derived files
 * are made anew, files that no commit names change no answer, and kills in a row lose nothing.
 */
import {
  copyFileSync,
  existsSync,
  globSync,
  readdirSync,
  readFileSync,
  rmSync,
  writeFileSync,
} from 'node:fs';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import t from 'tap';
import { expectRows, filedDirectory, hundred } from '../../support/hundreds.ts';
import { parseMetrics, sum } from '../../support/metrics-text.ts';
import { RealGateway } from '../../support/real-gateway.ts';

t.setTimeout(120_000);

void t.test('index.db deleted or garbage is made anew', async (t) => {
  const gateway = await filedDirectory(t, 3);
  const index = join(gateway.dataDirectory, 'index.db');
  for (const [name, spoil] of [
    ['deleted', () => rmSync(index)],
    ['garbage', () => writeFileSync(index, Buffer.alloc(100_000, 'garbage'))],
  ] as const) {
    for (const path of globSync(`${index}-*`)) rmSync(path);
    spoil();
    await gateway.startAgain();
    await expectRows(t, gateway, 300, name);
    const metrics = parseMetrics((await gateway.send({ path: '/metrics' })).text);
    t.equal(sum(metrics, 'holdfast_catalog_index_rebuilds_total'), 1, `${name}: counted`);
    t.equal(await gateway.value('SELECT sum(v) FROM d.m WHERE v >= 250'), 13_725n, name);
    t.equal(await gateway.stop(), 0, name);
  }
  t.equal(readFileSync(index).subarray(0, 15).toString('latin1'), 'SQLite format 3');
});

void t.test('files that no commit names change no answer', async (t) => {
  const gateway = await filedDirectory(t, 2);
  const [first = ''] = gateway.dataFiles();
  const data = join(gateway.dataDirectory, 'data');
  const stale = first.replace(/_([0-9a-f]{16})\.parquet$/, '_00000100000000ff.parquet');
  copyFileSync(join(data, first), join(data, stale));
  const garbage = join(data, 'd/m/garbage.parquet');
  writeFileSync(garbage, 'PAR1 but not really');
  const temporary = join(data, 'd/m/2023/.tmp-half');
  writeFileSync(temporary, 'half a file');
  await gateway.startAgain();
  await expectRows(t, gateway, 200, 'no row twice');
  t.notOk(existsSync(temporary), 'what was not finished is removed');
  t.notOk(existsSync(garbage), 'what cannot be judged is out of the way');
  t.notOk(existsSync(join(data, stale)), 'the stale copy is out of the way');
  t.not(
    readdirSync(join(gateway.dataDirectory, 'orphans')).length,
    0,
    'kept where a person finds it',
  );
  t.match(
    (await gateway.status()).alarms.map(({ id }) => id),
    ['orphan_files'],
    'with an alarm',
  );
  await gateway.write(hundred(200));
  t.equal(await gateway.stop(), 0);
  await gateway.startAgain();
  await expectRows(t, gateway, 300, 'and writing goes on');
});

void t.test('a rotten record of the journal costs its own files, never the start', async (t) => {
  // Each hundred is a flush; the first one brings the measurement, the others a column each.
  const gateway = await RealGateway.start(t, ['--ingest-buffer-rows', '100']);
  for (const [index, field] of ['v', 'w', 'x'].entries()) {
    await gateway.write(hundred(index * 100).replace('v=', `${field}=1i,v=`));
    await gateway.filed();
  }
  await gateway.kill();
  for (const path of globSync(join(gateway.dataDirectory, 'journal/*.journal'))) {
    const bytes = readFileSync(path);
    const at = bytes.indexOf('"measurements"');
    bytes.write('#', at);
    writeFileSync(path, bytes);
  }
  await gateway.startAgain();
  t.match((await gateway.status()).alarms.map(({ id }) => id).sort(), [
    'journal_rot',
    'orphan_files',
  ]);
  t.same(await gateway.select('SELECT count(*), count(v), count(x) FROM d.m'), [[200n, 200n, 1n]]);
  t.equal(readdirSync(join(gateway.dataDirectory, 'orphans')).length, 4, 'what it named is kept');
  await gateway.write(hundred(300).replace('v=', 'y=1i,v='));
  t.equal(await gateway.stop(), 0, 'filed beside the columns that were found again');
  await gateway.startAgain();
  t.same(await gateway.select('SELECT count(*), count(v), count(y) FROM d.m'), [[300n, 300n, 1n]]);
  t.equal(await gateway.stop(), 0);
});

void t.test('kills in a row lose nothing and leave a short log', async (t) => {
  const gateway = await filedDirectory(t, 1);
  for (let start = 0; start < 4; start += 1) {
    await gateway.startAgain();
    await gateway.write(hundred(100 + start * 100));
    await gateway.kill();
  }
  await gateway.startAgain();
  await expectRows(t, gateway, 500, 'after four kills');
  await gateway.filed();
  await expectRows(t, gateway, 500, 'filed');
  // A segment goes when a later record of the journal proves the commit that filed its rows.
  const untilMs = performance.now() + 20_000;
  const segments = async (): Promise<number> => (await gateway.status()).wal.segments;
  while ((await segments()) > 2 && performance.now() < untilMs) await sleep(50);
  t.ok((await segments()) <= 2, 'filed segments are recycled');
  t.equal(await gateway.stop(), 0);
});
