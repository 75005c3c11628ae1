/**
 * The rig must be able to see: each mistake composed into a real gateway has to be noticed, by the
 * checker over images after power cuts, or by the gateway's own assertions. A seeded third of them
 * in the short run, all in the long one.
 */
import t from 'tap';
import { runCuts } from '../support/gateway/cut-run.ts';
import type { BugName } from '../support/gateway/plan.ts';
import { chosenSeed, isLongRun, seededRandom } from '../support/random.ts';
import { required, rigRequirements } from '../support/requirements.ts';

const plantable: readonly BugName[] = [
  'journal-not-synced',
  'wal-recycled-before-commit',
  'parquet-not-synced',
  'acknowledged-before-sync',
  'flushes-out-of-order',
  'low-water-ahead',
];

t.setTimeout(isLongRun() ? 3_600_000 : 300_000);
const skip = required('planted bugs', rigRequirements);
const only = process.argv.find((word) => word.startsWith('--bug='))?.slice('--bug='.length);
const seed = chosenSeed();
const random = seededRandom(seed);
const share = isLongRun() ? plantable.length : Math.ceil(plantable.length / 3);
const chosen = plantable.filter((bug) => bug === only);
const planted = only === undefined ? random.shuffled(plantable).slice(0, share) : chosen;
t.comment(`seed ${seed}, planted: ${planted.join(', ')}`);

for (const bug of planted) {
  void t.test(`noticed: ${bug}`, { skip }, async (t) => {
    const found = await runCuts({
      random,
      lives: [
        [150, 150],
        [150, 150],
      ],
      images: 60,
      askedImages: 0,
      plan: { bug },
      flags: ['--parquet-encoder-threads', '2'],
    });
    const kinds = [...found.kinds].join(', ');
    t.comment(`${found.wrongImages} of ${found.images} images wrong: ${kinds}`);
    t.comment(found.wrong[0] ?? 'nothing');
    t.ok(found.wrong.length > 0 || found.run.died > 0, 'it is noticed');
  });
}
