/**
 * Everything that reads bytes of others (senders, disks, people) reads mutated ones: it comes to an
 * end, within bounds, with an outcome that the format allows. What is found stays in
 * test/fixtures/fuzz and is run first from then on.
 */
import t from 'tap';
import { fuzz, keptInputs, savedInput } from '../support/fuzz/fuzz-run.ts';
import { targets } from '../support/fuzz/targets.ts';
import { chosenSeed, isLongRun } from '../support/random.ts';

const seed = chosenSeed();
const budgetMs = isLongRun() ? 55_000 : 2200;

for (const target of Object.keys(targets)) {
  void t.test(target, async (t) => {
    const { cases, outcomes, failure } = await fuzz({ target, seed, budgetMs });
    t.comment(`${cases} cases, ${outcomes} outcomes, --seed=${seed}`);
    t.equal(failure?.message, undefined, 'no promise is broken');
    if (failure !== undefined) t.comment(`the input: ${savedInput(target, failure.input)}`);
    t.ok(cases > keptInputs(target).length, 'new ones were run, after those that are kept');
  });
}
