/**
 * Records and seals that take long: done piece by piece, with everything that may come between two
 * pieces. Turns are run by the test, one piece each, and pieces are counted, not timed.
 */
import t from 'tap';
import fc from 'fast-check';
import type { ColumnBatch, ColumnValues } from '../../../../src/base/model/column-batch.ts';
import { atOnce, turnMs } from '../../../../src/base/lib/turns.ts';
import { mergedStringsMax } from '../../../../src/ingest/buffer/dictionary-buffer.ts';
import { Flusher } from '../../../../src/ingest/buffer/flusher.ts';
import {
  Judge,
  MeasurementMarks,
  type MarkedRows,
} from '../../../../src/ingest/buffer/measurement-marks.ts';
import { MeasurementBuffers } from '../../../../src/ingest/buffer/measurement-buffers.ts';
import { RowSeries } from '../../../../src/ingest/buffer/row-series.ts';
import { floorOfDropped, SeriesMarks } from '../../../../src/ingest/buffer/series-marks.ts';
import { KeyScratch, seriesPerStep } from '../../../../src/ingest/buffer/series-table.ts';

import { hourUs } from '../../../../src/base/model/partition.ts';
import {
  FakeClock,
  FakeCommitter,
  FakeEncoder,
  settled,
  smallBatch,
} from '../../../support/flush-fakes.ts';
import { columnRef, columnValues, plainRows } from '../../../support/row-sets.ts';

const firstUs = 1_790_000_000_000_000n;

/** Rows with a tag and a text of their own each; `id` tells batches apart. */
function distinctBatch(measurementId: number, rowCount: number, id = 'a'): ColumnBatch {
  const texts = Array.from({ length: rowCount }, (_, row) => `${id}${row}`);
  const times = BigInt64Array.from({ length: rowCount }, (_, row) => firstUs + BigInt(row));
  const columns = [
    columnValues({ column: columnRef(0, 'tag', 'string', 'host'), values: texts }),
    columnValues({ column: columnRef(2, 'field', 'string', 'text'), values: texts }),
    columnValues({
      column: columnRef(3, 'field', 'double', 'half'),
      values: texts.map((_, row) => (row % 2 === 0 ? row : null)),
    }),
  ];
  const measurement = `m${measurementId}`;
  return { measurementId, database: 'd', measurement, hasIdentity: true, rowCount, times, columns };
}

/** Time passes with each look at it, so that a turn has one piece. */
class TickingClock extends FakeClock {
  override monotonicMs(): number {
    this.nowMs += turnMs;
    return this.nowMs;
  }
}

function rig() {
  const turns: (() => void)[] = [];
  const marks = new SeriesMarks([], { bytesMax: 2 ** 24, hashSeed: 9 });
  const buffers = new MeasurementBuffers(new TickingClock(), {
    positions: [],
    lowWater: 0,
    rowsMax: 1e6,
    bufferBytesMax: 2 ** 28,
    memoryBytesMax: 2 ** 28,
    hashSeed: 5,
    marks,
    later: (turn) => turns.push(turn),
  });
  const done: string[] = [];
  const enter = (batches: readonly ColumnBatch[], lsn: number, name: string) => {
    buffers.enter(batches, lsn, (error, { entered }) => {
      done.push(error === undefined ? `${name}: ${entered}` : `${name}: ${String(error)}`);
    });
  };
  /** Runs all turns; `between` is called before each. Returns how many there were. */
  const drain = (between: () => void = () => undefined) => {
    let count = 0;
    for (let turn = turns.shift(); turn !== undefined; turn = turns.shift()) {
      between();
      turn();
      count += 1;
    }
    return count;
  };
  const rowsSeen = (id: number) => buffers.hot(id).map(({ rowCount }) => rowCount);
  return { buffers, marks, turns, done, enter, drain, rowsSeen };
}

t.test('a record of usual size enters at once', (test) => {
  const { turns, done, enter } = rig();
  enter([smallBatch(16, 1000), smallBatch(17, 1000)], 1, 'usual');
  test.strictSame(done, ['usual: 2000']);
  test.equal(turns.length, 0);
  test.end();
});

