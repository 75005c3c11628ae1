/**
 * Keeps the files of the reserved measurements within their bounds: the oldest are removed by a
 * commit, whole (commit-protocol P2, P10). Main thread.
 *
 * I1. Age is by log number, so that no clock decides which of them go first.
 * I2. A file that says which letters were sent once more, or dropped, goes only when all letters
 *     that it can speak of are gone: a mark has a higher number than its letter.
 * I3. Keys go by the time that they age by (key-time.ts), which no clock that jumps moves.
 * I4. One removing commit at a time; one that meets a removed file starts from the new state (P11).
 */
import type { CommitEvent, CommitProposal, FileFacts } from '../../base/model/commit.ts';
import { hourUs } from '../../base/model/partition.ts';
import { reservedMeasurements } from '../../base/model/schema.ts';
import { asGatewayError } from '../../base/errors/gateway-error.ts';
import type { AlarmRecorder } from '../../base/telemetry/alarms.ts';
import type { CounterRecorder, Metrics } from '../../base/telemetry/metrics.ts';
import type { KeyTime } from '../keys/key-time.ts';

export interface ReservedFilesDeps {
  readonly commits: {
    commit(proposal: CommitProposal, statistics: readonly []): Promise<number>;
    onEvent(listener: (event: CommitEvent) => void): void;
  };
  readonly keyTime: KeyTime;
  readonly alarms: AlarmRecorder;
  readonly metrics: Metrics;
}

export interface ReservedFilesOptions {
  readonly letterBytesMax: number;
  readonly letterRowsMax: number;
  readonly keyBytesMax: number;
  readonly keyRowsMax: number;
  readonly keyAgeUsMax: number;
}

/** Dead letters in files, and their limits. */
export interface LetterFigures {
  readonly rows: number;
  readonly rowsMax: number;
  readonly bytes: number;
  readonly bytesMax: number;
  /** Rows removed since the start to stay within the limits. */
  readonly droppedRows: number;
}

/** What counts of a file. */
interface Kept {
  readonly id: number;
  readonly measurementId: number;
  readonly bytes: number;
  readonly rows: number;
  readonly lsns: readonly [number, number];
  readonly lastUs: number;
}

const { deadLetters, idempotencyKeys, deadLetterReplays, deadLetterDrops } = reservedMeasurements;
const reservedIds: readonly number[] = Object.values(reservedMeasurements);

/** The alarm goes when nothing was dropped for so long. */
const quietMs = 3_600_000;

function keptOf({ id, measurementId, bytes, rows, lsns, hours }: FileFacts): Kept {
  let lastUs = -Infinity;
  for (const [hour, , offset] of hours) lastUs = Math.max(lastUs, hour * Number(hourUs) + offset);
  return { id, measurementId, bytes, rows, lsns, lastUs };
}

/** The oldest of `files` that must go so that the others stay within the bounds. */
function excess(files: readonly Kept[], bytesMax: number, rowsMax: number): readonly Kept[] {
  let bytes = 0;
  let rows = 0;
  let kept = 0;
  for (const file of files.toReversed()) {
    bytes += file.bytes;
    rows += file.rows;
    if (bytes > bytesMax || rows > rowsMax) break;
    kept += 1;
  }
  return files.slice(0, files.length - kept);
}

export class ReservedFiles {
  readonly #deps: ReservedFilesDeps;
  readonly #options: ReservedFilesOptions;
  readonly #files = new Map<number, Kept>();
  readonly #dropped: CounterRecorder<'holdfast_deadletter_dropped_rows_total'>;
  #droppedRows = 0;
  #isBusy = false;

