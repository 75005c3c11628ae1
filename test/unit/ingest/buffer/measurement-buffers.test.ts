/**
 * Buffers against a naive model that keeps every row as a plain object: random batches with any
 * columns, seals and commits in between.
 */
import t from 'tap';
import fc from 'fast-check';
import type { ColumnBatch } from '../../../../src/base/model/column-batch.ts';
import { hourOf } from '../../../../src/base/model/partition.ts';
import type { PhysicalType } from '../../../../src/base/model/schema.ts';
import type { MeasurementBuffer } from '../../../../src/ingest/buffer/measurement-buffer.ts';
import {
  bufferHoursMax,
  MeasurementBuffers,
} from '../../../../src/ingest/buffer/measurement-buffers.ts';
import type { RowSet } from '../../../../src/storage/parquet/types.ts';
import { FakeClock, smallBatch } from '../../../support/flush-fakes.ts';
import { columnRef, columnValues, plainRows, type Value } from '../../../support/row-sets.ts';

const types: readonly PhysicalType[] = ['int64', 'uint64', 'double', 'boolean', 'string', 'string'];

function buffersWith(overrides: Partial<ConstructorParameters<typeof MeasurementBuffers>[1]> = {}) {
  const clock = new FakeClock();
  const options = {
    positions: [],
    lowWater: 0,
    rowsMax: 50_000,
    bufferBytesMax: 2 ** 26,
    memoryBytesMax: 2 ** 26,
    hashSeed: 5,
  };
  return { clock, buffers: new MeasurementBuffers(clock, { ...options, ...overrides }) };
}

/** A row of the model: its `_seq`, time and values by column id. */
interface ModelRow {
  readonly seq: number;
  readonly time: bigint;
  readonly values: ReadonlyMap<number, Value>;
}

interface Model {
  readonly measurementId: number;
  readonly hasIdentity: boolean;
  readonly rows: ModelRow[];
}

const valueOf: Readonly<Record<PhysicalType, fc.Arbitrary<Value>>> = {
  int64: fc.bigInt({ min: -(2n ** 63n), max: 2n ** 63n - 1n }),
  uint64: fc.bigInt({ min: 0n, max: 2n ** 64n - 1n }),
  double: fc.double({ noNaN: true, noDefaultInfinity: true }),
  boolean: fc.boolean(),
  string: fc.oneof(fc.constantFrom('', 'a', 'b'), fc.string({ unit: 'grapheme', maxLength: 40 })),
};

/** Rows of one batch: time and, by column, a value or null. */
const batchRows = fc.array(
  fc.record({
    time: fc.bigInt({ min: -(2n ** 63n), max: 2n ** 63n - 1n }),
    values: fc.tuple(...types.map((type) => fc.option(valueOf[type], { freq: 4 }))) as fc.Arbitrary<
      Value[]
    >,
  }),
  { minLength: 1, maxLength: 40 },
);

const step = fc.oneof(
  {
    weight: 6,
    arbitrary: fc.record({
      kind: fc.constant('record' as const),
      batches: fc.array(
        fc.record({
          id: fc.integer({ min: 16, max: 18 }),
          hasIdentity: fc.boolean(),
          rows: batchRows,
        }),
        { minLength: 1, maxLength: 3 },
      ),
      skipped: fc.integer({ min: 0, max: 5 }),
    }),
  },
  {
    weight: 2,
    arbitrary: fc.record({
      kind: fc.constant('seal' as const),
      id: fc.integer({ min: 16, max: 18 }),
    }),
  },
  {
    weight: 2,
    arbitrary: fc.record({
      kind: fc.constant('file' as const),
      id: fc.integer({ min: 16, max: 18 }),
    }),
  },
);

type Rows = typeof batchRows extends fc.Arbitrary<infer T> ? T : never;

/** Columns without any value in the batch are not in it, as decoders make them. */
function batchOf(measurementId: number, hasIdentity: boolean, rows: Rows): ColumnBatch {
  const columns = types.flatMap((type, id) => {
    const values = rows.map((row) => row.values[id] ?? null);
    if (values.every((value) => value === null)) return [];
    return [columnValues({ column: columnRef(id, 'field', type, `c${id}`), values })];
  });
  return {
    measurementId,
    database: 'd',
    measurement: `m${measurementId}`,
    hasIdentity,
    rowCount: rows.length,
    times: BigInt64Array.from(rows, ({ time }) => time),
    columns,
  };
}

