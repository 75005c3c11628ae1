import t from 'tap';
import { fileFacts, modelState } from '../../../support/catalog-model.ts';
import { Bench, benchWithFiles, failing, ids, removing } from '../../../support/journal-bench.ts';
import { noFaults } from '../../../support/simulated-disk.ts';

t.test('commits are numbered by their records, told in order, and are there after a start', (t) => {
  const { bench, rig } = benchWithFiles(3);
  const commits = rig.events.map(({ commit }) => commit);
  t.same(
    commits.map(({ number }) => number),
    [...commits.map(({ number }) => number)].sort((a, b) => a - b),
  );
  t.strictSame(rig.journal.state.toState(), modelState(commits));
  bench.disk.restart('cut');
  const again = bench.start();
  t.strictSame(again.journal.state.toState(), modelState(commits));
  const next = again.commit(removing(1)).number ?? 0;
  t.ok(next - (commits.at(-1)?.number ?? 0) >= 2 ** 32, 'no number of a lost tail is given again');
  t.end();
});

t.test('no commit is appended before the log is synced up to what it names (P4)', (t) => {
  const bench = new Bench();
  const rig = bench.start();
  rig.commit(ids);
  const flush = rig.propose({ kind: 'flush', positions: [[16, 100]] });
  const behind = rig.propose({ kind: 'schema', databases: ['d'] });
  const marked = rig.propose({ kind: 'schema', lowWater: 120 });
  rig.committer.walSynced(99);
  t.same([flush(), behind(), marked()], [undefined, undefined, undefined]);
  t.equal(rig.committer.figures().waiting, 3);
  t.equal(rig.events.length, 1);
  rig.committer.walSynced(100);
  t.ok(flush()?.number);
  t.ok((behind()?.number ?? 0) > (flush()?.number ?? 0), 'in the order of proposals');
  t.equal(marked(), undefined);
  rig.committer.walSynced(120);
  t.ok(marked()?.number);
  t.end();
});

t.test('what the state has filed before needs no sync of this start', (t) => {
  const { bench, rig } = benchWithFiles(1);
  rig.committer.close();
  const again = bench.start();
  t.ok(again.commit({ kind: 'flush', positions: [[16, 10]], lowWater: 10 }).number);
  t.end();
});

t.test('a commit that removes a file which is not live changes nothing (P11)', (t) => {
  const { bench, rig } = benchWithFiles(2);
  rig.commit(removing(1));
  const before = rig.journal.state.toState();
  const events = rig.events.length;
  const answer = rig.commit({ ...removing(1, 2), adds: [fileFacts(9, 16, [1, 2])] });
  t.equal(answer.error?.code, 'HF_COMMIT_CONFLICT');
  t.strictSame(rig.journal.state.toState(), before);
  t.equal(rig.events.length, events);
  t.equal(rig.committer.figures().conflicts, 1);
  bench.disk.restart('cut');
  t.strictSame(bench.start().journal.state.toState().files, before.files);
  t.end();
});

t.test('a broken rule of a maker is a bug and changes nothing', (t) => {
  const { rig } = benchWithFiles(1);
  t.equal(rig.commit({ kind: 'flush', positions: [[16, 3]] }).error?.code, 'HF_BUG');
  t.equal(rig.commit({ kind: 'mark' }).error?.code, 'HF_BUG');
  t.end();
});

t.test('a failed sync refuses the commit; the same proposal gets the next number', (t) => {
  const { bench, rig } = benchWithFiles(1);
  const before = rig.journal.state.toState();
  let failures = 1;
  // Only the sync of the group fails; the fresh segment can be made.
  const proposal = removing(1);
  const files = bench.disk;
  const sync = files.faults;
  files.faults = failing;
  const open = files.open.bind(files);
  files.open = (path, mode, options) => {
    files.faults = sync;
    failures -= 1;
    return open(path, mode, options);
  };
  const refused = rig.commit(proposal);
  t.equal(failures, 0, 'one fresh segment was opened');
  t.equal(refused.error?.code, 'HF_COMMIT_REFUSED');
  t.ok(refused.error?.retryable);
  t.strictSame(rig.journal.state.toState(), before);
  t.equal(rig.journal.log.state, 'open');
  t.same(rig.states, []);
  files.open = open;
  const last = before.commit;
  t.ok((rig.commit(proposal).number ?? 0) > last + 1, 'a refused number is spent');
  bench.disk.restart('cut');
  t.same(
    bench
      .start()
      .journal.state.toState()
      .removed.map(({ id }) => id),
    [1],
  );
  t.end();
});

