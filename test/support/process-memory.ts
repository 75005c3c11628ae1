/** Memory of a process as the kernel counts it, its threads included, its children not. */
import { readFileSync, writeFileSync } from 'node:fs';

/** Most bytes that were resident at once since the start, or since `forgetPeak`. */
export function peakBytes(pid: number): number {
  const line = /^VmHWM:\s+(\d+) kB$/m.exec(readFileSync(`/proc/${pid}/status`, 'utf8'));
  if (line === null) throw new Error(`no peak of process ${pid}`);
  return Number(line[1]) * 1024;
}

/** The peak begins anew, at what is resident now. */
export function forgetPeak(pid: number): void {
  writeFileSync(`/proc/${pid}/clear_refs`, '5');
}

export const mebibyte = 1024 * 1024;
