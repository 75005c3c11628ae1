import { readFileSync, readdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import t from 'tap';
import { nodeFiles } from '../../../../src/base/disk/files.ts';
import { inspectWal, type InspectedRecord } from '../../../../src/log/wal/inspect.ts';
import { encodeRequest } from '../../../../src/log/wal/request-record.ts';
import { iotRequest } from '../../../support/request-batches.ts';
import { append, numbered, WalBench } from '../../../support/wal-bench.ts';

t.test(
  'inspection lists in log order what a start would replay, and changes nothing',
  async (t) => {
    const bench = new WalBench();
    t.teardown(() => {
      bench.remove();
    });
    const client = await bench.open({ segmentBytes: 64 * 1024 });
    const lsns: number[] = [];
    for (let index = 0; index < 30; index++) {
      const request = iotRequest(100, index, index % 2 === 0 ? 'even' : 'odd');
      lsns.push((await append(client, encodeRequest(request), 100)).lsn);
    }
    const strange = await append(client, numbered(0));
    await client.close();
    const contents = () =>
      readdirSync(bench.wal).map((name) => [name, readFileSync(join(bench.wal, name), 'latin1')]);
    const before = contents();
    const found: InspectedRecord[] = [];
    const result = inspectWal({ files: nodeFiles, directory: bench.wal }, (record) => {
      found.push(record);
    });
    t.strictSame(
      found.map(({ lsn, count, sections }) => [lsn, count, sections[0]?.measurement]),
      [
        ...lsns.map((lsn, i) => [lsn, 100, i % 2 === 0 ? 'even' : 'odd']),
        [strange.lsn, 1, undefined],
      ],
    );
    t.equal(found.at(-1)?.error?.code, 'HF_WAL_RECORD_BAD');
    t.equal(result.records, 31);
    t.equal(result.lastNumber, strange.lsn);
    t.strictSame(result.rot, []);
    t.strictSame(contents(), before);
    const late: number[] = [];
    const options = { files: nodeFiles, directory: bench.wal, lowWater: lsns[9] ?? 0 };
    inspectWal(options, ({ lsn }) => late.push(lsn));
    t.strictSame(late, [...lsns.slice(9), strange.lsn]);
  },
);

t.test('rot is reported by its place and not copied', async (t) => {
  const bench = new WalBench();
  t.teardown(() => {
    bench.remove();
  });
  const client = await bench.open();
  const lsns: number[] = [];
  for (let index = 0; index < 5; index++) {
    lsns.push((await append(client, encodeRequest(iotRequest(10, index)), 10)).lsn);
  }
  await client.close();
  const name = readdirSync(bench.wal).find((file) => file.endsWith('.wal')) ?? '';
  const path = join(bench.wal, name);
  const bytes = readFileSync(path);
  // Header page, then one page for each group: the third group is the fourth page.
  bytes[3 * 4096 + 100] = (bytes[3 * 4096 + 100] ?? 0) ^ 1;
  writeFileSync(path, bytes);
  const before = readdirSync(bench.wal);
  const found: number[] = [];
  const result = inspectWal({ files: nodeFiles, directory: bench.wal }, ({ lsn }) => {
    found.push(lsn);
  });
  t.strictSame(
    found,
    lsns.filter((_, index) => index !== 2),
  );
  t.equal(result.rot.length, 1);
  t.equal(result.rot[0]?.firstNumber, lsns[2]);
  t.equal(result.rot[0]?.copy, undefined);
  t.strictSame(
    result.alarms.map(({ kind }) => kind),
    ['rot'],
  );
  t.strictSame(readdirSync(bench.wal), before);
});
