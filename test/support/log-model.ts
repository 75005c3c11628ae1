/**
 * The log against a plain model, over many lives on a disk that forgets: appends, failing syncs,
 * short writes, kills, cuts, rotation, recycling, rot, crashes three deep in recovery. One seed is
 * one history. `runHistory` throws `Violation` when the log breaks a promise:
 *
 * V1 Every acknowledged record that is not released comes back, with its number and bytes.
 * V2 What comes back is a prefix of the log order: nothing behind a missing record.
 * V3 Nothing comes back that was void: refused and cut by a header, or lost in an earlier life.
 * V4 No number is given twice; each is above all that were ever given.
 * V5 Rot is never silent, and takes no acknowledged record but the rotten one; without rot none is
 *    reported.
 */
import type { Files } from '../../src/base/disk/files.ts';
import { GatewayError } from '../../src/base/errors/gateway-error.ts';
import { logRules, type LogRules } from '../../src/log/log-rules.ts';
import type {
  AppendLog,
  LogKind,
  LogOptions,
  OpenedLog,
  RecordInput,
  SyncMode,
} from '../../src/log/log-types.ts';
import { openLog } from '../../src/log/open-log.ts';
import { prepareSpare } from '../../src/log/spare.ts';
import { LogLedger, type LedgerRecord } from './log-ledger.ts';
import { rotSomething } from './log-rot.ts';
import { seededRandom, type Random } from './random.ts';
import { Crash, noFaults, SimulatedDisk } from './simulated-disk.ts';

/** What a planted bug replaces. */
export interface Planted {
  readonly rules?: Partial<LogRules>;
  readonly files?: (disk: SimulatedDisk) => Files;
  /** The owner of the journal drops older segments without waiting for the later mark. */
  readonly dropsEarly?: boolean;
}

export interface HistoryOptions {
  readonly seed: number;
  readonly kind?: LogKind;
  readonly syncMode?: SyncMode;
  /** Rot between lives: of records at any time, or of one header on a disk that else obeys. */
  readonly rot?: 'none' | 'records' | 'header';
  readonly planted?: Planted;
  /** Told what happens, line by line: to look into a seed that fails. */
  readonly trace?: (line: string) => void;
}

/** What happened, so that a test can show that its histories reach what they should. */
export interface HistoryCounts {
  lives: number;
  appended: number;
  refused: number;
  replayed: number;
  carried: number;
  rotRanges: number;
  crashesInRecovery: number;
  released: number;
}

export function newCounts(): HistoryCounts {
  const zero = { lives: 0, appended: 0, refused: 0, replayed: 0, carried: 0 };
  return { ...zero, rotRanges: 0, crashesInRecovery: 0, released: 0 };
}

const modes: readonly SyncMode[] = ['fdatasync', 'fsync', 'dsync', 'async'];
export const logDirectory = '/data/wal';
export const logPrefix = 'worker-1-';

/** Runs one history. @throws Violation */
export function runHistory(options: HistoryOptions, counts: HistoryCounts): void {
  new History(options, counts).run();
}

class History {
  readonly #random: Random;
  readonly #disk: SimulatedDisk;
  readonly #counts: HistoryCounts;
  readonly #planted: Planted;
  readonly #rot: 'none' | 'records' | 'header';
  #headerHit = false;
  readonly #logOptions: LogOptions;
  readonly #ledger: LogLedger;
  readonly #trace: (line: string) => void;
  #nowMs = 0;
  #log: AppendLog | undefined;

  constructor(options: HistoryOptions, counts: HistoryCounts) {
    const random = seededRandom(options.seed);
    this.#random = random;
    this.#disk = new SimulatedDisk(random);
    this.#counts = counts;
    this.#planted = options.planted ?? {};
    this.#rot = options.rot ?? 'none';
    this.#trace = options.trace ?? (() => undefined);
    const kind = options.kind ?? random.pick<LogKind>(['wal', 'wal', 'journal']);
    this.#ledger = new LogLedger(kind);
    this.#logOptions = {
      files: this.#planted.files?.(this.#disk) ?? this.#disk,
      directory: logDirectory,
      quarantine: '/data/quarantine',
      prefix: logPrefix,
      suffix: '.wal',
      kind,
      segmentBytes: random.pick([16, 32, 64]) * 1024,
      segmentAgeMs: 1000,
      syncMode: options.syncMode ?? random.pick(modes),
      preallocate: kind === 'wal' && random.chance(0.7),
      clock: { wallUs: () => 0, monotonicMs: () => this.#nowMs },
      randomSalt: () => 1 + random.below(2 ** 32 - 1),
      unsyncedBytesMax: 20_000,
    };
  }

