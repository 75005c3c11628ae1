/** Compaction of the journal (P13): when, with what, and when the older segments go. */
import t from 'tap';
import type { Files } from '../../../../src/base/disk/files.ts';
import { decodePayload } from '../../../../src/log/journal/commit-record.ts';
import type { AppendLog, RecordInput } from '../../../../src/log/log-types.ts';
import { Bench, benchWithFiles, failing, removing } from '../../../support/journal-bench.ts';
import { replaced, type JournalRig } from '../../../support/journal-rig.ts';
import { noFaults } from '../../../support/simulated-disk.ts';

const small = { segmentBytes: 1 << 16, limits: { snapshotBytesMin: 40_960, segmentsMax: 8 } };

/** Commits until a snapshot was made. */
function commitUntilSnapshot(rig: JournalRig): void {
  for (let at = 0; rig.snapshots.length === 0 && at < 100; at += 1) {
    rig.commit({ kind: 'schema', databases: [`d${at}`] });
  }
}

t.test('a journal that has grown goes on in a fresh segment with a snapshot (P13)', (t) => {
  const { bench, rig: first } = benchWithFiles(3);
  first.commit(removing(2));
  first.committer.close();
  const rig = bench.start(small);
  commitUntilSnapshot(rig);
  t.equal(rig.snapshots.length, 1);
  t.ok(bench.segmentCount() > 1, 'older segments stay until a later record proves it');
  bench.idle(rig);
  t.equal(bench.segmentCount(), 1);
  const state = rig.journal.state.toState();
  bench.disk.restart('cut');
  const again = bench.start(small);
  t.strictSame(again.journal.state.toState(), state, 'the state is that of all commits');
  t.same(
    state.removed.map(({ id }) => id),
    [2],
    'with what is removed and not unlinked',
  );
  t.equal(again.journal.extent.snapshotNumber, rig.snapshots[0]);
  t.end();
});

t.test('starts leave a segment each; beyond eight they are compacted', (t) => {
  const { bench } = benchWithFiles(2);
  for (let start = 0; start < 12; start += 1) {
    bench.disk.restart('kill');
    const rig = bench.start();
    rig.commit({ kind: 'schema', databases: [`d${start}`] });
    bench.idle(rig);
    t.ok(bench.segmentCount() <= 9, `${bench.segmentCount()} segments`);
  }
  t.same(bench.start().journal.state.toState().databases.length, 12);
  t.end();
});

/** A log that stores another snapshot than it is given. */
function spoilingLog(log: AppendLog): AppendLog {
  return replaced(log, {
    rotate: (first?: RecordInput) => {
      if (first === undefined) return log.rotate();
      const spoilt = Uint8Array.from(first.payload);
      // Another commit number: still a snapshot that any reader would take.
      const digit = Buffer.from(first.payload).indexOf('"commit":') + '"commit":'.length;
      spoilt[digit] = (spoilt[digit] ?? 0) ^ 1;
      return log.rotate({ ...first, payload: spoilt });
    },
  });
}

t.test('a snapshot that reads back differently is told, and nothing older goes', (t) => {
  const bench = new Bench();
  const rig = bench.start({ ...small, log: spoilingLog });
  for (let at = 0; at < 15; at += 1) rig.commit({ kind: 'schema', databases: [`d${at}`] });
  bench.idle(rig);
  t.match(rig.alarms, [{ kind: 'snapshot-failed' }], 'not tried again at once');
  t.match(rig.committer.figures(), { snapshots: 0, snapshotFailures: 1 });
  t.ok(bench.segmentCount() > 1);
  bench.idle(rig, 60_000);
  rig.commit({ kind: 'schema', databases: ['e'] });
  t.equal(rig.committer.figures().snapshotFailures, 2, 'again after a minute');
  t.end();
});

t.test('a snapshot that is not there when read back is no snapshot', (t) => {
  const bench = new Bench();
  const log = (right: AppendLog) => replaced(right, { readBack: () => undefined });
  const rig = bench.start({ ...small, log });
  for (let at = 0; at < 15; at += 1) rig.commit({ kind: 'schema', databases: [`d${at}`] });
  t.match(rig.committer.figures(), { snapshots: 0, snapshotFailures: 1 });
  t.end();
});

t.test(
  'a snapshot that cannot be written is a failed write: commits are refused, then go on',
  (t) => {
    const bench = new Bench();
    const rig = bench.start({
      ...small,
      log: (log) =>
        replaced(log, {
          rotate: (first?: RecordInput) => {
            bench.disk.faults = failing;
            return log.rotate(first);
          },
        }),
    });
    for (let at = 0; bench.disk.faults === noFaults && at < 100; at += 1) {
      t.ok(rig.commit({ kind: 'schema', databases: [`d${at}`] }).number);
    }
    t.same(rig.states, ['failed']);
    t.match(rig.alarms, [{ kind: 'snapshot-failed' }]);
    t.equal(rig.commit({ kind: 'schema', databases: ['e'] }).error?.code, 'HF_COMMIT_REFUSED');
    bench.disk.faults = noFaults;
    bench.idle(rig);
    t.ok(rig.commit({ kind: 'schema', databases: ['e'] }).number);
    const state = rig.journal.state.toState();
    bench.disk.restart('cut');
    t.strictSame(bench.start().journal.state.toState(), state);
    t.end();
  },
);

t.test('a snapshot that a start carries over is read back before what is older goes', (t) => {
  for (const spoils of [false, true]) {
    const bench = new Bench();
    const rig = bench.start(small);
    commitUntilSnapshot(rig);
    const state = rig.journal.state.toState();
    bench.disk.restart('kill');
    // The disk stores the carried copy wrongly, and says nothing.
    const spoil = (right: Files): Files => ({
      ...right,
      open: (path, mode, options) => {
        const file = right.open(path, mode, options);
        const write: typeof file.write = (parts, position) => {
          const bytes = Buffer.concat(parts);
          if (position > 0 && mode === 'create') bytes[100] = (bytes[100] ?? 0) ^ 1;
          file.write([bytes], position);
        };
        return { ...file, write };
      },
    });
    const again = bench.start({ ...small, ...(spoils ? { files: spoil } : {}) });
    t.equal(again.journal.report.carried, 1, 'the snapshot had no mark yet');
    const alarms = again.alarms.map(({ kind }) => kind);
    t.same(alarms, spoils ? ['snapshot-failed'] : []);
    t.equal(bench.segmentCount() === 1, !spoils, `${bench.segmentCount()} segments`);
    bench.disk.restart('cut');
    t.strictSame(bench.start(small).journal.state.toState(), state);
  }
  t.end();
});

t.test('a snapshot is payload that any reader of the journal understands', (t) => {
  const bench = new Bench();
  const rig = bench.start(small);
  commitUntilSnapshot(rig);
  const record = rig.journal.log.readBack(rig.snapshots[0] ?? 0);
  const read = decodePayload(record?.payload ?? new Uint8Array());
  t.ok(record?.snapshot);
  t.equal(read.type, 'snapshot');
  if (read.type === 'snapshot') t.strictSame(read.state, rig.journal.state.toState());
  t.end();
});