t.test('a large record enters in bounded pieces and is seen when all of it is in', (test) => {
  const { buffers, done, enter, drain, rowsSeen } = rig();
  enter([distinctBatch(16, 10)], 1, 'first');
  const [hot] = buffers.hot(16);
  const before = plainRows(hot?.rows.view() as never);
  const rowCount = 20_000;
  const large = [distinctBatch(16, rowCount, 'b'), smallBatch(17, 5), distinctBatch(18, 3000)];
  enter(large, 11, 'large');
  let strings = 0;
  const pieces = drain(() => {
    test.strictSame(done, ['first: 10']);
    test.equal(buffers.enteredTo, 10);
    test.equal(buffers.lowWater(), 0);
    test.strictSame([rowsSeen(16), rowsSeen(17), rowsSeen(18)], [[10], [], []]);
    const [seen] = buffers.hot(16);
    test.strictSame(plainRows(seen?.rows.view() as never), before);
    const count = seen?.rows.tags()[0]?.dictionary?.count ?? 0;
    test.ok(count - strings <= mergedStringsMax, `${count - strings} strings at once`);
    strings = count;
  });
  test.ok(pieces >= (2 * rowCount) / mergedStringsMax, `${pieces} pieces`);
  test.strictSame(done, ['first: 10', 'large: 23005']);
  test.strictSame([rowsSeen(16), rowsSeen(17), rowsSeen(18)], [[20_010], [5], [3000]]);
  test.equal(buffers.enteredTo, 23_015);
  test.end();
});

function bytesOf({ values }: ColumnValues): Buffer {
  return Buffer.from(values.buffer, values.byteOffset, values.byteLength);
}

t.test('pieces make the same buffer as one go', (test) => {
  const rows = 150_000;
  const make = (isInPieces: boolean) => {
    const { buffers, enter, drain } = rig();
    const batches = [distinctBatch(16, 100), distinctBatch(16, rows, 'x'), distinctBatch(16, 100)];
    let lsn = 1;
    for (const batch of batches) {
      if (isInPieces) {
        enter([batch], lsn, '');
        drain();
      } else {
        buffers.append(batch, lsn, 0);
        buffers.recordEntered(lsn + batch.rowCount - 1);
      }
      lsn += batch.rowCount;
    }
    const [hot] = buffers.hot(16);
    return { view: hot?.rows.view(), hours: hot?.rows.hourRows, bytes: buffers.bytes };
  };
  const [one, other] = [make(false), make(true)];
  test.strictSame(other.view?.seqRuns, one.view?.seqRuns);
  test.strictSame(other.hours, one.hours);
  test.equal(other.bytes, one.bytes);
  test.equal(other.view?.columns.length, 3);
  one.view?.columns.forEach((column, index) => {
    const same = other.view?.columns[index];
    test.ok(same !== undefined && bytesOf(column).equals(bytesOf(same)));
    test.equal(same?.rows?.length, column.rows?.length);
    test.ok(column.rows?.every((row, at) => same?.rows?.[at] === row) ?? true);
    test.equal(same?.dictionary?.count, column.dictionary?.count);
  });
  test.equal(one.view?.columns[0]?.dictionary?.count, rows + 100);
  test.end();
});

t.test('records behind a large one wait for it and enter in the order of their LSNs', (test) => {
  const { done, enter, drain, rowsSeen } = rig();
  enter([distinctBatch(16, 20_000)], 1, 'large');
  enter([smallBatch(17, 10)], 20_001, 'second');
  enter([distinctBatch(16, 20_000, 'b')], 20_011, 'third');
  enter([smallBatch(17, 10)], 40_011, 'fourth');
  test.strictSame(rowsSeen(17), [], 'not past the large one');
  drain();
  test.strictSame(done, ['large: 20000', 'second: 10', 'third: 20000', 'fourth: 10']);
  test.strictSame([rowsSeen(16), rowsSeen(17)], [[40_000], [20]]);
  test.end();
});

t.test('a seal that is asked for in the middle of a record waits for its end', (test) => {
  const { buffers, turns, enter, drain, rowsSeen } = rig();
  enter([distinctBatch(16, 20_000)], 1, 'large');
  turns.shift()?.();
  test.throws(() => buffers.seal([16]), { code: 'HF_BUG' }, 'half a record is never filed');
  const sealed: (readonly number[])[] = [];
  buffers.sealInTurn(
    () => [16],
    (made) => sealed.push(made.map(({ rows }) => rows)),
  );
  enter([distinctBatch(16, 7)], 20_001, 'behind');
  test.strictSame(sealed, []);
  drain();
  test.strictSame(sealed, [[20_000]], 'all of the record, nothing of the one behind');
  test.strictSame(rowsSeen(16), [20_000, 7]);
  test.end();
});

