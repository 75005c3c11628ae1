/**
 * The files of the catalog at one commit, handed out piece by piece to whoever must know all of
 * them (P12), so that no message is larger with more files. Statistics come from the index, as it
 * is when a piece is taken. Commit thread.
 *
 * I1. All pieces of a listing together are the files that were live when it was opened, each once,
 *     whatever is committed meanwhile.
 * I2. A piece has a bounded weight, however many columns or hours its files have, unless it is of
 *     one file alone.
 */
import type { FileFacts, FileStatistics } from '../../base/model/commit.ts';
import type { LiveState } from './live-state.ts';

export interface ListingPiece {
  readonly files: readonly FileFacts[];
  /** Of those of the files that the index has any of; empty if they were not asked for. */
  readonly statistics: readonly FileStatistics[];
  readonly isLast: boolean;
}

interface Open {
  readonly files: readonly FileFacts[];
  readonly hasStatistics: boolean;
  next: number;
}

/** Small things to copy in one piece: about a millisecond of the thread that takes it. */
const pieceWeightMax = 1024;

export class Listings {
  readonly #statisticsOf: (ids: readonly number[]) => readonly FileStatistics[];
  readonly #open = new Map<number, Open>();

  constructor(statisticsOf: (ids: readonly number[]) => readonly FileStatistics[]) {
    this.#statisticsOf = statisticsOf;
  }

  /** Opens a listing of the files as they are now, under an id that is not in use. */
  open(id: number, state: LiveState, hasStatistics: boolean): void {
    this.#open.set(id, { files: [...state.files()], hasStatistics, next: 0 });
  }

  /** The next piece; after the last one, and of an id that is not open, an empty last one. */
  next(id: number): ListingPiece {
    const open = this.#open.get(id);
    if (open === undefined) return { files: [], statistics: [], isLast: true };
    const from = open.next;
    let weight = 0;
    for (; open.next < open.files.length; open.next++) {
      weight += weightOf(open.files[open.next], open.hasStatistics);
      if (weight > pieceWeightMax && open.next > from) break;
    }
    const files = open.files.slice(from, open.next);
    const statistics = open.hasStatistics ? this.#statisticsOf(files.map(({ id }) => id)) : [];
    const isLast = open.next === open.files.length;
    if (isLast) this.#open.delete(id);
    return { files, statistics, isLast };
  }

  /** Forgets a listing; one that is not open is no error. */
  close(id: number): void {
    this.#open.delete(id);
  }
}

function weightOf(file: FileFacts | undefined, hasStatistics: boolean): number {
  if (file === undefined) return 0;
  let weight = 2 + file.hours.length + file.columns.length;
  if (hasStatistics) for (const [first, last] of file.columns) weight += last - first + 1;
  return weight;
}
