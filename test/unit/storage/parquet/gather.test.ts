/**
 * Files, slices and gathered columns against a plain model: whatever the columns, gaps, order and
 * cuts, the slices of a file one after the other are its rows in order.
 */
import t from 'tap';
import fc from 'fast-check';
import { hourOf } from '../../../../src/base/model/partition.ts';
import type { PhysicalType } from '../../../../src/base/model/schema.ts';
import { Gatherer, type ColumnSlice } from '../../../../src/storage/parquet/gather.ts';
import { layoutFiles, layoutRun, type RowLayout } from '../../../../src/storage/parquet/layout.ts';
import { mergeVersions } from '../../../../src/storage/parquet/merge-versions.ts';
import { sortedRows } from '../../../../src/storage/parquet/sort.ts';
import type { RowSet } from '../../../../src/storage/parquet/types.ts';
import {
  columnRef,
  plainRows,
  plannedFiles,
  rowSet,
  type Value,
} from '../../../support/row-sets.ts';

const types: readonly PhysicalType[] = ['string', 'int64', 'uint64', 'double', 'boolean', 'string'];

const valueOf: Readonly<Record<PhysicalType, fc.Arbitrary<Value>>> = {
  int64: fc.bigInt({ min: -(2n ** 63n), max: 2n ** 63n - 1n }),
  uint64: fc.bigInt({ min: 0n, max: 2n ** 64n - 1n }),
  double: fc.double({ noNaN: true, noDefaultInfinity: true }),
  boolean: fc.boolean(),
  string: fc.string({ unit: 'grapheme', maxLength: 5 }),
};

const row = fc.record({
  time: fc.bigInt({ min: -20n, max: 200n }).map((step) => step * 1_000_000_007n),
  values: fc.tuple(...types.map((type) => fc.option(valueOf[type], { freq: 3 }))),
});

/** Which columns have a value in every row; the others keep their gaps. */
const denseColumns = fc.array(fc.boolean(), { minLength: types.length, maxLength: types.length });

const filler: Readonly<Record<PhysicalType, Value>> = {
  int64: 1n,
  uint64: 2n,
  double: 3,
  boolean: true,
  string: 'filled',
};

const sets = fc
  .tuple(fc.array(row, { minLength: 1, maxLength: 40 }), denseColumns)
  .map(([rows, dense]) => {
    const columns = types.map((type, id) => ({
      column: columnRef(id, id === 0 ? 'tag' : 'field', type, `c${id}`),
      values: rows.map(({ values }) => {
        const value = (values as readonly Value[])[id] ?? null;
        return value ?? (dense[id] === true ? filler[type] : null);
      }),
    }));
    return rowSet(
      rows.map(({ time }) => time),
      columns,
    );
  });

function plainColumn(slice: ColumnSlice): Value[] {
  const { values, validity, dictionary, length, column } = slice;
  let nulls = 0;
  const plain = Array.from({ length }, (_, place): Value => {
    const held = validity === undefined || (((validity[place >> 3] ?? 0) >> (place & 7)) & 1) === 1;
    if (!held) {
      nulls += 1;
      return null;
    }
    const value = values[place] as bigint | number;
    if (column.physical.type === 'boolean') return value !== 0;
    if (dictionary === undefined) return value;
    const { bytes, offsets } = dictionary;
    const [from, to] = [offsets[Number(value)], offsets[Number(value) + 1]];
    return Buffer.from(bytes.slice(from, to)).toString('utf8');
  });
  if (nulls !== slice.nullCount || values.length !== length) throw new Error('counts of a slice');
  return plain;
}

/** Rows of each file, slice after slice. */
function gatherFiles(rows: RowSet, layout: RowLayout, fileCount: number): Value[][][] {
  const gatherer = new Gatherer(rows, layout);
  const files: Value[][][] = Array.from({ length: fileCount }, () => []);
  layout.slices.forEach(({ file, length }, index) => {
    const times = [...gatherer.times(index)];
    const columns = rows.columns.map((_, column) => {
      const plain = plainColumn(gatherer.column(column, index));
      const count = plain.filter((value) => value !== null).length;
      if (gatherer.valueCount(column, index) !== count) throw new Error('values of a slice');
      return plain;
    });
    for (let place = 0; place < length; place += 1) {
      files[file]?.push([times[place] ?? null, ...columns.map((column) => column[place] ?? null)]);
    }
  });
  return files;
}

function check(seen: readonly Value[][][], expected: readonly Value[][][]): void {
  const isEqual =
    seen.length === expected.length &&
    seen.every(
      (file, index) =>
        file.length === expected[index]?.length &&
        file.every((values, place) =>
          values.every((value, at) => Object.is(value, expected[index]?.[place]?.[at])),
        ),
    );
  if (!isEqual) throw new Error('other rows than the model');
}

const rowsMax = fc.oneof(fc.integer({ min: 1, max: 7 }), fc.constant(1000));

t.test('the slices of a flush are its files, in order, every value exact', (test) => {
  fc.assert(
    fc.property(sets, rowsMax, fc.integer({ min: 1, max: 5 }), (rows, max, minRows) => {
      const files = plannedFiles(rows, minRows);
      const plain = plainRows(rows);
      const order = [...(sortedRows(rows) ?? plain.keys())];
      const expected = files.map(({ hours }) =>
        order
          .map((place) => plain[place] ?? [])
          .filter(([time]) => hours.includes(hourOf(time as bigint))),
      );
      check(
        gatherFiles(
          rows,
          layoutFiles(mergeVersions({ rows, hasIdentity: false }), files, max),
          files.length,
        ),
        expected,
      );
    }),
    { numRuns: 400 },
  );
  test.pass('400 runs');
  test.end();
});

t.test('a run of rows is what the buffer holds there, even if it holds more', (test) => {
  fc.assert(
    fc.property(sets, rowsMax, fc.nat(), fc.nat(), (rows, max, a, b) => {
      const from = a % rows.rowCount;
      const to = from + 1 + (b % (rows.rowCount - from));
      const layout = layoutRun(from, to, types.length, max);
      check(gatherFiles(rows, layout, 1), [plainRows(rows).slice(from, to)]);
    }),
    { numRuns: 400 },
  );
  test.pass('400 runs');
  test.end();
});
