/**
 * Random histories of the commit journal over many starts on a disk that forgets: makers of
 * commits race (flushes, and a stub of the jobs: compaction, delete, retention), the process is
 * killed or the plug is pulled at any call, syncs fail, the journal's last records rot. After each
 * commit and each start the promises are checked against a plain model; a broken one is a
 * `Violation`.
 *
 * Rows are LSNs. The write-ahead log is a set of them, recycled as the product would
 * (low-water.ts), so a row that is neither in a live file nor in the log is lost.
 */
import type { Files } from '../../src/base/disk/files.ts';
import type { AppendLog, RecordInput } from '../../src/log/log-types.ts';
import type { CommitEvent, CommitProposal } from '../../src/base/model/commit.ts';
import { Pins } from '../../src/log/journal/pins.ts';
import type { CommitterOptions } from '../../src/log/journal/committer.ts';
import { LowWater } from '../../src/log/wal/low-water.ts';
import { fileFacts, modelState } from './catalog-model.ts';
import {
  dataDirectory,
  journalDirectory,
  JournalRig,
  makeDataFile,
  replaced,
  StandingClock,
  type PlantedParts,
} from './journal-rig.ts';
import { JournalLedger } from './journal-ledger.ts';
import { Violation } from './log-ledger.ts';
import { seededRandom, type Random } from './random.ts';
import { Crash, noFaults, SimulatedDisk } from './simulated-disk.ts';

export interface HistoryOptions {
  readonly seed: number;
  readonly planted?: PlantedParts & {
    /** The second batch of a measurement may be committed before the first. */
    readonly flushesInAnyOrder?: boolean;
    /** Pins are not told to the committer. */
    readonly pinsUntold?: boolean;
  };
}

const counted = [
  ...(['starts', 'cuts', 'kills', 'rotten', 'commits', 'conflicts', 'refused'] as const),
  ...(['snapshots', 'unlinked'] as const),
  // Starts that found the commit which was under way when the last life ended.
  'undecidedKept',
] as const;

export type HistoryCounts = Record<(typeof counted)[number], number>;

export function newCounts(): HistoryCounts {
  return Object.fromEntries(counted.map((name) => [name, 0])) as HistoryCounts;
}

const measurements = [16, 17, 18] as const;
const limits: Partial<CommitterOptions> = {
  snapshotBytesMin: 60_000,
  segmentsMax: 4,
  snapshotRetryMs: 2000,
  unlinksPerTick: 3,
};

interface Job {
  readonly proposal: CommitProposal;
  /** Rows of each added file. */
  readonly rows: ReadonlyMap<number, readonly number[]>;
}

interface HeldPin {
  readonly files: readonly number[];
  release(): void;
}

export function runHistory(options: HistoryOptions, counts: HistoryCounts): void {
  new History(options, counts).run();
}

class History {
  readonly #options: HistoryOptions;
  readonly #counts: HistoryCounts;
  readonly #random: Random;
  readonly #disk: SimulatedDisk;
  readonly #clock = new StandingClock();
  readonly #ledger = new JournalLedger();
  /** Rows in the order of the log, with their measurement. */
  #log: { readonly lsn: number; readonly measurementId: number }[] = [];
  #nextLsn = 1;
  #nextFileId = 1;
  /** The disk spoils what is written now: a snapshot. */
  #spoils = false;

  // Of one life:
  #rig: JournalRig | undefined;
  /** The journal's log, without what is planted. */
  #rightLog: AppendLog | undefined;
  #visible = 0;
  #toShow: CommitEvent[] = [];
  #toldSynced = 0;
  #lowWater = new LowWater(() => undefined);
  #pins = new Pins(() => undefined);
  #held: HeldPin[] = [];
  #jobs: Job[] = [];
  /** First unfiled row by measurement that no flush has been made of yet. */
  #taken = new Map<number, number>();
  /** Batches that wait for their commit, in order, by measurement. */
  #batches = new Map<number, Job[]>();

  constructor(options: HistoryOptions, counts: HistoryCounts) {
    this.#options = options;
    this.#counts = counts;
    this.#random = seededRandom(options.seed);
    this.#disk = new SimulatedDisk(this.#random);
  }

