/**
 * Entry of the WAL thread; see wal-worker.ts.
 */
import { randomInt } from 'node:crypto';
import { parentPort } from 'node:worker_threads';
import { nodeFiles } from '../../base/disk/files.ts';
import { present } from '../../base/lib/assert.ts';
import { systemClock } from '../../base/lib/clock.ts';
import { openLog } from '../open-log.ts';
import { runWal } from './wal-worker.ts';

runWal(present(parentPort, 'port of the WAL thread'), {
  files: nodeFiles,
  clock: systemClock,
  openLog,
  randomSalt: () => randomInt(1, 2 ** 32),
});
