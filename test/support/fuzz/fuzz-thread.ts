/** Entry of the thread on which a target is run. */
import { setImmediate } from 'node:timers/promises';
import { parentPort, workerData } from 'node:worker_threads';
import { present } from '../../../src/base/lib/assert.ts';
import { runFuzzer } from './fuzzer.ts';
import type { FuzzerStart } from './fuzz-run.ts';

const port = present(parentPort, 'port of the fuzzer');
await runFuzzer(workerData as FuzzerStart, (message) => port.postMessage(message), setImmediate);
