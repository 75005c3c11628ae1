/** Merged dictionaries: one code per distinct string, hash collisions and huge strings included. */
import t from 'tap';
import { DictionaryBuffer } from '../../../../src/ingest/buffer/dictionary-buffer.ts';
import { RowMemory, SharedMemory } from '../../../../src/ingest/buffer/shared-memory.ts';

const memory = () => new RowMemory(new SharedMemory(2 ** 26));

function dictionary(values: readonly string[]) {
  const parts = values.map((value) => Buffer.from(value, 'utf8'));
  const offsets = new Uint32Array(parts.length + 1);
  parts.forEach((part, index) => {
    offsets[index + 1] = (offsets[index] ?? 0) + part.length;
  });
  return { count: parts.length, bytes: new Uint8Array(Buffer.concat(parts)), offsets };
}

t.test('300,000 strings, of which some share a 32-bit hash, keep codes of their own', (test) => {
  const count = 300_000;
  const buffer = new DictionaryBuffer(1, memory());
  const values = dictionary(
    Array.from({ length: count }, (_, index) => `${Math.imul(index, 0x9e3779b1)} ${index}`),
  );
  const codes = new Uint32Array(count);
  buffer.merge(values, codes);
  test.ok(
    codes.every((code, index) => code === index),
    'in order of first sight',
  );
  buffer.merge(values, codes.fill(0));
  test.ok(
    codes.every((code, index) => code === index),
    'the same again',
  );
  test.equal(buffer.count, count);
  test.end();
});

t.test('strings that stand here in the same order are found at once, others not', (test) => {
  const buffer = new DictionaryBuffer(3, memory());
  const shift = (values: readonly string[]) => buffer.shift(dictionary(values));
  test.equal(shift(['a']), undefined, 'nothing is here');
  buffer.merge(dictionary(['a', 'bc', '', 'd', 'eee']), new Uint32Array(5));
  test.equal(shift(['a', 'bc', '', 'd', 'eee']), 0, 'all');
  test.equal(shift(['a', 'bc']), 0, 'the first of them');
  test.equal(shift(['bc', '', 'd']), 1, 'some in the middle');
  test.equal(shift(['', 'd', 'eee']), 2, 'an empty one first');
  test.equal(shift([]), 0, 'none');
  test.equal(shift(['d', 'eee', 'f']), undefined, 'one behind the last');
  test.equal(shift(['a', 'bc', 'd']), undefined, 'one left out');
  test.equal(shift(['ab', 'c', '']), undefined, 'the same bytes, cut elsewhere');
  test.equal(shift(['a', 'bx', '']), undefined, 'the same lengths, other bytes');
  test.equal(shift(['x', 'bc']), undefined, 'the first one is new');
  test.equal(buffer.count, 5, 'nothing was added');
  test.end();
});

t.test('codes of a batch become codes of the buffer; a view outlives growth', (test) => {
  const buffer = new DictionaryBuffer(7, memory());
  const codes = new Uint32Array(4);
  buffer.merge(dictionary(['b', '', 'a']), codes);
  const view = buffer.view();
  const huge = 'x'.repeat(1_000_000);
  buffer.merge(dictionary([huge, 'a', '', 'aa']), codes);
  test.strictSame([...codes], [3, 2, 1, 4]);
  test.equal(view.count, 3);
  test.equal(Buffer.from(view.bytes.slice()).toString('latin1'), 'ba');
  test.strictSame([...buffer.view().offsets], [0, 1, 1, 2, 1_000_002, 1_000_004]);
  test.ok(buffer.bytes > 1_000_000);
  test.end();
});
