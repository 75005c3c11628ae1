/** Niceness of a thread: stands back only where it can come back. */
import t from 'tap';
import { standBack, TurnPriority } from '../../../../src/base/lib/thread-priority.ts';

/** A system that lets a thread go down always, and up as far as `up`. */
function system(niceness: number, up: number) {
  const calls: number[] = [];
  return {
    calls,
    get: () => niceness,
    set: (wanted: number) => {
      if (wanted < niceness && wanted < up) throw new Error('EACCES');
      niceness = wanted;
      calls.push(wanted);
    },
  };
}

t.test('stands back while nothing is urgent, and is back when it is', (t) => {
  const calls = system(0, 0);
  const priority = new TurnPriority(calls, 'linux');
  t.equal(calls.get(), 0, 'tried and undone');
  for (const urgent of [false, false, true, true, false]) priority.take(urgent);
  t.strictSame(calls.calls, [1, 0, 10, 0, 10], 'no call without a change');
  t.equal(priority.niceness, 10);
  t.end();
});

t.test('without leave to go back up it stands one step back for good', (t) => {
  const calls = system(0, 19);
  const priority = new TurnPriority(calls, 'linux');
  for (const urgent of [false, true, false]) priority.take(urgent);
  t.strictSame(calls.calls, [1]);
  t.equal(priority.niceness, 1);
  t.end();
});

t.test('a thread that is nice already goes no further than the last step', (t) => {
  const low = system(15, 0);
  new TurnPriority(low, 'linux').take(false);
  t.equal(low.get(), 19);
  const lowest = system(19, 0);
  new TurnPriority(lowest, 'linux').take(false);
  t.strictSame(lowest.calls, []);
  const spare = system(12, 0);
  standBack(spare, 'linux');
  t.equal(spare.get(), 19);
  t.end();
});

t.test('a system that refuses, or knows no priority of a thread, is left alone', (t) => {
  const refusing = {
    get: () => 0,
    set: () => {
      throw new Error('EPERM');
    },
  };
  const priority = new TurnPriority(refusing, 'linux');
  priority.take(false);
  t.equal(priority.niceness, 0);
  t.doesNotThrow(() => {
    standBack(refusing, 'linux');
  });
  const mac = system(0, 0);
  new TurnPriority(mac, 'darwin').take(false);
  standBack(mac, 'darwin');
  t.strictSame(mac.calls, []);
  t.end();
});
