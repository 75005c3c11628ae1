import t from 'tap';
import {
  pieceBytes,
  RowMemory,
  SharedMemory,
} from '../../../../src/ingest/buffer/shared-memory.ts';

const kib = 1024;

t.test('pieces are powers of two that are large enough', (t) => {
  t.same([0, 1, 64, 65, 1000, 4096].map(pieceBytes), [64, 64, 64, 128, 1024, 4096]);
  t.end();
});

t.test('what was given back is taken again before new memory is made', (t) => {
  const shared = new SharedMemory(64 * kib);
  const first = shared.take(3000);
  const second = shared.take(3000);
  t.not(first, second);
  t.same([shared.usedBytes, shared.keptBytes], [8192, 0]);
  shared.give(first);
  t.same([shared.usedBytes, shared.keptBytes], [4096, 4096]);
  t.not(shared.take(5000), first, 'of another size');
  t.equal(shared.take(4000), first);
  t.same([shared.usedBytes, shared.keptBytes], [16 * kib, 0]);
  t.end();
});

t.test('memory in use and kept for use stays within its limit, use goes first', (t) => {
  const shared = new SharedMemory(16 * kib);
  const pieces = Array.from({ length: 4 }, () => shared.take(4 * kib));
  for (const piece of pieces) shared.give(piece);
  t.same([shared.usedBytes, shared.keptBytes], [0, 16 * kib]);
  shared.take(8 * kib);
  t.same([shared.usedBytes, shared.keptBytes], [8 * kib, 8 * kib]);
  const large = shared.take(32 * kib);
  t.same([shared.usedBytes, shared.keptBytes], [40 * kib, 0], 'more than the limit is in use');
  shared.give(large);
  t.same([shared.usedBytes, shared.keptBytes], [8 * kib, 0], 'too large to be kept');
  t.end();
});

t.test('memory that is being read serves nobody else until the last reader has ended', (t) => {
  const shared = new SharedMemory(64 * kib);
  const rows = new RowMemory(shared);
  const memory = rows.take(kib);
  const ends = [rows.read(), rows.read()];
  rows.give(memory);
  t.not(shared.take(kib), memory);
  ends[0]?.();
  ends[0]?.();
  t.not(shared.take(kib), memory, 'the other one still reads, and ending twice is ending once');
  ends[1]?.();
  t.equal(shared.take(kib), memory);
  t.end();
});
