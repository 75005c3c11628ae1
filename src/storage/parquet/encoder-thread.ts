/** Entry of an encoder thread. `workerData` are its EncoderSettings. */
import { parentPort, workerData } from 'node:worker_threads';
import { nodeFiles } from '../../base/disk/files.ts';
import { present } from '../../base/lib/assert.ts';
import { runEncoder } from './encoder-worker.ts';
import type { EncoderSettings } from './types.ts';

runEncoder(present(parentPort, 'parent port'), {
  files: nodeFiles,
  settings: workerData as EncoderSettings,
});