function rowsOf(set: RowSet): { seq: number; time: bigint; values: Map<number, Value> }[] {
  const { seqRuns } = set;
  let run = 0;
  return plainRows(set).map(([time, ...values], row) => {
    if (seqRuns[run + 2] === row) run += 2;
    const held = set.columns.flatMap(({ column }, index): [number, Value][] => {
      const value = values[index] ?? null;
      return value === null ? [] : [[column.physical.id, value]];
    });
    const seq = (seqRuns[run + 1] ?? 0) + row - (seqRuns[run] ?? 0);
    return { seq, time: time as bigint, values: new Map(held) };
  });
}

function checkHours(buffer: MeasurementBuffer): void {
  for (const set of buffer.sets) {
    const counts = new Map<number, number>();
    for (const time of set.view().times) {
      counts.set(hourOf(time), (counts.get(hourOf(time)) ?? 0) + 1);
    }
    const equal = [...counts].every(([hour, count]) => set.hourRows.get(hour) === count);
    if (!equal || counts.size !== set.hourRows.size) throw new Error('rows per hour');
  }
}

t.test('buffers hold exactly the rows that a plain model holds', (test) => {
  fc.assert(
    fc.property(fc.array(step, { maxLength: 30 }), (steps) => {
      const { buffers } = buffersWith();
      const models: Model[] = [];
      const sealed = new Map<number, MeasurementBuffer[]>();
      let lsn = 7;
      let entered = 0;
      for (const event of steps) {
        if (event.kind === 'record') {
          let ordinal = 0;
          for (const { id, hasIdentity, rows } of event.batches) {
            const first = lsn + ordinal;
            if (!buffers.append(batchOf(id, hasIdentity, rows), lsn, ordinal))
              throw new Error('filed');
            let model = models.find((m) => m.measurementId === id && m.hasIdentity === hasIdentity);
            if (model === undefined)
              models.push((model = { measurementId: id, hasIdentity, rows: [] }));
            rows.forEach(({ time, values }, row) => {
              const held = values.flatMap((value, column): [number, Value][] =>
                value === null ? [] : [[column, value]],
              );
              model.rows.push({ seq: first + row, time, values: new Map(held) });
            });
            ordinal += rows.length;
          }
          lsn += ordinal;
          entered = lsn - 1;
          buffers.recordEntered(entered);
          lsn += event.skipped;
        } else if (event.kind === 'seal') {
          const made = buffers.seal([event.id]);
          made.forEach(checkHours);
          sealed.set(event.id, [...(sealed.get(event.id) ?? []), ...made]);
        } else {
          const filed = sealed.get(event.id)?.shift();
          if (filed === undefined) continue;
          buffers.filed(event.id, filed.lastSeq);
          for (const model of models) {
            if (model.measurementId !== event.id) continue;
            model.rows.splice(0, model.rows.findIndex(({ seq }) => seq > filed.lastSeq) >>> 0);
          }
        }
        for (const model of models) {
          const seen = buffers
            .hot(model.measurementId)
            .filter(({ rows }) => rows.hasIdentity === model.hasIdentity)
            .flatMap(({ rows }) => rowsOf(rows.view()));
          if (!isEqual(seen, model.rows)) throw new Error('other rows than the model');
        }
        const first = Math.min(entered + 1, ...models.flatMap(({ rows }) => rows[0]?.seq ?? []));
        if (buffers.lowWater() >= first) throw new Error('low water above a row that is not filed');
        const count = models.reduce((sum, { rows }) => sum + rows.length, 0);
        if (buffers.rows !== count) throw new Error('row count');
        if (count === 0 && buffers.bytes !== 0) throw new Error('bytes without rows');
        if (count === 0 && buffers.lowWater() !== entered) throw new Error('low water lags');
      }
    }),
    { numRuns: 150 },
  );
  test.pass('150 runs');
  test.end();
});

function isEqual(a: readonly ModelRow[], b: readonly ModelRow[]): boolean {
  return (
    a.length === b.length &&
    a.every((row, index) => {
      const other = b[index];
      if (other === undefined || row.seq !== other.seq || row.time !== other.time) return false;
      if (row.values.size !== other.values.size) return false;
      return [...row.values].every(([id, value]) => Object.is(other.values.get(id), value));
    })
  );
}

