/**
 * Data directories of each version of the on-disk formats, as their builds left them at a pulled
 * plug, are opened by this build: every row is there, and stays there when this build files it.
 */
import t from 'tap';
import {
  answersOf,
  keptAnswers,
  keptVersions,
  keyedRequest,
  unpackKept,
} from '../../support/kept-format.ts';
import { RealGateway, scratchDirectory } from '../../support/real-gateway.ts';

t.setTimeout(120_000);

for (const version of keptVersions()) {
  void t.test(`a directory of version ${version} is opened, filed and read`, async (t) => {
    const directory = scratchDirectory(t);
    unpackKept(version, directory);
    const gateway = await RealGateway.start(t, [], directory);
    const { recovery, alarms } = await gateway.status();
    t.ok(recovery.rows > 0, 'rows came out of its log');
    t.equal(recovery.unreadable, 0);
    t.same(alarms, []);
    const kept = keptAnswers(version);
    t.same(await answersOf(gateway), kept, 'from the log and its files');
    const again = await gateway.send(keyedRequest);
    t.equal(again.headers['idempotent-replayed'], 'true', 'its keys are known');
    t.equal(await gateway.stop(), 0);
    await gateway.startAgain();
    t.equal((await gateway.status()).recovery.rows, 0, 'all is filed');
    t.same(await answersOf(gateway), kept, 'from files alone');
  });
}

void t.test('there is a directory of every version since the first release', (t) => {
  t.same(keptVersions(), ['1']);
  t.end();
});
