/**
 * What a measurement's columns are. Logical columns are what SQL shows; each stands over one or
 * more physical columns, which are what files hold. A physical column never changes its type, so
 * no file is ever rewritten because of the schema (docs/format/parquet.md).
 */

/** Types of physical columns. `uint64` is decimal(20,0) in files; `time` is its own column. */
export type PhysicalType = 'int64' | 'double' | 'boolean' | 'string' | 'uint64';

/** `unknown`: columnar MessagePack does not say which columns are tags. */
export type ColumnKind = 'tag' | 'field' | 'unknown';

export interface PhysicalColumn {
  /** Unique within the measurement, from 0, never reused. */
  readonly id: number;
  /** Name in files; unique within the measurement, also when compared by case folding. */
  readonly name: string;
  readonly type: PhysicalType;
}

export interface LogicalColumn {
  /** `unknown` may become `tag` or `field` once; nothing else about it changes, parts are added. */
  readonly kind: ColumnKind;
  /** Exact name as the sender writes it. */
  readonly spelling: string;
  /** Name in SQL, unique within the measurement by case folding. */
  readonly sqlName: string;
  /**
   * Columns of that spelling and class whose sender names no kinds go here, and stay with it
   * whatever columns come later. Never set while the kind is unknown, of which it is true anyway.
   */
  readonly columnar?: true;
  /**
   * The naming (see `ColumnBatch.namings`) from which on rows have it as a tag; absent: all rows
   * have. Rows of earlier namings have it as a field.
   */
  readonly tagSince?: number;
  readonly parts: readonly PhysicalColumn[];
}

/** True if `column` is a tag of the rows that know of `namings` namings. */
export function isTagAt({ kind, tagSince = 0 }: LogicalColumn, namings: number): boolean {
  return kind === 'tag' && tagSince <= namings;
}

export interface MeasurementSchema {
  /** From 1, never reused. */
  readonly id: number;
  readonly database: string;
  readonly name: string;
  readonly columns: readonly LogicalColumn[];
}

/** A physical column together with the logical column that it is a part of. */
export interface ColumnRef {
  readonly kind: ColumnKind;
  readonly spelling: string;
  readonly sqlName: string;
  readonly columnar?: true;
  readonly physical: PhysicalColumn;
}

/** Ids of the measurements that Holdfast files for itself in the database `_internal`. */
export const reservedMeasurements = {
  deadLetters: 1,
  idempotencyKeys: 2,
  deadLetterReplays: 3,
  deadLetterDrops: 4,
} as const;

export const internalDatabase = '_internal';

/** First id given to a sender's measurement; those below are reserved. */
export const firstMeasurementId = 16;

/** Names that no physical or SQL column may take (compared by case folding). */
export const reservedColumnNames: readonly string[] = ['time', 'utc_date', '_seq'];
