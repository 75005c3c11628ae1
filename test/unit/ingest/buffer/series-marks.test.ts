/**
 * Which rows are called repeats (commit-protocol P18, test 5): never first for a repeat, whatever
 * the history, with restarts and evictions; and not called repeats without need. Planted bugs show
 * that the brute-force set sees.
 */
import t, { type Test } from 'tap';
import fc from 'fast-check';
import type { FileFacts } from '../../../../src/base/model/commit.ts';
import { hourUs } from '../../../../src/base/model/partition.ts';
import { MeasurementBuffers } from '../../../../src/ingest/buffer/measurement-buffers.ts';
import { RowSeries } from '../../../../src/ingest/buffer/row-series.ts';
import { SeriesMarks } from '../../../../src/ingest/buffer/series-marks.ts';
import { FakeClock } from '../../../support/flush-fakes.ts';
import { histories, runHistory, type Composition } from '../../../support/repeat-history.ts';
import { columnRef, columnValues, type Value } from '../../../support/row-sets.ts';

const start = 497_222n * hourUs;

t.test('no repeat is called first, with restarts and evictions', (test) => {
  let repeats = 0;
  let firsts = 0;
  const bytes = fc.constantFrom(0, 300, 700, 2 ** 20);
  fc.assert(
    fc.property(histories(60), bytes, (history, bytesMax) => {
      const counts = runHistory(history, { bytesMax });
      repeats += counts.repeats;
      firsts += counts.firsts;
    }),
    { numRuns: 400 },
  );
  test.ok(repeats > 1000, 'repeats came');
  test.ok(firsts > 1000, 'so did first rows');
  test.end();
});

/** Passes if some history shows the bug. */
function noticed(test: Test, composition: Composition): void {
  const found = fc.check(
    fc.property(histories(60), (history) => {
      runHistory(history, composition);
    }),
    { numRuns: 1000, endOnFailure: true },
  );
  test.equal(found.failed, true, 'a history shows it');
  test.match(String(found.errorInstance), /first, though/);
  test.end();
}

t.test('planted bug: the floor falls after a restart', (test) => {
  noticed(test, { filesAtStart: () => [] });
});

t.test('planted bug: the order of tags makes two series', (test) => {
  noticed(test, { keyOrder: () => 0 });
});

t.test('planted bug: marks are forgotten while their floor is lower', (test) => {
  noticed(test, { rule: (floor) => floor });
});

t.test('planted bug: marks are forgotten for memory while their floor is lower', (test) => {
  // Room for the marks that a seal makes, not for those that are there then.
  noticed(test, { rule: (floor) => floor, bytesMax: 500 });
});

/** Buffers of one measurement; each row is [host, seconds]. */
function rig(bytesMax = 2 ** 20) {
  const marks = new SeriesMarks([], { bytesMax, hashSeed: 9 });
  const buffers = new MeasurementBuffers(new FakeClock(), {
    positions: [],
    lowWater: 0,
    rowsMax: 50_000,
    bufferBytesMax: 2 ** 26,
    memoryBytesMax: 2 ** 26,
    hashSeed: 3,
    marks,
  });
  let lsn = 1;
  const write = (rows: readonly (readonly [host: Value, seconds: number])[]): string => {
    const columns = [
      { column: columnRef(0, 'tag', 'string', 'host'), values: rows.map(([host]) => host) },
      { column: columnRef(1, 'field', 'int64', 'v'), values: rows.map(() => 1n) },
    ];
    const batch = {
      measurementId: 16,
      database: 'd',
      measurement: 'm',
      hasIdentity: true,
      rowCount: rows.length,
      times: BigInt64Array.from(rows, ([, at]) => start + BigInt(at) * 1_000_000n),
      columns: columns.map(columnValues),
    };
    buffers.append(batch, lsn, 0);
    lsn += rows.length;
    buffers.recordEntered(lsn - 1);
    const view = buffers.hot(16).at(-1)?.rows.view();
    return rows.map((_, row) => view?.repeats?.[view.rowCount - rows.length + row] ?? 0).join('');
  };
  const seal = () => buffers.seal([16]);
  return { marks, buffers, write, seal };
}