  run(): void {
    const lives = 2 + this.#random.below(6);
    for (let life = 0; life < lives; life += 1) {
      this.#counts.lives += 1;
      const opened = this.#recover();
      this.#check(opened);
      const how = this.#live(opened.log);
      this.#endLife(how);
      if (this.#rot !== 'none' && this.#random.chance(0.5)) this.#rotBetweenLives(this.#rot);
    }
    this.#check(this.#recover(0));
  }

  /** Opens the log; up to `depth` tries crash in the middle of recovery. */
  #recover(depth = this.#random.below(4)): OpenedLog {
    for (let crash = 0; crash < depth; crash += 1) {
      this.#disk.crashAfter = 1 + this.#random.below(30);
      const opened = this.#try(() => this.#open());
      if (opened !== undefined) {
        this.#disk.crashAfter = undefined;
        return opened;
      }
      this.#counts.crashesInRecovery += 1;
      this.#endLife(this.#random.pick(['cut', 'kill']));
    }
    if (this.#rot !== 'header' && this.#random.chance(0.2)) {
      const syncFails = this.#random.pick([0, 0.3, 1]);
      this.#disk.faults = { ...noFaults, syncFails, full: this.#random.chance(0.2) };
    }
    const opened = this.#open();
    this.#disk.faults = noFaults;
    return opened;
  }

  #open(): OpenedLog {
    this.#ledger.beginReplay();
    const floor = this.#ledger.lowWater;
    return openLog(
      this.#logOptions,
      {
        lowWater: this.#logOptions.kind === 'wal' ? floor : 0,
        floor: () => floor,
        payloadsPass: true,
        onRecord: (record) => {
          this.#ledger.replayed({ ...record, payload: record.payload.slice() });
        },
      },
      { ...logRules, ...this.#planted.rules },
    );
  }

