/**
 * Loaded into a process by `--import` before the product: SIGUSR2 throws where nobody catches it,
 * as a bug in a callback would.
 */
import { isMainThread } from 'node:worker_threads';
import process from 'node:process';

if (isMainThread) {
  process.on('SIGUSR2', () => {
    throw new Error('planted crash');
  });
}
