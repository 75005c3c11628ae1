/**
 * The rig before the product: a right little store passes every cut, and each of three classic
 * mistakes planted in it is noticed. A rig that sees nothing proves nothing.
 */
import t from 'tap';
import { nodeFiles } from '../../src/base/disk/files.ts';
import {
  interceptFiles,
  together,
  type FileCall,
  type Interceptor,
} from '../support/intercept-files.ts';
import { chosenSeed, isLongRun, seededRandom } from '../support/random.ts';
import { required, rigRequirements } from '../support/requirements.ts';
import { describeCuts, planCuts } from '../support/rig/cut-plan.ts';
import { MarkWriter } from '../support/rig/device-marks.ts';
import { inspectImages } from '../support/rig/inspect-images.ts';
import { LoggedDevice } from '../support/rig/logged-device.ts';
import { phaseMarks } from '../support/rig/phase-marks.ts';
import { FakeWriter, readFakeStore } from './fake-writer.ts';

const requestCount = 60;
const imageCount = isLongRun() ? 400 : 100;

function phaseOf(call: FileCall): string | undefined {
  if (call.kind === 'rename') return 'rename';
  if (call.kind === 'syncDirectory') return 'directory sync';
  if (call.kind !== 'write' && call.kind !== 'sync') return undefined;
  return call.path.endsWith('log') ? 'append' : 'file sync';
}

const syncSkipped: Interceptor = {
  before: (call) => (call.kind === 'sync' && call.path.endsWith('log') ? 'skip' : undefined),
};
const directorySyncSkipped: Interceptor = {
  before: (call) => (call.kind === 'syncDirectory' ? 'skip' : undefined),
};
/** The file is synced, but only after it was renamed. */
const renamedBeforeSync: Interceptor = {
  before: (call) => (call.kind === 'sync' && call.path.endsWith('.temporary') ? 'skip' : undefined),
  after(call) {
    if (call.kind !== 'syncDirectory') return;
    for (const name of nodeFiles.list(call.path).filter((one) => one.endsWith('.published'))) {
      const file = nodeFiles.open(`${call.path}/${name}`, 'read');
      file.sync('fdatasync');
      file.close();
    }
  },
};

interface Findings {
  readonly images: number;
  readonly lost: number;
  readonly broken: number;
  readonly doubled: number;
  readonly cuts: string;
}

async function runRig(bug: Interceptor, seed: number): Promise<Findings> {
  const random = seededRandom(seed);
  const device = await LoggedDevice.open({ fileSystemBytes: 32 * 2 ** 20 });
  try {
    const marks = new MarkWriter(device.marks);
    const interceptor = together([phaseMarks(marks, 'writer', phaseOf), bug]);
    const writer = new FakeWriter(interceptFiles(nodeFiles, interceptor), device.mountPoint);
    for (let request = 1; request <= requestCount; request += 1) {
      writer.write(request, Buffer.alloc(1 + random.below(9000), request));
      marks.write({ kind: 'acknowledged', request });
    }
    writer.close();
    marks.close();
    const log = await device.finish();
    const cuts = planCuts(log.entries, imageCount, random);
    const found = { images: 0, lost: 0, broken: 0, doubled: 0, cuts: describeCuts(cuts) };
    const { deviceBytes, scratch } = device;
    await inspectImages(
      { log, deviceBytes, scratch, cuts, random },
      async (mounted, _, promise) => {
        const { present, broken } = readFakeStore(nodeFiles, mounted);
        const once = new Set(present);
        found.images += 1;
        if ([...promise.acknowledged].some((request) => !once.has(request))) found.lost += 1;
        if (broken.length > 0) found.broken += 1;
        if (once.size !== present.length) found.doubled += 1;
        return Promise.resolve();
      },
    );
    log.close();
    return found;
  } finally {
    await device.dispose();
  }
}

t.setTimeout(300_000);
const skip = required('power-cut rig', rigRequirements);
const seed = chosenSeed();
t.comment(`seed ${seed}, ${imageCount} images each`);

void t.test('a right store loses nothing, whatever the cut', { skip }, async (t) => {
  const found = await runRig({}, seed);
  t.comment(`cuts: ${found.cuts}`);
  t.equal(found.images, imageCount);
  t.match(found, { lost: 0, broken: 0, doubled: 0 });
});

void t.test('an acknowledgement before the sync is noticed', { skip }, async (t) => {
  const found = await runRig(syncSkipped, seed);
  t.ok(found.lost > 0, `lost in ${found.lost} of ${found.images} images`);
});

void t.test('a directory that was not synced is noticed', { skip }, async (t) => {
  const found = await runRig(directorySyncSkipped, seed);
  t.ok(found.lost > 0, `lost in ${found.lost} of ${found.images} images`);
});

void t.test('a file renamed before its sync is noticed', { skip }, async (t) => {
  const found = await runRig(renamedBeforeSync, seed);
  const noticed = found.lost + found.broken;
  t.ok(noticed > 0, `lost in ${found.lost}, broken in ${found.broken} of ${found.images} images`);
});
