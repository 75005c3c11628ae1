/**
 * The exclusive hold on a data directory. Two gateways on one directory would overwrite each
 * other's logs, so the hold must be taken by the kernel, not by a file that someone checks: a check
 * and a write are two steps, and what a killed process left behind says nothing. Two kernel holds
 * are taken, because Node offers neither flock nor fcntl and each of these covers what the other
 * does not:
 *
 * I1. An abstract UNIX socket named after device and inode of the directory. Binding it is atomic,
 *     the kernel frees it with the process (SIGKILL included), and its holder answers with its pid.
 *     It is seen only inside one network namespace.
 * I2. A flock on `<data_dir>/lock`, taken by flock(1) on a descriptor that this process keeps: the
 *     lock belongs to the open file, so it outlives that command and ends with this process. It is
 *     seen by containers with their own network. Where there is no flock(1), I1 alone holds.
 * I3. The text of `lock` only names the holder for people; nothing is decided by it. The file is
 *     never removed: one gateway could lock the removed file while another makes a new one.
 *
 * Main thread of `serve`, before anything in the directory is read; offline verbs later.
 */
import { spawnSync } from 'node:child_process';
import { once } from 'node:events';
import {
  closeSync,
  fstatSync,
  ftruncateSync,
  openSync,
  readFileSync,
  statSync,
  writeSync,
} from 'node:fs';
import { connect, createServer, type Server } from 'node:net';
import { join } from 'node:path';
import { text } from 'node:stream/consumers';
import { makeDurable } from '../base/disk/data-directory.ts';
import { nodeFiles, type Files } from '../base/disk/files.ts';
import { GatewayError } from '../base/errors/gateway-error.ts';

export interface DataLock {
  /** Ends the hold; a process that ends without it ends the hold too. */
  release(): Promise<void>;
}

/** How long a holder that is busy may take to say its pid. */
const answerMsMax = 1000;

const lockFileName = 'lock';

function socketName(dataDirectory: string): string {
  const { dev, ino } = statSync(dataDirectory, { bigint: true });
  return `\0holdfast-${dev}-${ino}`;
}

/** The pid that the holder of `name` answers with, or undefined if it is too busy. */
async function askHolder(name: string): Promise<number | undefined> {
  const socket = connect(name);
  const timer = setTimeout(() => socket.destroy(), answerMsMax);
  try {
    const pid = Number(await text(socket));
    return Number.isSafeInteger(pid) && pid > 0 ? pid : undefined;
  } catch {
    // It ended just now or does not answer: the caller then reads the file.
    return undefined;
  } finally {
    clearTimeout(timer);
    socket.destroy();
  }
}

function recordedPid(path: string): number | undefined {
  try {
    const pid = (JSON.parse(readFileSync(path, 'utf8')) as { pid?: unknown }).pid;
    return typeof pid === 'number' ? pid : undefined;
  } catch {
    return undefined;
  }
}

function locked(dataDirectory: string, pid: number | undefined): GatewayError {
  const holder = pid === undefined ? 'another gateway' : `the gateway with process id ${pid}`;
  return new GatewayError('HF_DATA_LOCKED', `${dataDirectory} is held by ${holder}`, {
    details: { dataDirectory, pid: pid ?? null },
  });
}

async function bind(name: string): Promise<Server | undefined> {
  const server = createServer((socket) => {
    socket.on('error', () => socket.destroy());
    socket.end(String(process.pid));
  });
  try {
    server.listen(name);
    await once(server, 'listening');
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'EADDRINUSE') return undefined;
    throw new GatewayError(
      'HF_IO',
      `cannot bind the lock of the data directory: ${String(error)}`,
      {
        cause: error,
      },
    );
  }
  // The hold must not keep a process alive that has nothing else to do.
  server.unref();
  return server;
}

/** False if somebody else has the flock; true if it is held now or there is no flock(1). */
function takeFlock(descriptor: number): boolean {
  const conflict = 75;
  const words = ['--nonblock', '--exclusive', '--conflict-exit-code', String(conflict), '3'];
  const stdio = ['ignore', 'ignore', 'ignore', descriptor] as const;
  const { status } = spawnSync('flock', words, { stdio: [...stdio] });
  return status !== conflict;
}

function openLockFile(path: string): number {
  try {
    return openSync(path, 'a+', 0o640);
  } catch (error) {
    const errno = (error as NodeJS.ErrnoException).code ?? 'unknown';
    throw new GatewayError('HF_IO', `open ${path}: ${errno}`, {
      cause: error,
      details: { path, errno },
    });
  }
}

/**
 * The hold on `dataDirectory`, and by I1 on the directory of the log, which may lie elsewhere, and
 * by mistake where another gateway has its own. Both are made, durably, if they are not there.
 * @throws HF_DATA_LOCKED naming the holder's process id; HF_IO if a directory cannot be written.
 */
export async function acquireDataLock(
  dataDirectory: string,
  walDirectory = dataDirectory,
  files = nodeFiles,
): Promise<DataLock> {
  const data = await holdData(dataDirectory, files);
  try {
    makeDurable(files, walDirectory);
    const name = socketName(walDirectory);
    if (name === socketName(dataDirectory)) return data;
    const server = await bind(name);
    if (server === undefined) throw locked(walDirectory, await askHolder(name));
    return {
      release: async () => {
        await closed(server);
        await data.release();
      },
    };
  } catch (error) {
    await data.release();
    throw error;
  }
}

async function holdData(dataDirectory: string, files: Files): Promise<DataLock> {
  makeDurable(files, dataDirectory);
  const path = join(dataDirectory, lockFileName);
  const name = socketName(dataDirectory);
  const server = await bind(name);
  if (server === undefined) {
    throw locked(dataDirectory, (await askHolder(name)) ?? recordedPid(path));
  }
  let descriptor: number | undefined;
  try {
    descriptor = openLockFile(path);
    if (!takeFlock(descriptor)) throw locked(dataDirectory, recordedPid(path));
    const holder = { pid: process.pid, started: new Date().toISOString() };
    if (fstatSync(descriptor).size > 0) ftruncateSync(descriptor, 0);
    writeSync(descriptor, `${JSON.stringify(holder)}\n`);
  } catch (error) {
    if (descriptor !== undefined) closeSync(descriptor);
    server.close();
    throw error;
  }
  const held = descriptor;
  return {
    release: () => {
      closeSync(held);
      return closed(server);
    },
  };
}

function closed(server: Server): Promise<void> {
  return new Promise((resolve) => {
    server.close(() => {
      resolve();
    });
  });
}
