/** A process that takes the lock of a data directory, says so or why not, and waits to be ended. */
import { GatewayError } from '../../src/base/errors/gateway-error.ts';
import { acquireDataLock } from '../../src/system/lock.ts';

try {
  await acquireDataLock(process.argv[2] ?? '');
  process.stdout.write('held\n');
  setInterval(() => undefined, 1000);
} catch (error) {
  if (!(error instanceof GatewayError)) throw error;
  process.stdout.write(`${error.code} ${JSON.stringify(error.details)}\n`);
}
