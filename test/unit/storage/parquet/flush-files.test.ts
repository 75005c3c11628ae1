/**
 * Files of a flush read back by DuckDB and pyarrow: every value exact, in file order, and the facts
 * and footers true. Encodes with the product's own code in this thread.
 */
import { mkdirSync, mkdtempSync, readFileSync, rmSync, statSync } from 'node:fs';
import { createHash } from 'node:crypto';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import t, { type Test } from 'tap';
import { nodeFiles } from '../../../../src/base/disk/files.ts';
import { FileWriter } from '../../../../src/storage/parquet/file-writer.ts';
import { encodeFlush } from '../../../../src/storage/parquet/flush-encoder.ts';
import { readFooterFacts } from '../../../../src/storage/parquet/footer.ts';
import type { FlushJob, RowSet } from '../../../../src/storage/parquet/types.ts';
import { pyarrowPython, readWithDuckdb, readWithPyarrow } from '../../../support/read-parquet.ts';
import { compareValues, mergedPlainRows } from '../../../support/version-model.ts';
import { columnRef, plainRows, plannedFiles, rowSet } from '../../../support/row-sets.ts';
import type { ColumnSpec, Value } from '../../../support/row-sets.ts';

const hourUs = 3_600_000_000n;
t.setTimeout(120_000);

const start = 497_222n * hourUs;
const pyarrow = pyarrowPython();
const root = mkdtempSync(join(tmpdir(), 'holdfast-parquet-'));
t.teardown(() => {
  rmSync(root, { recursive: true });
});

function jobOf(rows: RowSet, hourFileMinRows?: number): FlushJob {
  const files = plannedFiles(rows, hourFileMinRows);
  return {
    measurementId: 17,
    database: 'plant/ä',
    measurement: 'cpu "load"',
    lsns: [1000, 1000 + rows.rowCount - 1],
    sets: [{ hasIdentity: true, rows, files }],
    range: [0, files.length],
  };
}

async function flush(rows: RowSet, hourFileMinRows?: number) {
  const writer = new FileWriter(nodeFiles, root);
  return encodeFlush(jobOf(rows, hourFileMinRows), 'snappy', writer);
}

/** Rows of the model in file order, versions of a point merged. */
function expectedRows(rows: RowSet): readonly (readonly Value[])[] {
  const columns = rows.columns.map(({ column }) => column);
  return mergedPlainRows(columns, plainRows(rows));
}

/** Spreads a file's columns over the set's columns; those that the file lacks are null. */
function widened(columns: readonly string[], rows: readonly (readonly Value[])[], set: RowSet) {
  const places = ['time', ...set.columns.map(({ column }) => column.physical.name)].map((name) =>
    columns.indexOf(name),
  );
  return rows.map((row) => places.map((place) => (place < 0 ? null : (row[place] ?? null))));
}

/** Flushes and compares what each engine reads with the model. */
async function roundTrip(test: Test, rows: RowSet, hourFileMinRows?: number) {
  const { facts, statistics } = await flush(rows, hourFileMinRows);
  const expected = expectedRows(rows);
  const seen: Value[][] = [];
  const seenByPyarrow: Value[][] = [];
  for (const file of facts) {
    const path = join(root, file.path);
    const bytes = readFileSync(path);
    test.equal(bytes.length, file.bytes, 'bytes as the facts say');
    test.equal(createHash('sha256').update(bytes).digest('hex'), file.sha256, 'hash');
    const read = await readWithDuckdb(path);
    test.equal(read.rows.length, file.rows, 'rows as the facts say');
    seen.push(...widened(read.columns, read.rows, rows));
    if ('python' in pyarrow) {
      const other = readWithPyarrow(pyarrow.python, path);
      seenByPyarrow.push(...widened(other.columns, other.rows, rows));
    }
    const footer = readFooterFacts(nodeFiles, path);
    const { id, measurementId, lsns, part, flags, seqMax, hours } = file;
    const { fileId, ...rest } = footer;
    test.match(rest, { measurementId, lsns, part, flags, seqMax, hours, rows: file.rows });
    test.equal(fileId, id);
  }
  const byTime = (list: Value[][]) => list.sort((a, b) => compareValues(a[0] ?? 0n, b[0] ?? 0n));
  test.strictSame(byTime(seen), expected, 'DuckDB reads what was sent');
  if ('python' in pyarrow) test.strictSame(byTime(seenByPyarrow), expected, 'so does pyarrow');
  return { facts, statistics };
}

