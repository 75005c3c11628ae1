/**
 * Entry of the thread that fills spares ahead of need; see spare-worker.ts.
 */
import { parentPort } from 'node:worker_threads';
import { nodeFiles } from '../base/disk/files.ts';
import { present } from '../base/lib/assert.ts';
import { runSpares } from './spare-worker.ts';

runSpares(present(parentPort, 'port of the spare thread'), { files: nodeFiles });