t.test('what no start could read back is refused and never reaches the journal', (t) => {
  const { bench, rig } = benchWithFiles(1);
  const state = rig.journal.state.toState();
  const answer = rig.commit({ kind: 'ids', fileIdsTo: 2 ** 53 + 4096 });
  t.equal(answer.error?.code, 'HF_BUG');
  bench.disk.restart('kill');
  t.strictSame(bench.start().journal.state.toState(), state);
  t.end();
});

t.test('a refused commit is checked again when it is proposed again', (t) => {
  const { bench, rig } = benchWithFiles(1);
  bench.disk.faults = failing;
  const answer = rig.commit(removing(1));
  t.equal(answer.error?.code, 'HF_COMMIT_REFUSED');
  bench.disk.faults = noFaults;
  bench.idle(rig);
  t.ok(rig.commit(removing(1)).number);
  t.equal(rig.commit(removing(1)).error?.code, 'HF_COMMIT_CONFLICT');
  t.end();
});

t.test('without a fresh segment nothing is committed, unlinked or released (W5)', (t) => {
  const { bench, rig } = benchWithFiles(2);
  const pinned = rig.journal.state.commit;
  rig.committer.pinned(pinned);
  const removal = rig.commit(removing(1)).number ?? 0;
  rig.committer.visible(removal);
  bench.idle(rig);
  t.equal(rig.safe, removal, 'proven, but pinned');
  bench.disk.faults = failing;
  t.equal(rig.commit(removing(2)).error?.code, 'HF_COMMIT_REFUSED');
  t.same(rig.states, ['failed']);
  t.equal(rig.committer.figures().state, 'failed');
  rig.committer.pinned(undefined);
  bench.idle(rig, 500);
  t.ok(bench.has(1), 'nothing is unlinked while the journal is failed');
  t.equal(rig.commit({ kind: 'schema', databases: ['x'] }).error?.code, 'HF_COMMIT_REFUSED');
  t.same(rig.states, ['failed'], 'told once');
  bench.disk.faults = noFaults;
  bench.idle(rig, 500);
  t.same(rig.states, ['failed', 'open']);
  t.notOk(bench.has(1), 'then it is');
  t.ok(rig.commit(removing(2)).number);
  t.end();
});

t.test('proposals that keep coming do not put the next attempt off', (t) => {
  const { bench, rig } = benchWithFiles(1);
  bench.disk.faults = failing;
  rig.commit(removing(1));
  bench.disk.faults = noFaults;
  for (let at = 0; at < 4; at += 1) {
    t.equal(rig.commit(removing(1)).error?.code, 'HF_COMMIT_REFUSED');
    bench.idle(rig, 300);
  }
  t.same(rig.states, ['failed', 'open']);
  t.end();
});

t.test('attempts at a fresh segment go on until one stands', (t) => {
  const { bench, rig } = benchWithFiles(1);
  bench.disk.faults = failing;
  rig.commit(removing(1));
  for (let at = 0; at < 3; at += 1) {
    t.equal(rig.committer.dueMs(), bench.clock.nowMs + 1000);
    bench.idle(rig);
    t.equal(rig.journal.log.state, 'failed');
  }
  bench.disk.faults = noFaults;
  bench.idle(rig);
  t.equal(rig.journal.log.state, 'open');
  t.end();
});

t.test('a start on a disk that refuses is failed, and recovers by itself', (t) => {
  const { bench, rig } = benchWithFiles(2);
  const state = rig.journal.state.toState();
  bench.disk.restart('kill');
  bench.disk.faults = failing;
  const again = bench.start();
  t.strictSame(again.journal.state.toState(), state);
  t.equal(again.committer.figures().state, 'failed');
  t.equal(again.commit(removing(1)).error?.code, 'HF_COMMIT_REFUSED');
  bench.disk.faults = noFaults;
  bench.idle(again);
  t.same(again.states, ['open']);
  t.equal(again.safe, state.commit);
  t.ok(again.commit(removing(1)).number);
  t.end();
});

t.test('a commit is safe once a later record says so; after a quiet second an empty one', (t) => {
  const bench = new Bench();
  const rig = bench.start();
  const first = rig.commit(ids).number ?? 0;
  t.ok(rig.safe < first, 'its own record proves nothing about it');
  const second = rig.commit({ kind: 'schema', databases: ['d'] }).number ?? 0;
  t.equal(rig.safe, first);
  t.equal(rig.committer.dueMs(), bench.clock.nowMs + 1000);
  bench.idle(rig, 999);
  t.equal(rig.safe, first);
  bench.idle(rig, 1);
  t.equal(rig.safe, second);
  t.equal(rig.committer.dueMs(), undefined, 'one empty record, not a row of them');
  t.equal(rig.journal.log.writtenTo, second + 1);
  t.equal(rig.journal.state.commit, second, 'which is no commit');
  bench.idle(rig, 60_000);
  t.equal(rig.journal.log.writtenTo, second + 1);
  t.end();
});