  /** @param seed the files of the catalog as of the last commit that was shown */
  constructor(deps: ReservedFilesDeps, options: ReservedFilesOptions, seed: Iterable<FileFacts>) {
    this.#deps = deps;
    this.#options = options;
    this.#dropped = deps.metrics.counter('holdfast_deadletter_dropped_rows_total');
    deps.metrics.read('holdfast_deadletter_rows', () => this.#sum('rows'));
    deps.metrics.read('holdfast_deadletter_bytes', () => this.#sum('bytes'));
    for (const file of seed) this.#add(file);
    deps.commits.onEvent(({ commit }) => {
      for (const { id } of commit.removes ?? []) this.#files.delete(id);
      let isTouched = false;
      for (const file of commit.adds ?? []) isTouched = this.#add(file) || isTouched;
      if (isTouched) void this.trim();
    });
  }

  get letterFigures(): LetterFigures {
    const { letterRowsMax, letterBytesMax } = this.#options;
    return {
      rows: this.#sum('rows'),
      rowsMax: letterRowsMax,
      bytes: this.#sum('bytes'),
      bytesMax: letterBytesMax,
      droppedRows: this.#droppedRows,
    };
  }

  /**
   * The call that removes those files of letters that are there now and whose rows are all older
   * than `keptFromUs`; it resolves with their number.
   * @throws HF_COMMIT_REFUSED, HF_COMMIT_THREAD_LOST
   */
  older(): (keptFromUs: number) => Promise<number> {
    const now = this.#of(deadLetters).map(({ id }) => id);
    return async (keptFromUs) => {
      for (;;) {
        const gone = now.filter((id) => (this.#files.get(id)?.lastUs ?? Infinity) < keptFromUs);
        if (gone.length === 0) return 0;
        const removes = gone.map((id) => ({ id, reason: 'delete' as const }));
        try {
          await this.#deps.commits.commit({ kind: 'job', removes }, []);
        } catch (error) {
          if (asGatewayError(error).code !== 'HF_COMMIT_CONFLICT') throw error;
          continue;
        }
        void this.trim();
        return gone.length;
      }
    };
  }

  /** Removes what is too much; resolves when nothing is, or when the journal refuses. */
  async trim(): Promise<void> {
    if (this.#isBusy) return;
    this.#isBusy = true;
    try {
      for (;;) {
        const gone = this.#excess();
        if (gone.length === 0) return;
        const removes = gone.map(({ id }) => ({ id, reason: 'retention' as const }));
        try {
          await this.#deps.commits.commit({ kind: 'job', removes }, []);
        } catch (error) {
          // The next file that is added asks again.
          if (asGatewayError(error).code !== 'HF_COMMIT_CONFLICT') return;
          continue;
        }
        this.#note(gone);
      }
    } finally {
      this.#isBusy = false;
    }
  }

  #add(file: FileFacts): boolean {
    if (!reservedIds.includes(file.measurementId)) return false;
    const kept = keptOf(file);
    this.#files.set(file.id, kept);
    if (file.measurementId === idempotencyKeys) this.#deps.keyTime.passed(kept.lastUs);
    return true;
  }

  /** Of one measurement, oldest first. */
  #of(measurementId: number): readonly Kept[] {
    const own = [...this.#files.values()].filter((file) => file.measurementId === measurementId);
    return own.sort((a, b) => a.lsns[0] - b.lsns[0] || a.id - b.id);
  }

  #excess(): readonly Kept[] {
    const { letterBytesMax, letterRowsMax } = this.#options;
    const letters = this.#of(deadLetters);
    const gone = excess(letters, letterBytesMax, letterRowsMax);
    const oldest = letters[gone.length];
    const marks = [...this.#of(deadLetterReplays), ...this.#of(deadLetterDrops)].filter(
      ({ lsns }) => oldest !== undefined && lsns[1] < oldest.lsns[0],
    );
    return [...gone, ...marks, ...this.#goneKeys()];
  }

  #goneKeys(): readonly Kept[] {
    const { keyBytesMax, keyRowsMax, keyAgeUsMax } = this.#options;
    const keys = this.#of(idempotencyKeys);
    // Without files of keys the time has nothing to begin at yet.
    if (keys.length === 0) return [];
    const oldUs = this.#deps.keyTime.nowUs() - keyAgeUsMax;
    const tooMany = new Set(excess(keys, keyBytesMax, keyRowsMax));
    return keys.filter((file) => file.lastUs < oldUs || tooMany.has(file));
  }

  #note(gone: readonly Kept[]): void {
    const letters = gone.filter(({ measurementId }) => measurementId === deadLetters);
    const rows = letters.reduce((sum, file) => sum + file.rows, 0);
    if (rows === 0) return;
    this.#dropped.add(rows, {});
    this.#droppedRows += rows;
    const detail = `${this.#droppedRows} rows since the start`;
    this.#deps.alarms.raise('dead_letters_dropped', detail, '', quietMs);
  }

  #sum(of: 'rows' | 'bytes'): number {
    let sum = 0;
    for (const file of this.#files.values())
      if (file.measurementId === deadLetters) sum += file[of];
    return sum;
  }
}
