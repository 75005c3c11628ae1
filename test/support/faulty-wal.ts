/**
 * A WAL thread whose disk obeys the test. Files in the folder `orders` are orders: `fail-<call>`
 * fails each such call while it is there, `once-<call>` fails one, `hold-<call>` makes such calls
 * wait until it is gone, `die` ends the thread at its next write. `wait` exists while one is held.
 * The test writes an entry of two lines that calls this (wal-bench.ts).
 */
import { existsSync, rmSync, writeFileSync } from 'node:fs';
import { randomInt } from 'node:crypto';
import { parentPort } from 'node:worker_threads';
import { nodeFiles } from '../../src/base/disk/files.ts';
import { GatewayError } from '../../src/base/errors/gateway-error.ts';
import { present } from '../../src/base/lib/assert.ts';
import { systemClock } from '../../src/base/lib/clock.ts';
import { openLog } from '../../src/log/open-log.ts';
import { runWal } from '../../src/log/wal/wal-worker.ts';
import { interceptFiles, type FileCall } from './intercept-files.ts';

function refuse(call: FileCall): never {
  throw new GatewayError('HF_IO', `${call.kind} ${call.path}: EIO`, { details: { errno: 'EIO' } });
}

function obey(orders: string, call: FileCall): undefined {
  const pause = new Int32Array(new SharedArrayBuffer(4));
  if (existsSync(`${orders}/hold-${call.kind}`)) {
    writeFileSync(`${orders}/wait`, '');
    while (existsSync(`${orders}/hold-${call.kind}`)) Atomics.wait(pause, 0, 0, 2);
    rmSync(`${orders}/wait`);
  }
  if (call.kind === 'write' && existsSync(`${orders}/die`)) process.exit(1);
  if (existsSync(`${orders}/fail-${call.kind}`)) refuse(call);
  if (existsSync(`${orders}/once-${call.kind}`)) {
    rmSync(`${orders}/once-${call.kind}`);
    refuse(call);
  }
  return undefined;
}

/** Runs the WAL on this thread over a disk that obeys `orders`. */
export function runFaultyWal(orders: string): void {
  runWal(present(parentPort, 'port of the WAL thread'), {
    files: interceptFiles(nodeFiles, { before: (call) => obey(orders, call) }),
    clock: systemClock,
    openLog,
    randomSalt: () => randomInt(1, 2 ** 32),
  });
}
