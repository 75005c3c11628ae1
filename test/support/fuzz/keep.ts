/**
 * `node test/support/fuzz/keep.ts TARGET SECONDS`: fuzzes a target and adds what led to new
 * outcomes to its kept inputs, the shortest first. For whoever adds a target or a format.
 */
import { writeFileSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import { chosenSeed } from '../random.ts';
import { fuzz, keptInputs, savedInput, type KeptInput } from './fuzz-run.ts';

const keptMax = 40;
const inputBytesMax = 600;

const [target = '', seconds = '10'] = process.argv.slice(2);
const { cases, failure, found } = await fuzz({
  target,
  seed: chosenSeed(),
  budgetMs: Number(seconds) * 1000,
});
process.stdout.write(`${cases} cases, ${found.length} new outcomes\n`);
if (failure !== undefined) {
  process.stdout.write(`${failure.message}\n${savedInput(target, failure.input)}\n`);
  process.exitCode = 1;
}
const kept: KeptInput[] = [...keptInputs(target)];
const short = found.filter(({ input }) => input.length <= inputBytesMax);
for (const { outcome, input } of short.sort((a, b) => a.input.length - b.input.length)) {
  if (kept.length >= keptMax) break;
  const bytes = Buffer.from(input).toString('base64');
  if (!kept.some((known) => known.bytes === bytes || known.what === outcome)) {
    kept.push({ what: outcome, bytes });
  }
}
const path = fileURLToPath(new URL(`../../fixtures/fuzz/${target}.json`, import.meta.url));
writeFileSync(path, `${JSON.stringify(kept, undefined, 2)}\n`);
