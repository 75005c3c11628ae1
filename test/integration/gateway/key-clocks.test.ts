/**
 * Idempotency keys through starts of a gateway whose wall clock is wrong: each start thinks that it
 * is another year, with the keys of the starts before it in the log or in files. No request that
 * comes again is written again.
 */
import { fileURLToPath } from 'node:url';
import t from 'tap';
import { GatewayClient } from '../../support/gateway-client.ts';
import { GatewayProcess } from '../../support/gateway-process.ts';
import { planEnvironment } from '../../support/gateway/plan.ts';
import { scratchDirectory, sendHttp } from '../../support/real-gateway.ts';

t.setTimeout(300_000);

const entry = fileURLToPath(new URL('../../support/gateway/entry.ts', import.meta.url));
const yearMs = 365 * 86_400_000;

/** How far the wall clock is off in each start. */
const starts = [
  ['right', 0],
  ['ten years ahead', 10 * yearMs],
  ['a year behind', -yearMs],
  ['1970', -Date.now()],
  ['right again', 0],
] as const;

async function sendUntilTaken(url: string, key: string): Promise<string> {
  for (;;) {
    const answer = await sendHttp(url, {
      path: '/api/v2/write?bucket=d',
      headers: { 'idempotency-key': key },
      body: `m,key=${key} v=1 1700000000000000000\nbad of ${key}\n`,
    });
    const again = String(answer.headers['idempotent-replayed'] ?? false);
    if (answer.status !== 503) return `${answer.status} ${again}`;
    await new Promise((resolve) => setTimeout(resolve, 20));
  }
}

void t.test('starts in other years forget no key of the log or of files', async (t) => {
  const dataDirectory = scratchDirectory(t);
  const sent: string[] = [];
  for (const [name, wallShiftMs] of starts) {
    const gateway = GatewayProcess.start({
      dataDirectory,
      entry,
      environment: planEnvironment({ wallShiftMs }),
    });
    t.teardown(() => gateway.kill());
    const url = await gateway.ready();
    for (const key of sent) t.equal(await sendUntilTaken(url, key), '400 true', `${key}: ${name}`);
    const key = `key${sent.length}`;
    t.equal(await sendUntilTaken(url, key), '400 false');
    sent.push(key);
    const { rows } = await new GatewayClient(url).query(
      'SELECT (SELECT count(*) FROM d.m), count(*) FROM _internal.dead_letters',
    );
    t.equal(JSON.stringify(rows), `[[{"text":"${sent.length}"},{"text":"${sent.length}"}]]`);
    // A stop files everything; a kill leaves the newest in the log.
    if (sent.length % 2 === 0) await gateway.stop();
    else await gateway.kill();
  }
});
