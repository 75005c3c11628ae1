/** Bodies of the benches in Arrow IPC: one record batch, texts coded by a dictionary or plain. */
import {
  Dictionary,
  Float64,
  Int32,
  Int64,
  makeData,
  makeVector,
  Table,
  tableToIPC,
  TimestampMicrosecond,
  Utf8,
  vectorFromArray,
  type Vector,
} from 'apache-arrow';
import type { BenchRow, Cell } from './msgpack-bodies.ts';

/** A body, and where the microseconds of its rows stand, as 64 bits of little-endian. */
export interface ArrowTemplate {
  readonly body: Buffer;
  readonly timesAt: Uint32Array;
}

/** Stands in the time column until the times are written. */
const mark = 0x5a5a_5a5a_5a5a_5a5an;

function vectorOf(cells: readonly Cell[], isCoded: boolean): Vector {
  const [first] = cells;
  if (typeof first === 'string') {
    const type = isCoded ? new Dictionary(new Utf8(), new Int32()) : new Utf8();
    return vectorFromArray(cells, type);
  }
  if (typeof first === 'object') {
    const floats = cells.map((cell) => (typeof cell === 'object' ? cell.float : 0));
    return vectorFromArray(floats, new Float64());
  }
  return vectorFromArray(
    cells.map((cell) => BigInt(Number(cell))),
    new Int64(),
  );
}

/** All rows have the same tags and fields. */
export function arrowBody(rows: readonly BenchRow[], isCoded: boolean): ArrowTemplate {
  const count = rows.length;
  const times = makeData({
    type: new TimestampMicrosecond('UTC'),
    length: count,
    nullCount: 0,
    data: new BigInt64Array(count).fill(mark),
  });
  const columns: Record<string, Vector> = { time: makeVector(times) };
  const cells = rows.map(({ tags, fields }) => [...tags, ...fields]);
  for (const [column, [name]] of (cells[0] ?? []).entries()) {
    columns[name] = vectorOf(
      cells.map((row) => row[column]?.[1] ?? 0),
      isCoded,
    );
  }
  const body = Buffer.from(tableToIPC(new Table(columns), 'stream'));
  const marks = Buffer.alloc(8 * count, 0x5a);
  const at = body.indexOf(marks);
  if (at < 0) throw new Error('no times in the body');
  return { body, timesAt: Uint32Array.from({ length: count }, (_, row) => at + 8 * row) };
}
