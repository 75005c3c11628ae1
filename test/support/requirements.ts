/**
 * What a suite needs beyond Node: being root, programs, devices. A suite whose needs are not met
 * is skipped by name with the reason; with HOLDFAST_TEST_REQUIRE=1 (as `.ci/run` sets it) the
 * missing thing is a failure instead, so that nothing is silently left out.
 */
import { accessSync, constants, existsSync } from 'node:fs';
import { delimiter, join } from 'node:path';
import process from 'node:process';

export type Requirement =
  | { readonly kind: 'root' }
  | { readonly kind: 'program'; readonly name: string; readonly from: string }
  | { readonly kind: 'path'; readonly path: string };

/** Everything that the power-cut rig stands on. */
export const rigRequirements: readonly Requirement[] = [
  { kind: 'root' },
  { kind: 'program', name: 'qemu-storage-daemon', from: 'qemu-system-common' },
  { kind: 'program', name: 'losetup', from: 'util-linux' },
  { kind: 'program', name: 'mount', from: 'util-linux' },
  { kind: 'program', name: 'mkfs.ext4', from: 'e2fsprogs' },
  { kind: 'program', name: 'fusermount3', from: 'fuse3' },
  { kind: 'path', path: '/dev/fuse' },
  { kind: 'path', path: '/dev/loop-control' },
  { kind: 'path', path: '/dev/shm' },
];

/** Full path of a program, looked for in PATH and the system folders; undefined if absent. */
export function findProgram(name: string): string | undefined {
  const folders = [...(process.env['PATH'] ?? '').split(delimiter), '/usr/sbin', '/sbin'];
  return folders.map((folder) => join(folder, name)).find(isExecutable);
}

function isExecutable(path: string): boolean {
  try {
    accessSync(path, constants.X_OK);
    return true;
  } catch {
    return false;
  }
}

function missing(requirement: Requirement): string | undefined {
  switch (requirement.kind) {
    case 'root':
      return process.getuid?.() === 0 ? undefined : 'root';
    case 'program':
      return findProgram(requirement.name) === undefined
        ? `${requirement.name} (package ${requirement.from})`
        : undefined;
    case 'path':
      return existsSync(requirement.path) ? undefined : requirement.path;
  }
}

/**
 * Returns false if all is there, else the reason to hand to tap's `skip` option.
 * Throws instead of returning a reason when HOLDFAST_TEST_REQUIRE=1.
 */
export function required(suite: string, requirements: readonly Requirement[]): string | false {
  const absent = requirements.map(missing).filter((name) => name !== undefined);
  if (absent.length === 0) return false;
  const reason = `${suite} needs ${absent.join(', ')}`;
  if (process.env['HOLDFAST_TEST_REQUIRE'] === '1') throw new Error(reason);
  return reason;
}
