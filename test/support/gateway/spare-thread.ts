/** Entry of the thread that fills spares, of a test's gateway. */
import { parentPort } from 'node:worker_threads';
import { present } from '../../../src/base/lib/assert.ts';
import { runSpares } from '../../../src/log/spare-worker.ts';
import { threadParts } from './thread-parts.ts';

runSpares(present(parentPort, 'port of the spare thread'), { files: threadParts('spare').files });
