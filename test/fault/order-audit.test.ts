/**
 * The order in which a gateway touches its disk, from the calls recorded at the one file layer:
 * answer after sync, rename after the file's sync, commit after the directory's, recycling and
 * unlinking last. A run with a mistake planted must not pass.
 */
import t from 'tap';
import { runAudit } from '../support/gateway/audit-run.ts';
import type { BugName } from '../support/gateway/plan.ts';
import { chosenSeed, isLongRun, seededRandom } from '../support/random.ts';

/** With the rule that each breaks. */
const plantable: readonly (readonly [BugName, string])[] = [
  ['directory-not-synced', 'commit after the directory'],
  ['acknowledged-before-sync', 'answer after its sync'],
  ['parquet-not-synced', 'rename after the sync'],
  ['wal-recycled-before-commit', 'recycling after a proven commit'],
  ['journal-dropped-early', 'journal goes after a proven snapshot'],
];

t.setTimeout(isLongRun() ? 3_600_000 : 300_000);
const seed = chosenSeed();
const random = seededRandom(seed);
t.comment(`seed ${seed}`);

void t.test('every call stands in its order', async (t) => {
  const { problems, checked, run } = await runAudit(random);
  t.comment(`sent ${run.sent}, checked ${JSON.stringify(checked)}`);
  t.same(problems.slice(0, 5), []);
  for (const [, rule] of plantable) t.ok((checked[rule] ?? 0) > 0, `${rule} was put to the test`);
});

const planted = random.shuffled(plantable).slice(0, isLongRun() ? plantable.length : 2);
for (const [bug, rule] of planted) {
  void t.test(`noticed: ${bug}`, async (t) => {
    const { problems } = await runAudit(random, bug);
    const broken = problems.filter((problem) => problem.startsWith(rule));
    t.ok(broken.length > 0, `${broken.length} calls break "${rule}"`);
  });
}
