/**
 * Request batches for tests: arbitrary ones for property tests, small regular ones for the log,
 * and a comparison by value (two batches are equal if they hold the same rows, whatever memory
 * stands behind them).
 */
import fc from 'fast-check';
import type {
  ColumnArray,
  ColumnBatch,
  ColumnValues,
  RequestBatch,
  StringDictionary,
} from '../../src/base/model/column-batch.ts';
import type { ColumnKind, PhysicalType } from '../../src/base/model/schema.ts';

export function dictionaryOf(values: readonly string[]): StringDictionary {
  const encoded = values.map((value) => Buffer.from(value, 'utf8'));
  const offsets = new Uint32Array(values.length + 1);
  encoded.forEach((bytes, index) => {
    offsets[index + 1] = (offsets[index] ?? 0) + bytes.length;
  });
  return { count: values.length, bytes: new Uint8Array(Buffer.concat(encoded)), offsets };
}

export interface ColumnShape {
  readonly type: PhysicalType;
  readonly kind?: ColumnKind;
  readonly spelling: string;
  readonly sqlName?: string;
  readonly name?: string;
  readonly columnar?: boolean;
  readonly values: ColumnArray;
  readonly rows?: Uint32Array | undefined;
  readonly strings?: readonly string[] | undefined;
}

export function columnOf(shape: ColumnShape): ColumnValues {
  const sqlName = shape.sqlName ?? shape.spelling;
  const physical = { id: -1, name: shape.name ?? sqlName, type: shape.type };
  const marks = shape.columnar === true ? ({ columnar: true } as const) : {};
  const { kind = 'field', spelling } = shape;
  return {
    column: { kind, spelling, sqlName, ...marks, physical },
    values: shape.values,
    rows: shape.rows,
    dictionary: shape.strings === undefined ? undefined : dictionaryOf(shape.strings),
  };
}

/** A request of `rows` rows of the `iot` shape: host and three floats, telling from `seed`. */
export function iotRequest(rows: number, seed = 0, measurement = 'iot'): RequestBatch {
  const hosts = Array.from({ length: Math.min(rows, 100) }, (_, index) => `host-${index}`);
  const floats = [0, 1, 2].map((column) =>
    Float64Array.from({ length: rows }, (_, row) => seed + row / 8 + column),
  );
  const times = BigInt64Array.from(
    { length: rows },
    (_, row) => BigInt(seed) * 1000n + BigInt(row),
  );
  const columns = [
    columnOf({
      type: 'string',
      kind: 'tag',
      spelling: 'host',
      values: Uint32Array.from({ length: rows }, (_, row) => row % hosts.length),
      strings: hosts,
    }),
    ...floats.map((values, index) => columnOf({ type: 'double', spelling: `f${index}`, values })),
  ];
  const batch: ColumnBatch = {
    measurementId: 16,
    database: 'default',
    measurement,
    hasIdentity: true,
    rowCount: rows,
    times,
    columns,
  };
  return { batches: [batch], serverTimeUs: 1_700_000_000_000_000, clockTrusted: true };
}

const int64 = fc.oneof(
  fc.bigInt({ min: -(2n ** 63n), max: 2n ** 63n - 1n }),
  fc.constantFrom(-(2n ** 63n), 2n ** 63n - 1n, 0n, -1n),
);
const uint64 = fc.oneof(
  fc.bigInt({ min: 0n, max: 2n ** 64n - 1n }),
  fc.constantFrom(2n ** 64n - 1n, 2n ** 63n),
);
const text = fc.oneof(
  fc.string({ unit: 'grapheme', maxLength: 20 }),
  fc.constantFrom('', 'é', '日本', '\n', '\0'),
);

function arrayOf(type: PhysicalType, count: number, strings: number): fc.Arbitrary<ColumnArray> {
  const length = { minLength: count, maxLength: count };
  switch (type) {
    case 'int64':
      return fc.array(int64, length).map((values) => BigInt64Array.from(values));
    case 'uint64':
      return fc.array(uint64, length).map((values) => BigUint64Array.from(values));
    case 'double':
      return fc.array(fc.double(), length).map((values) => Float64Array.from(values));
    case 'boolean':
      return fc.array(fc.nat(1), length).map((values) => Uint8Array.from(values));
    case 'string':
      return fc.array(fc.nat(strings - 1), length).map((values) => Uint32Array.from(values));
  }
}

const typeArbitrary = fc.constantFrom<PhysicalType>(
  'int64',
  'uint64',
  'double',
  'boolean',
  'string',
);

function columnArbitrary(rowCount: number): fc.Arbitrary<ColumnValues> {
  const shape = fc.record({
    type: typeArbitrary,
    kind: fc.constantFrom<ColumnKind>('tag', 'field', 'unknown'),
    spelling: text,
    sqlName: fc.option(text, { nil: undefined }),
    name: fc.option(text, { nil: undefined }),
    columnar: fc.boolean(),
    sparse: fc.option(fc.subarray(Array.from({ length: rowCount }, (_, row) => row)), {
      nil: undefined,
    }),
    strings: fc.array(text, { minLength: 1, maxLength: 5 }),
  });
  return shape.chain(({ type, kind, spelling, sqlName, name, columnar, sparse, strings }) => {
    const rows = sparse === undefined ? undefined : Uint32Array.from(sparse);
    return arrayOf(type, rows?.length ?? rowCount, strings.length).map((values) =>
      columnOf({
        type,
        kind,
        spelling,
        columnar,
        ...(sqlName === undefined ? {} : { sqlName }),
        ...(name === undefined ? {} : { name }),
        values,
        rows,
        strings: type === 'string' ? strings : undefined,
      }),
    );
  });
}

const batchArbitrary: fc.Arbitrary<ColumnBatch> = fc
  .record({
    measurementId: fc.integer({ min: 1, max: 2 ** 32 - 1 }),
    database: text,
    measurement: text,
    hasIdentity: fc.boolean(),
    named: fc.constantFrom({}, { namings: 1 }, { namings: 2 ** 32 - 1 }),
    rowCount: fc.integer({ min: 1, max: 12 }),
  })
  .map(({ named, ...head }) => ({ ...head, ...named }))
  .chain((head) =>
    fc
      .record({
        times: arrayOf('int64', head.rowCount, 1),
        columns: fc.array(columnArbitrary(head.rowCount), { maxLength: 6 }),
      })
      .map(({ times, columns }) => ({ ...head, times: times as BigInt64Array, columns })),
  );

export const requestArbitrary: fc.Arbitrary<RequestBatch> = fc.record({
  batches: fc.array(batchArbitrary, { maxLength: 4 }),
  serverTimeUs: fc.maxSafeInteger(),
  clockTrusted: fc.boolean(),
});

const bits = (values: ColumnArray) =>
  Buffer.from(values.buffer as ArrayBuffer, values.byteOffset, values.byteLength).toString('hex');

/** A batch as plain values: equal for equal rows and columns, to the last bit of each value. */
export function plain(request: RequestBatch): unknown {
  return {
    ...request,
    batches: request.batches.map((batch) => ({
      ...batch,
      times: bits(batch.times),
      columns: batch.columns.map(({ column, values, rows, dictionary }) => ({
        column,
        array: values.constructor.name,
        values: bits(values),
        rows: rows && [...rows],
        strings: dictionary && {
          count: dictionary.count,
          offsets: [...dictionary.offsets],
          bytes: bits(dictionary.bytes),
        },
      })),
    })),
  };
}
