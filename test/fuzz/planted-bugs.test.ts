/** What the fuzzers can see is shown by planting a bug for each of them to find. */
import t from 'tap';
import { fuzz } from '../support/fuzz/fuzz-run.ts';
import { planted } from '../support/fuzz/planted.ts';
import { targets } from '../support/fuzz/targets.ts';

const casesMax = 50_000;
const budgetMs = 120_000;

void t.test('there is a bug for each fuzzer', (t) => {
  const names = Object.keys(planted);
  for (const target of Object.keys(targets)) {
    t.ok(
      names.some((name) => name.startsWith(`${target} `)),
      target,
    );
  }
  t.end();
});

const endings: Readonly<Record<string, RegExp>> = {
  'footer with endless maps': /does not end/,
  'never ends': /does not end/,
  'takes all memory': /too much memory/,
  'dies later': /the thread died/,
};

for (const target of Object.keys(planted)) {
  void t.test(`found: ${target}`, async (t) => {
    const own = Object.keys(targets).find((name) => target.startsWith(`${name} `));
    // A planted bug that takes its time is told from a busy machine by a wide margin.
    const caseMsMax = target === 'takes all memory' ? budgetMs : 5000;
    const limits = { budgetMs, casesMax, caseMsMax };
    const { failure, cases } = await fuzz({ target, fixtures: own ?? 'none', seed: 1, ...limits });
    t.comment(`after ${cases} cases`);
    t.match(failure?.message, endings[target] ?? /^(Broken|RangeError|Error): /);
  });
}