  run(): void {
    const lives = 3 + this.#random.below(4);
    for (let life = 0; life < lives; life += 1) {
      if (this.#random.chance(0.7)) this.#disk.crashAfter = 1 + this.#random.below(400);
      try {
        this.#start();
        this.#live();
      } catch (error) {
        // A crash inside the committer comes out as the bug that it would be.
        const isCrash = error instanceof Crash || this.#rig?.crashed === true;
        if (error instanceof Violation || !isCrash) throw error;
      }
      this.#end();
    }
    this.#start();
  }

  #start(): void {
    this.#counts.starts += 1;
    const { planted } = this.#options;
    this.#visible = 0;
    this.#toShow = [];
    this.#toldSynced = 0;
    this.#held = [];
    this.#jobs = [];
    this.#taken = new Map();
    this.#batches = new Map();
    this.#rig = undefined;
    this.#rightLog = undefined;
    const rig = new JournalRig({
      disk: this.#disk,
      random: this.#random,
      clock: this.#clock,
      segmentBytes: 30_000,
      limits,
      ...planted,
      files: (right) => {
        const spoiling = this.#spoilingFiles(right);
        return planted?.files?.(spoiling) ?? spoiling;
      },
      log: (right) => {
        this.#rightLog = right;
        const spoiling = this.#spoilingLog(right);
        return planted?.log?.(spoiling) ?? spoiling;
      },
      onUnlink: (path) => {
        this.#checkUnlink(path);
      },
      onEvent: (event) => {
        this.#onEvent(event);
      },
      onSafe: (commit) => {
        this.#ledger.safe = Math.max(this.#ledger.safe, commit);
        this.#lowWater.safe(commit);
      },
    });
    this.#rig = rig;
    this.#checkRecovered(rig);
    this.#visible = rig.journal.state.commit;
    this.#lowWater = new LowWater((mark) => {
      this.#log = this.#log.filter(({ lsn }) => lsn > mark);
    });
    this.#ledger.safe = Math.max(this.#ledger.safe, rig.committer.safeCommit);
    this.#pins = new Pins((commit) => {
      if (planted?.pinsUntold !== true) rig.committer.pinned(commit);
    });
    rig.committer.visible(this.#visible);
    for (const id of measurements) this.#taken.set(id, rig.journal.state.position(id));
    // An id that was given stays given, whether its commit is known or not.
    this.#commit({ kind: 'ids', fileIdsTo: rig.journal.state.fileIdsTo + 4096 });
  }

  #live(): void {
    const steps = 20 + this.#random.below(120);
    const kinds = [
      ...Array<() => void>(4).fill(() => {
        this.#write();
      }),
      ...Array<() => void>(3).fill(() => {
        this.#makeBatch();
      }),
      ...Array<() => void>(4).fill(() => {
        this.#flush();
      }),
      ...Array<() => void>(3).fill(() => {
        this.#makeJob();
      }),
      ...Array<() => void>(3).fill(() => {
        this.#finishJob();
      }),
      ...Array<() => void>(4).fill(() => {
        this.#show();
      }),
      () => {
        this.#tick();
      },
      () => {
        this.#takePin();
      },
      () => {
        this.#held.splice(this.#random.below(3), 1)[0]?.release();
      },
      () => {
        this.#changeWeather();
      },
    ];
    for (let step = 0; step < steps; step += 1) {
      this.#random.pick(kinds)();
      this.#alive();
      this.#checkPins();
    }
  }

  /** The life ends by a crash, by a kill, or by the plug. */
  #end(): void {
    this.#disk.faults = noFaults;
    const how = this.#random.pick(['cut', 'cut', 'kill'] as const);
    this.#counts[how === 'cut' ? 'cuts' : 'kills'] += 1;
    this.#disk.restart(how);
    const log = this.#rightLog;
    // A header proves what a start has carried: rot of that is another matter.
    const last = log?.state === 'open' ? (log.segments().at(-1)?.lastNumber ?? 0) : 0;
    const isUnproven = last > (log?.mark ?? 0);
    if (isUnproven && this.#random.chance(0.5)) this.#rotLastRecord();
  }

  #alive(): void {
    if (this.#rig?.crashed === true) throw new Crash('found afterwards');
  }

  get #running(): JournalRig {
    if (this.#rig === undefined) throw new Error('no process runs');
    return this.#rig;
  }

  // What happens.

  #write(): void {
    for (let count = 1 + this.#random.below(3); count > 0; count -= 1) {
      const measurementId = this.#random.pick(measurements);
      this.#log.push({ lsn: this.#nextLsn, measurementId });
      this.#ledger.everWritten.set(this.#nextLsn, measurementId);
      this.#nextLsn += 1;
    }
  }

  /** Seals the rows of a measurement that no batch has yet, and encodes their file. */
  #makeBatch(): void {
    const id = this.#random.pick(measurements);
    const from = this.#taken.get(id) ?? 0;
    const rows = this.#log
      .filter(({ lsn, measurementId }) => measurementId === id && lsn > from)
      .map(({ lsn }) => lsn);
    const [first, last] = [rows[0], rows.at(-1)];
    if (first === undefined || last === undefined) return;
    const fileId = this.#writeFile(rows);
    this.#taken.set(id, last);
    const batch: Job = {
      proposal: {
        kind: 'flush',
        adds: [fileFacts(fileId, id, [first, last])],
        positions: [[id, last]],
      },
      rows: new Map([[fileId, rows]]),
    };
    const waiting = this.#batches.get(id) ?? [];
    waiting.push(batch);
    this.#batches.set(id, waiting);
  }

  #flush(): void {
    const id = this.#random.pick(measurements);
    const waiting = this.#batches.get(id) ?? [];
    const anyOrder = this.#options.planted?.flushesInAnyOrder === true;
    const at = anyOrder ? this.#random.below(waiting.length + 1) : 0;
    const batch = waiting[at];
    if (batch === undefined) return;
    if (this.#random.chance(0.8)) this.#tellSynced();
    const lowWater = this.#lowWaterAfter(id, batch);
    // A refused flush is proposed again, with the same files.
    const answer = this.#commit({ ...batch.proposal, lowWater });
    if (answer === 'committed') waiting.splice(at, 1);
  }

  /** P5: below every row that is in no file once `batch` is filed. */
  #lowWaterAfter(id: number, batch: Job): number {
    const filed = new Set([...batch.rows.values()].flat());
    const { state } = this.#running.journal;
    const unfiled = this.#log.filter(
      ({ lsn, measurementId }) =>
        lsn > state.position(measurementId) && !(measurementId === id && filed.has(lsn)),
    );
    return Math.min(unfiled[0]?.lsn ?? Infinity, this.#nextLsn) - 1;
  }

  /** Reads some live files of a measurement and writes what is to replace them. */
  #makeJob(): void {
    const { state } = this.#running.journal;
    const id = this.#random.pick(measurements);
    const live = [...state.files()].filter(({ measurementId }) => measurementId === id);
    if (live.length === 0) return;
    const inputs = this.#random.shuffled(live).slice(0, 1 + this.#random.below(3));
    const reason = this.#random.pick(['compact', 'delete', 'retention'] as const);
    const removes = inputs.map((file) => ({ id: file.id, reason }));
    const all = inputs.flatMap((file) => this.#ledger.rows.get(file.id) ?? []);
    const rows = reason === 'delete' ? all.filter(() => this.#random.chance(0.6)) : all;
    const first = Math.min(...inputs.map(({ lsns }) => lsns[0]));
    const last = Math.max(...inputs.map(({ lsns }) => lsns[1]));
    if (reason === 'retention' || rows.length === 0) {
      this.#jobs.push({ proposal: { kind: 'job', removes }, rows: new Map() });
      return;
    }
    const fileId = this.#writeFile(rows);
    const adds = [fileFacts(fileId, id, [first, last])];
    this.#jobs.push({ proposal: { kind: 'job', removes, adds }, rows: new Map([[fileId, rows]]) });
  }

  /** Some time later it commits; the files that it read may be gone. */
  #finishJob(): void {
    const at = this.#random.below(this.#jobs.length);
    const job = this.#jobs[at];
    if (job === undefined) return;
    const answer = this.#commit(job.proposal);
    if (answer !== 'refused') this.#jobs.splice(at, 1);
  }

  #writeFile(rows: readonly number[]): number {
    const id = this.#nextFileId;
    const { faults } = this.#disk;
    this.#nextFileId += 1;
    this.#ledger.rows.set(id, rows);
    this.#disk.faults = noFaults;
    makeDataFile(this.#disk, fileFacts(id, this.#measurementOf(rows), [1, 1]).path);
    this.#disk.faults = faults;
    return id;
  }

  #measurementOf(rows: readonly number[]): number {
    return this.#ledger.everWritten.get(rows[0] ?? 0) ?? 16;
  }

  #commit(proposal: CommitProposal): 'committed' | 'refused' | 'conflict' {
    const rig = this.#running;
    // Without a segment nothing is written; what failed before may still come back.
    if (rig.journal.log.state === 'open') this.#ledger.undecided = proposal;
    const answer = rig.propose(proposal);
    this.#alive();
    if (answer() === undefined) this.#tellSynced();
    const error = answer()?.error;
    const code = error?.code;
    if (rig.journal.log.state === 'open') this.#ledger.undecided = undefined;
    if (code === undefined) return 'committed';
    if (code === 'HF_COMMIT_CONFLICT') this.#counts.conflicts += 1;
    else if (code === 'HF_COMMIT_REFUSED') this.#counts.refused += 1;
    else throw new Violation(`a maker that keeps the rules was refused: ${error?.message}`);
    return code === 'HF_COMMIT_CONFLICT' ? 'conflict' : 'refused';
  }

  #tellSynced(): void {
    this.#toldSynced = this.#nextLsn - 1;
    this.#running.committer.walSynced(this.#toldSynced);
    this.#alive();
  }

  /** The main thread gets the next events. */
  #show(): void {
    for (let count = 1 + this.#random.below(3); count > 0; count -= 1) {
      const event = this.#toShow.shift();
      if (event === undefined) return;
      this.#visible = event.commit.number;
      this.#lowWater.visible(event.commit);
      this.#lowWater.safe(this.#running.safe);
      this.#running.committer.visible(this.#visible);
    }
  }

  #tick(): void {
    this.#clock.nowMs += this.#random.pick([100, 1000, 5000]);
    const rig = this.#running;
    rig.committer.tick();
    if (!rig.crashed && rig.journal.log.state === 'open') this.#ledger.undecided = undefined;
  }

  #takePin(): void {
    const shown = modelState(this.#ledger.commits.filter(({ number }) => number <= this.#visible));
    const release = this.#pins.pin(this.#visible);
    this.#held.push({ files: shown.files.map(({ id }) => id), release });
  }

  #changeWeather(): void {
    const syncFails = this.#random.pick([0, 0, 0, 0, 0.1, 0.3, 1]);
    const writeShort = this.#random.pick([0, 0, 0, 0.2]);
    const nameFails = this.#random.pick([0, 0, 0, 0.2]);
    this.#disk.faults = { ...noFaults, syncFails, writeShort, nameFails };
  }

  /** The last record of the journal rots while the machine is off. */
  #rotLastRecord(): void {
    const name = this.#disk.list(journalDirectory).at(-1);
    if (name === undefined) return;
    const path = `${journalDirectory}/${name}`;
    const bytes = this.#disk.bytesOf(path);
    const end = bytes.findLastIndex((byte) => byte !== 0);
    // The first page is the header, whose loss is another matter.
    if (end < 8192) return;
    const page = Math.floor(end / 4096) * 4096;
    this.#disk.rot(path, page + this.#random.below(end - page + 1));
    this.#counts.rotten += 1;
    this.#ledger.rotted = true;
  }

  /** A disk that now and then stores another snapshot than it was given. */
  #spoilingFiles(right: Files): Files {
    return {
      ...right,
      open: (path, mode, options) => {
        const file = right.open(path, mode, options);
        return {
          ...file,
          write: (parts, position) => {
            if (!this.#spoils || position === 0) {
              file.write(parts, position);
              return;
            }
            const spoilt = Buffer.concat(parts);
            spoilt[100] = (spoilt[100] ?? 0) ^ 0x55;
            file.write([spoilt], position);
          },
        };
      },
    };
  }

  #spoilingLog(right: AppendLog): AppendLog {
    return replaced(right, {
      rotate: (first?: RecordInput) => {
        this.#spoils = first !== undefined && this.#random.chance(0.3);
        try {
          return right.rotate(first);
        } finally {
          this.#spoils = false;
        }
      },
    });
  }

  // What must hold.

  #onEvent(event: CommitEvent): void {
    this.#counts.commits += 1;
    this.#toShow.push(event);
    this.#ledger.committed(event.commit, this.#toldSynced);
  }

  #checkUnlink(path: string): void {
    if (!path.startsWith(dataDirectory)) return;
    this.#counts.unlinked += 1;
    this.#ledger.unlinking(path, this.#visible);
  }

  #checkPins(): void {
    for (const { files } of this.#held) {
      for (const id of files) {
        if (!this.#hasFile(id)) throw new Violation(`file ${id} is pinned and gone`);
      }
    }
  }

  #hasFile(id: number): boolean {
    const facts = fileFacts(id, this.#measurementOf(this.#ledger.rows.get(id) ?? []), [1, 1]);
    return this.#disk.size(`${dataDirectory}/${facts.path}`) !== undefined;
  }

  #checkRecovered({ journal }: JournalRig): void {
    this.#counts.snapshots += journal.extent.snapshotNumber > 0 ? 1 : 0;
    const recovered = journal.state.toState();
    const kept = this.#ledger.recovered(recovered, (id) => this.#hasFile(id));
    this.#counts.undecidedKept += kept ? 1 : 0;
    const replayed = this.#log.filter(({ lsn }) => lsn > recovered.lowWater);
    this.#ledger.checkReplay(recovered, new Set(replayed.map(({ lsn }) => lsn)));
  }
}
