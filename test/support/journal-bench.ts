/**
 * A disk, a clock, and committers that start on them one after the other: for single rules.
 */
import type { CommitProposal } from '../../src/base/model/commit.ts';
import { fileFacts } from './catalog-model.ts';
import {
  dataDirectory,
  journalDirectory,
  JournalRig,
  makeDataFile,
  StandingClock,
  type RigOptions,
} from './journal-rig.ts';
import { seededRandom } from './random.ts';
import { noFaults, SimulatedDisk } from './simulated-disk.ts';

/** A disk, a clock, and starts on them. */
export class Bench {
  readonly clock = new StandingClock();
  readonly disk: SimulatedDisk;
  readonly #random = seededRandom(7);

  constructor() {
    this.disk = new SimulatedDisk(this.#random);
  }

  start(over: Partial<RigOptions> = {}): JournalRig {
    return new JournalRig({ disk: this.disk, random: this.#random, clock: this.clock, ...over });
  }

  /** A flush whose file is there; the log counts as synced. */
  flush(rig: JournalRig, id: number, lsn: number): number | undefined {
    const facts = fileFacts(id, 16, [lsn, lsn]);
    makeDataFile(this.disk, facts.path);
    rig.committer.walSynced(lsn);
    return rig.commit({ kind: 'flush', adds: [facts], positions: [[16, lsn]], lowWater: lsn })
      .number;
  }

  has(id: number): boolean {
    return this.disk.size(`${dataDirectory}/${fileFacts(id, 16, [1, 1]).path}`) !== undefined;
  }

  segmentCount(): number {
    return this.disk.list(journalDirectory).length;
  }

  idle(rig: JournalRig, ms = 1000): void {
    this.clock.nowMs += ms;
    rig.committer.tick();
  }
}

export const ids: CommitProposal = { kind: 'ids', fileIdsTo: 1000 };
export const removing = (...gone: readonly number[]): CommitProposal => ({
  kind: 'job',
  removes: gone.map((id) => ({ id, reason: 'compact' })),
});

/** Live files 1 to `count`, all shown and proven. */
export function benchWithFiles(count: number): { bench: Bench; rig: JournalRig } {
  const bench = new Bench();
  const rig = bench.start();
  rig.commit(ids);
  for (let id = 1; id <= count; id += 1) bench.flush(rig, id, id * 10);
  rig.committer.visible(rig.events.at(-1)?.commit.number ?? 0);
  bench.idle(rig);
  return { bench, rig };
}

export const failing = { ...noFaults, syncFails: 1 };
