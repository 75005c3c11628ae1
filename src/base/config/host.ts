/**
 * What the machine offers. Memory is the smaller of RAM and the limit of the control group, so
 * that `auto` fits a container too.
 */
import { availableParallelism, totalmem } from 'node:os';

export interface HostFacts {
  readonly memoryBytes: number;
  readonly cores: number;
  /** Relative paths in options start here. */
  readonly workingDirectory: string;
}

/** The facts of this machine. */
export function hostFacts(): HostFacts {
  const limit = process.constrainedMemory();
  const total = totalmem();
  const memoryBytes = limit !== undefined && limit > 0 ? Math.min(limit, total) : total;
  return { memoryBytes, cores: availableParallelism(), workingDirectory: process.cwd() };
}
