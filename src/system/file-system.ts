/**
 * Whether the file system of the data directory can tell names apart as Holdfast must: databases
 * `CPU` and `cpu` are two, and so are their folders. Asked once at start, by trying.
 */
import { join } from 'node:path';
import type { Files } from '../base/disk/files.ts';
import { GatewayError } from '../base/errors/gateway-error.ts';

/**
 * Returns if names that differ only by case are two files in `directory`.
 * @throws HF_FILE_SYSTEM if they are one.
 */
export function refuseCaseInsensitive(files: Files, directory: string): void {
  const lower = join(directory, '.case-test');
  const upper = join(directory, '.CASE-TEST');
  // A start that was killed here may have left it.
  files.unlink(lower);
  files.open(lower, 'create').close();
  const same = files.size(upper) !== undefined;
  files.unlink(lower);
  if (!same) return;
  throw new GatewayError(
    'HF_FILE_SYSTEM',
    `${directory} lies on a file system that does not tell upper from lower case`,
    { details: { directory } },
  );
}
