/**
 * Rows as typed columns: what a decoder makes of a request, what a WAL record holds, and what a
 * measurement buffer appends from. There is no object per row anywhere on this way.
 */
import type { ColumnRef } from './schema.ts';

/** Distinct byte strings by code: value `i` is bytes[offsets[i] .. offsets[i + 1]]. */
export interface StringDictionary {
  readonly count: number;
  /** UTF-8, back to back. */
  readonly bytes: Uint8Array;
  /** `count + 1` ascending positions in `bytes`; offsets[0] is 0. */
  readonly offsets: Uint32Array;
}

/** int64, double, uint64, boolean (0 or 1), and string as codes into a dictionary. */
export type ColumnArray = BigInt64Array | Float64Array | BigUint64Array | Uint8Array | Uint32Array;

export interface ColumnValues {
  readonly column: ColumnRef;
  /**
   * One value per row of `rows`, or one per row of the batch if `rows` is undefined. The array
   * type follows the physical type: BigInt64Array, Float64Array, Uint8Array (boolean),
   * Uint32Array (string codes), BigUint64Array (uint64).
   */
  readonly values: ColumnArray;
  /** Ascending row indexes that have a value; undefined if every row has one. */
  readonly rows: Uint32Array | undefined;
  /** Only for strings. */
  readonly dictionary: StringDictionary | undefined;
}

/** Rows of one measurement. `times.length === rowCount`. */
export interface ColumnBatch {
  readonly measurementId: number;
  readonly database: string;
  readonly measurement: string;
  /**
   * True if the dialect says which columns are tags, so that (series, time) identifies a row
   * (commit-protocol P17). Rows with and without identity never share a batch.
   */
  readonly hasIdentity: boolean;
  /**
   * How many namings the rows know of; absent: 0. A naming makes a tag of a column that rows with
   * identity have as a field: it changes what tells points apart, so versions of a point never
   * meet across one (commit-protocol P17). Columns bear the kind that these rows know.
   */
  readonly namings?: number;
  readonly rowCount: number;
  /** Microseconds since 1970 UTC. */
  readonly times: BigInt64Array;
  readonly columns: readonly ColumnValues[];
}

/** One request, decided: what one WAL record holds. Ordinals run through the batches in order. */
export interface RequestBatch {
  /** Batches with at least one row each; rejected rows stand among them (`_internal`). */
  readonly batches: readonly ColumnBatch[];
  /** Wall time at which the server stamped rows that came without a time, microseconds. */
  readonly serverTimeUs: number;
  /** False if that clock was not trusted then (contract W10). */
  readonly clockTrusted: boolean;
}
