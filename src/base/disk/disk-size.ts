/**
 * The size of a file system, for watermarks that are given as a share of it. Apart from `Files`,
 * because nothing that tests simulate depends on it.
 */
import { statfsSync } from 'node:fs';
import { GatewayError } from '../errors/gateway-error.ts';

/** Bytes of the whole file system that holds `path`. @throws HF_IO if it cannot be asked. */
export function diskBytes(path: string): number {
  try {
    const facts = statfsSync(path);
    return facts.blocks * facts.bsize;
  } catch (error) {
    const errno = (error as NodeJS.ErrnoException).code ?? 'unknown';
    throw new GatewayError('HF_IO', `statfs ${path}: ${errno}`, {
      cause: error,
      details: { path, errno },
    });
  }
}
