/** Entry of an encoder thread of a test's gateway. */
import { parentPort, workerData } from 'node:worker_threads';
import { present } from '../../../src/base/lib/assert.ts';
import { runEncoder } from '../../../src/storage/parquet/encoder-worker.ts';
import type { EncoderSettings } from '../../../src/storage/parquet/types.ts';
import { threadParts } from './thread-parts.ts';

runEncoder(present(parentPort, 'parent port'), {
  files: threadParts('encoder').files,
  settings: workerData as EncoderSettings,
});
