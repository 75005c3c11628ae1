/** The log's directory is changed, moved, or somebody else's: no start loses sight of rows. */
import { renameSync, rmdirSync } from 'node:fs';
import { join } from 'node:path';
import t from 'tap';
import { RealGateway, runHoldfast, scratchDirectory } from '../../support/real-gateway.ts';

t.setTimeout(120_000);

const unflushed = ['--ingest-buffer-age', '10m', '--ingest-buffer-age-max', '10m'];

void t.test('rows in the old directory are never left behind', async (t) => {
  const logs = scratchDirectory(t);
  const at = (name: string) => [...unflushed, '--wal-dir', join(logs, name)];
  const refused = (directory: string, name: string) =>
    runHoldfast(['serve', '--data-dir', directory, '--listen', '127.0.0.1:0', ...at(name)]);
  const gateway = await RealGateway.start(t, at('a'));
  const { dataDirectory } = gateway;
  t.equal((await gateway.write('m v=1i 1700000000000001')).status, 204);
  await gateway.kill();
  const changed = await refused(dataDirectory, 'b');
  t.equal(changed.code, 74);
  t.ok(changed.err.includes(join(logs, 'a')) && changed.err.includes(join(logs, 'b')), changed.err);
  t.match(changed.err, /move all files/);
  rmdirSync(join(logs, 'b'));
  renameSync(join(logs, 'a'), join(logs, 'b'));
  await gateway.startAgain(at('b'));
  t.equal(await gateway.count('d.m'), 1, 'moved with its files');
  t.equal(await gateway.stop(), 0);
  await gateway.startAgain(at('c'));
  t.equal(await gateway.count('d.m'), 1, 'all is filed: a fresh directory will do');
  t.equal((await gateway.write('m v=2i 1700000000000002')).status, 204);
  await gateway.kill();
  const foreign = await refused(scratchDirectory(t), 'c');
  t.match(foreign, { code: 74, err: /another gateway/ });
  await gateway.startAgain(at('c'));
  t.equal(await gateway.count('d.m'), 2);
});
