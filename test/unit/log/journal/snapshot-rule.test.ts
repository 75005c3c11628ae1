import t from 'tap';
import { recordBytes, SnapshotRule } from '../../../../src/log/journal/snapshot-rule.ts';

const limits = { snapshotBytesMin: 100_000, segmentsMax: 3, snapshotRetryMs: 60_000 };
const none = { snapshotNumber: 0, snapshotBytes: 0, bytesSince: 0 };
const segments = (...lastNumbers: (number | undefined)[]) =>
  lastNumbers.map((lastNumber) => ({ lastNumber }));

t.test('a record takes whole pages', (t) => {
  t.equal(recordBytes(10), 4096);
  t.equal(recordBytes(4096), 8192);
  t.end();
});

t.test('due beyond the floor in bytes, counted over a restart', (t) => {
  const rule = new SnapshotRule(limits, { ...none, bytesSince: 98_304 });
  t.notOk(rule.due([], 0));
  rule.appended(10);
  t.ok(rule.due([], 0));
  t.end();
});

t.test('due beyond its own size if that is larger than the floor', (t) => {
  const rule = new SnapshotRule(limits, none);
  rule.verified(50, 300_000);
  rule.releasable(50);
  rule.appended(200_000);
  t.notOk(rule.due([], 0));
  rule.appended(110_000);
  t.ok(rule.due([], 0));
  t.end();
});

t.test('due when too many segments are live, those that should be gone not counted', (t) => {
  const rule = new SnapshotRule(limits, none);
  t.notOk(rule.due(segments(1, 2, undefined), 0));
  t.ok(rule.due(segments(1, 2, 3, undefined), 0));
  rule.verified(4, 10);
  rule.releasable(9);
  t.notOk(rule.due(segments(1, 2, 3, 4), 0), 'three could not be unlinked yet');
  t.ok(rule.due(segments(1, 4, 5, 6, undefined), 0));
  t.end();
});

t.test('older segments stay until a mark reaches a snapshot that was read back', (t) => {
  const rule = new SnapshotRule(limits, none);
  t.equal(rule.releasable(1000), 0, 'no snapshot');
  rule.verified(50, 10);
  t.equal(rule.releasable(49), 0);
  rule.appended(1_000_000);
  t.notOk(rule.due([], 0), 'no other one before this is proven');
  t.equal(rule.releasable(50), 49);
  t.ok(rule.due([], 0));
  t.end();
});

t.test('the snapshot that recovery began with is proven by the mark of the start', (t) => {
  const rule = new SnapshotRule(limits, { snapshotNumber: 7, snapshotBytes: 4096, bytesSince: 0 });
  t.notOk(rule.due(segments(1, 7, 8, 9, undefined), 0));
  t.equal(rule.releasable(9), 6);
  t.end();
});

t.test(
  'a failed one is tried again after its time, and the last good one goes on to count',
  (t) => {
    const rule = new SnapshotRule(limits, none);
    rule.appended(200_000);
    rule.failed(1000);
    t.notOk(rule.due([], 60_999));
    t.ok(rule.due([], 61_000));
    t.equal(rule.number, 0);
    t.equal(rule.releasable(1000), 0);
    t.end();
  },
);

t.test('a snapshot that is distrusted lets nothing go, and another one is due', (t) => {
  const rule = new SnapshotRule(limits, { snapshotNumber: 7, snapshotBytes: 4096, bytesSince: 0 });
  t.equal(rule.releasable(9), 6);
  rule.distrusted();
  t.equal(rule.releasable(9), 0);
  t.ok(rule.due([], 0));
  t.end();
});
