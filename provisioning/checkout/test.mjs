// `npm test` and `npm run test:long`: set-up, system packages (as root on Debian), then the suites.
import { spawn, spawnSync } from 'node:child_process';
import { existsSync } from 'node:fs';
import { install, pinnedNode, root } from './install.mjs';

/** Command or file that shows a package is there, and the Debian package that brings it. */
const systemParts = [
  ['/usr/bin/qemu-storage-daemon', 'qemu-system-common'],
  ['/usr/bin/qemu-img', 'qemu-utils'],
  ['/bin/fusermount3', 'fuse3'],
  ['/usr/sbin/mkfs.ext4', 'e2fsprogs'],
  ['/usr/bin/curl', 'curl'],
  ['/usr/share/doc/python3-venv', 'python3-venv'],
];

function systemPackages() {
  const missing = systemParts.filter(([file]) => !existsSync(file)).map(([, name]) => name);
  if (missing.length === 0) return;
  const canInstall = process.getuid?.() === 0 && existsSync('/usr/bin/apt-get');
  if (!canInstall) {
    process.stderr.write(`holdfast: missing system packages: ${missing.join(' ')}\n`);
    return;
  }
  const quiet = { stdio: ['ignore', 'ignore', 2], env: { ...process.env, DEBIAN_FRONTEND: 'noninteractive' } };
  spawnSync('apt-get', ['update', '-qq'], quiet);
  spawnSync('apt-get', ['install', '-y', '-qq', '--no-install-recommends', ...missing], quiet);
}

install();
systemPackages();
const suites = spawn(pinnedNode, [`${root}test/run.ts`, ...process.argv.slice(2)], {
  stdio: 'inherit',
  cwd: root,
  env: { ...process.env, PATH: `${root}node_modules/.bin:${process.env.PATH}` },
});
for (const signal of ['SIGINT', 'SIGTERM']) process.on(signal, () => suites.kill(signal));
suites.on('exit', (code) => process.exit(code ?? 1));
