import t from 'tap';
import { Pins } from '../../../../src/log/journal/pins.ts';

t.test('the smallest pinned commit is told each time it changes, and only then', (t) => {
  const told: (number | undefined)[] = [];
  const pins = new Pins((smallest) => told.push(smallest));
  const first = pins.pin(5);
  const second = pins.pin(5);
  const later = pins.pin(9);
  t.same(told, [5]);
  t.equal(pins.count, 3);
  first();
  first();
  t.same(told, [5], 'the other pin of 5 holds; letting go twice counts once');
  second();
  t.same(told, [5, 9]);
  const earlier = pins.pin(2);
  t.equal(pins.smallest, 2);
  later();
  t.same(told, [5, 9, 2]);
  earlier();
  t.same(told, [5, 9, 2, undefined]);
  t.equal(pins.count, 0);
  t.end();
});
