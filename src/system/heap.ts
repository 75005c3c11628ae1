/**
 * How far the collector lets the heaps of this process grow. Main thread, once, before the gateway
 * starts; the flag holds for all threads of the process.
 */
import { setFlagsFromString } from 'node:v8';

/** Garbage that may gather in old space, per hundred bytes that are in use. */
const growingPercent = 50;

/**
 * Collects old space when it has grown by half since the last time. By itself the collector waits
 * longer the more memory the machine has: up to four times what is in use, which a gateway that
 * promises how much memory it takes cannot afford.
 */
export function boundHeapGrowth(): void {
  setFlagsFromString(`--heap-growing-percent=${growingPercent}`);
}
