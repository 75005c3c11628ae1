/**
 * An error that nobody caught: nothing in memory can be trusted from there on, so the gateway files
 * nothing of it and answers nobody; it makes the log durable, says why, and ends.
 */
import t from 'tap';
import { GatewayClient } from '../../support/gateway-client.ts';
import { GatewayProcess } from '../../support/gateway-process.ts';
import { RealGateway, scratchDirectory, sendHttp } from '../../support/real-gateway.ts';

t.setTimeout(120_000);

const unflushed = ['--ingest-buffer-age', '10m', '--ingest-buffer-age-max', '10m'];
const crashEntry = new URL('../../support/planted-crash.ts', import.meta.url).href;
const environment = { NODE_OPTIONS: `--import=${crashEntry}` };

for (const [mode, flags] of [
  ['fdatasync', []],
  ['async', ['--wal-sync-mode', 'async', '--wal-async-interval', '1h']],
] as const) {
  void t.test(`mode ${mode}: exit 70, the stack is told, nothing was filed or lost`, async (t) => {
    const dataDirectory = scratchDirectory(t);
    const options = { dataDirectory, flags: [...unflushed, ...flags], environment };
    const crashing = GatewayProcess.start(options);
    t.teardown(() => crashing.kill());
    const url = await crashing.ready();
    const body = 'm,h=a v=1i 1700000000000001\nm,h=a v=2i 1700000000000002';
    t.equal((await sendHttp(url, { path: '/write?db=d&precision=u', body })).status, 204);
    const answer = await sendHttp(url, { path: '/api/v1/status' });
    const { gateway } = JSON.parse(answer.text) as { gateway: { pid: number } };
    process.kill(gateway.pid, 'SIGUSR2');
    await crashing.ended();
    t.equal(crashing.exitCode, 70);
    const fatal = crashing.lines.filter((line) => line.includes('"level":"fatal"'));
    t.equal(fatal.length, 1);
    t.match(fatal[0], /planted crash/);
    t.match(fatal[0], /planted-crash\.ts:\d+/, 'with its stack');
    t.notOk(crashing.lines.some((line) => line.includes('"stopped"')));
    const again = await RealGateway.start(t, unflushed, dataDirectory);
    const { recovery } = await again.status();
    t.match(recovery, { rows: 2, skipped: 0 }, 'no row was filed by who could not be trusted');
    const { rows } = await new GatewayClient(again.url).query('SELECT count(*) FROM d.m');
    t.match(rows, [[{ text: '2' }]]);
  });
}
