// `npm start`: set-up, then the gateway in the foreground. Options after `--` go to `holdfast serve`.
import { spawn } from 'node:child_process';
import { compileCache } from '../../src/fronts/cli/compile-cache.mjs';
import { install, pinnedNode, root } from './install.mjs';

install();
const cache = process.env.NODE_COMPILE_CACHE ?? compileCache();
const gateway = spawn(pinnedNode, [`${root}src/main.ts`, 'serve', ...process.argv.slice(2)], {
  stdio: 'inherit',
  env: { ...process.env, ...(cache !== undefined && { NODE_COMPILE_CACHE: cache }) },
});
for (const signal of ['SIGINT', 'SIGTERM', 'SIGHUP']) process.on(signal, () => gateway.kill(signal));
gateway.on('exit', (code, signal) => process.exit(signal === null ? code : 1));
