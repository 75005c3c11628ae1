/**
 * What the commit thread and the main thread say to each other, and what the committer tells
 * whoever runs it. Messages arrive in the order in which they were posted; two rules need that: a
 * commit's event comes before its answer, and a pin is posted before a later commit is shown.
 */
import type { WireError } from '../../base/errors/gateway-error.ts';
import type {
  CatalogState,
  CommitEvent,
  CommitProposal,
  FileStatistics,
} from '../../base/model/commit.ts';
import type { ListingPiece } from './listings.ts';

export type JournalState = 'open' | 'failed';

export type JournalAlarmKind =
  /** Recovery of the journal found rot or damaged segments. */
  | 'journal-damaged'
  /** A snapshot could not be written or differs when read back; older segments stay. */
  | 'snapshot-failed'
  /** A removed file could not be unlinked; it is tried again. */
  | 'unlink-failed'
  /** A file that no commit names was moved to `orphans/`. */
  | 'file-orphaned'
  /** A file that no commit names could not be judged, deleted or moved; it stays. */
  | 'file-unlisted'
  /** The index failed and was dropped; it is rebuilt from the journal's state. */
  | 'index-dropped';

/** Something an operator should hear of. */
export interface JournalAlarm {
  readonly kind: JournalAlarmKind;
  readonly message: string;
  readonly details: Readonly<Record<string, unknown>>;
}

/** Where the committer's results go; calls come on the commit thread and must not call back. */
export interface CommitSink {
  /** A commit is durable; called in order of commit numbers. */
  committed(event: CommitEvent): void;
  /** The files' names are gone, durably. */
  unlinked(ids: readonly number[]): void;
  /** The safe commit (D of P14) rose. */
  safe(commit: number): void;
  stateChanged(state: JournalState): void;
  snapshotTaken(number: number, bytes: number): void;
  alarm(alarm: JournalAlarm): void;
}

/** Counters of the journal since the start, and sizes now. */
export interface JournalFigures {
  readonly state: JournalState;
  /** Why the state is `failed`. */
  readonly failure: WireError | undefined;
  readonly commit: number;
  readonly safeCommit: number;
  /** Proposals that wait for the write-ahead log to be synced. */
  readonly waiting: number;
  readonly commits: number;
  readonly conflicts: number;
  readonly refused: number;
  readonly snapshots: number;
  readonly snapshotFailures: number;
  readonly unlinked: number;
  readonly files: number;
  /** Removed and not yet unlinked. */
  readonly filesRemoved: number;
  readonly journalBytes: number;
  readonly journalSegments: number;
}

/** Those of the whole commit thread. */
export interface CommitFigures extends JournalFigures {
  /** Times that the index was made anew from the journal's state. */
  readonly indexRebuilds: number;
}

/** Where the commit thread finds things, and how it syncs; plain values. */
export interface CommitSettings {
  /** `<data_dir>`, and below it: `journal`, `data`, `quarantine`, `orphans`; all exist. */
  readonly root: string;
  readonly directory: string;
  readonly dataDirectory: string;
  readonly quarantine: string;
  readonly orphans: string;
  readonly segmentBytes: number;
  readonly syncMode: 'fdatasync' | 'fsync' | 'dsync';
}

/** Numbers that a log is known to have lost (RotRange). */
export interface LostNumbers {
  readonly firstNumber: number;
  readonly lastNumber: number;
}

export type ToCommit =
  | { readonly kind: 'open'; readonly settings: CommitSettings }
  | {
      readonly kind: 'propose';
      readonly id: number;
      readonly proposal: CommitProposal;
      readonly statistics: readonly FileStatistics[];
    }
  | { readonly kind: 'walSynced'; readonly lsn: number }
  /** Replay of the write-ahead log gave all records that take these LSNs, but the lost ones. */
  | {
      readonly kind: 'walReplayed';
      readonly firstLsn: number;
      readonly lastLsn: number;
      readonly lost: readonly LostNumbers[];
    }
  | { readonly kind: 'visible'; readonly commit: number }
  | { readonly kind: 'pinned'; readonly commit: number | undefined }
  /** Opens a listing (listings.ts); its pieces are asked for one by one. */
  | { readonly kind: 'list'; readonly id: number; readonly hasStatistics: boolean }
  | { readonly kind: 'listNext'; readonly id: number }
  | { readonly kind: 'listEnd'; readonly id: number }
  | { readonly kind: 'close' };

export type FromCommit =
  | {
      readonly kind: 'opened';
      readonly seed: CatalogState;
      /** Highest file id that anything in the data directory speaks of. */
      readonly highestId: number;
      readonly figures: CommitFigures;
    }
  | { readonly kind: 'refused'; readonly error: WireError }
  | { readonly kind: 'event'; readonly event: CommitEvent }
  | {
      readonly kind: 'answered';
      readonly id: number;
      readonly commit: number;
      readonly error: WireError | undefined;
      readonly figures: CommitFigures;
    }
  | { readonly kind: 'safe'; readonly commit: number }
  | { readonly kind: 'journal'; readonly state: JournalState; readonly figures: CommitFigures }
  | { readonly kind: 'figures'; readonly figures: CommitFigures }
  | { readonly kind: 'alarm'; readonly alarm: JournalAlarm }
  | { readonly kind: 'listed'; readonly id: number; readonly commit: number }
  | { readonly kind: 'piece'; readonly id: number; readonly piece: ListingPiece }
  | { readonly kind: 'closed' };
