/**
 * What goes to an encoder thread and what comes back. Rows are handed over as typed-array views of
 * shared memory: a message carries only the views, so a flush of any size costs one message.
 * The views must not change below `rowCount` once they are handed over; growing beyond is allowed.
 */
import type { ColumnValues } from '../../base/model/column-batch.ts';
import type { FileFacts, FileStatistics, HourSpan } from '../../base/model/commit.ts';

/** `parquet.compression`. */
export type Compression = 'snappy' | 'zstd' | 'lz4' | 'none';

/** Rows as columns. In each column, `rows` (if any) are indexes into this set, below rowCount. */
export interface RowSet {
  readonly rowCount: number;
  /** `times.length === rowCount`. */
  readonly times: BigInt64Array;
  readonly columns: readonly ColumnValues[];
  /**
   * Pairs [first row, its `_seq`], ascending by row; `_seq` counts up by one a row until the next
   * pair. `seqRuns[0] === 0`.
   */
  readonly seqRuns: Float64Array;
  /** One per row: 1 for a repeat (P18); undefined if all rows are first ones. */
  readonly repeats: Uint8Array | undefined;
}

/** One file of a flush, decided before encoding so that its id is known (partition-plan.ts). */
export interface PlannedFile {
  readonly fileId: number;
  /** UTC hours since 1970 whose rows go into this file, ascending, all of one UTC day. */
  readonly hours: readonly number[];
  /** Rows in these hours, before versions of a point are merged into one. */
  readonly rows: number;
  /** True for a file of the day's folder (P8). */
  readonly dayFile: boolean;
  /** True for the file of the rows that are repeats (P19). */
  readonly repeat: boolean;
}

/** Rows with or without identity; they never share a file (P17). */
export interface FlushSet {
  readonly hasIdentity: boolean;
  /** As `ColumnBatch.namings`. */
  readonly namings?: number;
  readonly rows: RowSet;
  /** One that holds no row once versions are merged is not made. */
  readonly files: readonly PlannedFile[];
}

/** The rows of a set in which each point with identity stands once. */
export interface MergedRows {
  readonly rows: Omit<RowSet, 'seqRuns'>;
  /** Rows in file order, or undefined if they stand in it. */
  readonly order: Uint32Array | undefined;
  /** Highest LSN plus ordinal of the versions by row. */
  readonly seqs: Float64Array;
}

/** A sealed buffer, a contiguous LSN range of one measurement (P7), or some files of it. */
export interface FlushJob {
  readonly measurementId: number;
  readonly database: string;
  readonly measurement: string;
  /** First and last LSN whose rows are in it. */
  readonly lsns: readonly [number, number];
  readonly sets: readonly FlushSet[];
  /**
   * Which of the files to make, [first, behind the last] in the order of `sets` and `files`. A
   * flush of many files is encoded by several jobs.
   */
  readonly range: readonly [from: number, to: number];
}

export interface FlushResult {
  /** Those files of `range` that hold rows, in the order of `sets` and `files`; durable (P9). */
  readonly facts: readonly FileFacts[];
  readonly statistics: readonly FileStatistics[];
}

/** Rows `from` to `to` (exclusive) of `rows`, as they stand in the buffer. */
export interface HotJob {
  /** Then the chunk has the column `_seq`. */
  readonly hasIdentity: boolean;
  readonly rows: RowSet;
  readonly from: number;
  readonly to: number;
  /** Absolute path of the chunk; its directory exists. */
  readonly path: string;
}

export interface HotResult {
  readonly bytes: number;
  /** UTC hours of the rows, ascending. */
  readonly hours: readonly HourSpan[];
  /** UTC hours with repeats, ascending. */
  readonly repeatHours: readonly number[];
  /** UTC hours in which a row of the chunk has an earlier version in the row set, ascending. */
  readonly doubledHours: readonly number[];
}

/** What an encoder needs to know besides its jobs. */
export interface EncoderSettings {
  /** Absolute path of `<data_dir>/data`; exists and is durable. */
  readonly dataDirectory: string;
  readonly compression: Compression;
}

/** Encodes on other threads. Rejections are GatewayErrors; a failed flush leaves no file behind. */
export interface Encoder {
  flush(job: FlushJob): Promise<FlushResult>;
  hot(job: HotJob): Promise<HotResult>;
}
