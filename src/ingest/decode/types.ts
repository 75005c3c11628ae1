/**
 * What decoders are asked for and what they give back. Bytes of a request become typed columns and
 * a list of what could not be taken; no decoder answers a client or writes anywhere.
 */
import type { ColumnBatch } from '../../base/model/column-batch.ts';

/** Unit of the times in a request; `auto` takes it from each time's magnitude. */
export type Precision = 'n' | 'us' | 'ms' | 's' | 'm' | 'h' | 'auto';

/** What a request says of a table that does not say it itself. */
export interface TableTerms {
  readonly measurement?: string;
  /** Columns that are tags; all others are fields then. */
  readonly tags?: readonly string[];
  /** The column of times; `time` if it is not given. */
  readonly timeColumn?: string;
}

export interface DecodeOptions {
  readonly database: string;
  readonly precision: Precision;
  /** Only for formats of tables. */
  readonly table?: TableTerms;
  /** Wall time in microseconds, read once for the request: the time of rows that bring none. */
  readonly nowUs: number;
  /**
   * False: one bad line refuses the whole request, which then leaves no name and no type behind.
   */
  readonly acceptPartial: boolean;
  /** Cells that the request may store (each tag and field of each row); rows beyond are refused. */
  readonly cellsMax: number;
  /** UTC days of its rows, per measurement and summed up; rows of further days are refused. */
  readonly daysMax: number;
  /** Bytes of one line, from 1 KiB; what is longer is refused. Bounds the work between yields. */
  readonly lineBytesMax: number;
  /** Awaited whenever the decoder has worked for some milliseconds, so that others get a turn. */
  yieldNow(): Promise<void>;
}

/** `parse`: not readable. `conflict`: against the schema. `cap`: a limit was reached. */
export type RejectionKind = 'parse' | 'conflict' | 'cap';

export interface Rejection {
  /** Line of the body, from 1, at which the rejected text begins. */
  readonly line: number;
  /** The text, at most 64 KiB of UTF-8, without the line's end; invalid bytes as U+FFFD. */
  readonly text: string;
  /** The same bytes, only if they are not UTF-8. */
  readonly raw: Uint8Array | undefined;
  /** In InfluxDB's words. */
  readonly reason: string;
  readonly kind: RejectionKind;
  /** What the bytes are, if it is not what the request was: rows of tables are kept as items. */
  readonly format?: 'msgpack';
  /** Bytes behind this text were not kept: it is not what was sent. */
  readonly isCut?: true;
  /**
   * Lines that this stands for: 1; more if a request has very many bad lines (their texts are
   * joined by newlines); 0 if it continues the rejection before it.
   */
  readonly count: number;
}

export interface DecodeCounters {
  /** Cells whose value was NaN or infinite and became null. */
  readonly nanCells: number;
  /** Fields that stood twice in one line; the last value was kept. */
  readonly duplicateFields: number;
  /** Rows whose time had digits finer than a microsecond. */
  readonly cutTimeDigits: number;
  /** Cells in columns whose SQL name is not their spelling (`time__2`, `Temp__2`). */
  readonly renamedCells: number;
  /** Integer values kept in a column of floats. */
  readonly integersAsFloats: number;
}

export interface Decoded {
  /** One batch per measurement, in order of first appearance, each with at least one row. */
  readonly batches: readonly ColumnBatch[];
  readonly rows: number;
  readonly rejected: readonly Rejection[];
  /** Lines that were rejected: the sum of `count`. */
  readonly rejectedLines: number;
  readonly counters: DecodeCounters;
  /** Gives the memory of the batches back, which are empty then; who is done with them calls it. */
  free(): void;
}