t.test('rows of each series are first as long as they follow what was sealed of it', (test) => {
  const { write, seal } = rig();
  test.equal(write([['a', 10], ['b', 4]]), '00'); // prettier-ignore
  test.equal(write([['a', 10], ['b', 4]]), '00', 'versions in an open buffer are merged in it'); // prettier-ignore
  seal();
  test.equal(write([['a', 10], ['b', 4], ['b', 5], ['a', 11], ['c', 1]]), '11000'); // prettier-ignore
  seal();
  test.equal(write([['b', 5], ['b', 6], ['c', 1], ['c', 2]]), '1010'); // prettier-ignore
  test.equal(write([[null, 3], ['', 4]]), '00', 'the series without tags is one of its own'); // prettier-ignore
  seal();
  test.equal(write([['', 3], [null, 4], [null, 5]]), '110'); // prettier-ignore
  test.end();
});

t.test('an hour far in the future flags nothing else', (test) => {
  const { write, seal } = rig();
  write([['a', 24 * 365 * 3600]]);
  seal();
  test.equal(write([['a', 10], ['b', 4]]), '00'); // prettier-ignore
  test.end();
});

t.test('an hour without marks has a floor; one that returns starts empty above it', (test) => {
  const { write, seal } = rig();
  write([['a', 10]]);
  seal();
  for (const hour of [1, 2]) {
    write([['a', hour * 3600]]);
    seal();
  }
  test.equal(write([['b', 5], ['b', 10], ['b', 11]]), '110', 'its floor is the highest mark'); // prettier-ignore
  seal();
  test.equal(write([['c', 11], ['b', 11], ['c', 10]]), '011', 'it has marks again'); // prettier-ignore
  test.end();
});

t.test('marks beyond the bound go, and the floor takes their place', (test) => {
  const { write, seal, marks } = rig(4000);
  for (let series = 0; series < 200; series += 1) {
    write([[`host-${series}`, 10]]);
    seal();
    if (marks.bytes > 4300) test.fail(`${marks.bytes} bytes`);
  }
  test.equal(write([['other', 10], ['other', 11]]), '10'); // prettier-ignore
  test.end();
});

t.test('marks of series that come no more are forgotten with their hours', (test) => {
  const { write, seal, marks } = rig();
  let highest = 0;
  for (let hour = 0; hour < 50; hour += 1) {
    write(Array.from({ length: 100 }, (_, series) => [`${hour}-${series}`, hour * 3600] as const));
    seal();
    highest = Math.max(highest, marks.bytes);
  }
  test.ok(highest < 60_000, `${highest} bytes`);
  test.end();
});

t.test('repeats are counted, and apart those of hours with rows of before a naming', (test) => {
  const facts = (id: number, hour: number, namings: number): FileFacts => ({
    id,
    measurementId: 16,
    path: '',
    sha256: '',
    bytes: 1,
    rows: 1,
    hours: [[hour, 0, 9]],
    flags: 0,
    lsns: [0, 0],
    part: [0, 1],
    seqMax: 0,
    columns: [],
    ...(namings > 0 && { namings }),
  });
  const files = [facts(1, 0, 0), facts(2, 0, 1), facts(3, 1, 1), facts(4, 2, 2), facts(5, 2, 1)];
  for (const each of [files, files.toReversed()]) {
    const marks = new SeriesMarks(each, { bytesMax: 2 ** 20, hashSeed: 9 });
    const judged = (hour: number, namings: number) => {
      const times = BigInt64Array.of(BigInt(hour) * hourUs, BigInt(hour) * hourUs + 10n);
      const rows = { times, series: new RowSeries(), namings, hoursLast: [hour], tags: () => [] };
      const before = [marks.repeats, marks.unmergedRepeats];
      marks.judge(16, rows)?.judge(hour, 0, 2, () => undefined);
      return [marks.repeats, marks.unmergedRepeats].map((now, index) => now - (before[index] ?? 0));
    };
    test.same(judged(0, 0), [1, 0], 'one of two rows is at or below the floor');
    test.same(judged(0, 1), [1, 1]);
    test.same(judged(1, 1), [1, 0], 'the hour has no row of before');
    test.same(judged(2, 2), [1, 1]);
    test.same(judged(3, 2), [0, 0], 'an hour without rows');
  }
  test.end();
});