  #check({ log, report }: OpenedLog): void {
    this.#counts.replayed += report.records;
    this.#counts.carried += report.carried;
    this.#counts.rotRanges += report.rot.length;
    this.#trace(`opened ${log.state}, next ${log.nextNumber}: ${JSON.stringify(report)}`);
    this.#ledger.endReplay(report, log);
    this.#log = log;
  }

  /** One life after recovery; returns how it ends. */
  #live(log: AppendLog): 'cut' | 'kill' {
    const random = this.#random;
    if (random.chance(0.7)) this.#disk.crashAfter = 1 + random.below(120);
    const steps = random.below(25);
    for (let step = 0; step < steps; step += 1) {
      this.#disk.faults = random.chance(0.15) ? this.#someFaults() : noFaults;
      this.#nowMs += random.pick([1, 10, 100, 400]);
      const done = this.#try(() => {
        this.#step(log);
        return true;
      });
      if (done === undefined) break;
    }
    this.#disk.faults = noFaults;
    if (random.chance(0.2)) {
      this.#try(() => {
        log.close();
      });
    }
    return random.pick(['cut', 'kill']);
  }

  #someFaults(): typeof noFaults {
    const random = this.#random;
    if (this.#rot === 'header') return noFaults;
    const chance = (): number => random.pick([0, 0, 0.3, 1]);
    return {
      syncFails: chance(),
      writeFails: random.pick([0, 0, 0, 0.5]),
      writeShort: random.pick([0, 0, 0, 0.5]),
      nameFails: random.pick([0, 0, 0, 0.5]),
      full: random.chance(0.2),
    };
  }

  #step(log: AppendLog): void {
    const { kind, preallocate, syncMode } = this.#logOptions;
    const choice = this.#random.below(20);
    if (log.state === 'failed') {
      if (log.retryFresh()) this.#ledger.freshStands(log);
    } else if (choice === 0) this.#compactOrRotate(log);
    else if (choice === 1 && kind === 'wal') this.#release(log);
    else if (choice === 2 && preallocate) this.#spare(log);
    else if (choice < 6 && syncMode === 'async') this.#sync(log);
    else this.#append(log);
    if (kind === 'journal') this.#dropOlder(log);
  }

  #append(log: AppendLog): void {
    const group = Array.from({ length: 1 + this.#random.below(3) }, () => this.#input());
    this.#appendAs(log, group, () => {
      log.append(group);
    });
  }

  /** Runs an append of `group` and enters in the ledger what became of it. */
  #appendAs(log: AppendLog, group: readonly RecordInput[], run: () => void): void {
    const records = this.#ledger.give(log.nextNumber, group);
    const syncedBefore = log.syncedTo;
    this.#trace(`append ${records.map(({ number, count }) => `${number}+${count}`).join(' ')}`);
    try {
      run();
      this.#counts.appended += group.length;
      this.#ledger.acknowledge(records, log, this.#logOptions.syncMode !== 'async');
    } catch (error) {
      if (!(error instanceof GatewayError)) throw error;
      this.#counts.refused += group.length;
      this.#trace(`refused, ${log.state}: ${error.message}`);
      this.#ledger.refuse(records, log);
    }
    if (log.syncedTo > syncedBefore) this.#ledger.synced(log.syncedTo);
  }

  #input(snapshot = false): RecordInput {
    const random = this.#random;
    const bytes = random.pick([0, 8, 20, 100, 300, 1000, 3000, 7000]) + random.below(9);
    const large = random.chance(0.01) ? 70_000 : 0;
    const count = this.#logOptions.kind === 'wal' ? 1 + random.below(5) : 1;
    return { count, payload: this.#ledger.newPayload(bytes + large), snapshot };
  }

  #sync(log: AppendLog): void {
    try {
      log.sync();
    } catch (error) {
      if (!(error instanceof GatewayError)) throw error;
    }
    this.#ledger.synced(log.syncedTo);
    if (log.state === 'open') this.#ledger.freshStands(log);
  }

  #compactOrRotate(log: AppendLog): void {
    if (this.#logOptions.kind === 'journal') {
      const group = [this.#input(true)];
      this.#appendAs(log, group, () => {
        log.rotate(group[0]);
      });
      return;
    }
    try {
      log.rotate();
    } catch (error) {
      if (!(error instanceof GatewayError)) throw error;
    }
    this.#ledger.synced(log.syncedTo);
  }

  /** The WAL's low-water mark rises to a record that is on the device (P4, P5). */
  #release(log: AppendLog): void {
    const filed = this.#ledger.releasable();
    if (filed.length === 0) return;
    this.#ledger.lowWater = this.#random.pick(filed);
    this.#trace(`release ${this.#ledger.lowWater}`);
    log.release(this.#ledger.lowWater);
    this.#counts.released += 1;
  }

  /** P13: older segments go when the snapshot was read back and a later mark covers it. */
  #dropOlder(log: AppendLog): void {
    const snapshot = this.#ledger.newestSnapshot();
    if (snapshot === undefined || log.state !== 'open') return;
    const proven = log.mark >= snapshot.number && this.#readsBack(log, snapshot.number);
    if (!proven && this.#planted.dropsEarly !== true) return;
    if (proven) this.#ledger.lowWater = snapshot.number - 1;
    log.release(snapshot.number - 1);
  }

  #readsBack(log: AppendLog, number: number): boolean {
    try {
      return log.readBack(number) !== undefined;
    } catch (error) {
      if (!(error instanceof GatewayError)) throw error;
      return false;
    }
  }

  #spare(log: AppendLog): void {
    const request = log.spareWanted();
    if (request === undefined) return;
    try {
      prepareSpare(this.#logOptions.files, request);
    } catch (error) {
      if (!(error instanceof GatewayError)) throw error;
    }
  }

  #endLife(how: 'cut' | 'kill'): void {
    this.#ledger.mark = Math.max(this.#ledger.mark, this.#log?.mark ?? 0);
    this.#log = undefined;
    this.#trace(`${how} after ${this.#disk.calls} calls`);
    this.#disk.restart(how);
    this.#disk.faults = noFaults;
    if (how === 'cut') this.#ledger.cut();
  }

  /** One header in a history at most: two lost headers together may hide a cut. */
  #rotBetweenLives(rot: 'records' | 'header'): void {
    if (rot === 'header' && this.#headerHit) return;
    const hit = rotSomething(this.#disk, this.#logOptions, this.#random, rot);
    this.#trace(`rot ${JSON.stringify(hit)}`);
    if (hit === undefined) return;
    this.#headerHit = hit.what === 'header';
    this.#ledger.rotten(hit);
  }

  /** The value of `run`, or undefined if the process died in it. */
  #try<T>(run: () => T): T | undefined {
    try {
      return run();
    } catch (error) {
      if (error instanceof Crash) return undefined;
      throw error;
    }
  }
}

export type { LedgerRecord };
