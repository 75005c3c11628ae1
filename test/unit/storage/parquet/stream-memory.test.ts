/** Memory of Arrow streams: used again, growing, and given back. */
import { tableFromIPC } from 'apache-arrow';
import t from 'tap';
import { Gatherer } from '../../../../src/storage/parquet/gather.ts';
import { layoutRun } from '../../../../src/storage/parquet/layout.ts';
import { toArrowStream } from '../../../../src/storage/parquet/schema-to-arrow.ts';
import { StreamMemory } from '../../../../src/storage/parquet/stream-memory.ts';
import { columnRef, rowSet } from '../../../support/row-sets.ts';

t.test('a stream that is longer than was thought is whole', (test) => {
  const memory = new StreamMemory();
  const sink = memory.sink(2);
  const pieces = [Uint8Array.of(1, 2), Uint8Array.of(3), new Uint8Array(100).fill(4)];
  for (const piece of pieces) sink.write(piece);
  test.strictSame([...sink.written()], [1, 2, 3, ...new Array<number>(100).fill(4)]);
  memory.free();
  test.equal(sink.written().length, 103, 'empty memory is made anew');
  test.end();
});

t.test(
  'slices of many sparse columns in one memory say what they hold, also smaller ones',
  (test) => {
    const rows = 300;
    const times = Array.from({ length: rows }, (_, row) => BigInt(row));
    const columns = Array.from({ length: 40 }, (_, index) => ({
      column: columnRef(index, 'field', index % 2 === 0 ? 'double' : 'int64', `c${index}`),
      values: times.map((time, row) =>
        row % 40 !== index ? null : index % 2 === 0 ? row / 4 : time * 1000n,
      ),
    }));
    const layout = layoutRun(0, rows, columns.length, 128);
    const set = rowSet(times, columns);
    const gatherer = new Gatherer(set, layout);
    const memory = new StreamMemory();
    test.equal(layout.slices.length, 3);
    layout.slices.forEach(({ from, length }, slice) => {
      const gathered = columns.map((_, index) => gatherer.column(index, slice));
      const stream = toArrowStream(gatherer.times(slice), gathered, memory);
      gatherer.reuse();
      const table = tableFromIPC(stream);
      test.equal(table.numRows, length);
      for (const [index, { column, values }] of columns.entries()) {
        const read = table.getChild(column.physical.name);
        const wanted = values.slice(from, from + length);
        if (!test.strictSame([...(read ?? [])], wanted, `column ${index}`)) return;
      }
    });
    gatherer.free();
    memory.free();
    test.end();
  },
);
