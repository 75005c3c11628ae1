/**
 * The log against its model (commit-protocol.md, section 11, test 1). Each seed is one history of
 * several lives; `node test/unit/log/log-model.test.ts --seed=N` runs N again, first of all.
 */
import t from 'tap';
import { newCounts, runHistory, type HistoryOptions } from '../../support/log-model.ts';
import { chosenSeed, isLongRun } from '../../support/random.ts';

const seedFirst = chosenSeed();
const times = isLongRun() ? 20 : 1;

/** Histories that once broke a promise; each stands for the interleaving that its line names. */
const kept: readonly (readonly [number, HistoryOptions['rot'], string])[] = [
  [11, 'none', 'void numbers between carried records are no rot'],
  [1895, 'none', 'void numbers between the newest header and a torn one are no rot'],
  [589, 'none', 'a lost header of the oldest segment is no rot'],
  [1620, 'records', 'rot is told again when the start that found it crashed'],
  [603705, 'records', 'rot is told at the end of the log too'],
  [1982260214, 'records', 'a mark that only the page cache shows proves nothing yet'],
  [36, 'header', 'a zeroed header of the newest segment loses no record'],
  [8659, 'header', 'what a segment with a lost header carries stands for what older ones hold'],
  [159, 'header', 'numbers of a start whose header is lost are not given again'],
];

function run(count: number, options: Omit<HistoryOptions, 'seed'>): ReturnType<typeof newCounts> {
  const counts = newCounts();
  for (let seed = seedFirst; seed < seedFirst + count; seed += 1) {
    try {
      runHistory({ ...options, seed }, counts);
    } catch (error) {
      t.fail(`seed ${seed}, ${JSON.stringify(options)}: ${String(error)}`);
      throw error;
    }
  }
  return counts;
}

t.comment(`seed ${seedFirst}`);

t.test('replay keeps a prefix with all acknowledged, over cuts, kills and failing syncs', (t) => {
  const counts = run(800 * times, { rot: 'none' });
  t.comment(JSON.stringify(counts));
  const { appended, refused, carried, crashesInRecovery, released, rotRanges } = counts;
  t.ok(Math.min(appended, refused, carried, crashesInRecovery, released) > 500);
  t.equal(rotRanges, 0);
  t.end();
});

t.test('rot of records takes those records only, and is told', (t) => {
  const counts = run(500 * times, { rot: 'records' });
  t.comment(JSON.stringify(counts));
  t.ok(counts.rotRanges > 200);
  t.end();
});

t.test('rot of one header, zeroed or flipped, takes no acknowledged record', (t) => {
  const counts = run(500 * times, { rot: 'header' });
  t.comment(JSON.stringify(counts));
  t.ok(counts.replayed > 1000);
  t.end();
});

t.test('histories that once broke a promise keep it', (t) => {
  for (const [seed, rot, what] of kept) {
    runHistory({ seed, rot: rot ?? 'none' }, newCounts());
    t.pass(what);
  }
  t.end();
});
