/**
 * A disk that remembers every write and flush: QEMU's storage daemon logs them
 * (`blklogwrites`), exports the disk as a file through FUSE, and a loop device with ext4 on it is
 * mounted from that file. All of it lives in memory (/dev/shm). Needs root.
 */
import { execFileSync, spawn, type ChildProcess } from 'node:child_process';
import { mkdirSync, mkdtempSync, rmSync, statSync, truncateSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import process from 'node:process';
import { setTimeout as sleep } from 'node:timers/promises';
import { findProgram } from '../requirements.ts';
import { BlockLog } from './block-log.ts';
import type { MarkPlace } from './device-marks.ts';

const markAreaBytes = 1 << 20;
const logBytesMax = 16 * 2 ** 30;

export interface LoggedDeviceOptions {
  /** Size of the file system in bytes, a multiple of 4096. */
  readonly fileSystemBytes: number;
}

/** Runs a system program and returns what it printed. */
export function runProgram(name: string, args: readonly string[]): string {
  const path = findProgram(name);
  if (path === undefined) throw new Error(`${name} is not installed`);
  return execFileSync(path, args, { encoding: 'utf8', stdio: ['ignore', 'pipe', 'pipe'] }).trim();
}

export class LoggedDevice {
  readonly mountPoint: string;
  readonly marks: MarkPlace;
  readonly deviceBytes: number;
  /** A folder outside the device, gone after `dispose`. */
  readonly scratch: string;
  readonly #daemon: ChildProcess;
  readonly #logPath: string;
  #isMounted = true;

  private constructor(
    scratch: string,
    daemon: ChildProcess,
    loopDevice: string,
    fileSystemBytes: number,
  ) {
    this.scratch = scratch;
    this.mountPoint = join(scratch, 'mount');
    this.#logPath = join(scratch, 'log');
    this.marks = { device: loopDevice, position: fileSystemBytes };
    this.deviceBytes = fileSystemBytes + markAreaBytes;
    this.#daemon = daemon;
    process.once('exit', this.#abandon);
  }

  static async open(options: LoggedDeviceOptions): Promise<LoggedDevice> {
    const scratch = mkdtempSync('/dev/shm/holdfast-rig-');
    const daemon = startDaemon(scratch, options.fileSystemBytes + markAreaBytes);
    try {
      await exported(join(scratch, 'export'), options.fileSystemBytes + markAreaBytes, daemon);
      const loopDevice = runProgram('losetup', ['-f', '--show', join(scratch, 'export')]);
      const blocks = String(options.fileSystemBytes / 4096);
      const layout = 'nodiscard,lazy_itable_init=0,lazy_journal_init=0';
      runProgram('mkfs.ext4', ['-q', '-E', layout, '-b', '4096', loopDevice, blocks]);
      runProgram('mount', ['-t', 'ext4', loopDevice, join(scratch, 'mount')]);
      return new LoggedDevice(scratch, daemon, loopDevice, options.fileSystemBytes);
    } catch (error) {
      daemon.kill();
      throw error;
    }
  }

  /** Unmounts, ends the daemon and returns the complete log. */
  async finish(): Promise<BlockLog> {
    await this.#unmount();
    return BlockLog.open(this.#logPath, this.marks.position);
  }

  /** Removes everything; also right after a failure in the middle of a run. */
  async dispose(): Promise<void> {
    await this.#unmount();
    rmSync(this.scratch, { recursive: true, force: true });
  }

  /** A test that is ended by its time limit must not leave mounts and daemons behind. */
  readonly #abandon = (): void => {
    try {
      runProgram('umount', ['-l', this.mountPoint]);
      runProgram('losetup', ['-d', this.marks.device]);
    } finally {
      this.#daemon.kill('SIGKILL');
      rmSync(this.scratch, { recursive: true, force: true });
    }
  };

  async #unmount(): Promise<void> {
    if (!this.#isMounted) return;
    this.#isMounted = false;
    process.off('exit', this.#abandon);
    await unmount(this.mountPoint);
    runProgram('losetup', ['-d', this.marks.device]);
    // The loop device lets go of the exported file a moment after `losetup -d` returned.
    await sleep(200);
    const ended = new Promise((resolve) => this.#daemon.once('exit', resolve));
    if (this.#daemon.exitCode === null) {
      this.#daemon.kill();
      await ended;
    }
  }
}

/** Unmounts, trying again for a while when something still holds a file there. */
export async function unmount(mountPoint: string): Promise<void> {
  for (let attempt = 1; ; attempt += 1) {
    try {
      runProgram('umount', [mountPoint]);
      return;
    } catch (error) {
      if (attempt === 50) throw error;
      await sleep(20 * Math.min(attempt, 10));
    }
  }
}

function startDaemon(scratch: string, deviceBytes: number): ChildProcess {
  mkdirSync(join(scratch, 'mount'));
  for (const name of ['base', 'log', 'export']) writeFileSync(join(scratch, name), '');
  truncateSync(join(scratch, 'base'), deviceBytes);
  truncateSync(join(scratch, 'log'), logBytesMax);
  const path = findProgram('qemu-storage-daemon');
  if (path === undefined) throw new Error('qemu-storage-daemon is not installed');
  const block = (text: string): string[] => ['--blockdev', text];
  const args = [
    ...block(`driver=file,node-name=base,filename=${join(scratch, 'base')}`),
    ...block(`driver=file,node-name=log,filename=${join(scratch, 'log')}`),
    ...block('driver=blklogwrites,node-name=top,file=base,log=log,log-sector-size=512'),
    '--export',
    `type=fuse,id=disk,node-name=top,mountpoint=${join(scratch, 'export')},writable=on`,
  ];
  return spawn(path, args, { stdio: 'inherit' });
}

/** Waits until the export shows the size of the disk. */
async function exported(path: string, bytes: number, daemon: ChildProcess): Promise<void> {
  for (let attempt = 0; attempt < 200; attempt += 1) {
    if (daemon.exitCode !== null) throw new Error(`storage daemon ended: ${daemon.exitCode}`);
    if (statSync(path).size === bytes) return;
    await sleep(25);
  }
  throw new Error('the storage daemon did not export the disk within 5 s');
}
