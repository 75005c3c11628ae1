/**
 * What the buffers and the flusher need of other parts, as narrow interfaces that gateway.ts fills
 * in, and what they show to others. All of it lives on the main thread.
 */
import type {
  CommitEvent,
  CommitProposal,
  FileStatistics,
  HourSpan,
} from '../../base/model/commit.ts';
import type { ColumnRef } from '../../base/model/schema.ts';
import type { GatewayError } from '../../base/errors/gateway-error.ts';

/** The committer as the flusher sees it (CommitClient). */
export interface Committer {
  /** Resolves with the commit's number once it is durable and was shown to all listeners. */
  commit(proposal: CommitProposal, statistics: readonly FileStatistics[]): Promise<number>;
  /** Calls back for every commit, in order, in the tick in which it becomes visible. */
  onEvent(listener: (event: CommitEvent) => void): void;
  /** A reserved file id, or undefined when the block is used up. */
  takeFileId(): number | undefined;
  reserveFileIds(): Promise<void>;
}

export type SchemaChanges = Pick<
  CommitProposal,
  'databases' | 'measurements' | 'columns' | 'kinds' | 'identified' | 'databaseTags'
>;

/** The schema registry as the flusher sees it. */
export interface SchemaSource {
  /** Changes of these measurements that no commit holds yet; the same again until one does. */
  takeChanges(measurementIds: readonly number[]): SchemaChanges;
}

/** A flush or commit that keeps failing; its log stays and its rows stay hot. */
export interface FlushAlarm {
  readonly measurementIds: readonly number[];
  readonly attempts: number;
  /** Monotonic milliseconds at which it failed first. */
  readonly sinceMs: number;
  readonly error: GatewayError;
}

/** A hot chunk as the query process reads it: rows of one buffer, with its own schema (P15). */
export interface HotChunk {
  readonly measurementId: number;
  /** Then the chunk has the column `_seq` (base/model/versions.ts). */
  readonly hasIdentity: boolean;
  /** As `ColumnBatch.namings`, of all rows. */
  readonly namings: number;
  /** Rows of one buffer share it; versions of a point in one buffer may lie in several chunks. */
  readonly bufferId: number;
  readonly path: string;
  readonly rowCount: number;
  /** Ascending by hour. */
  readonly hours: readonly HourSpan[];
  /** UTC hours since 1970 in which rows are repeats: other buffers or files may have versions. */
  readonly repeatHours: readonly number[];
  /**
   * UTC hours in which a point of this chunk has an earlier version in this chunk or in another
   * one of the same buffer that covers earlier rows.
   */
  readonly doubledHours: readonly number[];
  /** Columns that the chunk may hold; those without a value in it are missing in the file. */
  readonly columns: readonly ColumnRef[];
}
