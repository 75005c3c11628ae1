/**
 * What goes between the main process and the query process: JSON over HTTP on a UNIX socket. Both
 * ends are of one build, so there are no versions. Requests that take a query are answered with a
 * WireError (base/errors) and status 500 when they fail before the first byte of their answer.
 *
 * POST /seed?commit=N     lines of SeedLine: the files at commit N; replaces what was there
 * POST /commits?floor=N   lines of FileChange in order; N = oldest commit that may still be asked
 * POST /prepare           PrepareRequest -> PreparedQuery
 * POST /run               RunRequest -> the whole JSON answer of the query, as a stream
 * GET  /health            Health
 */
import type { HourSpan } from '../../base/model/commit.ts';
import type { MeasurementSchema } from '../../base/model/schema.ts';
import type { QueryShape } from '../sql/query-shape.ts';

/** What the query process keeps of a file. */
export interface FileEntry {
  readonly id: number;
  readonly measurementId: number;
  /** Relative to the data folder. */
  readonly path: string;
  readonly hours: readonly HourSpan[];
  /** Bits of `fileFlags`. */
  readonly flags: number;
  /** Ids of its physical columns as runs [first, last]. */
  readonly columns: readonly (readonly [number, number])[];
  /** As `ColumnBatch.namings`, of all rows; absent: 0. */
  readonly namings?: number;
}

export type SeedLine = FileEntry;

/** The part of a commit that the query process needs. */
export interface FileChange {
  readonly commit: number;
  readonly adds: readonly FileEntry[];
  readonly removes: readonly number[];
}

export interface Applied {
  /** Last commit that the query process has applied. */
  readonly applied: number;
}

export interface PrepareRequest {
  readonly sql: string;
}

/** A query that was parsed and found admissible; `sql` is the text that its positions count in. */
export interface PreparedQuery {
  readonly sql: string;
  readonly shape: QueryShape;
}

/** Rows that are not in a committed file yet, as a Parquet file. */
export interface HotFile {
  /** Absolute. */
  readonly path: string;
  /** Physical columns that it may hold. */
  readonly columnIds: readonly number[];
  readonly hasIdentity: boolean;
  /** As `FileEntry.namings`. */
  readonly namings?: number;
  /** Chunks of one buffer share it. */
  readonly bufferId: number;
  readonly hours: readonly HourSpan[];
  /** Hours in which rows are repeats: versions may lie in files and in other buffers. */
  readonly repeatHours: readonly number[];
  /** Hours in which a point has an earlier version in a chunk of the same buffer. */
  readonly doubledHours: readonly number[];
}

/** What stands for one table reference of the query. */
export interface TableSource {
  readonly schema: MeasurementSchema;
  readonly hot: readonly HotFile[];
}

/** A value for a parameter; integers of any width as digits. */
export type WireParameter = null | boolean | number | string | { readonly integer: string };

export interface RunRequest {
  readonly query: PreparedQuery;
  /** Snapshot: files added at or before it and not removed at or before it. */
  readonly commit: number;
  /** `tables[i]` stands for `query.shape.tables[i]`. */
  readonly tables: readonly TableSource[];
  readonly parameters: readonly WireParameter[] | Readonly<Record<string, WireParameter>>;
}

export interface Health extends Applied {
  readonly queriesRunning: number;
  readonly filesKnown: number;
  readonly residentBytes: number;
}

/** How the query process is set up; its only command line argument, as JSON. */
export interface EngineOptions {
  /** From the process's working directory. */
  readonly socketPath: string;
  readonly dataDirectory: string;
  /** Directories beside `dataDirectory` that it may read: cache and hot chunks. */
  readonly readDirectories: readonly string[];
  /** One in memory, of no use without the main process: removed when that ends. */
  readonly memoryDirectory?: string;
  /** Rows that do not fit into memory go there; what an ended process left is removed. */
  readonly spillDirectory: string;
  /** Disk space is for rows first: queries that need to spill more fail. */
  readonly spillBytesMax: number;
  readonly threads: number;
  readonly memoryBytes: number;
}
