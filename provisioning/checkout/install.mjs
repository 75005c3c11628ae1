// Set-up of a checkout, run by any Node >= 20: installs the locked packages when they are missing or
// stale. Everything else runs on the pinned Node that this brings (node_modules/.bin/node).
import { spawnSync } from 'node:child_process';
import { createHash } from 'node:crypto';
import { existsSync, readFileSync, writeFileSync } from 'node:fs';
import { fileURLToPath } from 'node:url';

export const root = fileURLToPath(new URL('../..', import.meta.url));
export const pinnedNode = `${root}node_modules/.bin/node`;
const stamp = `${root}node_modules/.holdfast-install`;

/** Identity of what should be installed: the lock file and the machine's kind. */
function wanted() {
  const hash = createHash('sha256').update(readFileSync(`${root}package-lock.json`));
  return hash.update(`${process.platform}-${process.arch}`).digest('hex');
}

/** Runs a command with its output on stderr; exits with a remedy when it fails. */
export function run(command, args, remedy, environment = process.env) {
  const done = spawnSync(command, args, { cwd: root, stdio: ['ignore', 2, 2], env: environment });
  if (done.status === 0) return;
  process.stderr.write(`holdfast: \`${command} ${args.join(' ')}\` failed. ${remedy}\n`);
  process.exit(69);
}

/** True if what the lock file names is there. */
export function isInstalled() {
  return existsSync(stamp) && readFileSync(stamp, 'utf8') === wanted();
}

export function install() {
  if (isInstalled()) return;
  process.stderr.write('holdfast: installing packages (once, about half a minute) ...\n');
  run('npm', ['ci', '--no-audit', '--no-fund', '--loglevel=error'], 'Check the network and try again.');
  if (!existsSync(pinnedNode)) {
    process.stderr.write(
      `holdfast: no Node for ${process.platform}-${process.arch}; Linux on x64 or arm64 is needed.\n`,
    );
    process.exit(69);
  }
  const environment = { ...process.env, PATH: `${root}node_modules/.bin:${process.env.PATH}` };
  run(`${root}node_modules/.bin/tap`, ['build'], 'Remove node_modules and try again.', environment);
  writeFileSync(stamp, wanted());
}