t.test('a start proves all that it recovered', (t) => {
  const bench = new Bench();
  const rig = bench.start();
  const number = rig.commit(ids).number ?? 0;
  t.ok(rig.safe < number);
  bench.disk.restart('cut');
  t.equal(bench.start().committer.safeCommit, number);
  t.end();
});

t.test('a removed file goes only when it is shown, proven and not pinned (P14)', (t) => {
  for (const last of ['shown', 'proven', 'unpinned'] as const) {
    const { bench, rig } = benchWithFiles(2);
    const before = rig.journal.state.commit;
    rig.committer.pinned(before);
    const removal = rig.commit(removing(1)).number ?? 0;
    const steps = {
      shown: () => {
        rig.committer.visible(removal);
      },
      proven: () => {
        bench.idle(rig);
      },
      unpinned: () => {
        rig.committer.pinned(undefined);
      },
    };
    for (const [name, step] of Object.entries(steps)) if (name !== last) step();
    t.ok(bench.has(1), `not ${last} yet`);
    t.equal(rig.committer.figures().filesRemoved, 1);
    steps[last]();
    t.notOk(bench.has(1), `${last}`);
    t.ok(bench.has(2));
    t.same(rig.unlinked, [1]);
    t.equal(rig.committer.figures().filesRemoved, 0);
  }
  t.end();
});

t.test('a pin at the removal itself does not hold the file', (t) => {
  const { bench, rig } = benchWithFiles(1);
  const removal = rig.commit(removing(1)).number ?? 0;
  rig.committer.visible(removal);
  rig.committer.pinned(removal);
  bench.idle(rig);
  t.notOk(bench.has(1));
  t.end();
});

t.test('what a start finds removed is unlinked once the main thread shows the seed', (t) => {
  const { bench, rig } = benchWithFiles(3);
  rig.commit(removing(1, 3));
  bench.disk.restart('cut');
  const again = bench.start();
  t.ok(bench.has(1));
  again.committer.visible(again.journal.state.commit);
  t.same([bench.has(1), bench.has(2), bench.has(3)], [false, true, false]);
  bench.disk.restart('cut');
  t.notOk(bench.has(1), 'durably');
  t.end();
});

t.test('unlinking gives commits their turn', (t) => {
  const { bench, rig } = benchWithFiles(7);
  rig.committer.close();
  const again = bench.start({ limits: { unlinksPerTick: 3 } });
  again.committer.visible(again.commit(removing(1, 2, 3, 4, 5, 6, 7)).number ?? 0);
  bench.idle(again);
  t.equal(again.unlinked.length, 3);
  t.equal(again.committer.dueMs(), bench.clock.nowMs, 'goes on at once');
  bench.idle(again, 0);
  t.equal(again.unlinked.length, 6);
  bench.idle(again, 0);
  t.equal(again.unlinked.length, 7);
  t.equal(again.committer.dueMs(), undefined);
  t.end();
});

t.test('a file that cannot be unlinked is told, kept as removed, and tried again', (t) => {
  const { bench, rig } = benchWithFiles(1);
  rig.committer.visible(rig.commit(removing(1)).number ?? 0);
  // The mark can be written, the name cannot be removed.
  bench.disk.faults = { ...noFaults, nameFails: 1 };
  bench.idle(rig);
  t.match(rig.alarms, [{ kind: 'unlink-failed' }]);
  t.equal(rig.committer.figures().filesRemoved, 1);
  bench.disk.faults = noFaults;
  t.equal(rig.committer.dueMs(), bench.clock.nowMs + 1000);
  bench.idle(rig, 999);
  t.equal(rig.unlinked.length, 0);
  bench.idle(rig, 1);
  t.same(rig.unlinked, [1]);
  t.end();
});

t.test('closing refuses what waits', (t) => {
  const bench = new Bench();
  const rig = bench.start();
  const waiting = rig.propose({ kind: 'flush', positions: [[16, 100]] });
  rig.committer.close();
  t.equal(waiting()?.error?.code, 'HF_COMMIT_REFUSED');
  t.end();
});
