/**
 * Makers of commits race over many starts on a disk that forgets; after each commit and each start
 * the state is that of the model (commit-protocol, tests 1, 2 and 4 of section 11). Then bugs are
 * planted, and each must be noticed.
 */
import t from 'tap';
import type { Files } from '../../../../src/base/disk/files.ts';
import { LiveState } from '../../../../src/log/journal/live-state.ts';
import type { AppendLog, LogRecord, RecordInput } from '../../../../src/log/log-types.ts';
import { newCounts, runHistory, type HistoryOptions } from '../../../support/journal-history.ts';
import { replaced } from '../../../support/journal-rig.ts';
import { Violation } from '../../../support/log-ledger.ts';
import { chosenSeed, isLongRun } from '../../../support/random.ts';

const seedFirst = chosenSeed();
const histories = isLongRun() ? 20_000 : 400;
t.comment(`seed ${seedFirst}`);

t.test('every start gives the state of a prefix that holds every answered commit', (t) => {
  const counts = newCounts();
  for (let seed = seedFirst; seed < seedFirst + histories; seed += 1) {
    try {
      runHistory({ seed }, counts);
    } catch (error) {
      t.fail(`--seed=${seed}: ${error instanceof Error ? error.stack : String(error)}`);
      break;
    }
  }
  t.comment(JSON.stringify(counts));
  for (const [what, count] of Object.entries(counts)) t.ok(count > 0, `${what} happened`);
  t.end();
});

/** Files that say "synced" and do nothing, for the journal. */
function journalNotSynced(right: Files): Files {
  return {
    ...right,
    open: (path, mode, options) => {
      const file = right.open(path, mode, options);
      return path.endsWith('.journal') ? { ...file, sync: () => undefined } : file;
    },
  };
}

/** A log whose mark is what was just synced. */
function markTooEarly(right: AppendLog): AppendLog {
  return new Proxy(right, {
    get(target, key) {
      const value: unknown = Reflect.get(target, key === 'mark' ? 'syncedTo' : key, target);
      return typeof value === 'function' ? (value.bind(target) as unknown) : value;
    },
  });
}

/** A log that gives back what it was given, whatever the disk has. */
function trusting(right: AppendLog): AppendLog {
  let given: LogRecord | undefined;
  return replaced(right, {
    rotate: (first?: RecordInput) => {
      const number = right.rotate(first);
      if (first !== undefined && number !== undefined) {
        given = { ...first, number, snapshot: true };
      }
      return number;
    },
    readBack: () => given,
  });
}

class UncheckedState extends LiveState {
  protected override checkRemovals(): void {
    // Whatever it removes.
  }
}

/** Removed files are forgotten by the snapshot. */
class ForgetfulState extends LiveState {
  override toState(): ReturnType<LiveState['toState']> {
    return { ...super.toState(), removed: [] };
  }
}

const bugs: Readonly<Record<string, NonNullable<HistoryOptions['planted']>>> = {
  'journal not synced': { files: journalNotSynced },
  'removing commit without the liveness check': { newState: (state) => new UncheckedState(state) },
  'snapshot trusted unread': { log: trusting },
  'older segments dropped, and files unlinked, before the later mark': { log: markTooEarly },
  'flushes of one measurement committed out of order': { flushesInAnyOrder: true },
  'pins not told': { pinsUntold: true },
  'a snapshot without the removed files': { newState: (state) => new ForgetfulState(state) },
};

for (const [name, planted] of Object.entries(bugs)) {
  t.test(`the model notices: ${name}`, (t) => {
    const counts = newCounts();
    let noticed: string | undefined;
    const last = seedFirst + 3000;
    for (let seed = seedFirst; seed < last && noticed === undefined; seed += 1) {
      try {
        runHistory({ seed, planted }, counts);
      } catch (error) {
        if (!(error instanceof Violation)) throw error;
        noticed = `after ${seed - seedFirst + 1} histories: ${error.message}`;
      }
    }
    t.ok(noticed, 'a history breaks a promise');
    t.comment(noticed);
    t.end();
  });
}