t.test(
  'a column that is known to be a tag stays one when rows decided before come late',
  (test) => {
    const { buffers } = buffersWith();
    const kinds = ['unknown', 'tag', 'unknown'] as const;
    kinds.forEach((kind, index) => {
      const column = columnRef(1, kind, 'string', 'rack');
      const columns = [columnValues({ column, values: [`r${index}`] })];
      const batch = { ...smallBatch(16, 1), hasIdentity: true, columns };
      buffers.append(batch, index + 1, 0);
      buffers.recordEntered(index + 1);
    });
    const [hot] = buffers.hot(16);
    test.same(
      hot?.rows.tags().map(({ column }) => column.kind),
      ['tag'],
    );
    test.end();
  },
);

t.test('a view stays as it was while more rows come', (test) => {
  const { buffers } = buffersWith();
  buffers.append(smallBatch(16, 10), 1, 0);
  buffers.recordEntered(10);
  const [hot] = buffers.hot(16);
  const view = hot?.rows.view();
  if (view === undefined) throw new Error('no rows');
  const before = plainRows(view);
  for (let lsn = 11; lsn < 5000; lsn += 100) {
    buffers.append(smallBatch(16, 100), lsn, 0);
    buffers.recordEntered(lsn + 99);
  }
  test.strictSame(plainRows(view), before);
  test.end();
});

t.test('a view that is read stays as it was although its rows were filed', (test) => {
  const { buffers } = buffersWith();
  const enter = (lsn: number) => {
    buffers.append(smallBatch(16, 100), lsn, 0);
    buffers.recordEntered(lsn + 99);
  };
  enter(1);
  const [hot] = buffers.hot(16);
  const view = hot?.rows.view();
  const end = hot?.rows.read();
  if (view === undefined || end === undefined) throw new Error('no rows');
  const before = plainRows(view);
  buffers.seal([16]);
  buffers.filed(16, 100);
  for (let lsn = 101; lsn < 1000; lsn += 100) enter(lsn);
  test.strictSame(plainRows(view), before);
  end();
  buffers.seal([16]);
  buffers.filed(16, 1000);
  const taken = new Set([view.times.buffer, ...view.columns.map(({ values }) => values.buffer)]);
  enter(1001);
  test.ok(taken.has(buffers.hot(16)[0]?.rows.view().times.buffer as ArrayBufferLike), 'reused');
  test.end();
});

t.test('replay skips rows that are filed, and refuses a batch filed in part', (test) => {
  const { buffers } = buffersWith({ positions: [[16, 20]], lowWater: 5 });
  test.notOk(buffers.append(smallBatch(16, 10), 11, 0), 'up to the position');
  test.ok(buffers.append(smallBatch(17, 10), 11, 10), 'another measurement of the same record');
  buffers.recordEntered(30);
  test.equal(buffers.rows, 10);
  test.equal(buffers.lowWater(), 10);
  test.throws(() => buffers.append(smallBatch(16, 10), 15, 0), { code: 'HF_BUG' });
  test.end();
});

t.test('behind a record that broke off while it entered, nothing enters or is filed', (test) => {
  const { buffers } = buffersWith();
  buffers.append(smallBatch(16, 10), 1, 0);
  buffers.recordEntered(10);
  buffers.append(smallBatch(16, 10), 11, 0);
  const batch = smallBatch(17, 10);
  // As when memory for a grown column cannot be had.
  const broken = { ...batch, columns: batch.columns.map((c) => ({ ...c, dictionary: undefined })) };
  test.throws(() => buffers.append(broken, 11, 10));
  test.throws(() => buffers.append(smallBatch(18, 10), 31, 0), { code: 'HF_BUG' }, 'the next one');
  test.throws(() => buffers.seal([16, 17, 18]), { code: 'HF_BUG' }, 'half a request is not filed');
  test.equal(buffers.lowWater(), 0, 'and the log keeps all of it');
  test.end();
});

