/**
 * How a UNIX socket is named to the system, which takes 107 bytes at most: by the shorter one of
 * its absolute path and its path from the working directory. Main thread and configuration.
 */
import { relative } from 'node:path';

export const socketPathBytesMax = 107;

/** The shorter name of the absolute `path` for a process whose working directory is that one. */
export function socketPathFrom(workingDirectory: string, path: string): string {
  const fromHere = relative(workingDirectory, path);
  return Buffer.byteLength(fromHere) < Buffer.byteLength(path) ? fromHere : path;
}
