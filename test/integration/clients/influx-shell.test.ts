/**
 * The `influx` shell of InfluxDB 1: statements, INSERT, and the import of a file.
 */
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { text } from 'node:stream/consumers';
import t from 'tap';
import { clientFolder, influxShell } from '../../support/client-programs.ts';
import { RealGateway, scratchDirectory } from '../../support/real-gateway.ts';

t.setTimeout(120_000);

const found = clientFolder(influxShell);
const skip = 'absent' in found ? found.absent : false;

const rows = 12_000;

void t.test('the influx shell writes, imports and looks around', { skip }, async (t) => {
  if (!('folder' in found)) return;
  const gateway = await RealGateway.start(t);
  const scratch = scratchDirectory(t);
  const { hostname, port } = new URL(gateway.url);
  const influx = async (...words: readonly string[]) => {
    const program = join(found.folder, 'usr', 'bin', 'influx');
    const child = spawn(program, ['-host', hostname, '-port', port, ...words], {
      env: { HOME: scratch },
      stdio: ['ignore', 'pipe', 'pipe'],
    });
    const ended = once(child, 'close');
    const [out, err] = await Promise.all([text(child.stdout), text(child.stderr), ended]);
    return { code: child.exitCode, out, err };
  };
  const run = (statement: string, ...words: readonly string[]) =>
    influx('-database', 'd', '-execute', statement, ...words);

  t.same(await run('CREATE DATABASE d'), { code: 0, out: '', err: '' });
  const insert = 'INSERT m,host=a\\ b\\,c v=9007199254740993i,s="é \\"q\\" \\\\",f=0.1,b=true';
  t.match(await run(`${insert} 1700000000123456000`), { code: 0, out: '' });
  t.match(await run('INSERT p v=1i 1700000000', '-precision', 's'), { code: 0, out: '' });
  t.strictSame(await gateway.select('SELECT host, v, s, f, b, epoch_us("time") FROM d.m'), [
    ['a b,c', 9007199254740993n, 'é "q" \\', 0.1, true, 1700000000123456n],
  ]);
  t.equal(await gateway.value('SELECT epoch_us("time") FROM d.p'), 1_700_000_000_000_000n);

  t.match((await run('SHOW DATABASES', '-format', 'csv')).out, 'databases,d\n');
  t.match((await run('SHOW SERIES')).out, /^m,host=a\\ b\\,c$/m);
  t.match((await run('SHOW FIELD KEYS FROM m', '-format', 'csv')).out, /^m,v,integer$/m);
  t.match((await run('SHOW TAG VALUES WITH KEY = host')).out, /^host a b,c$/m);
  t.match((await run('INSERT bad')).out, /partial write: unable to parse 'bad'/);
  t.match(await run('SELECT * FROM m'), { code: 1, err: /SQL is at \/api\/v1\/query/ });

  const file = join(scratch, 'import');
  const head = '# DDL\nCREATE DATABASE imported\n# DML\n# CONTEXT-DATABASE: imported\n';
  const lines = Array.from({ length: rows }, (_, row) => {
    return `many,h=host${row % 10} i=${row}i ${1_700_000_000_000_000 + row}\n`;
  });
  writeFileSync(file, head + lines.join(''));
  const imported = await influx('-import', '-path', file, '-precision', 'u');
  t.equal(imported.code, 0, imported.err);
  t.match(imported.out, `Processed ${rows} inserts`);
  t.match(imported.out, 'Failed 0 inserts');
  const sql =
    'SELECT count(*), count(DISTINCT i), sum(i), epoch_us(max("time")) FROM imported.many';
  t.strictSame((await gateway.select(sql))[0]?.map(Number), [
    rows,
    rows,
    (rows * (rows - 1)) / 2,
    1_700_000_000_000_000 + rows - 1,
  ]);

  // It takes a batch with one bad line for failed as a whole; InfluxDB keeps the others too.
  writeFileSync(file, `${head}kept v=1i 1\nbad\nkept v=2i 2000\n`);
  const partly = await influx('-import', '-path', file);
  t.equal(partly.code, 1);
  t.match(partly.err, /partial write: unable to parse 'bad'/);
  t.equal(await gateway.count('imported.kept'), 2);
});
