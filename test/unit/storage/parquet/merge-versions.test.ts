/**
 * Versions of points within one flush against the plain model: one row per point, each field from
 * the newest version that has any of its parts; and what a query is told of a hot chunk against
 * brute force.
 */
import assert from 'node:assert/strict';
import t from 'tap';
import fc from 'fast-check';
import { hourOf } from '../../../../src/base/model/partition.ts';
import type { ColumnRef, PhysicalType } from '../../../../src/base/model/schema.ts';
import { hotHours } from '../../../../src/storage/parquet/hot-hours.ts';
import { mergeVersions } from '../../../../src/storage/parquet/merge-versions.ts';
import type { RowSet } from '../../../../src/storage/parquet/types.ts';
import { columnRef, plainRows, rowSet, type Value } from '../../../support/row-sets.ts';
import { mergedPlainRows, pointOf } from '../../../support/version-model.ts';

/** Two tags, out of order; a field of one part, one of two parts, one of strings. */
const columns: readonly ColumnRef[] = [
  columnRef(4, 'tag', 'string', 'b'),
  columnRef(1, 'tag', 'string', 'a'),
  columnRef(2, 'field', 'double', 'x'),
  columnRef(3, 'field', 'int64', 'y'),
  { ...columnRef(5, 'field', 'double', 'y', 'y__double'), sqlName: 'y' },
  columnRef(6, 'field', 'string', 's'),
  columnRef(7, 'field', 'boolean', 'f'),
];

const valueOf: Readonly<Record<PhysicalType, fc.Arbitrary<Value>>> = {
  int64: fc.bigInt({ min: -(2n ** 63n), max: 2n ** 63n - 1n }),
  uint64: fc.bigInt({ min: 0n, max: 2n ** 64n - 1n }),
  double: fc.double({ noNaN: true, noDefaultInfinity: true }),
  boolean: fc.boolean(),
  string: fc.string({ unit: 'grapheme', maxLength: 5 }),
};

function valuesOf({ kind, physical }: ColumnRef): fc.Arbitrary<Value> {
  if (kind === 'tag') return fc.constantFrom<Value>(null, null, '', 'p', 'q');
  return fc.option(valueOf[physical.type], { freq: 1 });
}

const row = fc.record({
  time: fc
    .tuple(fc.integer({ min: 0, max: 2 }), fc.integer({ min: 0, max: 2 }))
    .map(([hour, offset]) => BigInt(hour) * 3_600_000_000n + BigInt(offset)),
  values: fc.tuple(...columns.map(valuesOf)),
});

const sets = fc.tuple(
  fc.array(row, { minLength: 1, maxLength: 30, size: 'max' }),
  fc.boolean(),
  fc.array(fc.integer({ min: 0, max: 3 }), { minLength: 30, maxLength: 30 }),
);

/** A point's rows are first ones and then, perhaps, repeats: marks only rise. */
function repeatsOf(rows: RowSet, wishes: readonly number[]): Uint8Array {
  const repeated = new Set<string>();
  return Uint8Array.from(plainRows(rows), (plain, index) => {
    const point = pointOf(columns, plain);
    if (wishes[index] === 0) repeated.add(point);
    return repeated.has(point) ? 1 : 0;
  });
}

function setOf(made: typeof sets extends fc.Arbitrary<infer S> ? S : never): RowSet {
  const [rows, ordered, wishes] = made;
  const list = ordered ? [...rows].sort((a, b) => Number(a.time - b.time)) : rows;
  const set = rowSet(
    list.map(({ time }) => time),
    columns.map((column, index) => ({
      column,
      values: list.map(({ values }) => values[index] ?? null),
    })),
  );
  return { ...set, repeats: repeatsOf(set, wishes) };
}

t.test('each point is one row with its newest fields, its highest number, first if any', (test) => {
  fc.assert(
    fc.property(sets, (made) => {
      const set = setOf(made);
      const plain = plainRows(set);
      const merged = mergeVersions({ rows: set, hasIdentity: true });
      const shown = plainRows({ ...merged.rows, seqRuns: set.seqRuns });
      const places = merged.order ?? shown.keys();
      const inOrder = [...places].map((place) => shown[place]);
      assert.deepStrictEqual(inOrder, mergedPlainRows(columns, plain));
      [...shown.entries()].forEach(([place, values]) => {
        const versions = plain.flatMap((other, index) =>
          pointOf(columns, other) === pointOf(columns, values) ? [index] : [],
        );
        const isRepeat = versions.every((index) => set.repeats?.[index] === 1);
        if ((merged.rows.repeats?.[place] === 1) !== isRepeat) throw new Error('repeat');
        if (merged.seqs[place] !== 1000 + Math.max(...versions)) throw new Error('number');
      });
    }),
    { numRuns: 300 },
  );
  test.pass('300 runs');
  test.end();
});

t.test('rows without identity are never merged', (test) => {
  fc.assert(
    fc.property(sets, (made) => {
      const set = setOf(made);
      const merged = mergeVersions({ rows: set, hasIdentity: false });
      if (merged.rows.rowCount !== set.rowCount) throw new Error('rows');
    }),
    { numRuns: 100 },
  );
  test.pass();
  test.end();
});

t.test('a hot chunk tells its hours, those with repeats and those with two versions', (test) => {
  fc.assert(
    fc.property(sets, fc.nat(), fc.nat(), (made, a, b) => {
      const set = setOf(made);
      const from = Math.min(a % set.rowCount, b % set.rowCount);
      const to = Math.max(a % set.rowCount, b % set.rowCount) + 1;
      const plain = plainRows(set);
      const spans = new Map<number, bigint[]>();
      const repeatHours = new Set<number>();
      const doubledHours = new Set<number>();
      for (let index = from; index < to; index += 1) {
        const values = plain[index] ?? [];
        const hour = hourOf(values[0] as bigint);
        const offset = (values[0] as bigint) - BigInt(hour) * 3_600_000_000n;
        spans.set(hour, [...(spans.get(hour) ?? []), offset].sort());
        if (set.repeats?.[index] === 1) repeatHours.add(hour);
        const point = pointOf(columns, values);
        if (plain.slice(0, index).some((other) => pointOf(columns, other) === point)) {
          doubledHours.add(hour);
        }
      }
      const job = { rows: set, from, to, path: '' };
      assert.deepStrictEqual(hotHours({ ...job, hasIdentity: true }), {
        hours: [...spans].sort().map(([hour, at]) => [hour, Number(at[0]), Number(at.at(-1))]),
        repeatHours: [...repeatHours].sort(),
        doubledHours: [...doubledHours].sort(),
      });
      assert.deepStrictEqual(hotHours({ ...job, hasIdentity: false }).doubledHours, []);
    }),
    { numRuns: 300 },
  );
  test.pass('300 runs');
  test.end();
});
