/**
 * A committer over a real journal on a simulated disk, with a clock that stands until it is moved.
 * What the committer tells its sink is kept. Each `open` is one start of the process.
 */
import type { Files } from '../../src/base/disk/files.ts';
import type { GatewayError } from '../../src/base/errors/gateway-error.ts';
import type { Clock } from '../../src/base/lib/clock.ts';
import type { CommitEvent, CommitProposal } from '../../src/base/model/commit.ts';
import type { CommitSink, JournalAlarm } from '../../src/log/journal/commit-messages.ts';
import { Committer, type CommitterOptions } from '../../src/log/journal/committer.ts';
import {
  openJournal,
  type JournalDeps,
  type OpenedJournal,
} from '../../src/log/journal/open-journal.ts';
import type { AppendLog } from '../../src/log/log-types.ts';
import { openLog } from '../../src/log/open-log.ts';
import type { Random } from './random.ts';
import { Crash, type SimulatedDisk } from './simulated-disk.ts';

export const journalDirectory = '/journal';
export const dataDirectory = '/data';

export class StandingClock implements Clock {
  nowMs = 1000;
  wallUs = (): number => this.nowMs * 1000;
  monotonicMs = (): number => this.nowMs;
}

/** What a suite composes in place of the right parts. */
export interface PlantedParts {
  readonly files?: (disk: Files) => Files;
  readonly log?: (log: AppendLog) => AppendLog;
  readonly newState?: JournalDeps['newState'];
}

export interface RigOptions extends PlantedParts {
  readonly disk: SimulatedDisk;
  readonly random: Random;
  readonly clock: StandingClock;
  readonly segmentBytes?: number;
  readonly limits?: Partial<CommitterOptions>;
  /** Called in the order of the committer's calls. */
  onUnlink?(path: string): void;
  onEvent?(event: CommitEvent): void;
  onSafe?(commit: number): void;
}

/** Folders have a size too, as on a real disk; crashes are noted wherever they are caught. */
function rigFiles(options: RigOptions, crashed: () => void): Files {
  const { disk } = options;
  const noting =
    <A extends readonly unknown[], R>(call: (...parts: A) => R) =>
    (...parts: A): R => {
      try {
        return call(...parts);
      } catch (error) {
        if (error instanceof Crash) crashed();
        throw error;
      }
    };
  return {
    open: noting((...parts: Parameters<Files['open']>) => {
      const file = disk.open(...parts);
      return {
        path: file.path,
        size: noting(() => file.size()),
        read: noting((target: Uint8Array, position: number) => file.read(target, position)),
        write: noting((bytes: readonly Uint8Array[], position: number) => {
          file.write(bytes, position);
        }),
        sync: noting((call) => {
          file.sync(call);
        }),
        truncate: noting((bytes: number) => {
          file.truncate(bytes);
        }),
        close: noting(() => {
          file.close();
        }),
      };
    }),
    size: noting((path: string) => disk.size(path) ?? (path.includes('.') ? undefined : 4096)),
    list: noting((path: string) => disk.list(path)),
    makeDirectory: () => false,
    rename: noting((from: string, to: string) => {
      disk.rename(from, to);
    }),
    unlink: noting((path: string) => {
      options.onUnlink?.(path);
      disk.unlink(path);
    }),
    syncDirectory: noting((path: string) => {
      disk.syncDirectory(path);
    }),
    freeBytes: () => disk.freeBytes(),
  };
}

/** `log` with some of its members replaced. */
export function replaced(log: AppendLog, members: Partial<AppendLog>): AppendLog {
  return new Proxy(log, {
    get(target, key) {
      if (Object.hasOwn(members, key)) return Reflect.get(members, key);
      const value: unknown = Reflect.get(target, key, target);
      return typeof value === 'function' ? (value.bind(target) as unknown) : value;
    },
  });
}

export type Answer =
  | { readonly number: number; readonly error?: undefined }
  | { readonly number?: undefined; readonly error: GatewayError };

export class JournalRig {
  readonly journal: OpenedJournal;
  readonly committer: Committer;
  readonly events: CommitEvent[] = [];
  readonly alarms: JournalAlarm[] = [];
  readonly unlinked: number[] = [];
  readonly states: string[] = [];
  readonly snapshots: number[] = [];
  safe = 0;
  crashed = false;

  /** @throws Crash, and what openJournal throws */
  constructor(options: RigOptions) {
    const right = rigFiles(options, () => {
      this.crashed = true;
    });
    const files = options.files?.(right) ?? right;
    const { clock, random, newState } = options;
    const deps: JournalDeps = {
      files,
      clock,
      randomSalt: () => 1 + random.below(2 ** 32 - 1),
      openLog: (logOptions, replay) => {
        const opened = openLog(logOptions, replay);
        return options.log === undefined ? opened : { ...opened, log: options.log(opened.log) };
      },
      ...(newState === undefined ? {} : { newState }),
    };
    this.journal = openJournal(deps, {
      directory: journalDirectory,
      quarantine: '/quarantine',
      segmentBytes: options.segmentBytes ?? 1 << 20,
      syncMode: 'fdatasync',
    });
    const { log, state, extent } = this.journal;
    this.committer = new Committer(
      { log, state, files, clock, sink: this.#sink(options) },
      extent,
      {
        dataDirectory,
        markIdleMs: 1000,
        retryMs: 1000,
        unlinksPerTick: 64,
        snapshotBytesMin: 1 << 24,
        segmentsMax: 8,
        snapshotRetryMs: 60_000,
        ...options.limits,
      },
    );
  }

  /** The answer of a proposal that does not wait for the write-ahead log. */
  commit(proposal: CommitProposal): Answer {
    const answer = this.propose(proposal)();
    if (answer === undefined) throw new Error('the proposal waits');
    return answer;
  }

  /** Returns what gives the answer, undefined while there is none. */
  propose(proposal: CommitProposal): () => Answer | undefined {
    let answer: Answer | undefined;
    this.committer.propose(proposal, [], (error, number) => {
      answer = error === undefined ? { number } : { error };
    });
    return () => answer;
  }

  #sink({ onEvent, onSafe }: RigOptions): CommitSink {
    return {
      committed: (event) => {
        this.events.push(event);
        onEvent?.(event);
      },
      unlinked: (ids) => {
        this.unlinked.push(...ids);
      },
      safe: (commit) => {
        this.safe = commit;
        onSafe?.(commit);
      },
      stateChanged: (state) => {
        this.states.push(state);
      },
      snapshotTaken: (number) => {
        this.snapshots.push(number);
      },
      alarm: (alarm) => {
        this.alarms.push(alarm);
      },
    };
  }
}

/** Makes an empty data file and its name durable. */
export function makeDataFile(disk: SimulatedDisk, path: string): void {
  const full = `${dataDirectory}/${path}`;
  const file = disk.open(full, 'create');
  file.sync('fdatasync');
  file.close();
  disk.syncDirectory(full.slice(0, full.lastIndexOf('/')));
}