const strings: Value[] = [
  '',
  'a',
  null,
  'x'.repeat(1_000_000),
  'Tür_温度',
  '\u0000',
  null,
  'z',
  '𐍈',
];

function extremeColumns(): readonly ColumnSpec[] {
  const int: Value[] = [2n ** 63n - 1n, -(2n ** 63n), null, 0n, -1n, 2n ** 53n + 1n, 1n, null, 7n];
  const big: Value[] = [2n ** 64n - 1n, 2n ** 63n, null, 0n, 1n, null, 2n ** 63n - 1n, 5n, 9n];
  const real: Value[] = [
    5e-324,
    1.7976931348623157e308,
    null,
    -0.1,
    0,
    1 / 3,
    -5e-324,
    1e300,
    null,
  ];
  const flag: Value[] = [true, false, null, true, false, null, true, true, false];
  return [
    { column: columnRef(0, 'tag', 'string', 'host'), values: strings },
    { column: columnRef(1, 'field', 'int64', 'i.j'), values: int },
    { column: columnRef(2, 'field', 'uint64', 'i', 'i__uint64'), values: big },
    { column: columnRef(3, 'field', 'double', 'time', 'time__2'), values: real },
    { column: columnRef(4, 'field', 'boolean', 'a "b" `c`, d;{}()=\\'), values: flag },
    { column: columnRef(5, 'field', 'string', 'host', 'host__2'), values: [...strings].reverse() },
    { column: columnRef(6, 'field', 'double', 'none'), values: strings.map(() => null) },
    { column: columnRef(9, 'unknown', 'string', 'n'.repeat(300)), values: strings },
    {
      column: columnRef(10, 'field', 'int64', 'all'),
      values: strings.map((_, row) => BigInt(row)),
    },
  ];
}

t.test('extremes, nulls, odd names and huge strings come back exact', async (test) => {
  const times = strings.map((_, row) => start + BigInt(((row * 7) % 9) * 1000));
  const { facts, statistics } = await roundTrip(test, rowSet(times, extremeColumns()));
  test.equal(facts.length, 1);
  const [file] = facts;
  test.strictSame(file?.columns, [
    [0, 5],
    [9, 10],
  ]);
  test.match(file?.path, /^plant_x2F_xC3_xA4\/cpu_x20_x22load_x22\/2026\/09\/21\/14\/cpu/);
  const column = (id: number) => statistics[0]?.columns.find(({ columnId }) => columnId === id);
  test.strictSame(column(1), {
    columnId: 1,
    min: `${-(2n ** 63n)}`,
    max: `${2n ** 63n - 1n}`,
    nullCount: 2,
  });
  test.strictSame(column(2), { columnId: 2, min: '0', max: `${2n ** 64n - 1n}`, nullCount: 2 });
  test.strictSame(column(3), {
    columnId: 3,
    min: '-0.1',
    max: '1.7976931348623157e+308',
    nullCount: 2,
  });
  test.strictSame(column(4), { columnId: 4, min: '0', max: '1', nullCount: 2 });
  test.strictSame(column(0), { columnId: 0, min: '', max: '𐍈', nullCount: 2 });
});

t.test('each time lands in its hour, from 1677 to 2262 and before 1970', async (test) => {
  const times = [
    -9_223_372_036_854_776n,
    9_223_372_036_854_775n,
    -1n,
    0n,
    -hourUs,
    hourUs - 1n,
    hourUs,
    start,
    start - 1n,
  ];
  const values = times.map((time) => time);
  const rows = rowSet(times, [{ column: columnRef(0, 'field', 'int64', 'v'), values }]);
  const { facts } = await roundTrip(test, rows);
  test.strictSame(
    facts.map(({ hours }) => hours),
    [
      [[-2562048, 763145224, 763145224]],
      [[-1, 0, 3_599_999_999]],
      [[0, 0, 3_599_999_999]],
      [[1, 0, 0]],
      [[497221, 3_599_999_999, 3_599_999_999]],
      [[497222, 0, 0]],
      [[2562047, 2836854775, 2836854775]],
    ],
  );
  test.strictSame(
    facts.map(({ part }) => part),
    [0, 1, 2, 3, 4, 5, 6].map((index) => [index, 7]),
  );
});

