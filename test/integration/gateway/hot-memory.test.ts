/**
 * Rows that are in no file yet lie in memory while a gateway runs, where the machine has room for
 * them; nothing of it is left, however the gateway ends.
 */
import { existsSync, readdirSync, statfsSync, statSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import t from 'tap';
import { RealGateway } from '../../support/real-gateway.ts';

const memory = '/dev/shm';
const isTmpfs = (path: string) => existsSync(path) && statfsSync(path).type === 0x01021994;
const canRun = isTmpfs(memory) && !isTmpfs(tmpdir());
const skip = canRun ? false : 'needs memory in /dev/shm and a disk below the temporary folder';

const parquetIn = (directory: string) =>
  readdirSync(directory).filter((name) => name.endsWith('.parquet'));

void t.test('hot chunks lie in memory, and go with the gateway', { skip }, async (t) => {
  const gateway = await RealGateway.start(t);
  const { id } = (await gateway.status()).gateway;
  const ownOf = () => readdirSync(memory).filter((name) => name.startsWith(`holdfast-${id}-`));
  for (const end of ['kill', 'stop'] as const) {
    t.equal((await gateway.write(`m,h=${end} v=1i 1`)).status, 204);
    t.ok((await gateway.count('d.m')) > 0);
    const own = ownOf();
    t.equal(own.length, 1, 'one place');
    const path = join(memory, own[0] ?? '');
    t.equal(statSync(path).mode & 0o777, 0o700, 'nobody else can read it');
    t.ok(parquetIn(path).length > 0, 'with the rows of the query');
    t.same(parquetIn(join(gateway.dataDirectory, 'hot')), [], 'and not on the disk');
    await gateway[end]();
    while (ownOf().length > 0) await sleep(10);
    await gateway.startAgain();
  }
  t.equal(await gateway.count('d.m'), 2);
});
