/**
 * The gateway as the query wing sees it: names from the schema registry, commits from the journal,
 * and snapshots, which pin one commit and the hot rows of the same tick (commit-protocol P15).
 * Main thread.
 */
import { internalDatabase } from '../base/model/schema.ts';
import type { CommitClient } from '../log/journal/commit-client.ts';
import type { SchemaRegistry } from '../storage/catalog/schema-registry.ts';
import type { HotChunk, QueryHost } from './query-host.ts';

/** Rows that no commit files yet (ingest's HotChunks). */
export interface HotRowSource {
  /** Takes them as they are in this tick; `chunks` resolves when they can be read. */
  pin(measurementIds: readonly number[]): {
    readonly chunks: Promise<readonly HotChunk[]>;
    release(): void;
  };
}

export interface SnapshotParts {
  readonly commits: CommitClient;
  readonly registry: SchemaRegistry;
  readonly hot: HotRowSource;
  /** Until it resolves, rows of the last life may be missing (P16). */
  readonly recovered: Promise<void>;
  recovering(): boolean;
}

export function queryHost(parts: SnapshotParts): QueryHost {
  const { commits, registry, hot } = parts;
  return {
    visibleCommit: () => commits.visibleCommit,
    // Files are chosen by their hours alone, so their statistics stay where they are.
    seed: () => commits.list({ hasStatistics: false }),
    onEvent: (listener) => {
      commits.onEvent(listener);
    },
    hot: async (measurementIds) => {
      // In one tick: the commit, the rows that it does not file, and pins on both.
      const commit = commits.visibleCommit;
      const unpin = commits.pin(commit);
      const rows = hot.pin(measurementIds);
      const release = () => {
        rows.release();
        unpin();
      };
      try {
        return { commit, chunks: await rows.chunks, release };
      } catch (error) {
        release();
        throw error;
      }
    },
    databases: () => [...registry.databases(), internalDatabase],
    measurements: (database) => registry.measurements(database),
    find: (database, measurement) => registry.find(database, measurement),
    recovering: () => parts.recovering(),
    recovered: () => parts.recovered,
  };
}
