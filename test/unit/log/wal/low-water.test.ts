import t from 'tap';
import { LowWater } from '../../../../src/log/wal/low-water.ts';

const flush = (number: number, lowWater: number) => ({ kind: 'flush', number, lowWater }) as const;

t.test('a segment is released by a commit only after a later record confirms it', (t) => {
  const released: number[] = [];
  const lowWater = new LowWater((mark) => released.push(mark));
  lowWater.visible(flush(1, 100));
  lowWater.visible(flush(2, 200));
  t.same(released, [], 'visible alone releases nothing');
  lowWater.safe(1);
  t.same(released, [100], 'only what the confirmed commit filed');
  lowWater.safe(1);
  t.same(released, [100], 'nothing twice');
  lowWater.safe(5);
  t.same(released, [100, 200]);
  t.end();
});

t.test('a mark that does not rise releases nothing', (t) => {
  const released: number[] = [];
  const lowWater = new LowWater((mark) => released.push(mark));
  lowWater.visible(flush(1, 100));
  lowWater.visible(flush(2, 100));
  lowWater.visible({ kind: 'mark', number: 3 });
  lowWater.visible(flush(4, 90));
  lowWater.safe(4);
  t.same(released, [100]);
  t.end();
});

t.test('safety that runs ahead of visibility does not release', (t) => {
  const released: number[] = [];
  const lowWater = new LowWater((mark) => released.push(mark));
  lowWater.safe(9);
  lowWater.visible(flush(4, 50));
  t.same(released, [], 'the mark waits for the next confirmation');
  lowWater.safe(10);
  t.same(released, [50]);
  t.end();
});
