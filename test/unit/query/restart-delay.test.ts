/** Waits between query processes: short after one that worked, bounded after all others. */
import t from 'tap';
import { RestartDelay, type ProcessLife } from '../../../src/query/restart-delay.ts';

/** A clock that tells how long each process lived; every process ends after the same time. */
const delays = (count: number, life: Partial<ProcessLife>, of = new RestartDelay()) =>
  Array.from({ length: count }, () =>
    of.after({ wasReady: true, hasAnswered: false, livedMs: 10, ...life }),
  );

t.test('a process that answered is replaced at once, however often it ends', (t) => {
  t.same(delays(20, { hasAnswered: true }), Array<number>(20).fill(100));
  t.end();
});

t.test('one that never answered is waited for longer, but never more than a second', (t) => {
  t.same(delays(7, {}), [100, 200, 400, 800, 1000, 1000, 1000]);
  t.end();
});

t.test('one that does not even start is waited for up to five seconds', (t) => {
  const life = { wasReady: false };
  t.same(delays(8, life), [100, 200, 400, 800, 1600, 3200, 5000, 5000]);
  t.same(delays(1000, life).at(-1), 5000, 'for ever');
  t.same(delays(3, { wasReady: false, livedMs: 120_000 }), [100, 200, 400], 'slow or not');
  t.end();
});

t.test('one that answered, or was ready for a minute, ends the growth', (t) => {
  for (const good of [{ hasAnswered: true }, { livedMs: 60_000 }]) {
    const delay = new RestartDelay();
    t.equal(delays(9, { wasReady: false }, delay).at(-1), 5000);
    t.same(delays(1, {}, delay), [1000], 'ready alone is not enough');
    t.same(delays(1, good, delay), [100]);
    t.same(delays(2, {}, delay), [200, 400]);
  }
  t.end();
});
