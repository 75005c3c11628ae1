/** Figures of a process and its children, as the kernel counts them (proc(5)). */
import { readdirSync, readFileSync, statSync } from 'node:fs';
import { join } from 'node:path';

const ticksPerSecond = 100;

function childrenOf(pid: number): readonly number[] {
  const found: number[] = [];
  for (const task of readdirSync(`/proc/${pid}/task`)) {
    const children = readFileSync(`/proc/${pid}/task/${task}/children`, 'utf8').trim();
    for (const child of children.split(' ')) if (child !== '') found.push(Number(child));
  }
  return found;
}

/** CPU seconds, user and system, of `pid` with all threads, and of its living children. */
export function cpuSeconds(pid: number): number {
  const { user, kernel } = cpuParts(pid);
  return user + kernel;
}

/** The same, by who spent them. */
export function cpuParts(pid: number): { readonly user: number; readonly kernel: number } {
  const fields = readFileSync(`/proc/${pid}/stat`, 'utf8').split(') ')[1]?.split(' ') ?? [];
  // Fields 14 to 17: utime, stime, and the same of children that were waited for.
  const [user = 0, kernel = 0, childUser = 0, childKernel = 0] = fields.slice(11, 15).map(Number);
  const parts = {
    user: (user + childUser) / ticksPerSecond,
    kernel: (kernel + childKernel) / ticksPerSecond,
  };
  for (const child of childrenOf(pid)) {
    const own = cpuParts(child);
    parts.user += own.user;
    parts.kernel += own.kernel;
  }
  return parts;
}

function statusKiB(pid: number, key: string): number {
  const line = new RegExp(`^${key}:\\s+(\\d+) kB`, 'm');
  return Number(line.exec(readFileSync(`/proc/${pid}/status`, 'utf8'))?.[1] ?? 0);
}

/** Resident memory now and at its peak, in MiB, of the process alone. */
export function residentMiB(pid: number): { readonly now: number; readonly peak: number } {
  return { now: statusKiB(pid, 'VmRSS') / 1024, peak: statusKiB(pid, 'VmHWM') / 1024 };
}

/** Sum of the peaks of the living children of `pid`, in MiB: the query process. */
export function childrenPeakMiB(pid: number): number {
  return childrenOf(pid).reduce((sum, child) => sum + residentMiB(child).peak, 0);
}

/** CPU seconds by name of thread of the process alone; threads of one name together. */
export function threadSeconds(pid: number): ReadonlyMap<string, number> {
  const seconds = new Map<string, number>();
  for (const task of readdirSync(`/proc/${pid}/task`)) {
    const stat = readFileSync(`/proc/${pid}/task/${task}/stat`, 'utf8');
    const name = stat.slice(stat.indexOf('(') + 1, stat.lastIndexOf(')'));
    const fields = stat.slice(stat.lastIndexOf(')') + 2).split(' ');
    const ticks = Number(fields[11]) + Number(fields[12]);
    seconds.set(name, (seconds.get(name) ?? 0) + ticks / ticksPerSecond);
  }
  return seconds;
}

/** Bytes of all files below `directory`. */
export function directoryBytes(directory: string): number {
  let bytes = 0;
  for (const entry of readdirSync(directory, { withFileTypes: true })) {
    const path = join(directory, entry.name);
    bytes += entry.isDirectory() ? directoryBytes(path) : statSync(path).size;
  }
  return bytes;
}
