/**
 * The client verbs against a real gateway: write, query, status, version, and their exit codes.
 */
import { execFileSync, spawn } from 'node:child_process';
import { once } from 'node:events';
import { readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { fileURLToPath } from 'node:url';
import process from 'node:process';
import t from 'tap';
import { programEnvironment } from '../../support/gateway-process.ts';
import { RealGateway, runHoldfast, scratchDirectory } from '../../support/real-gateway.ts';

t.setTimeout(120_000);

const root = fileURLToPath(new URL('../../../', import.meta.url));

void t.test('write, query and status', async (t) => {
  const gateway = await RealGateway.start(t);
  const scratch = scratchDirectory(t);
  const file = join(scratch, 'rows.lp');
  const lines = Array.from({ length: 50_000 }, (_, row) => {
    return `m,h=host${row % 10} f=${row}i,s="line ${row}\nmore" ${1_700_000_000_000_000_000n + 1000n * BigInt(row)}`;
  });
  writeFileSync(file, lines.join('\n'));
  t.match(await gateway.command(['write', file, '--database', 'd']), { code: 0, err: '' });
  t.equal(await gateway.count('d.m'), 50_000, 'several blocks');

  const input = 'n f=1i 1700000000\nbad\nn f=2i 1700000001\n';
  const partly = await gateway.command(['write', '-', '--precision', 'second'], input);
  t.equal(partly.code, 65);
  t.match(partly.err, /^line 2: missing fields: bad\n/);
  t.equal(await gateway.count('"default".n'), 2);

  const sql = 'SELECT f, s FROM d.m WHERE f < 2 ORDER BY f';
  const table = await gateway.command(['query', sql]);
  t.equal(table.code, 0);
  t.match(table.out, /f +s\n-+ +-+\n *0 +line 0\\nmore\n *1 +line 1\\nmore\n\(2 rows\)\n$/);
  const csv = await gateway.command(['query', sql, '--csv']);
  t.equal(csv.out, 'f,s\n0,"line 0\nmore"\n1,"line 1\nmore"\n');
  const json = await gateway.command(['query', sql, '--json']);
  t.match(JSON.parse(json.out), { success: true, row_count: 2, data: [[0], [1]] });
  const extreme = await gateway.command(['query', 'SELECT 18446744073709551615 AS v', '--csv']);
  t.equal(extreme.out, 'v\n18446744073709551615\n', 'digits stay exact');
  const inDatabase = await gateway.command([
    'query',
    'SELECT count(*) FROM m',
    '--database',
    'd',
    '--csv',
  ]);
  t.match(inDatabase.out, /\n50000\n$/);

  const status = await gateway.command(['status']);
  t.equal(status.code, 0);
  t.match(status.out, /^state +ready$/m);
  t.match(status.out, /^writes +accepted$/m);
  const asJson = await gateway.command(['status', '--json']);
  t.match(JSON.parse(asJson.out), { gateway: { phase: 'ready' } });

  t.equal((await gateway.command(['query', 'SELECT nonsense FROM d.m'])).code, 65, 'a query error');
  const absent = await gateway.command(['write', join(scratch, 'absent')]);
  t.match(absent, { code: 74, err: /cannot read .*absent: there is no such file/ });
  const folder = await gateway.command(['write', scratch]);
  t.match(folder, { code: 74, err: /it is a directory/ });
  t.equal((await gateway.command(['query'])).code, 64);
  t.equal((await gateway.command(['query', 'a', 'b'])).code, 64);
  t.equal((await gateway.command(['status', '--jsno'])).code, 64);
});

void t.test('write, killed and run again, loses and doubles no line without a time', async (t) => {
  const gateway = await RealGateway.start(t);
  const file = join(scratchDirectory(t), 'rows.lp');
  const total = 200_000;
  const pad = 'x'.repeat(60);
  writeFileSync(
    file,
    Array.from({ length: total }, (_, row) => `m,n=${row} f=${row}i,s="${pad}"\n`).join(''),
  );
  const words = ['write', file, '--database', 'd', '--url', gateway.url];
  const first = spawn(process.execPath, [join(root, 'src/main.ts'), ...words], {
    env: programEnvironment,
    stdio: 'ignore',
  });
  const ended = once(first, 'exit');
  while ((await gateway.status()).buffers.rows_entered === 0) await sleep(5);
  first.kill('SIGKILL');
  await ended;
  await gateway.kill();
  await gateway.startAgain();
  const second = await gateway.command([...words.slice(0, -2), '--json']);
  t.equal(second.code, 0, second.err);
  t.match(JSON.parse(second.out), { lines: total, rejected_lines: 0 });
  const counts = await gateway.select('SELECT count(*), count(DISTINCT f), max(f) FROM d.m');
  t.strictSame(counts, [[BigInt(total), BigInt(total), BigInt(total - 1)]]);
  const third = await gateway.command(words.slice(0, -2));
  t.match(third, { code: 0, err: /^all of it was sent by an earlier run/ });
  t.equal(await gateway.count('d.m'), total);
  t.equal((await gateway.command([...words.slice(0, -2), '--again'])).code, 0);
  t.equal(await gateway.count('d.m'), 2 * total, 'as points of a later time');
});

void t.test('without a gateway, and usage', async (t) => {
  const nowhere = ['--url', 'http://127.0.0.1:9'];
  for (const words of [['status'], ['query', 'SELECT 1'], ['write', '-']]) {
    const { code, err } = await runHoldfast([...words, ...nowhere], 'm f=1i 1');
    t.equal(code, 69, words.join(' '));
    t.match(err, 'no answer from http://127.0.0.1:9');
  }
  t.equal((await runHoldfast(['no-such-verb'])).code, 64);
  const help = await runHoldfast(['help']);
  t.equal(help.code, 0);
  for (const verb of ['serve', 'query', 'write', 'status', 'version']) t.match(help.out, verb);
  const { version } = JSON.parse(readFileSync(join(root, 'package.json'), 'utf8')) as {
    version: string;
  };
  const shown = await runHoldfast(['version']);
  t.match(shown, { code: 0, out: version });
  // By whatever Node the machine has; it hands over to the right one.
  const bin = join(root, 'src/fronts/cli/bin.mjs');
  t.equal(execFileSync('node', [bin, 'version'], { encoding: 'utf8' }), shown.out);
});
