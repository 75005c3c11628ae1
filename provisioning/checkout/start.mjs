// `npm start`: set-up, then the gateway in the foreground. Options after `--` go to `holdfast serve`.
import { spawn } from 'node:child_process';
import { install, pinnedNode, root } from './install.mjs';

install();
const gateway = spawn(pinnedNode, [`${root}src/main.ts`, 'serve', ...process.argv.slice(2)], {
  stdio: 'inherit',
});
for (const signal of ['SIGINT', 'SIGTERM', 'SIGHUP']) process.on(signal, () => gateway.kill(signal));
gateway.on('exit', (code, signal) => process.exit(signal === null ? code : 1));