t.test('rows out of order over many hours are sorted and grouped by day', async (test) => {
  const count = 4000;
  const times: bigint[] = [];
  const tags: Value[] = [];
  const fields: Value[] = [];
  for (let row = 0; row < count; row += 1) {
    // 60 hours, some busy; ties in time; every third row without the tag, every second a field.
    const hour = row % 4 === 0 ? 3 : (Math.floor(row / 4) * 7) % 60;
    times.push(start + BigInt(hour) * hourUs + BigInt((row * 7919) % 50) * 1_000_000n);
    tags.push(row % 3 === 0 ? null : `host-${(row * 17) % 23}`);
    fields.push(row % 2 === 0 ? null : row / 8);
  }
  const rows = rowSet(times, [
    { column: columnRef(3, 'field', 'double', 'v'), values: fields },
    { column: columnRef(1, 'tag', 'string', 'host'), values: tags },
    { column: columnRef(0, 'tag', 'string', 'rack'), values: tags.map((_, row) => `r${row % 5}`) },
    { column: columnRef(4, 'field', 'int64', 'row'), values: times.map((_, row) => BigInt(row)) },
  ]);
  const { facts } = await roundTrip(test, rows, 500);
  const days = facts.filter(({ flags }) => (flags & 4) !== 0);
  test.equal(days.length, 4, 'one file per UTC day for its small hours');
  test.equal(facts.length, 5, 'and one for the busy hour');
  for (const { path, hours } of days) {
    test.match(path, /\/2026\/09\/\d\d\/cpu/);
    test.equal(new Set(hours.map(([hour]) => Math.floor(hour / 24))).size, 1);
  }
});

t.test('repeats go to flagged files of their own, with their numbers', async (test) => {
  const tag = columnRef(0, 'tag', 'string', 'host');
  const field = columnRef(1, 'field', 'int64', 'v');
  const later = columnRef(2, 'field', 'double', 'w');
  const rows: RowSet = {
    ...rowSet(
      [start + 5n, start + 3n, start + 5n, start + hourUs, start + 3n, start + 3n],
      [
        { column: tag, values: ['a', 'a', '', 'a', 'a', null] },
        { column: field, values: [1n, 2n, 3n, 4n, null, 6n] },
        { column: later, values: [null, 0.5, null, null, 1.5, null] },
      ],
    ),
    // The repeat in the second hour and two versions of a repeat; one repeat is of a first row.
    repeats: Uint8Array.of(0, 1, 0, 1, 1, 0),
  };
  const { facts } = await flush(rows);
  test.strictSame(
    facts.map(({ flags, rows: count, part, seqMax }) => ({ flags, count, part, seqMax })),
    [
      { flags: 0, count: 3, part: [0, 3], seqMax: 1005 },
      { flags: 1, count: 1, part: [1, 3], seqMax: 1004 },
      { flags: 1, count: 1, part: [2, 3], seqMax: 1003 },
    ],
  );
  test.strictSame(facts[0]?.columns, [[0, 1]], '`_seq` is no column of the schema');
  test.strictSame(facts[1]?.columns, [[0, 2]]);
  const paths = facts.map(({ path }) => join(root, path));
  const read = await Promise.all(paths.map((path) => readWithDuckdb(path)));
  test.strictSame(read[0]?.columns, ['time', 'host', 'v']);
  test.strictSame(read[0]?.rows, [
    [start + 3n, null, 6n],
    [start + 5n, '', 3n],
    [start + 5n, 'a', 1n],
  ]);
  test.strictSame(read[1]?.columns, ['time', 'host', 'v', 'w', '_seq']);
  test.strictSame(read[1]?.rows, [[start + 3n, 'a', 2n, 1.5, 1004n]]);
  test.strictSame(read[2]?.rows, [[start + hourUs, 'a', 4n, 1003n]]);
  const footer = readFooterFacts(nodeFiles, paths[1] ?? '');
  test.strictSame(footer.columns, [tag, field, later]);
  test.equal(footer.flags, 1);
});

t.test('a file that only held versions of rows in another one is not made', async (test) => {
  const rows: RowSet = {
    ...rowSet([start, start], [{ column: columnRef(1, 'field', 'int64', 'v'), values: [1n, 2n] }]),
    repeats: Uint8Array.of(0, 1),
  };
  const { facts } = await flush(rows);
  test.match(facts, [{ flags: 0, rows: 1, part: [0, 1], seqMax: 1001 }]);
  test.equal(facts.length, 1);
  test.strictSame((await readWithDuckdb(join(root, facts[0]?.path ?? ''))).rows, [[start, 2n]]);
});