t.test('rows of many series are sealed in bounded pieces, and repeated afterwards', (test) => {
  const { buffers, enter, drain } = rig();
  const rowCount = 10_000;
  enter([distinctBatch(16, rowCount)], 1, 'first');
  drain();
  const [hot] = buffers.hot(16);
  const rows = hot?.rows;
  if (rows === undefined) throw new Error('no rows');
  let isSealed = false;
  buffers.sealInTurn(
    () => [16],
    () => {
      isSealed = true;
    },
  );
  enter([distinctBatch(16, rowCount)], rowCount + 1, 'again');
  const pieces = drain(() => {
    if (!isSealed) test.equal(buffers.hot(16)[0]?.rowCount, rowCount, 'seen meanwhile');
  });
  test.ok(pieces >= rowCount / seriesPerStep);
  const repeats = buffers.hot(16)[1]?.rows.view().repeats ?? new Uint8Array(0);
  test.equal(
    repeats.reduce((sum, flag) => sum + flag, 0),
    rowCount,
  );
  test.end();
});

function markedRows(
  times: BigInt64Array,
  series: RowSeries,
  hoursLast: readonly number[],
  tags: MarkedRows['tags'],
): MarkedRows {
  return { times, series, hoursLast, tags, namings: 0 };
}

/** Counts what costs time. */
class CountingSeries extends RowSeries {
  keys = 0;

  override writeKey(series: number, key: KeyScratch): void {
    this.keys += 1;
    super.writeKey(series, key);
  }
}

t.test('a seal looks at a bounded number of series between two pauses', (test) => {
  const count = 5000;
  const { columns, times } = distinctBatch(16, count);
  const series = new CountingSeries();
  const hour = Number(firstUs / hourUs);
  const rows = markedRows(times, series, [hour], () => columns.slice(0, 1));
  const marks = new MeasurementMarks(floorOfDropped, 3);
  let before = 0;
  for (const steps = marks.sealing(rows, 2 ** 24); steps.next().done !== true; ) {
    test.ok(series.keys - before <= seriesPerStep, `${series.keys - before} series`);
    before = series.keys;
  }
  test.equal(series.keys, count);
  test.equal(marks.keptOf(hour)?.highest !== 0, true);
  test.end();
});

t.test('marks that cannot fit are not made: the floor is there at once', (test) => {
  const { columns, times } = distinctBatch(16, 1000);
  const series = new CountingSeries();
  const hour = Number(firstUs / hourUs);
  const rows = markedRows(times, series, [hour], () => columns.slice(0, 1));
  const marks = new MeasurementMarks(floorOfDropped, 3);
  atOnce(marks.sealing(rows, 10_000));
  test.equal(series.keys, 0);
  test.notOk(marks.hasMarks);
  test.equal(marks.floors.at(hour), Number((firstUs % hourUs) + 1000n));
  test.end();
});

t.test('rows that jump between hours are looked at once', (test) => {
  const rowCount = 20_000;
  const hour = Number(firstUs / hourUs);
  const sealed = distinctBatch(16, 10);
  const marks = new MeasurementMarks(floorOfDropped, 3);
  for (const at of [hour, hour + 1]) {
    const times = sealed.times.map((time) => time + BigInt(at - hour) * hourUs);
    const tags = () => sealed.columns.slice(0, 1);
    const rows = markedRows(times, new RowSeries(), [at], tags);
    atOnce(marks.sealing(rows, 2 ** 24));
  }
  const batch = distinctBatch(16, rowCount);
  const times = batch.times.map((_, row) => firstUs + BigInt(row % 2) * hourUs);
  let looks = 0;
  const tags = () => {
    looks += 1;
    return batch.columns.slice(0, 1);
  };
  const counts = { repeats: 0, unmergedRepeats: 0 };
  const judge = new Judge(marks, markedRows(times, new RowSeries(), [], tags), counts);
  const found: number[] = [];
  for (let row = 0; row < rowCount; row += 1) {
    judge.judge(hour + (row % 2), row, row + 1, (repeat) => found.push(repeat));
  }
  test.equal(looks, 1);
  test.equal(counts.repeats, 10);
  test.strictSame(
    found,
    Array.from({ length: 10 }, (_, row) => row),
    'those of series that were sealed',
  );
  test.end();
});

