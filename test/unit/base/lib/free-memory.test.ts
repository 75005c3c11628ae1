import t from 'tap';
import { freeMemory } from '../../../../src/base/lib/free-memory.ts';

t.test('an array that is all of its memory is empty afterwards', (t) => {
  const bytes = new Uint8Array(1024);
  const words = new Float64Array(1000);
  freeMemory(bytes);
  freeMemory(words);
  freeMemory(bytes);
  t.same([bytes.length, words.length], [0, 0], 'twice is no error');
  t.end();
});

t.test('small arrays, views of larger memory and shared memory stay as they are', (t) => {
  const whole = new Uint8Array(2000).fill(7);
  const part = whole.subarray(0, 1999);
  const pooled = Buffer.from('telemetry');
  const shared = new Uint8Array(new SharedArrayBuffer(2048));
  const small = new Uint8Array(1023);
  for (const bytes of [part, pooled, shared, small]) freeMemory(bytes);
  t.same([whole.length, whole[1999], part.length], [2000, 7, 1999]);
  t.equal(pooled.toString(), 'telemetry');
  t.same([shared.length, small.length], [2048, 1023]);
  t.end();
});