t.test('a set of 2,000 sparse columns is encoded slice by slice', async (test) => {
  const count = 3000;
  const times = Array.from({ length: count }, (_, row) => start + BigInt((row * 997) % count));
  const columns = Array.from({ length: 2000 }, (_, id): ColumnSpec => {
    const type = id % 2 === 0 ? 'double' : 'string';
    const values = times.map((_, row): Value => {
      if ((row + id) % 400 !== 0) return null;
      return type === 'double' ? row + id / 7 : `s${row % 91}`;
    });
    return { column: columnRef(id, 'field', type, `c${id}`), values };
  });
  const rows = rowSet(times, columns);
  const { facts } = await flush(rows);
  const [file] = facts;
  test.strictSame(file?.columns, [[0, 1999]]);
  const read = await readWithDuckdb(join(root, file?.path ?? ''));
  const expected = expectedRows(rows);
  test.equal(read.rows.length, count);
  // 6 million values: a deep comparison of them all would take longer than the encoder.
  const wrong = expected.flatMap((row, index) =>
    row.flatMap((value, column) => (read.rows[index]?.[column] === value ? [] : [[index, column]])),
  );
  test.strictSame(wrong, []);
});

const skip = 'absent' in pyarrow && pyarrow.absent;

t.test('a file shows the layout that the format document promises', { skip }, async (test) => {
  if (!('python' in pyarrow)) throw new Error(pyarrow.absent);
  const times = strings.map((_, row) => start + BigInt(row));
  const { facts } = await flush(rowSet(times, extremeColumns()));
  const read = readWithPyarrow(pyarrow.python, join(root, facts[0]?.path ?? ''));
  test.strictSame(read.types, [
    'timestamp[us, tz=UTC]',
    'string',
    'int64',
    'decimal128(20, 0)',
    'double',
    'bool',
    'string',
    'string',
    'int64',
  ]);
  test.strictSame(Object.keys(read.meta).sort(), [
    'holdfast.check',
    'holdfast.columns',
    'holdfast.file',
    'holdfast.format',
    'holdfast.measurement',
  ]);
  test.ok(read.encodings[0]?.includes('DELTA_BINARY_PACKED'), 'time is delta encoded');
  test.ok(read.encodings[2]?.includes('DELTA_BINARY_PACKED'), 'so are integers');
  test.ok(read.encodings[1]?.includes('RLE_DICTIONARY'), 'strings have a dictionary');
  test.notOk(read.encodings[4]?.includes('RLE_DICTIONARY'), 'doubles have none');
  test.ok(read.pageIndex.every(Boolean), 'page index');
  test.ok(
    read.compression.every((codec) => codec === 'SNAPPY'),
    'snappy',
  );
});

t.test('no temporary file stays and files are as private as the others', async (test) => {
  const { facts } = await flush(
    rowSet([start], [{ column: columnRef(0, 'field', 'int64', 'v'), values: [1n] }]),
  );
  const path = join(root, facts[0]?.path ?? '');
  test.strictSame(
    nodeFiles.list(join(path, '..')).filter((name) => name.startsWith('.tmp-')),
    [],
  );
  test.equal(statSync(path).mode & 0o777, 0o640);
});

t.test('a flush made by several jobs has the files that one job makes', async (test) => {
  const days = (count: number, first: bigint) =>
    rowSet(
      Array.from({ length: count }, (_, day) => (first + BigInt(day % 40)) * 24n * hourUs),
      [
        {
          column: columnRef(0, 'field', 'int64', 'v'),
          values: Array.from({ length: count }, (_, row) => BigInt(row)),
        },
      ],
    );
  const [some, others] = [days(60, 100n), days(45, 120n)];
  const job: FlushJob = {
    ...jobOf(some),
    sets: [
      { hasIdentity: true, rows: some, files: plannedFiles(some, 1000, 20_000) },
      { hasIdentity: false, rows: others, files: plannedFiles(others, 1000, 30_000) },
    ],
  };
  const make = (range: FlushJob['range'], name: string) => {
    const directory = join(root, name);
    mkdirSync(directory);
    return encodeFlush({ ...job, range }, 'snappy', new FileWriter(nodeFiles, directory));
  };
  const whole = await make([0, 80], 'whole');
  test.equal(whole.facts.length, 80);
  const parts = [];
  for (const [from, to] of [
    [0, 7],
    [7, 39],
    [39, 41],
    [41, 80],
  ] as const) {
    const part = await make([from, to], `part-${from}`);
    test.equal(part.facts.length, to - from);
    parts.push(part);
  }
  test.strictSame(
    parts.flatMap(({ facts }) => facts),
    whole.facts,
  );
  test.strictSame(
    parts.flatMap(({ statistics }) => statistics),
    whole.statistics,
  );
});
