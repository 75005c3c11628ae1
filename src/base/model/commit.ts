/**
 * A commit: one numbered record of the commit journal, and the unit in which files appear, vanish
 * and flushed positions move (commit-protocol P10). Pure types; the bytes are in
 * docs/format/journal.md. All numbers are exact integers below 2^53.
 */
import type { ColumnKind, PhysicalType } from './schema.ts';

/** [UTC hour since 1970, first and last time in it as microseconds from the start of the hour] */
export type HourSpan = readonly [hour: number, minOffsetUs: number, maxOffsetUs: number];

export const fileFlags = {
  /** Rows carry `_seq` and are merged into those of unflagged files (P19). */
  repeat: 1,
  /** Rows have no identity (P17). */
  noIdentity: 2,
  /** Rows of several hours of one UTC day (P8). */
  dayFile: 4,
} as const;

/** What is true of a file; never derived again while the journal stands. */
export interface FileFacts {
  readonly id: number;
  readonly measurementId: number;
  /** Relative to `<data_dir>/data/`, with forward slashes. */
  readonly path: string;
  /** 64 lower-case hex digits. */
  readonly sha256: string;
  readonly bytes: number;
  readonly rows: number;
  /** Ascending by hour. */
  readonly hours: readonly HourSpan[];
  /** Bits of `fileFlags`. */
  readonly flags: number;
  /** LSNs whose rows this file holds a part of: [first, last], both included. */
  readonly lsns: readonly [number, number];
  /** Part `index` (from 0) of `count` files of one flush. */
  readonly part: readonly [index: number, count: number];
  readonly seqMax: number;
  /** Ids of the physical columns in the file, ascending, as runs [first, last]. */
  readonly columns: readonly (readonly [number, number])[];
  /** As `ColumnBatch.namings`; absent: 0. */
  readonly namings?: number;
}

/** Smallest and largest value of a column in a file; strings cut to 64 bytes (max rounded up). */
export interface ColumnStatistics {
  readonly columnId: number;
  /** Digits for int64, uint64 and double (exact), 0/1 for booleans, text for strings. */
  readonly min: string | undefined;
  readonly max: string | undefined;
  readonly nullCount: number;
}

/** Derived from the encoder or the footer; kept in the index, never in the journal (P12). */
export interface FileStatistics {
  readonly fileId: number;
  readonly columns: readonly ColumnStatistics[];
}

export type RemoveReason =
  | 'compact'
  | 'merge'
  | 'rewrite'
  | 'delete'
  | 'retention'
  | 'drop'
  | 'lost';

export interface FileRemoval {
  readonly id: number;
  readonly reason: RemoveReason;
}

export interface ColumnAddition {
  readonly measurementId: number;
  readonly columnId: number;
  /** Index of the logical column within the measurement, from 0. */
  readonly logical: number;
  readonly kind: ColumnKind;
  readonly spelling: string;
  readonly sqlName: string;
  /** As `LogicalColumn.columnar`. */
  readonly columnar?: true;
  /** As `LogicalColumn.tagSince`. */
  readonly tagSince?: number;
  readonly name: string;
  readonly type: PhysicalType;
}

/** What is decided of a logical column after it was made. */
export interface KindChange {
  readonly measurementId: number;
  readonly logical: number;
  /** `unknown` becomes `tag` or `field`; else as it was. */
  readonly kind: ColumnKind;
  /** `LogicalColumn.columnar` from now on. */
  readonly columnar?: true;
  /** `LogicalColumn.tagSince` from now on. */
  readonly tagSince?: number;
}

/** Tags that the owner named for all measurements of a database, present and future (P17). */
export interface DatabaseTags {
  readonly database: string;
  /** Spellings; never taken back. */
  readonly tags: readonly string[];
}

export interface MeasurementAddition {
  readonly id: number;
  readonly database: string;
  readonly name: string;
}

/** All that a commit changes, before it has a number. Absent lists are empty. */
export interface CommitProposal {
  readonly kind: 'flush' | 'job' | 'schema' | 'ids' | 'mark';
  readonly adds?: readonly FileFacts[];
  readonly removes?: readonly FileRemoval[];
  readonly databases?: readonly string[];
  readonly measurements?: readonly MeasurementAddition[];
  readonly columns?: readonly ColumnAddition[];
  readonly kinds?: readonly KindChange[];
  /**
   * Measurements whose owner named their tag columns: rows of dialects that name none have identity
   * from the next one on (P17). It stays so.
   */
  readonly identified?: readonly number[];
  /** Added to those that the databases have. */
  readonly databaseTags?: readonly DatabaseTags[];
  /** [measurement id, last LSN whose rows of it are all filed]; never falls. */
  readonly positions?: readonly (readonly [number, number])[];
  /** Highest LSN at or below which the log holds nothing that is not filed (P5). */
  readonly lowWater?: number;
  /** File ids up to and including this one are reserved from now on. */
  readonly fileIdsTo?: number;
}

export interface Commit extends CommitProposal {
  readonly number: number;
}

/** The state that replaying all commits gives; a journal snapshot holds exactly this. */
export interface CatalogState {
  readonly commit: number;
  readonly databases: readonly string[];
  readonly measurements: readonly MeasurementAddition[];
  readonly columns: readonly ColumnAddition[];
  readonly files: readonly FileFacts[];
  /** Removed and not yet unlinked, with the commit that removed them. */
  readonly removed: readonly (FileFacts & { removedAt: number; reason: RemoveReason })[];
  /** Ascending ids of measurements whose owner named their tags. */
  readonly identified: readonly number[];
  /** In the order in which the databases got their first. */
  readonly databaseTags: readonly DatabaseTags[];
  readonly positions: readonly (readonly [number, number])[];
  readonly lowWater: number;
  readonly fileIdsTo: number;
}

/** One element of the ordered stream from the committer (P12). */
export interface CommitEvent {
  readonly commit: Commit;
  readonly statistics: readonly FileStatistics[];
}
