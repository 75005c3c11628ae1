/** Entry of the commit thread of a test's gateway. */
import { randomInt } from 'node:crypto';
import { parentPort, type MessagePort } from 'node:worker_threads';
import { present } from '../../../src/base/lib/assert.ts';
import { systemClock } from '../../../src/base/lib/clock.ts';
import { runCommitter } from '../../../src/log/journal/commit-worker.ts';
import { commitParts } from '../../../src/storage/catalog/commit-parts.ts';
import type { ToCommitterShape } from './bugs.ts';
import { threadParts } from './thread-parts.ts';

const { files, openLog, bug } = threadParts('commit');
const port = present(parentPort, 'port of the commit thread');

/** The port, with every message changed on its way in. */
function changing(change: (message: ToCommitterShape) => ToCommitterShape): MessagePort {
  return new Proxy(port, {
    get(target, name) {
      const value: unknown = Reflect.get(target, name, target);
      if (name === 'on') {
        return (event: string, listener: (message: unknown) => void) =>
          target.on(event, (message: unknown) => {
            listener(change(message as ToCommitterShape));
          });
      }
      return typeof value === 'function' ? (value.bind(target) as unknown) : value;
    },
  });
}

runCommitter(
  bug.toCommitter === undefined ? port : changing(bug.toCommitter),
  commitParts({
    files,
    clock: systemClock,
    openLog,
    randomSalt: () => randomInt(1, 2 ** 32),
  }),
);
