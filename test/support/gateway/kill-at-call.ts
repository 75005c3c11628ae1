/**
 * Kills the whole process with SIGKILL at a chosen call of the file layer, before it, after it, or
 * in the middle of a write.
 */
import process from 'node:process';
import { nodeFiles } from '../../../src/base/disk/files.ts';
import type { FileCall, Interceptor } from '../intercept-files.ts';
import type { KillPlan } from './plan.ts';

function die(): never {
  process.kill(process.pid, 'SIGKILL');
  // Nothing may run on this thread until the signal has ended the process.
  for (;;) Atomics.wait(new Int32Array(new SharedArrayBuffer(4)), 0, 0);
}

function writeHalf(call: FileCall): void {
  const { parts = [], position = 0 } = call;
  const whole = Buffer.concat(parts);
  const file = nodeFiles.open(call.path, 'write');
  file.write([whole.subarray(0, whole.length / 2)], position);
  file.close();
}

export function killAtCall(plan: KillPlan): Interceptor {
  let count = 0;
  const isDue = (call: FileCall): boolean => call.kind === plan.kind && count === plan.nth;
  return {
    before(call) {
      if (call.kind === plan.kind) count += 1;
      if (!isDue(call) || plan.moment === 'after') return undefined;
      if (plan.moment === 'half' && call.kind === 'write') writeHalf(call);
      return die();
    },
    after(call) {
      if (isDue(call)) die();
    },
  };
}
