/**
 * The real streams and clocks of a command.
 */
import { setTimeout as delay } from 'node:timers/promises';
import type { Environment } from '../../base/config/load.ts';
import { type CommandContext, exitCodes } from './command.ts';

/** The context of the process itself. */
export function terminal(environment: Environment): CommandContext {
  // Whoever reads the output may stop (`holdfast query ... | head`); that is no fault.
  process.stdout.on('error', () => process.exit(exitCodes.ok));
  return {
    out: process.stdout,
    err: process.stderr,
    input: process.stdin,
    environment,
    fetch,
    sleep: (milliseconds) => delay(milliseconds),
    monotonicMs: () => performance.now(),
  };
}
