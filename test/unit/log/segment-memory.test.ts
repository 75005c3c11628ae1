/** Memory of replayed segments: when it is used again, and when it is not. */
import t from 'tap';
import { SegmentMemory } from '../../../src/log/segment-memory.ts';

t.test('two pieces take turns: the one before the last is used again', (test) => {
  const memory = new SegmentMemory(true);
  const first = memory.take(1000);
  const second = memory.take(2000);
  first.fill(1);
  second.fill(2);
  test.not(second.buffer, first.buffer, 'the one before stays as it was');
  const third = memory.take(500);
  test.equal(third.buffer, first.buffer);
  test.equal(third.length, 500);
  third.fill(3);
  test.ok(
    second.every((byte) => byte === 2),
    'the one before stays as it was',
  );
  test.equal(memory.take(2000).buffer, second.buffer);
  test.end();
});

t.test('a longer segment gets longer memory, and the shorter one goes', (test) => {
  const memory = new SegmentMemory(true);
  const small = memory.take(2000);
  const other = memory.take(2000).fill(5);
  test.equal(memory.take(4096).length, 4096);
  test.equal(small.length, 0, 'given back');
  test.ok(
    other.every((byte) => byte === 5),
    'the one before stays as it was',
  );
  memory.free();
  test.equal(other.length, 0, 'given back');
  test.end();
});

t.test('memory of payloads that are kept is never used again', (test) => {
  const memory = new SegmentMemory(false);
  const pieces = [1, 2, 3, 4].map((value) => memory.take(2000).fill(value));
  memory.free();
  test.strictSame(
    pieces.map((piece) => [piece.length, piece[0], piece[1999]]),
    [1, 2, 3, 4].map((value) => [2000, value, value]),
  );
  test.end();
});
