// `npm start`: set-up, then the gateway in the foreground. Options after `--` go to `holdfast serve`.
import { spawn } from 'node:child_process';
import { readFileSync } from 'node:fs';
import { compileCache } from '../../src/fronts/cli/compile-cache.mjs';
import { install, pinnedNode, root } from './install.mjs';

install();
const cache = process.env.NODE_COMPILE_CACHE ?? compileCache();
// What keeps resident memory near what is used (docs/PERFORMANCE.md); both are read at a start only.
const memory = JSON.parse(readFileSync(new URL('memory.json', import.meta.url), 'utf8'));
const words = [...memory.node, `${root}src/main.ts`, 'serve', ...process.argv.slice(2)];
const gateway = spawn(pinnedNode, words, {
  stdio: 'inherit',
  env: { ...memory.environment, ...process.env, ...(cache !== undefined && { NODE_COMPILE_CACHE: cache }) },
});
for (const signal of ['SIGINT', 'SIGTERM', 'SIGHUP']) process.on(signal, () => gateway.kill(signal));
gateway.on('exit', (code, signal) => process.exit(signal === null ? code : 1));
