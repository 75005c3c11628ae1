/**
 * Entry of the commit thread; see log/journal/commit-worker.ts.
 */
import { randomInt } from 'node:crypto';
import { parentPort } from 'node:worker_threads';
import { nodeFiles } from '../../base/disk/files.ts';
import { present } from '../../base/lib/assert.ts';
import { systemClock } from '../../base/lib/clock.ts';
import { runCommitter } from '../../log/journal/commit-worker.ts';
import { openLog } from '../../log/open-log.ts';
import { commitParts } from './commit-parts.ts';

runCommitter(
  present(parentPort, 'port of the commit thread'),
  commitParts({
    files: nodeFiles,
    clock: systemClock,
    openLog,
    randomSalt: () => randomInt(1, 2 ** 32),
  }),
);