t.test('an error in the middle is told once; nothing enters or is sealed behind it', (test) => {
  const { buffers, turns, done, enter, rowsSeen } = rig();
  enter([distinctBatch(16, 10)], 1, 'first');
  const { columns, ...batch } = distinctBatch(17, 20_000);
  // As when memory for a grown column cannot be had.
  const broken = { ...batch, columns: columns.map((c) => ({ ...c, dictionary: undefined })) };
  enter([distinctBatch(16, 20_000, 'b'), broken], 11, 'broken');
  enter([smallBatch(18, 5)], 40_011, 'behind');
  buffers.sealInTurn(
    () => [16],
    () => test.fail('half a record is sealed'),
  );
  const thrown: unknown[] = [];
  for (let turn = turns.shift(); turn !== undefined; turn = turns.shift()) {
    try {
      turn();
    } catch (error) {
      thrown.push(error);
    }
  }
  test.match(thrown, [{ code: 'HF_BUG' }, { code: 'HF_BUG' }, { code: 'HF_BUG' }]);
  test.equal(done.length, 3);
  test.match(done, ['first: 10', /dictionary/, /broke off/]);
  test.strictSame([rowsSeen(16), rowsSeen(17), rowsSeen(18)], [[10], [], []]);
  test.equal(buffers.enteredTo, 10);
  test.equal(buffers.lowWater(), 0, 'the log keeps all of it');
  test.end();
});

t.test('the last flush waits for the records that are entering, and files them', async (test) => {
  const { buffers, done, enter, drain, turns } = rig();
  const encoder = new FakeEncoder();
  const committer = new FakeCommitter();
  const flusher = new Flusher(
    {
      buffers,
      encoder,
      committer,
      schema: { takeChanges: () => ({}) },
      clock: new FakeClock(),
      walBytes: () => 0,
    },
    {
      limits: {
        rowsMax: 1e6,
        bufferBytesMax: 2 ** 28,
        ageMs: 1e9,
        rowsMin: 1,
        ageMsMax: 1e9,
        openBytesMax: 2 ** 28,
        walBytesMax: 2 ** 28,
      },
      hourFileMinRows: 1000,
      encodingMax: 4,
      tickMs: 1e6,
      retryMsMin: 1,
      retryMsMax: 1,
    },
  );
  enter([distinctBatch(16, 20_000)], 1, 'large');
  turns.shift()?.();
  flusher.flush([16]);
  flusher.flush([16]);
  enter([distinctBatch(17, 20_000)], 20_001, 'next');
  const filed = flusher.flushAll(60_000);
  await settled();
  test.equal(encoder.flushes.length, 0, 'nothing is sealed yet');
  drain();
  test.strictSame(done, ['large: 20000', 'next: 20000']);
  while (committer.proposals.length < 2) {
    await settled();
    encoder.finish();
  }
  test.equal(await filed, true);
  test.strictSame(
    committer.proposals.map(({ positions }) => positions),
    [[[16, 20_000]], [[17, 40_000]]],
  );
  test.strictSame(committer.violations, []);
  test.equal(buffers.rows, 0);
  test.end();
});

t.test('a tag that comes late leaves the series of earlier rows as they are', (test) => {
  const value = fc.option(fc.constantFrom('', 'a', 'b'), { nil: null });
  const rows = fc.array(fc.tuple(value, value, value), { minLength: 1, maxLength: 12 });
  fc.assert(
    fc.property(fc.array(rows, { minLength: 1, maxLength: 4 }), (parts) => {
      const all = parts.flat();
      /** The columns as they are after so many rows; those without a value are not there. */
      const tagsOf = (count: number) =>
        [2, 0, 1].flatMap((id) => {
          const values = all.slice(0, count).map((row) => row[id as 0 | 1 | 2]);
          if (values.every((each) => each === null)) return [];
          return [columnValues({ column: columnRef(id, 'tag', 'string', `t${id}`), values })];
        });
      const grown = new RowSeries();
      let count = 0;
      for (const part of parts) {
        count += part.length;
        grown.map(tagsOf(count), count);
      }
      const fresh = new RowSeries();
      const [one, other] = [grown, fresh].map((series) => keysOf(series, tagsOf(count), count));
      if (one?.join() !== other?.join()) throw new Error('other keys');
      const named = all.map((row) => row.map((each) => each ?? '').join('|'));
      const isSame = named.every(
        (name, row) => named.indexOf(name) === one?.indexOf(one[row] ?? ''),
      );
      if (!isSame) throw new Error('other series');
    }),
    { numRuns: 300 },
  );
  test.pass('300 runs');
  test.end();
});

function keysOf(
  series: RowSeries,
  tags: Parameters<RowSeries['map']>[0],
  count: number,
): readonly string[] {
  const key = new KeyScratch();
  return Array.from(series.map(tags, count).slice(0, count), (own) => {
    series.writeKey(own, key);
    return key.bytes.toString('hex', 0, key.length);
  });
}
