/** Copies of WAL records that no start can read. */
import { mkdirSync, mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import t, { type Test } from 'tap';
import { nodeFiles, type Files } from '../../../../src/base/disk/files.ts';
import { GatewayError } from '../../../../src/base/errors/gateway-error.ts';
import { UnreadableRecords } from '../../../../src/log/wal/unreadable-records.ts';
import { append, numbered, WalBench } from '../../../support/wal-bench.ts';

const segment = 'worker-1-00000000000000000007.wal';
const record = {
  lsn: 100,
  count: 20,
  payload: new Uint8Array([1, 2, 3]),
  sequence: 7,
  position: 4136,
};
const copyName = `${segment}.4136-4139.lsn-100-119`;

function rig(t: Test, changes: Partial<Files> = {}) {
  const quarantine = mkdtempSync(join(tmpdir(), 'holdfast-aside-'));
  t.teardown(() => {
    rmSync(quarantine, { recursive: true });
  });
  const alarms: [string, string][] = [];
  const open = () =>
    new UnreadableRecords({
      files: { ...nodeFiles, ...changes },
      quarantine,
      alarm: (message, subject) => alarms.push([subject, message]),
    });
  return { open, quarantine, alarms };
}

const cause = new GatewayError('HF_WAL_RECORD_BAD', 'unknown flags');

t.test('the copy tells segment, bytes and numbers, and the alarm names it', (t) => {
  const { open, quarantine, alarms } = rig(t);
  const records = open();
  t.equal(records.setAside(record, cause), true);
  t.strictSame(readdirSync(quarantine), [copyName]);
  t.strictSame([...readFileSync(join(quarantine, copyName))], [1, 2, 3]);
  t.strictSame(records.numbers, [{ firstNumber: 100, lastNumber: 119 }]);
  t.equal(alarms[0]?.[0], segment);
  t.match(alarms[0]?.[1], /100 to 119.*unknown flags.*quarantine\/.*lsn-100-119/);
  t.end();
});

t.test('a record found again, or carried further, is copied once', (t) => {
  const { open, quarantine } = rig(t);
  open().setAside(record, cause);
  open().setAside(record, cause);
  open().setAside({ ...record, sequence: 9, position: 8232 }, cause);
  t.strictSame(readdirSync(quarantine), [copyName]);
  t.end();
});

t.test('a copy that a crash left short is made again', (t) => {
  const { open, quarantine } = rig(t);
  writeFileSync(join(quarantine, copyName), 'x');
  t.equal(open().setAside(record, cause), true);
  t.strictSame([...readFileSync(join(quarantine, copyName))], [1, 2, 3]);
  t.end();
});

t.test('a disk that refuses the copy is said, and its numbers still gave no rows', (t) => {
  const refuse = () => {
    throw new GatewayError('HF_DISK_FULL', 'no space');
  };
  const { open, alarms } = rig(t, { open: refuse });
  const records = open();
  t.equal(records.setAside(record, cause), false);
  t.match(alarms[0]?.[1], /stays in the log.*no space/);
  t.strictSame(records.numbers, [{ firstNumber: 100, lastNumber: 119 }]);
  t.end();
});

t.test('a replayed record says where its payload stands in which segment', async (t) => {
  const bench = new WalBench();
  t.teardown(() => {
    bench.remove();
  });
  const client = await bench.open();
  for (let index = 0; index < 20; index += 1) await append(client, numbered(index, 40_000), 3);
  await client.close();
  const before = new Map(
    readdirSync(bench.wal).map((name) => [name, readFileSync(join(bench.wal, name))]),
  );
  const found = await bench.records();
  t.equal(found.length, 20);
  t.ok(new Set(found.map(({ sequence }) => sequence)).size > 1, 'several segments');
  const folder = join(bench.folder, 'copies');
  mkdirSync(folder);
  const records = new UnreadableRecords({
    files: nodeFiles,
    quarantine: folder,
    alarm: (_message, name) => {
      t.ok(before.has(name), name);
    },
  });
  for (const one of found) {
    records.setAside(one, cause);
    const name = readdirSync(folder).find((copy) => copy.endsWith(`lsn-${one.lsn}-${one.lsn + 2}`));
    const [, file, from, to] = /^(.*\.wal)\.(\d+)-(\d+)\./.exec(name ?? '') ?? [];
    const bytes = before.get(file ?? '')?.subarray(Number(from), Number(to));
    t.equal(Buffer.compare(bytes ?? Buffer.alloc(0), one.payload), 0, `${name}`);
  }
});
