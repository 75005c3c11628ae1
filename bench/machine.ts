/** What the figures of a bench depend on, in words to print above them. */
import { readFileSync, realpathSync } from 'node:fs';
import { cpus, loadavg, release, totalmem } from 'node:os';

/** Type of the file system that holds `path`, as the kernel mounted it. */
export function fileSystemOf(path: string): string {
  const real = realpathSync(path);
  let best = { point: '', type: 'unknown' };
  for (const line of readFileSync('/proc/self/mounts', 'utf8').split('\n')) {
    const [, point = '', type = ''] = line.split(' ');
    const holds = point !== '' && `${real}/`.startsWith(point === '/' ? '/' : `${point}/`);
    if (holds && point.length >= best.point.length) best = { point, type };
  }
  return best.type;
}

/** One line: Node, kernel, cores, memory, file system of `directory`. */
export function machineLine(directory: string): string {
  const cores = cpus().length;
  const gib = (totalmem() / 2 ** 30).toFixed(0);
  const disk = fileSystemOf(directory);
  const warning = disk === 'tmpfs' ? ' (in memory: syncs cost nothing; use --directory)' : '';
  return `node ${process.version}, linux ${release()}, ${cores} cores, ${gib} GiB, ${disk}${warning}`;
}

/** Processes that want to run, averaged by the kernel: more than the cores is a noisy machine. */
export function loadLine(): string {
  return `load average ${loadavg()
    .map((load) => load.toFixed(1))
    .join(', ')} (1, 5 and 15 minutes; the bench itself counts)`;
}
