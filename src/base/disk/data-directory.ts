/**
 * What lies where in the data directory (docs/ARCHITECTURE.md, Files), and making it. Called once
 * at the start of `serve`, by whoever holds the directory's lock.
 */
import { randomUUID } from 'node:crypto';
import { dirname, join } from 'node:path';
import type { Files } from './files.ts';
import { makeMemoryDirectory } from './memory-directory.ts';

/** Absolute paths. */
export interface DataDirectories {
  readonly root: string;
  readonly wal: string;
  readonly journal: string;
  /** Parquet files; what is below it is made by the encoders. */
  readonly data: string;
  readonly quarantine: string;
  readonly orphans: string;
  readonly cache: string;
  /** Hot chunks, spilled queries and sockets: nothing in them outlives the process. */
  readonly hot: string;
  /** In memory; hot chunks go there before they go to `hot`. */
  readonly hotMemory?: string;
  readonly spill: string;
  readonly run: string;
}

/**
 * Makes a directory and those above it that are missing, each durable by a sync of the directory
 * that names it. @throws HF_IO
 */
export function makeDurable(files: Files, path: string): void {
  if (files.size(path) !== undefined) return;
  makeDurable(files, dirname(path));
  if (files.makeDirectory(path)) files.syncDirectory(dirname(path));
}

/**
 * Returns the directories below `root` after each of them is durable.
 * @param wal directory of the write-ahead log, which may lie elsewhere
 * @throws HF_IO if one cannot be made
 */
export function makeDataDirectories(files: Files, root: string, wal: string): DataDirectories {
  const below = (name: string) => join(root, name);
  const directories = {
    root,
    wal,
    journal: below('journal'),
    data: below('data'),
    quarantine: below('quarantine'),
    orphans: below('orphans'),
    cache: below('cache'),
    hot: below('hot'),
    spill: below('spill'),
    run: below('run'),
  };
  for (const path of Object.values(directories)) makeDurable(files, path);
  // A start that was killed may have made some of them and synced none.
  files.syncDirectory(root);
  return directories;
}

/** Returns `directories` with one in memory for hot chunks, if `bytes` of them find room there. */
export function withHotMemory(
  files: Files,
  directories: DataDirectories,
  bytes: number,
): DataDirectories {
  const { root } = directories;
  const gatewayId = gatewayIdOf(files, root);
  const hotMemory = makeMemoryDirectory({ gatewayId, dataDirectory: root, bytes });
  return hotMemory === undefined ? directories : { ...directories, hotMemory };
}

/** Where hot chunks go, the better place first. */
export function hotDirectories({ hot, hotMemory }: DataDirectories): readonly string[] {
  return hotMemory === undefined ? [hot] : [hotMemory, hot];
}

const idName = 'gateway-id';

/** The id of this data directory, made at its first start; part of its names at targets. */
export function gatewayIdOf(files: Files, root: string): string {
  const known = readText(files, join(root, idName));
  if (known !== undefined) return known;
  const id = randomUUID();
  writeText(files, root, idName, id);
  return id;
}

/**
 * Returns after the file `name` in `directory` holds `text` and a line end, durably; a crash leaves
 * the old text or the new one. @throws HF_IO, HF_DISK_FULL
 */
export function writeText(files: Files, directory: string, name: string, text: string): void {
  const staged = join(directory, `.tmp-${name}`);
  files.unlink(staged);
  const file = files.open(staged, 'create');
  file.write([Buffer.from(`${text}\n`)], 0);
  file.sync('fdatasync');
  file.close();
  files.rename(staged, join(directory, name));
  files.syncDirectory(directory);
}

/** The text of a small file without its line end, or undefined if there is none. */
export function readText(files: Files, path: string): string | undefined {
  const size = files.size(path);
  if (size === undefined) return undefined;
  const file = files.open(path, 'read');
  const bytes = Buffer.alloc(size);
  file.read(bytes, 0);
  file.close();
  return bytes.toString('utf8').trim();
}
