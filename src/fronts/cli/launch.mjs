// How the process of a gateway is started, by `npm start` and `holdfast serve` alike: on the pinned Node,
// with what keeps its resident memory near what is used (docs/PERFORMANCE.md). Both the options of Node
// and the environment of the C library are read at a start only, so the process that was asked for a
// gateway cannot take them over by itself. Plain JavaScript, for any Node: entries call it.
import { spawn } from 'node:child_process';
import { readFileSync } from 'node:fs';
import { constants } from 'node:os';
import { fileURLToPath } from 'node:url';
import { compileCache } from './compile-cache.mjs';

const main = fileURLToPath(new URL('../../main.ts', import.meta.url));
const none = { node: [], environment: {} };

/** Options of Node and environment of a gateway. */
function gatewayMemory() {
  return JSON.parse(readFileSync(new URL('gateway-memory.json', import.meta.url), 'utf8'));
}

const parentLookMs = 250;

/** npx has a shell in between, which dies of a signal to npx and passes nothing on. */
function endWithParent(child) {
  const parent = process.ppid;
  const timer = setInterval(() => {
    if (process.ppid === parent) return;
    clearInterval(timer);
    child.kill('SIGTERM');
  }, parentLookMs);
}

/**
 * Runs `holdfast ...words` on `node`. Returns at once or never: this process becomes the command, or, on
 * a Node that cannot do that, passes signals on to it and ends with its exit code.
 */
export function launch(node, words) {
  const memory = words[0] === 'serve' ? gatewayMemory() : none;
  const cache = process.env.NODE_COMPILE_CACHE ?? compileCache();
  const environment = {
    ...memory.environment,
    ...process.env,
    ...(cache !== undefined && { NODE_COMPILE_CACHE: cache }),
  };
  const args = [...process.execArgv, ...memory.node, main, ...words];
  const isByNpx = process.env.npm_command === 'exec';
  // Whoever ends the process that he started then ends the gateway, by a SIGKILL too.
  if (process.execve !== undefined && !isByNpx) process.execve(node, [node, ...args], environment);
  const child = spawn(node, args, { stdio: 'inherit', env: environment });
  for (const signal of ['SIGINT', 'SIGTERM', 'SIGHUP'])
    process.on(signal, () => child.kill(signal));
  if (isByNpx) endWithParent(child);
  child.on('exit', (code, signal) => {
    process.exit(signal === null ? code : 128 + constants.signals[signal]);
  });
}
