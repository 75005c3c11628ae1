/**
 * A record of the log that holds by its checksum and cannot be read: the gateway starts, tells of
 * it, keeps its content, and has every other row.
 */
import { globSync, readdirSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { crc32 } from 'node:zlib';
import t from 'tap';
import { RecordScanner } from '../../../src/log/record.ts';
import { RealGateway } from '../../support/real-gateway.ts';

t.setTimeout(120_000);

const unflushed = ['--ingest-buffer-age', '10m', '--ingest-buffer-age-max', '10m'];

/** Gives the `index`-th record of the log flags that nobody knows, and its checksum. */
function spoilRecord(directory: string, index: number): void {
  let seen = 0;
  for (const path of globSync(`${directory}/wal/*.wal`).sort()) {
    const bytes = readFileSync(path);
    const scanner = new RecordScanner(bytes, 4096, undefined);
    for (let found = scanner.next(); found !== undefined; found = scanner.next()) {
      if (seen++ !== index) continue;
      found.payload[1] = 0xff;
      const head = bytes.subarray(found.position + 8, found.position + 40);
      bytes.writeUInt32LE(crc32(found.payload, crc32(head)), found.position + 4);
      writeFileSync(path, bytes);
      return;
    }
  }
  throw new Error(`no record ${index}`);
}

void t.test(
  'what cannot be read is set aside, and the rest is there, start after start',
  async (t) => {
    const gateway = await RealGateway.start(t, unflushed);
    for (const v of [1, 2, 3]) {
      t.equal((await gateway.write(`m,h=a v=${v}i ${1_700_000_000_000_000 + v}`)).status, 204);
    }
    await gateway.kill();
    spoilRecord(gateway.dataDirectory, 1);
    for (let start = 0; start < 2; start += 1) {
      await gateway.startAgain();
      t.same(await gateway.select('SELECT v FROM d.m ORDER BY v'), [[1n], [3n]]);
      const copies = readdirSync(join(gateway.dataDirectory, 'quarantine'));
      t.equal(copies.length, 1, `${copies.join()}`);
      t.match(copies[0], /^worker-1-\d{20}\.wal\.\d+-\d+\.lsn-\d+-\d+$/);
      if (start > 0) break;
      const { recovery, alarms } = await gateway.status();
      t.match(recovery, { rows: 2, skipped: 0, unreadable: 1 });
      t.match(
        alarms.find(({ id }) => id === 'wal_rot'),
        { detail: /cannot be read/ },
      );
      await gateway.kill();
    }
    t.equal((await gateway.write(`m,h=a v=4i ${1_700_000_000_000_004}`)).status, 204);
    t.equal(await gateway.stop(), 0);
    await gateway.startAgain();
    t.same(await gateway.select('SELECT v FROM d.m ORDER BY v'), [[1n], [3n], [4n]]);
    t.match((await gateway.status()).recovery, { rows: 0, unreadable: 0 }, 'the log has let it go');
  },
);
