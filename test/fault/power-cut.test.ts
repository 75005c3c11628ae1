/**
 * Power cuts under the whole gateway. It runs on a device that logs every write and flush, with
 * segments so small that everything happens often; then the device's state at many moments of every
 * phase is rebuilt, with any part of what was not flushed lost or torn, and recovered. Nothing that
 * was answered or shown may be missing, nothing doubled, nothing broken; and a request with a key
 * that is sent once more after the cut is there once, also where its rows have no identity.
 */
import t from 'tap';
import { runCuts } from '../support/gateway/cut-run.ts';
import { gatewayPhases } from '../support/gateway/phases.ts';
import { namedMeasurements } from '../support/mixed-load.ts';
import { chosenSeed, isLongRun, seededRandom } from '../support/random.ts';
import { required, rigRequirements } from '../support/requirements.ts';

const imageCount = isLongRun() ? 2000 : 180;
const askedImages = isLongRun() ? 40 : 4;
const life = isLongRun() ? [90, 90, 90, 90] : [60, 60];

t.setTimeout(isLongRun() ? 3_600_000 : 600_000);
const skip = required('power cuts', rigRequirements);
const seed = chosenSeed();
t.comment(`seed ${seed}`);

void t.test('no power cut loses, doubles or breaks a row', { skip }, async (t) => {
  const found = await runCuts({
    random: seededRandom(seed),
    // Two kills, so that replay is cut too; the second life replays what the first left.
    lives: [life, life, life],
    images: imageCount,
    askedImages,
  });
  const { run, phases, images, wrong } = found;
  t.comment(`sent ${run.sent}, answers ${JSON.stringify(run.statuses)}`);
  t.comment(`${found.deviceWrites} device writes; cuts: ${found.cuts}`);
  t.comment(
    `${images} images, ${askedImages} of them by the whole gateway, ${found.wrongImages} wrong`,
  );
  t.equal(run.acknowledged, run.sent, 'every request is answered as it should be');
  t.same([...run.named].sort(), [...namedMeasurements].sort(), 'tags were named under the load');
  const keyed = [...run.keyed.keys()];
  t.comment(`${keyed.length} requests with a key`);
  t.ok(keyed.some(({ bad }) => bad !== undefined) && keyed.some(({ bad }) => bad === undefined));
  const uncut = gatewayPhases.filter((phase) => !phases.has(phase));
  t.same(uncut, [], 'every phase is cut');
  t.equal(images, imageCount);
  t.same(wrong.slice(0, 5), []);
});
