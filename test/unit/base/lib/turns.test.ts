/** Work in turns: order, what happens at once, and what an error leaves behind. */
import t from 'tap';
import { atOnce, Turns, turnMs, type Steps } from '../../../../src/base/lib/turns.ts';

/** Turns of one step each, or of as many as fit if time stands still. */
function rig(msPerLook = turnMs) {
  const later: (() => void)[] = [];
  let nowMs = 0;
  const turns = new Turns({
    monotonicMs: () => (nowMs += msPerLook),
    later: (turn) => later.push(turn),
  });
  const done: string[] = [];
  function* steps(name: string, count: number, end = () => undefined as unknown): Steps {
    for (let step = 1; step <= count; step += 1) {
      done.push(`${name}${step}`);
      yield;
    }
    end();
    done.push(`${name}.`);
  }
  return { turns, later, done, steps };
}

t.test('work that fits into a turn has ended when run returns', (test) => {
  const { turns, later, done, steps } = rig(0);
  turns.run(steps('a', 3));
  turns.run(steps('b', 0));
  test.strictSame(done, ['a1', 'a2', 'a3', 'a.', 'b.']);
  test.ok(turns.isIdle);
  test.equal(later.length, 0);
  test.end();
});

t.test('longer work is done a turn at a time, and what comes meanwhile waits behind it', (test) => {
  const { turns, later, done, steps } = rig();
  turns.run(steps('a', 2));
  test.strictSame(done, ['a1']);
  turns.run(steps('b', 1));
  test.notOk(turns.isIdle);
  const seen: number[] = [];
  for (let turn = later.shift(); turn !== undefined; turn = later.shift()) {
    turn();
    seen.push(done.length);
  }
  test.strictSame(done, ['a1', 'a2', 'a.', 'b1', 'b.']);
  test.strictSame(seen, [2, 3, 4, 5], 'one step a turn');
  test.ok(turns.isIdle);
  test.end();
});

t.test('work that is given by work waits until that has ended', (test) => {
  const { turns, done, steps } = rig(0);
  turns.run(
    steps('a', 1, () => {
      turns.run(steps('b', 1));
    }),
  );
  test.strictSame(done, ['a1', 'a.', 'b1', 'b.']);
  test.end();
});

t.test('what throws is over; it is thrown to who started it, or by its turn', (test) => {
  const { turns, later, done, steps } = rig();
  const fail = () => {
    throw new Error('broken');
  };
  test.throws(() => {
    turns.run(steps('a', 0, fail));
  }, /broken/);
  test.ok(turns.isIdle);
  turns.run(steps('b', 1, fail));
  turns.run(steps('c', 0));
  test.throws(() => later.shift()?.(), /broken/);
  later.shift()?.();
  test.strictSame(done, ['b1', 'c.']);
  test.ok(turns.isIdle);
  test.end();
});

t.test('steps can be taken without a pause', (test) => {
  const { done, steps } = rig();
  atOnce(steps('a', 2));
  test.strictSame(done, ['a1', 'a2', 'a.']);
  test.end();
});
