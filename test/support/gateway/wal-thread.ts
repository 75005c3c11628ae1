/** Entry of the WAL thread of a test's gateway. */
import { randomInt } from 'node:crypto';
import { parentPort } from 'node:worker_threads';
import { present } from '../../../src/base/lib/assert.ts';
import { systemClock } from '../../../src/base/lib/clock.ts';
import { runWal } from '../../../src/log/wal/wal-worker.ts';
import { threadParts } from './thread-parts.ts';

const { files, openLog } = threadParts('wal');
runWal(present(parentPort, 'port of the WAL thread'), {
  files,
  clock: systemClock,
  openLog,
  randomSalt: () => randomInt(1, 2 ** 32),
});
