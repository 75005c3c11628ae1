/**
 * Other people's clients, unmodified, at pinned versions: each set is fetched once with its own
 * package tool into the user's cache folder and shared by all checkouts. Nothing is installed on
 * the machine. A set that cannot be had is a reason to skip, or a failure where all is required.
 */
import { createHash } from 'node:crypto';
import { spawnSync } from 'node:child_process';
import { copyFileSync, existsSync, globSync, mkdirSync, mkdtempSync } from 'node:fs';
import { readFileSync, renameSync, rmSync, writeFileSync } from 'node:fs';
import { homedir } from 'node:os';
import { join } from 'node:path';
import process from 'node:process';
import { fileURLToPath } from 'node:url';

const cacheRoot = process.env['XDG_CACHE_HOME'] ?? join(homedir(), '.cache');
const packages = fileURLToPath(new URL('../fixtures/client-packages/', import.meta.url));

export interface ClientSet {
  /** What it is, for the reason of a skip. */
  readonly title: string;
  /** Changes when other versions are wanted. */
  readonly pins: string;
  /** Words of the commands that fill the current folder, in order. */
  readonly commands: readonly (readonly [string, ...string[]])[];
  /** Files of `fixtures/client-packages` that the commands read. */
  readonly files: readonly string[];
}

function pinsIn(file: string): string {
  return readFileSync(join(packages, file), 'utf8');
}

/** The four Python clients, in a virtual environment. */
export const pythonClients: ClientSet = {
  title: 'Python clients from PyPI',
  pins: pinsIn('requirements.txt'),
  files: ['requirements.txt'],
  commands: [
    ['python3', '-m', 'venv', '.'],
    ['bin/python', '-m', 'pip', 'install', '--quiet', '--no-deps', '-r', 'requirements.txt'],
  ],
};

/** The three JavaScript clients. */
export const nodeClients: ClientSet = {
  title: 'JavaScript clients from npm',
  pins: pinsIn('package-lock.json'),
  files: ['package.json', 'package-lock.json'],
  commands: [['npm', 'ci', '--silent', '--ignore-scripts', '--no-audit', '--no-fund']],
};

function debian(name: string): ClientSet {
  return {
    title: `${name} of Debian`,
    pins: name,
    files: [],
    commands: [['apt-get', 'download', '-qq', name]],
  };
}

/** The `influx` shell, `usr/bin/influx`. */
export const influxShell = debian('influxdb-client');

/** collectd with its plugins, `usr/sbin/collectd`. */
export const collectd = debian('collectd-core');

function failed(folder: string, [program, ...words]: readonly [string, ...string[]]) {
  const path = program.includes('/') ? join(folder, program) : program;
  const options = { cwd: folder, encoding: 'utf8', timeout: 300_000 } as const;
  const { status, stderr, error } = spawnSync(path, words, options);
  if (status === 0) return undefined;
  const last = stderr?.trim().split('\n').at(-1) ?? '';
  return `${program} ${words[0] ?? ''}: ${error?.message ?? last}`;
}

/** Fills `folder`; the reason if it cannot. */
function fill(set: ClientSet, folder: string): string | undefined {
  for (const file of set.files) copyFileSync(join(packages, file), join(folder, file));
  for (const command of set.commands) {
    let reason = failed(folder, command);
    const isDebian = command[0] === 'apt-get';
    if (reason !== undefined && isDebian && process.getuid?.() === 0) {
      // The list of packages may be older than the packages, or not there yet.
      reason = failed(folder, ['apt-get', 'update', '-qq']) ?? failed(folder, command);
    }
    if (reason !== undefined) return reason;
  }
  for (const archive of globSync('*.deb', { cwd: folder })) {
    const reason = failed(folder, ['dpkg', '-x', archive, '.']);
    if (reason !== undefined) return reason;
  }
  return undefined;
}

/**
 * The folder of a set, made first if need be; or why there is none.
 * @throws where every suite is required and there is none
 */
export function clientFolder(
  set: ClientSet,
): { readonly folder: string } | { readonly absent: string } {
  const digest = createHash('sha256').update(set.pins).digest('hex').slice(0, 12);
  const name = set.title.toLowerCase().replaceAll(/[^a-z0-9]+/g, '-');
  const folder = join(cacheRoot, 'holdfast-test', `${name}-${digest}`);
  if (existsSync(join(folder, 'complete'))) return { folder };
  mkdirSync(join(folder, '..'), { recursive: true });
  const fresh = mkdtempSync(`${folder}-`);
  try {
    const reason = fill(set, fresh);
    if (reason !== undefined) {
      const absent = `${set.title} (${reason})`;
      if (process.env['HOLDFAST_TEST_REQUIRE'] === '1') throw new Error(absent);
      return { absent };
    }
    writeFileSync(join(fresh, 'complete'), '');
    // By rename, so that another checkout never starts half a client.
    if (!existsSync(folder)) renameSync(fresh, folder);
  } finally {
    rmSync(fresh, { recursive: true, force: true });
  }
  return { folder };
}
