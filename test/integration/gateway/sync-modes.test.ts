/**
 * Every way in which the log reaches the device, through a kill: what was answered is there, whole,
 * and where the answer says less than "synced", what is there is a prefix of what was sent.
 */
import { globSync } from 'node:fs';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import t, { type Test } from 'tap';
import { RealGateway, scratchDirectory } from '../../support/real-gateway.ts';

t.setTimeout(120_000);

const line = (request: number): string =>
  Array.from({ length: 10 }, (_, row) => `m r=${request}i ${request * 10 + row}`).join('\n');

interface Mode {
  readonly name: string;
  readonly flags: readonly string[];
  /** Value of `x-holdfast-durability`, or `synced` where there is none. */
  readonly says: 'synced' | 'async' | 'memory';
}

const modes: readonly Mode[] = [
  { name: 'fdatasync', flags: ['--wal-sync-mode', 'fdatasync'], says: 'synced' },
  { name: 'fsync', flags: ['--wal-sync-mode', 'fsync'], says: 'synced' },
  { name: 'dsync', flags: ['--wal-sync-mode', 'dsync'], says: 'synced' },
  { name: 'async', flags: ['--wal-sync-mode', 'async'], says: 'async' },
  { name: 'no log', flags: ['--wal-enabled', 'false'], says: 'memory' },
];

/** Requests by the rows that are there of each. */
async function found(gateway: RealGateway): Promise<number[]> {
  const rows = await gateway.select('SELECT r, count(*) FROM d.m GROUP BY r ORDER BY r');
  return rows.map(([request, count]) => {
    if (count !== 10n) throw new Error(`${String(count)} rows of request ${String(request)}`);
    return Number(request);
  });
}

async function throughKill(t: Test, { flags, says }: Mode): Promise<void> {
  // Small segments, so that each mode rotates too.
  const small = ['--wal-segment-size', '1MiB', '--ingest-buffer-rows', '400'];
  const gateway = await RealGateway.start(t, [...flags, ...small]);
  let sent = 0;
  let acknowledged = 0;
  let end = false;
  const answers = new Set<string>();
  const sender = (async (): Promise<void> => {
    while (!end) {
      const request = sent;
      sent += 1;
      const answer = await gateway.write(line(request)).catch(() => undefined);
      if (answer === undefined) return;
      const durability = answer.headers['x-holdfast-durability'];
      answers.add(`${answer.status} ${durability ?? 'synced'}`);
      acknowledged = sent;
    }
  })();
  while (acknowledged < 60 && !end) await sleep(20);
  const before = acknowledged;
  t.ok((await found(gateway)).length >= before, 'read back at once');
  await gateway.kill();
  end = true;
  await sender;
  t.same([...answers], [`204 ${says}`]);
  await gateway.startAgain();
  const there = await found(gateway);
  t.same(
    there,
    there.map((_, index) => index),
    'a prefix of what was sent',
  );
  // What a killed process wrote the kernel still has, so a kill alone loses nothing in any mode.
  t.ok(there.length >= acknowledged, `${there.length} there, ${acknowledged} were answered`);
  t.ok(there.length <= sent, 'and nothing that was never sent');

  t.equal((await gateway.write(line(sent))).status, 204, 'writing goes on');
  t.equal(await gateway.stop(), 0);
  if (says === 'synced') return;
  await gateway.startAgain();
  t.equal((await gateway.status()).recovery.rows, 0, 'SIGTERM files everything');
  t.equal((await found(gateway)).length, there.length + 1);
}

for (const mode of modes) {
  void t.test(`${mode.name}: rows and their order survive a kill`, (t) => throughKill(t, mode));
}

void t.test('the log may lie elsewhere', async (t) => {
  const gateway = await RealGateway.start(t);
  const elsewhere = join(scratchDirectory(t), 'log');
  t.equal(await gateway.stop(), 0);
  const flags = ['--wal-dir', elsewhere];
  await gateway.startAgain(flags);
  t.equal((await gateway.write(line(1))).status, 204);
  await gateway.kill();
  t.not(globSync(`${elsewhere}/*.wal`).length, 0);
  await gateway.startAgain(flags);
  t.same(await found(gateway), [1]);
});
