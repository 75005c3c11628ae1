import t from 'tap';
import { freeMemory } from '../../../../src/base/lib/free-memory.ts';

t.test('an array that is all of its memory is empty afterwards', (t) => {
  const bytes = new Uint8Array(1000);
  const words = new Float64Array(1000);
  freeMemory(bytes);
  freeMemory(words);
  freeMemory(bytes);
  t.same([bytes.length, words.length], [0, 0], 'twice is no error');
  t.end();
});

t.test('views of larger memory and shared memory stay as they are', (t) => {
  const whole = new Uint8Array(1000).fill(7);
  const part = whole.subarray(0, 999);
  const pooled = Buffer.from('telemetry');
  const shared = new Uint8Array(new SharedArrayBuffer(10));
  for (const bytes of [part, pooled, shared]) freeMemory(bytes);
  t.same([whole.length, whole[999], part.length], [1000, 7, 999]);
  t.equal(pooled.toString(), 'telemetry');
  t.equal(shared.length, 10);
  t.end();
});
