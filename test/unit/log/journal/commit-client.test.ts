/**
 * The commit client on its real thread and a real disk: order of what it shows, ids, pins, starts.
 */
import Database from 'better-sqlite3';
import { existsSync, mkdirSync, mkdtempSync, readdirSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import t from 'tap';
import { asGatewayError } from '../../../../src/base/errors/gateway-error.ts';
import type { FileFacts, FileStatistics } from '../../../../src/base/model/commit.ts';
import { CommitClient } from '../../../../src/log/journal/commit-client.ts';
import { fileIdBlock, fileIdEpoch } from '../../../../src/log/journal/file-ids.ts';
import type { JournalAlarm } from '../../../../src/log/journal/commit-messages.ts';
import { fileFacts } from '../../../support/catalog-model.ts';

const thread = new URL('../../../../src/storage/catalog/commit-thread.ts', import.meta.url);

class Box {
  readonly root = mkdtempSync(join(tmpdir(), 'holdfast-commits-'));
  readonly #clients: CommitClient[] = [];

  constructor(t: { teardown(call: () => Promise<void>): unknown }) {
    for (const name of ['journal', 'data', 'quarantine', 'orphans']) this.#make(name);
    t.teardown(async () => {
      for (const client of this.#clients) await client.close();
      rmSync(this.root, { recursive: true });
    });
  }

  #make(name: string): void {
    mkdirSync(join(this.root, name));
  }

  async open(over: { thread?: URL } = {}): Promise<CommitClient> {
    const at = (name: string) => join(this.root, name);
    const client = await CommitClient.open({
      thread,
      root: this.root,
      directory: at('journal'),
      dataDirectory: at('data'),
      quarantine: at('quarantine'),
      orphans: at('orphans'),
      segmentBytes: 1 << 20,
      syncMode: 'fdatasync',
      ...over,
    });
    this.#clients.push(client);
    return client;
  }

  pathOf(facts: FileFacts): string {
    return join(this.root, 'data', facts.path);
  }

  /** Commits a flush of one file that is there; its LSNs are 10 times `step`. */
  async flush(client: CommitClient, step: number): Promise<FileFacts> {
    let id = client.takeFileId();
    while (id === undefined) {
      await client.reserveFileIds();
      id = client.takeFileId();
    }
    const facts = fileFacts(id, 16, [step * 10, step * 10]);
    mkdirSync(join(this.root, 'data/m16'), { recursive: true });
    writeFileSync(this.pathOf(facts), '');
    client.walSynced(step * 10);
    const columns = [{ columnId: 0, min: '1', max: `${step}`, nullCount: 0 }];
    await client.commit({ kind: 'flush', adds: [facts], positions: [[16, step * 10]] }, [
      { fileId: id, columns },
    ]);
    return facts;
  }
}

/** What all pieces of a listing give; a later message is answered after it. */
async function listed(client: CommitClient, options = { hasStatistics: false }) {
  const { commit, pieces } = await client.list(options);
  const all = { commit, files: [] as FileFacts[], statistics: [] as FileStatistics[] };
  for await (const { files, statistics } of pieces) {
    all.files.push(...files);
    all.statistics.push(...statistics);
  }
  return all;
}

/** Resolves when `holds`, which some message makes true. */
async function until(holds: () => boolean): Promise<void> {
  while (!holds()) await new Promise((resolve) => setTimeout(resolve, 5));
}

const removing = (...files: readonly FileFacts[]) =>
  ({ kind: 'job', removes: files.map(({ id }) => ({ id, reason: 'compact' as const })) }) as const;

t.test(
  'a commit is shown in one tick, with its statistics, before its promise resolves',
  async (t) => {
    const box = new Box(t);
    const client = await box.open();
    const shown: unknown[] = [];
    client.onEvent(({ commit, statistics }) => {
      t.equal(client.visibleCommit, commit.number, 'visible in the same tick');
      shown.push([commit.kind, commit.number, statistics.length]);
    });
    const first = client.commit({ kind: 'schema', databases: ['a'] }, []);
    const second = client.commit({ kind: 'schema', databases: ['b'] }, [
      { fileId: 1, columns: [] },
    ]);
    const [one, two] = [await first, await second];
    t.same(shown, [
      ['schema', one, 0],
      ['schema', two, 1],
    ]);
    t.ok(two > one);
    t.match(await listed(client), { commit: two, files: [] });
  },
);

t.test(
  'ids come from blocks that a commit reserved, and none is given twice over starts',
  async (t) => {
    const box = new Box(t);
    const client = await box.open();
    t.equal(client.takeFileId(), undefined, 'no block yet');
    await Promise.all([client.reserveFileIds(), client.reserveFileIds()]);
    const ids = Array.from({ length: fileIdBlock }, () => client.takeFileId());
    t.same([ids[0], ids.at(-1)], [fileIdEpoch + 1, fileIdEpoch + fileIdBlock]);
    t.equal(client.takeFileId(), undefined, 'both asked for one block');
    await client.reserveFileIds();
    t.equal(client.takeFileId(), fileIdEpoch + fileIdBlock + 1);
    await client.close();
    mkdirSync(join(box.root, 'data/d'));
    writeFileSync(
      join(box.root, 'data/d/x_1_0000010000ffffff.parquet'),
      'a file of ours by its name',
    );
    const again = await box.open();
    await again.reserveFileIds();
    t.equal(again.takeFileId(), 0x10000ffffff + 1, 'above every name in the data folder');
  },
);

t.test('a start gives the catalog and the statistics of the last one', async (t) => {
  const box = new Box(t);
  const client = await box.open();
  t.equal(client.seed.commit, 0);
  const files = [await box.flush(client, 1), await box.flush(client, 2)];
  const state = await listed(client, { hasStatistics: true });
  t.match(client.figures, { files: 2, commits: 3, indexRebuilds: 0 });
  await client.close();
  const again = await box.open();
  t.match(again.seed, { commit: state.commit, files, positions: [[16, 20]] });
  t.strictSame(await listed(again, { hasStatistics: true }), state);
  t.same(
    state.statistics.map(({ fileId, columns }) => [fileId, columns[0]?.max]),
    files.map(({ id }, at) => [id, `${at + 1}`]),
  );
  t.equal(again.visibleCommit, state.commit);
  t.equal(again.safeCommit, state.commit, 'proven by the header of the start');
  again.forgetSeed();
  t.throws(() => again.seed, { code: 'HF_BUG' });
  await box.flush(again, 3);
  const later = await listed(again, { hasStatistics: true });
  t.same(
    later.statistics.map(({ fileId }) => fileId),
    later.files.map(({ id }) => id),
    'from the index, those of this life too',
  );
  t.equal(again.figures.indexRebuilds, 0);
});

t.test('an index that was lost is made anew and counted', async (t) => {
  const box = new Box(t);
  const client = await box.open();
  const file = await box.flush(client, 1);
  await client.close();
  rmSync(join(box.root, 'index.db'));
  const again = await box.open();
  t.equal(again.figures.indexRebuilds, 1);
  t.match(await listed(again, { hasStatistics: true }), { files: [file], statistics: [] });
  const database = new Database(join(box.root, 'index.db'));
  database.exec('DROP TABLE files');
  database.close();
  await box.flush(again, 2);
  t.equal(again.figures.indexRebuilds, 2, 'also between two starts');
});

t.test('conflicts and broken rules reject; nothing is shown', async (t) => {
  const box = new Box(t);
  const client = await box.open();
  const file = await box.flush(client, 1);
  await client.commit(removing(file), []);
  const visible = client.visibleCommit;
  await t.rejects(client.commit(removing(file), []), { code: 'HF_COMMIT_CONFLICT' });
  await t.rejects(client.commit({ kind: 'flush', positions: [[16, 3]] }, []), { code: 'HF_BUG' });
  t.equal(client.visibleCommit, visible);
});

t.test(
  'a pinned file stays until the pin goes; commits become safe after a quiet second',
  async (t) => {
    const box = new Box(t);
    const client = await box.open();
    const [first, second] = [await box.flush(client, 1), await box.flush(client, 2)];
    const safe: number[] = [];
    client.onSafe((commit) => safe.push(commit));
    const unpin = client.pin(client.visibleCommit);
    const removal = await client.commit(removing(first, second), []);
    await until(() => client.safeCommit >= removal);
    t.same(safe.at(-1), removal);
    await listed(client);
    t.ok(existsSync(box.pathOf(first)), 'pinned');
    unpin();
    unpin();
    await until(() => !existsSync(box.pathOf(first)) && !existsSync(box.pathOf(second)));
    t.same((await listed(client)).files, []);
  },
);

t.test('a commit waits for the write-ahead log', async (t) => {
  const box = new Box(t);
  const client = await box.open();
  const flush = client.commit({ kind: 'flush', positions: [[16, 50]] }, []);
  let isDone = false;
  void flush.then(() => {
    isDone = true;
  });
  await listed(client);
  t.notOk(isDone);
  client.walSynced(50);
  t.ok(await flush);
});

t.test('an unlisted file waits for the end of replay; alarms of the start are kept', async (t) => {
  const box = new Box(t);
  writeFileSync(join(box.root, 'data/stray.parquet'), 'not one of ours');
  writeFileSync(join(box.root, 'data/.tmp-x.parquet'), '');
  const client = await box.open();
  const alarms: JournalAlarm[] = [];
  client.onAlarm((alarm) => alarms.push(alarm));
  t.match(alarms, [{ kind: 'file-orphaned' }]);
  t.same(readdirSync(join(box.root, 'orphans')), ['stray.parquet']);
  t.same(readdirSync(join(box.root, 'data')), []);
  client.walReplayed(1, 100, [{ firstNumber: 5, lastNumber: 6 }]);
  t.equal((await listed(client)).commit, 0);
});

t.test('an index that is ahead proves lost commits, and is told', async (t) => {
  const box = new Box(t);
  const client = await box.open();
  await box.flush(client, 1);
  await client.close();
  const database = new Database(join(box.root, 'index.db'));
  database.exec('UPDATE position SET commit_number = commit_number + 1');
  database.close();
  const again = await box.open();
  const alarms: JournalAlarm[] = [];
  again.onAlarm((alarm) => alarms.push(alarm));
  t.match(alarms, [{ kind: 'journal-damaged', message: /index/ }]);
  t.equal(again.seed.files.length, 1);
});

t.test('a journal of a later format refuses the start', async (t) => {
  const box = new Box(t);
  const client = await box.open();
  await client.commit({ kind: 'schema', databases: ['a'] }, []);
  await client.close();
  const later = join(box.root, 'later.ts');
  // A thread whose log says that a record is of a later version.
  writeFileSync(
    later,
    `import { parentPort } from 'node:worker_threads';
     import { nodeFiles } from '${new URL('../../../../src/base/disk/files.ts', import.meta.url)}';
     import { systemClock } from '${new URL('../../../../src/base/lib/clock.ts', import.meta.url)}';
     import { runCommitter } from '${new URL('../../../../src/log/journal/commit-worker.ts', import.meta.url)}';
     import { openLog } from '${new URL('../../../../src/log/open-log.ts', import.meta.url)}';
     import { commitParts } from '${new URL('commit-parts.ts', thread)}';
     runCommitter(parentPort, commitParts({
       files: nodeFiles, clock: systemClock, randomSalt: () => 7,
       openLog: (options, replay) => openLog(options, { ...replay, onRecord: (record) => {
         replay.onRecord({ ...record, payload: Buffer.from('{"v":9,"kind":"schema"}') });
       } }),
     }));`,
  );
  await t.rejects(box.open({ thread: new URL(`file://${later}`) }), { code: 'HF_FORMAT_NEWER' });
  const again = await box.open();
  t.same(again.seed.databases, ['a'], 'and changed nothing');
});

t.test('a journal that fails says why, also to who asks after the start', async (t) => {
  const box = new Box(t);
  const full = join(box.root, 'full.ts');
  const order = join(box.root, 'disk-is-full');
  const source = (name: string) => new URL(`../../../../src/${name}`, import.meta.url).href;
  const support = (name: string) => new URL(`../../../support/${name}`, import.meta.url).href;
  writeFileSync(
    full,
    `import { existsSync } from 'node:fs';
     import { parentPort } from 'node:worker_threads';
     import { nodeFiles } from '${source('base/disk/files.ts')}';
     import { GatewayError } from '${source('base/errors/gateway-error.ts')}';
     import { systemClock } from '${source('base/lib/clock.ts')}';
     import { runCommitter } from '${source('log/journal/commit-worker.ts')}';
     import { openLog } from '${source('log/open-log.ts')}';
     import { commitParts } from '${source('storage/catalog/commit-parts.ts')}';
     import { interceptFiles } from '${support('intercept-files.ts')}';
     runCommitter(parentPort, commitParts({
       clock: systemClock, randomSalt: () => 7, openLog,
       files: interceptFiles(nodeFiles, { before: ({ kind, path }) => {
         if (kind !== 'write' || !existsSync('${order}')) return;
         throw new GatewayError('HF_DISK_FULL', path, { details: { errno: 'ENOSPC' } });
       } }),
     }));`,
  );
  const heard: (readonly [string, unknown])[] = [];
  const listen = (client: CommitClient) => {
    client.onState((state, cause) => heard.push([state, cause?.details['errno']]));
  };
  const client = await box.open({ thread: new URL(`file://${full}`) });
  listen(client);
  t.same(heard, [], 'all is well');
  writeFileSync(order, '');
  const proposal = { kind: 'schema', databases: ['a'] } as const;
  await t.rejects(client.commit(proposal, []), { code: 'HF_COMMIT_REFUSED' });
  t.same(heard.splice(0), [['failed', 'ENOSPC']]);
  rmSync(order);
  await until(() => heard.length > 0);
  t.same(heard.splice(0), [['open', undefined]], 'by itself');
  t.ok(await client.commit(proposal, []));
  await client.close();

  writeFileSync(order, '');
  const again = await box.open({ thread: new URL(`file://${full}`) });
  t.same(again.seed.databases, ['a'], 'a full disk can be read');
  listen(again);
  t.same(heard.splice(0), [['failed', 'ENOSPC']], 'it was so from the start');
  rmSync(order);
  await until(() => heard.length > 0);
  t.same(heard.splice(0), [['open', undefined]]);
});

t.test('a thread that ends by itself rejects all that wait, once and for good', async (t) => {
  const box = new Box(t);
  const dying = join(box.root, 'dying.ts');
  writeFileSync(
    dying,
    `import { parentPort } from 'node:worker_threads';
     parentPort.on('message', ({ kind }) => {
       if (kind === 'open') parentPort.postMessage({ kind: 'opened', highestId: 0,
         seed: { commit: 0, files: [], fileIdsTo: 0 }, figures: { safeCommit: 0 } });
       if (kind === 'propose') throw new Error('gone');
     });`,
  );
  const client = await box.open({ thread: new URL(`file://${dying}`) });
  const exits: string[] = [];
  client.onExit(({ code }) => exits.push(code));
  const waiting = [client.commit({ kind: 'schema' }, []), listed(client)];
  for (const settled of await Promise.allSettled(waiting)) {
    t.equal(settled.status, 'rejected');
    if (settled.status === 'rejected') {
      t.equal(asGatewayError(settled.reason).code, 'HF_COMMIT_THREAD_LOST');
    }
  }
  t.same(exits, ['HF_COMMIT_THREAD_LOST']);
  await t.rejects(client.commit({ kind: 'schema' }, []), { code: 'HF_COMMIT_THREAD_LOST' });
  await t.rejects(client.reserveFileIds(), { code: 'HF_COMMIT_THREAD_LOST' });
  await t.rejects(listed(client), { code: 'HF_COMMIT_THREAD_LOST' });
});

t.test(
  'numbers that no log gives are refused at once, and keep no other commit waiting',
  async (t) => {
    const client = await new Box(t).open();
    for (const lsn of [Number.NaN, 1.5, Infinity, -1, 2 ** 53]) {
      const position = client.commit({ kind: 'flush', positions: [[16, lsn]] }, []);
      await t.rejects(position, { code: 'HF_BUG', message: /position of measurement 16/ });
      await t.rejects(client.commit({ kind: 'flush', lowWater: lsn }, []), { code: 'HF_BUG' });
      t.throws(
        () => {
          client.walSynced(lsn);
        },
        { code: 'HF_BUG' },
      );
    }
    client.walSynced(7);
    await client.commit({ kind: 'flush', positions: [[16, 7]], lowWater: 7 }, []);
    t.pass('the next one goes through');
  },
);
