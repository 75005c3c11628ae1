#!/usr/bin/env node
// The command `holdfast`. The code needs the Node that package.json pins (`npx` and `npm run` find it
// by themselves); started by an older one, this hands over to it. A gateway is always handed over, to
// a process that has the memory settings of one (launch.mjs).
import { existsSync } from 'node:fs';
import * as modules from 'node:module';
import { fileURLToPath } from 'node:url';
import { compileCache } from './compile-cache.mjs';
import { launch } from './launch.mjs';

const nodeMajor = 24;
const words = process.argv.slice(2);

if (Number(process.versions.node.split('.')[0]) < nodeMajor) {
  const pinned = fileURLToPath(new URL('../../../node_modules/.bin/node', import.meta.url));
  if (!existsSync(pinned)) {
    process.stderr.write(`holdfast: needs Node ${nodeMajor}; run \`npm ci\`, which brings it.\n`);
    process.exit(78);
  }
  launch(pinned, words);
} else if (words[0] === 'serve') {
  launch(process.execPath, words);
} else {
  // Threads take the place from the environment, this one from the call.
  const cache = process.env.NODE_COMPILE_CACHE ?? compileCache();
  if (cache !== undefined) {
    process.env.NODE_COMPILE_CACHE = cache;
    modules.enableCompileCache(cache);
  }
  await import(new URL('../../main.ts', import.meta.url).href);
}
