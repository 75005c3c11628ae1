/**
 * What lies in a directory, byte for byte, so that a test can say that nothing changed.
 */
import { createHash } from 'node:crypto';
import { globSync, lstatSync, readFileSync } from 'node:fs';
import { join } from 'node:path';

/** SHA-256 of each file below `directory` by its path; folders and sockets have none. */
export function directoryTree(directory: string): Record<string, string> {
  const tree: Record<string, string> = {};
  for (const path of globSync('**', { cwd: directory }).sort()) {
    const whole = join(directory, path);
    const isFile = lstatSync(whole).isFile();
    tree[path] = isFile ? createHash('sha256').update(readFileSync(whole)).digest('hex') : '';
  }
  return tree;
}
