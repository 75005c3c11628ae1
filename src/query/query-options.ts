/** The options of the query wing as its parts take them, from the configuration. */
import type { QueryConfig } from '../base/config/derive.ts';
import { hotDirectories, type DataDirectories } from '../base/disk/data-directory.ts';
import type { QueriesOptions } from './queries.ts';

/** Settings of the queries; `entry` is the entry of the query process. */
export function queryOptions(
  query: QueryConfig,
  directories: DataDirectories,
  entry: URL,
): QueriesOptions {
  const { hotMemory } = directories;
  return {
    process: {
      entry,
      runtimeDirectory: directories.run,
      engine: {
        dataDirectory: directories.data,
        readDirectories: [directories.cache, ...hotDirectories(directories)],
        ...(hotMemory === undefined ? {} : { memoryDirectory: hotMemory }),
        spillDirectory: directories.spill,
        spillBytesMax: 4 * query.memoryBytes,
        threads: query.threads,
        memoryBytes: query.memoryBytes,
      },
      poolSize: query.poolSize,
    },
    queueMax: query.queueMax,
    timeoutMs: query.timeoutMs,
  };
}
