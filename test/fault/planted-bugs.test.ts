/**
 * The rig must be able to see: each mistake composed into a real gateway has to be noticed by the
 * checker over images after power cuts. A seeded third of them in the short run, all in the long
 * one. Mistakes that only the log's model or the order of calls can show are planted there.
 */
import process from 'node:process';
import t from 'tap';
import { runCuts, type CutRunOptions } from '../support/gateway/cut-run.ts';
import type { BugName } from '../support/gateway/plan.ts';
import { chosenSeed, isLongRun, seededRandom } from '../support/random.ts';
import { required, rigRequirements } from '../support/requirements.ts';

interface Planted {
  readonly name: string;
  readonly bug?: BugName;
  readonly flags?: readonly string[];
  readonly promises?: CutRunOptions['promises'];
  /** Images that a gateway is started on. */
  readonly asked?: number;
  /** What must be found, where anything else would be another mistake. */
  readonly kind?: string;
}

const plantable: readonly Planted[] = [
  { name: 'journal not synced', bug: 'journal-not-synced' },
  { name: 'WAL recycled before the commit', bug: 'wal-recycled-before-commit' },
  { name: 'Parquet not synced', bug: 'parquet-not-synced' },
  { name: 'acknowledged before the sync', bug: 'acknowledged-before-sync' },
  {
    name: 'flushes of one measurement committed out of order',
    bug: 'flushes-out-of-order',
    flags: ['--parquet-encoder-threads', '2'],
  },
  { name: 'low-water mark ahead of the buffers', bug: 'low-water-ahead' },
  { name: 'snapshot trusted unread', bug: 'snapshot-trusted-unread' },
  { name: 'key forgotten at recovery', bug: 'keys-forgotten', asked: 3, kind: 'doubled' },
  {
    // Mode async shows rows before their sync; it promises nothing, here it is held to a promise.
    name: 'rows visible before the sync',
    // Nothing else may sync the log for a while: no flush, no full segment.
    flags: [
      ...['--wal-sync-mode', 'async', '--wal-async-interval', '1h', '--wal-segment-size', '4MiB'],
      ...['--ingest-buffer-rows', '50000', '--ingest-buffer-age-max', '2s'],
      ...['--ingest-buffer-age', '2s'],
    ],
    promises: 'seen',
  },
];

t.setTimeout(isLongRun() ? 3_600_000 : 600_000);
const skip = required('planted bugs', rigRequirements);
const only = process.argv.find((word) => word.startsWith('--bug='))?.slice('--bug='.length);
const seed = chosenSeed();
const random = seededRandom(seed);
const share = isLongRun() ? plantable.length : Math.ceil(plantable.length / 3);
const planted =
  only === undefined
    ? random.shuffled(plantable).slice(0, share)
    : plantable.filter(({ name }) => name.includes(only));
t.comment(`seed ${seed}, planted: ${planted.map(({ name }) => name).join(', ')}`);

for (const { name, bug, flags = [], promises = 'all', asked = 0, kind } of planted) {
  void t.test(`noticed: ${name}`, { skip }, async (t) => {
    const found = await runCuts({
      random,
      lives: [
        [150, 150],
        [150, 150],
      ],
      images: 60,
      askedImages: asked,
      plan: bug === undefined ? {} : { bug },
      flags,
      promises,
    });
    const kinds = [...found.kinds].join(', ');
    t.comment(`${found.wrongImages} of ${found.images} images wrong: ${kinds}`);
    t.comment(found.wrong[0] ?? 'nothing');
    t.ok(found.run.acknowledged > 100, 'the gateway took requests');
    t.ok(found.wrong.length > 0, 'it is noticed');
    if (kind !== undefined) t.match(kinds, kind);
  });
}
