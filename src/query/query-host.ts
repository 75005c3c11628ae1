/**
 * What the query wing needs of the rest of the gateway, filled in by gateway.ts. Everything here is
 * called on the main thread.
 */
import type { CommitEvent, FileFacts, HourSpan } from '../base/model/commit.ts';
import type { ColumnRef, MeasurementSchema } from '../base/model/schema.ts';

/** A hot chunk: rows of one buffer that no committed file holds yet (commit-protocol P15). */
export interface HotChunk {
  readonly measurementId: number;
  /** Then the chunk has the column `_seq` (base/model/versions.ts). */
  readonly hasIdentity: boolean;
  /** As `ColumnBatch.namings`, of all rows; absent: 0. */
  readonly namings?: number;
  /** Rows of one buffer share it; versions of a point in one buffer may lie in several chunks. */
  readonly bufferId: number;
  /** Ascending by hour. */
  readonly hours: readonly HourSpan[];
  /** UTC hours since 1970 in which rows are repeats: other buffers or files may have versions. */
  readonly repeatHours: readonly number[];
  /**
   * UTC hours in which a point of this chunk has an earlier version in this chunk or in another
   * one of the same buffer that covers earlier rows.
   */
  readonly doubledHours: readonly number[];
  /** Absolute path of a Parquet file that stays until the set is released. */
  readonly path: string;
  /** Columns that it may hold. */
  readonly columns: readonly ColumnRef[];
}

/** One instant: the files of `commit` and these chunks together are every visible row once. */
export interface HotSet {
  readonly commit: number;
  readonly chunks: readonly HotChunk[];
  /** Unpins the commit and the chunks; may be called twice. */
  release(): void;
}

/** The files that are live at one commit. */
export interface FileListing {
  readonly commit: number;
  /** Read once; a piece is made when it is asked for. */
  readonly pieces: AsyncIterable<{ readonly files: readonly FileFacts[] }>;
  close(): void;
}

export interface QueryHost {
  visibleCommit(): number;
  /** The files as of some commit at or after the last event that listeners have seen. */
  seed(): Promise<FileListing>;
  /** Every commit from now on, in order. */
  onEvent(listener: (event: CommitEvent) => void): void;
  /**
   * Takes, in the tick in which it is called, the visible commit and the unfiled rows of these
   * measurements, and pins both; resolves when the rows are written as chunks.
   */
  hot(measurementIds: readonly number[]): Promise<HotSet>;
  /** All databases, `_internal` included. */
  databases(): readonly string[];
  /** Measurements of a database by its exact name. */
  measurements(database: string): readonly MeasurementSchema[];
  /** The measurement of exactly these names. */
  find(database: string, measurement: string): MeasurementSchema | undefined;
  /** True until replay has reached the end of the log (commit-protocol P16). */
  recovering(): boolean;
  /** Resolves when `recovering` becomes false. */
  recovered(): Promise<void>;
}
