/**
 * The model of the log notices a broken log: bugs planted in its rules, its files or its owner by
 * composition, each in turn. A bug that no history notices fails the test.
 */
import t from 'tap';
import type { Files, OpenFile } from '../../../src/base/disk/files.ts';
import { Violation } from '../../support/log-ledger.ts';
import { newCounts, runHistory, type HistoryOptions } from '../../support/log-model.ts';
import { chosenSeed, isLongRun } from '../../support/random.ts';
import type { SimulatedDisk } from '../../support/simulated-disk.ts';

const seedFirst = chosenSeed();
const historiesMax = isLongRun() ? 5000 : 1500;

/** Files that say "synced" and do nothing, for data or for names. */
function lyingFiles(disk: SimulatedDisk, lie: 'data' | 'names'): Files {
  const open: Files['open'] = (path, mode, options) => {
    const file = disk.open(path, mode, lie === 'data' ? {} : options);
    const lying: OpenFile = { ...file, sync: () => undefined };
    return lie === 'data' ? lying : file;
  };
  return {
    open,
    size: (path) => disk.size(path),
    list: (path) => disk.list(path),
    makeDirectory: () => disk.makeDirectory(),
    rename: (from, to) => {
      disk.rename(from, to);
    },
    unlink: (path) => {
      disk.unlink(path);
    },
    syncDirectory: (path) => {
      if (lie !== 'names') disk.syncDirectory(path);
    },
    freeBytes: () => disk.freeBytes(),
  };
}

type Bug = Omit<HistoryOptions, 'seed'>;

const bugs: Readonly<Record<string, Bug>> = {
  'acknowledged before the sync': {
    syncMode: 'fdatasync',
    planted: { files: (disk) => lyingFiles(disk, 'data') },
  },
  'directory not synced': { planted: { files: (disk) => lyingFiles(disk, 'names') } },
  'records behind a hole accepted': { planted: { rules: { counts: () => true } } },
  'groups sharing a page': { planted: { rules: { groupStart: (position) => position } } },
  'tail not carried over at a start': { planted: { rules: { carries: () => false } } },
  'a number given twice after a lost tail': {
    planted: { rules: { firstNumber: (highest) => highest + 1 } },
  },
  'older segments dropped before the later mark': {
    kind: 'journal',
    rot: 'records',
    planted: { dropsEarly: true },
  },
};

/** Seed of the first history that notices `bug`, and what it says. */
function notice(bug: Bug): { seed: number; message: string } | undefined {
  for (let seed = seedFirst; seed < seedFirst + historiesMax; seed += 1) {
    try {
      runHistory({ ...bug, seed }, newCounts());
    } catch (error) {
      if (!(error instanceof Violation)) throw error;
      return { seed, message: error.message };
    }
  }
  return undefined;
}

t.comment(`seed ${seedFirst}`);
for (const [name, bug] of Object.entries(bugs)) {
  t.test(`the model notices: ${name}`, (t) => {
    const noticed = notice(bug);
    t.ok(noticed, 'a history breaks a promise');
    t.comment(
      `after ${(noticed?.seed ?? seedFirst) - seedFirst + 1} histories: ${noticed?.message}`,
    );
    t.end();
  });
}

t.test('the same histories without a bug break nothing', (t) => {
  for (const bug of Object.values(bugs)) {
    const right = { ...bug, planted: {} };
    for (let seed = seedFirst; seed < seedFirst + 20; seed += 1) {
      runHistory({ ...right, seed }, newCounts());
    }
  }
  t.pass('no violation');
  t.end();
});
