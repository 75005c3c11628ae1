/**
 * Columns of strings that come again with the same bytes are not read again; what comes out is the
 * same as if every request were the first.
 */
import fc from 'fast-check';
import t from 'tap';
import { KnownStrings } from '../../../../src/ingest/decode/msgpack/known-strings.ts';
import type { Decoded } from '../../../../src/ingest/decode/types.ts';
import { plainRows } from '../../../support/decoded-rows.ts';
import { Float, packed } from '../../../support/msgpack-bytes.ts';
import { newMessageDecoder } from '../../../support/msgpack-decoder.ts';

const us = 1_700_000_000_000_000n;

interface Item {
  readonly m: string;
  readonly columns: Record<string, unknown[]>;
}

function itemOf(m: string, columns: Record<string, unknown[]>): Item {
  const rows = Math.max(...Object.values(columns).map(({ length }) => length));
  return {
    m,
    columns: { time: Array.from({ length: rows }, (_, i) => us + BigInt(i)), ...columns },
  };
}

/** What a request came to, in plain values. */
function shown(decoded: Decoded): unknown {
  const rows = [...plainRows(decoded.batches)].map(([name, list]) => [
    name,
    list.map(({ timeUs, fields }) => [timeUs, [...fields]]),
  ]);
  return [rows, decoded.rejected.map(({ line, reason, raw }) => [line, reason, raw])];
}

/** Few of each, so that columns come again often, whole or nearly. */
const cell = fc.constantFrom('a', 'b', 'host_1', 'host_2', '', 'ä', 'x'.repeat(40));
const odd = fc.oneof({ weight: 20, arbitrary: cell }, fc.constantFrom(null, 1, 0.5, true));
const column = fc.constantFrom(2, 3, 300).chain((rows) => {
  const few = fc.array(odd, { minLength: 1, maxLength: 3 });
  return few.map((cells) => Array.from({ length: rows }, (_, row) => cells[row % cells.length]));
});
const body = fc
  .array(fc.tuple(fc.constantFrom('m', 'n'), fc.constantFrom('host', 'zone'), column), {
    minLength: 1,
    maxLength: 3,
  })
  .map((items) => items.map(([m, name, cells]) => itemOf(m, { [name]: cells, other: cells })));

t.test('requests after each other come out as if each were the first', async (t) => {
  await fc.assert(
    fc.asyncProperty(fc.array(body, { minLength: 2, maxLength: 5 }), async (bodies) => {
      const one = newMessageDecoder();
      const { registry } = newMessageDecoder();
      for (const each of [...bodies, ...bodies]) {
        const again = await one.decode(each);
        // A decoder without a past, over a registry that has seen the same requests.
        const fresh = await newMessageDecoder({}, undefined, registry).decode(each);
        t.strictSame(shown(again), shown(fresh));
        again.free();
      }
    }),
    { numRuns: 40 },
  );
});

t.test('a column that is known is not read, and its memory outlives its requests', async (t) => {
  const { decode } = newMessageDecoder();
  const hosts = Array.from({ length: 400 }, (_, row) => `host_${row % 7}`);
  const item = itemOf('m', { host: hosts });
  const first = await decode(item);
  const kept = shown(first);
  first.free();
  const second = await decode(item);
  const third = await decode(item);
  const dictionaryOf = ({ batches }: Decoded) => batches[0]?.columns[0]?.dictionary;
  t.equal(dictionaryOf(second), dictionaryOf(third), 'one dictionary for both');
  second.free();
  t.strictSame(shown(third), kept, 'a request that ends takes nothing from another');
});

t.test('bytes that are no text are refused each time', async (t) => {
  const { decode } = newMessageDecoder();
  const bytes = packed(itemOf('m', { host: ['a~', 'b'] }));
  bytes[bytes.indexOf(0x7e)] = 0xff;
  for (let time = 0; time < 3; time += 1) {
    const { rows, rejected } = await decode(bytes);
    t.strictSame([rows, rejected[0]?.reason], [0, 'invalid UTF-8 in column "host"']);
  }
});

t.test('a body that ends within the column breaks off, known or not', async (t) => {
  const { decode } = newMessageDecoder();
  const hosts = Array.from({ length: 300 }, (_, row) => `host_${row}`);
  const bytes = packed(itemOf('m', { load: hosts.map((_, row) => new Float(row)), host: hosts }));
  await decode(bytes);
  const { rows, rejected } = await decode(Buffer.concat([bytes, bytes.subarray(0, -1)]));
  t.strictSame([rows, rejected.length], [300, 1]);
});

t.test('what is remembered is bounded', (t) => {
  const known = new KnownStrings();
  const dictionary = { count: 1, bytes: Buffer.alloc(30_000), offsets: Uint32Array.of(0, 30_000) };
  const written = Buffer.alloc(60_000);
  const codes = new Uint32Array(2);
  const spellings = Array.from({ length: 200 }, (_, index) => `column_${index}`);
  for (const spelling of spellings) known.note(spelling, dictionary, codes, written);
  const left = spellings.filter((spelling) => known.same(spelling, written, 0, 2) !== undefined);
  t.ok(left.length > 10 && left.length * 90_000 < 9_000_000, 'not all, and not none');
  known.note('large', dictionary, codes, Buffer.alloc(70_000));
  t.equal(known.same('large', Buffer.alloc(70_000), 0, 2), undefined, 'too large');
  t.same(known.sizeOf('large'), { count: 1, bytes: 30_000 });
  t.end();
});

t.test('a column that changes each time is remembered once in a while', (t) => {
  const known = new KnownStrings();
  const dictionary = { count: 1, bytes: Buffer.alloc(1), offsets: Uint32Array.of(0, 1) };
  const noted = Array.from({ length: 200 }, (_, round) => {
    const written = Buffer.from([0xa1, round]);
    known.note('message', dictionary, Uint32Array.of(0), written);
    return known.same('message', written, 0, 1) === undefined ? 0 : 1;
  });
  t.equal(
    noted.filter((each) => each === 1).length,
    200,
    'each hit starts the count again: all of these came twice',
  );
  const changing = Array.from({ length: 200 }, (_, round) => {
    const written = Buffer.from([0xa1, round]);
    known.note('other', dictionary, Uint32Array.of(0), written);
    return written;
  });
  const last = changing.filter((written) => known.same('other', written, 0, 1) !== undefined);
  t.strictSame(last, [Buffer.from([0xa1, 191])], 'the hundred and ninety-second was');
  t.end();
});
