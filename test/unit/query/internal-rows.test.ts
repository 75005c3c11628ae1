/** Rows cut out of an answer that comes in pieces, wherever the pieces end. */
import { Readable } from 'node:stream';
import fc from 'fast-check';
import t from 'tap';
import { internalRows, RowCutter } from '../../../src/query/internal-rows.ts';

const cell = fc.oneof(fc.string({ unit: 'binary' }), fc.integer(), fc.boolean(), fc.constant(null));

t.test('every row comes out as it went in', (t) => {
  fc.assert(
    fc.property(
      fc.array(fc.array(cell, { maxLength: 4 }), { maxLength: 20 }),
      fc.integer({ min: 1, max: 40 }),
      (data, step) => {
        const answer = { success: true, columns: ['a', '[{'], types: ['x'], data, row_count: 1 };
        const bytes = Buffer.from(JSON.stringify(answer));
        const cutter = new RowCutter();
        const rows: unknown[] = [];
        for (let at = 0; at < bytes.length; at += step) {
          rows.push(...cutter.take(bytes.subarray(at, at + step)));
        }
        return JSON.stringify(rows) === JSON.stringify(data);
      },
    ),
  );
  t.end();
});

t.test('an answer that breaks off is no end', async (t) => {
  const body = Readable.from(
    (async function* () {
      yield Buffer.from('{"data":[[1],[2');
      await Promise.resolve();
      throw new Error('broke off');
    })(),
  );
  const answer = { commit: 1, incomplete: false, body };
  const rows: unknown[] = [];
  const read = async () => {
    const source = { execute: () => Promise.resolve(answer) };
    for await (const some of internalRows(source, 'SELECT 1')) rows.push(...some);
  };
  await t.rejects(read(), { message: 'broke off' });
  t.same(rows, [[1]]);
});
