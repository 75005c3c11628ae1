/**
 * Physical columns as Arrow columns, which parquet-wasm turns into the Parquet types of
 * docs/format/parquet.md. Values are views wherever Arrow's layout is ours.
 */
import {
  Bool,
  Decimal,
  Dictionary,
  Field,
  Float64,
  Int64,
  makeData,
  makeVector,
  RecordBatch,
  RecordBatchStreamWriter,
  Schema,
  Struct,
  TimestampMicrosecond,
  Uint32,
  Utf8,
  type Data,
  type DataType,
} from 'apache-arrow';
import type { StringDictionary } from '../../base/model/column-batch.ts';
import { present, unreachable } from '../../base/lib/assert.ts';
import type { ColumnSlice } from './gather.ts';
import { halvesOf } from './hours.ts';
import type { StreamMemory } from './stream-memory.ts';

/** Decimal digits of 2^64 - 1. */
const uint64Digits = 20;

/** One byte per value to one bit per value. */
function packBits(values: Uint8Array): Uint8Array {
  const bits = new Uint8Array((values.length + 7) >> 3);
  for (let row = 0; row < values.length; row += 1) {
    if (values[row] !== 0) bits[row >> 3] = (bits[row >> 3] as number) | (1 << (row & 7));
  }
  return bits;
}

/** uint64 to 128-bit little-endian integers. */
function widen(values: BigUint64Array): Uint32Array {
  const halves = halvesOf(values);
  const wide = new Uint32Array(values.length * 4);
  for (let row = 0; row < values.length; row += 1) {
    wide[4 * row] = halves[2 * row] as number;
    wide[4 * row + 1] = halves[2 * row + 1] as number;
  }
  return wide;
}

function dictionaryVector(dictionary: StringDictionary) {
  const { count, bytes, offsets } = dictionary;
  return makeVector(
    makeData({
      type: new Utf8(),
      length: count,
      nullCount: 0,
      valueOffsets: new Int32Array(offsets.buffer, offsets.byteOffset, count + 1),
      data: bytes,
    }),
  );
}

function columnOf(slice: ColumnSlice): Data {
  const { length, nullCount, values } = slice;
  const nulls = { length, nullCount, ...(slice.validity && { nullBitmap: slice.validity }) };
  const { type } = slice.column.physical;
  switch (type) {
    case 'int64':
      return makeData({ type: new Int64(), ...nulls, data: values as BigInt64Array });
    case 'double':
      return makeData({ type: new Float64(), ...nulls, data: values as Float64Array });
    case 'boolean':
      return makeData({ type: new Bool(), ...nulls, data: packBits(values as Uint8Array) });
    case 'uint64': {
      const decimal = new Decimal(0, uint64Digits, 128);
      return makeData({ type: decimal, ...nulls, data: widen(values as BigUint64Array) });
    }
    case 'string':
      return makeData({
        type: new Dictionary(new Utf8(), new Uint32()),
        ...nulls,
        data: values as Uint32Array,
        dictionary: dictionaryVector(present(slice.dictionary, 'dictionary')),
      });
    default:
      return unreachable(type);
  }
}

/** What Arrow's description of one column takes, at most if its name is not very long. */
const describedBytes = 512;

/** About the length of the stream. */
function streamBytes(times: BigInt64Array, columns: readonly ColumnSlice[]): number {
  return columns.reduce((sum, { values, validity, dictionary, column }) => {
    const width = column.physical.type === 'uint64' ? 2 : 1;
    const texts = dictionary === undefined ? 0 : dictionary.bytes.length + 4 * dictionary.count;
    return sum + width * values.byteLength + (validity?.length ?? 0) + texts + describedBytes;
  }, times.byteLength + describedBytes);
}

/**
 * A batch merges the fields of its schema into the schema once more, comparing each name with each
 * other: a second for a file of 2,000 columns. They are the same fields.
 */
class OwnSchema extends Schema {
  override assign(): never {
    return this as never;
  }
}

/**
 * Returns the rows as an Arrow IPC stream of one record batch, which lies in `memory`.
 * @param times one per row; the column `time`
 * @param columns all of the same length as `times`, in file order
 */
export function toArrowStream(
  times: BigInt64Array,
  columns: readonly ColumnSlice[],
  memory: StreamMemory,
): Uint8Array {
  const { length } = times;
  const timeType = new TimestampMicrosecond('UTC');
  const fields: Field[] = [new Field('time', timeType, true)];
  const children: Data[] = [makeData({ type: timeType, length, nullCount: 0, data: times })];
  for (const slice of columns) {
    const column = columnOf(slice);
    fields.push(new Field(slice.column.physical.name, column.type as DataType, true));
    children.push(column);
  }
  const schema = new OwnSchema(fields);
  const type = new Struct(fields);
  const batch = new RecordBatch(schema, makeData({ type, length, nullCount: 0, children }));
  const sink = memory.sink(streamBytes(times, columns));
  const writer = new RecordBatchStreamWriter();
  writer.reset(sink as never, schema);
  writer.write(batch);
  writer.finish();
  return sink.written();
}