t.test('memory is accounted and given back, dictionaries and sparse columns too', (test) => {
  const { buffers } = buffersWith();
  buffers.append(smallBatch(16, 1000), 1, 0);
  buffers.recordEntered(1000);
  const few = buffers.bytes;
  // 1,000 rows: 8 bytes each for time and value, 4 for the code, and what the objects cost.
  test.ok(few >= 20_000 && few < 30_000, `${few} bytes`);
  const text = columnRef(5, 'field', 'string', 'text');
  const column = columnValues({ column: text, values: ['x'.repeat(1_000_000), null] });
  buffers.append({ ...smallBatch(16, 2), columns: [column] }, 1001, 0);
  buffers.recordEntered(1002);
  test.ok(buffers.bytes - few >= 1_000_000);
  test.ok(buffers.bytes - few < 1_200_000);
  const [sealed] = buffers.seal([16]);
  test.equal(buffers.openBytes, 0);
  test.ok(buffers.bytes > few, 'sealed buffers count');
  buffers.filed(16, sealed?.lastSeq ?? 0);
  test.equal(buffers.bytes, 0);
  test.end();
});

t.test('full buffers are told of between records only', (test) => {
  const { buffers } = buffersWith({ rowsMax: 20 });
  const told: (readonly number[])[] = [];
  buffers.onFull((ids) => told.push(ids));
  buffers.append(smallBatch(16, 30), 1, 0);
  test.throws(() => buffers.seal([16]), { code: 'HF_BUG' }, 'a record is half in');
  buffers.append(smallBatch(17, 3), 1, 30);
  test.strictSame(told, []);
  buffers.recordEntered(33);
  test.strictSame(told, [[16]]);
  test.end();
});

t.test('a buffer of very many hours is full', (test) => {
  const { buffers } = buffersWith({ rowsMax: 1e6 });
  const told: (readonly number[])[] = [];
  buffers.onFull((ids) => told.push(ids));
  const hourly = { stepUs: 3_600_000_000n };
  buffers.append(smallBatch(16, bufferHoursMax - 1, hourly), 1, 0);
  buffers.recordEntered(bufferHoursMax - 1);
  test.strictSame(told, []);
  buffers.append(smallBatch(16, 1, { firstUs: 0n }), bufferHoursMax, 0);
  buffers.recordEntered(bufferHoursMax);
  test.strictSame(told, [[16]]);
  test.end();
});

t.test('sizes and age are those of rows that no commit has filed', (test) => {
  const { buffers, clock } = buffersWith();
  test.equal(buffers.oldestAgeMs(), 0);
  buffers.append(smallBatch(16, 3), 1, 0);
  buffers.recordEntered(3);
  clock.nowMs += 500;
  const [sealed] = buffers.seal([16]);
  buffers.append(smallBatch(16, 4), 4, 0);
  buffers.append(smallBatch(17, 5, { hasIdentity: false }), 4, 4);
  buffers.recordEntered(12);
  clock.nowMs += 500;
  test.equal(buffers.oldestAgeMs(), 1000);
  test.strictSame(buffers.sizes(), { 'd.m16': 7, 'd.m17': 5 });
  buffers.filed(16, sealed?.lastSeq ?? 0);
  test.equal(buffers.oldestAgeMs(), 500);
  test.strictSame(buffers.sizes(), { 'd.m16': 4, 'd.m17': 5 });
  test.end();
});

t.test('series that come again in runs, in any order, keep their strings', (test) => {
  const run = fc.record({
    from: fc.nat(80),
    count: fc.integer({ min: 1, max: 90 }),
    step: fc.constantFrom(1, 1, 1, 7),
  });
  fc.assert(
    fc.property(fc.array(run, { minLength: 1, maxLength: 12 }), (runs) => {
      const { buffers } = buffersWith();
      const expected: string[] = [];
      let lsn = 1;
      for (const { from, count, step } of runs) {
        const hosts = Array.from({ length: count }, (_, index) => `host_${from + index * step}`);
        const column = columnValues({
          column: columnRef(0, 'tag', 'string', 'host'),
          values: hosts,
        });
        buffers.append(
          {
            measurementId: 16,
            database: 'd',
            measurement: 'm',
            hasIdentity: true,
            rowCount: count,
            times: new BigInt64Array(count),
            columns: [column],
          },
          lsn,
          0,
        );
        buffers.recordEntered(lsn + count - 1);
        lsn += count;
        expected.push(...hosts);
      }
      const [hot] = buffers.hot(16);
      const rows = hot === undefined ? [] : plainRows(hot.rows.view());
      test.strictSame(
        rows.map((row) => row.at(1)),
        expected,
      );
    }),
    { numRuns: 60 },
  );
  test.end();
});
