#!/usr/bin/env node
// The command `holdfast`. The code needs the Node that package.json pins (`npx` and `npm run` find it
// by themselves); started by an older one, this hands over to it and passes signals and exit code on.
import { spawn } from 'node:child_process';
import { existsSync } from 'node:fs';
import * as modules from 'node:module';
import { constants } from 'node:os';
import { fileURLToPath } from 'node:url';
import { compileCache } from './compile-cache.mjs';

const nodeMajor = 24;
const main = new URL('../../main.ts', import.meta.url);

// Threads take the place from the environment, this one from the call.
const cache = process.env.NODE_COMPILE_CACHE ?? compileCache();
if (cache !== undefined) process.env.NODE_COMPILE_CACHE = cache;

if (Number(process.versions.node.split('.')[0]) >= nodeMajor) {
  if (cache !== undefined) modules.enableCompileCache(cache);
  await import(main.href);
} else {
  const pinned = fileURLToPath(new URL('../../../node_modules/.bin/node', import.meta.url));
  if (!existsSync(pinned)) {
    process.stderr.write(`holdfast: needs Node ${nodeMajor}; run \`npm ci\`, which brings it.\n`);
    process.exit(78);
  }
  const child = spawn(pinned, [fileURLToPath(main), ...process.argv.slice(2)], {
    stdio: 'inherit',
  });
  for (const signal of ['SIGINT', 'SIGTERM', 'SIGHUP'])
    process.on(signal, () => child.kill(signal));
  child.on('exit', (code, signal) => {
    process.exit(signal === null ? code : 128 + constants.signals[signal]);
  });
}
