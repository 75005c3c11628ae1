/**
 * A real Telegraf with the plugins that the suites need, built once with Go and kept in the user's
 * cache folder, shared by all checkouts. Building takes one to five minutes.
 */
import { spawnSync } from 'node:child_process';
import { existsSync, mkdirSync, mkdtempSync, renameSync, rmSync } from 'node:fs';
import { homedir } from 'node:os';
import { join } from 'node:path';
import process from 'node:process';
import { findProgram, type Requirement } from './requirements.ts';

const version = 'v1.39.3';
const tags = [
  'custom',
  ...['cpu', 'mem', 'disk', 'system', 'internal'].map((name) => `inputs.${name}`),
  ...['influxdb', 'influxdb_v2', 'influxdb_v3', 'arc', 'http', 'file'].map(
    (name) => `outputs.${name}`,
  ),
  'serializers.influx',
];

const cacheRoot = process.env['XDG_CACHE_HOME'] ?? join(homedir(), '.cache');
const folder = join(cacheRoot, 'holdfast-test', `telegraf-${version}`);
const binary = join(folder, 'telegraf');

/** Nothing if Telegraf is there already, else what it takes to build it. */
export const telegrafRequirements: readonly Requirement[] = existsSync(binary)
  ? []
  : [{ kind: 'program', name: 'go', from: 'golang-go' }];

/** Returns the path of the program, building it first if need be. */
export function telegrafBinary(): string {
  if (existsSync(binary)) return binary;
  const go = findProgram('go');
  if (go === undefined) throw new Error('go is not installed');
  mkdirSync(folder, { recursive: true });
  const fresh = mkdtempSync(join(folder, 'build-'));
  try {
    const target = `github.com/influxdata/telegraf/cmd/telegraf@${version}`;
    const { status, stderr } = spawnSync(go, ['install', '-tags', tags.join(','), target], {
      env: { ...process.env, GOBIN: fresh, CGO_ENABLED: '0' },
      encoding: 'utf8',
    });
    if (status !== 0) throw new Error(`building Telegraf failed: ${stderr.slice(-2000)}`);
    // By rename, so that a second checkout never starts half a program.
    renameSync(join(fresh, 'telegraf'), binary);
  } finally {
    rmSync(fresh, { recursive: true, force: true });
  }
  return binary;
}
