/**
 * Entry of the query process: opens DuckDB, serves on the socket it was given, says `ready`, and
 * ends when its standard input closes, which happens with the main process however that ends. What
 * that kept in memory then goes, too.
 */
import { removeMemoryDirectory } from '../../base/disk/memory-directory.ts';
import { systemClock } from '../../base/lib/clock.ts';
import { present } from '../../base/lib/assert.ts';
import { Engine } from './engine.ts';
import { FileIndex } from './file-index.ts';
import { HotColumns } from './hot-columns.ts';
import { QueryServer } from './server.ts';
import type { EngineOptions } from './wire.ts';

const options = JSON.parse(present(process.argv[2], 'the options')) as EngineOptions;
const end = () => {
  if (options.memoryDirectory !== undefined) removeMemoryDirectory(options.memoryDirectory);
  process.exit(0);
};
process.stdin.on('close', end).resume();
// The terminal's interrupt goes to the whole group; the main process decides when this one ends.
process.on('SIGINT', () => undefined);

// The socket and spilled rows are for this user only.
process.umask(0o077);

const engine = await Engine.open(options);
const deps = { engine, index: new FileIndex(), hotColumns: new HotColumns(), clock: systemClock };
await new QueryServer(deps, options.dataDirectory).listen(options.socketPath);
process.stdout.write('ready\n');
