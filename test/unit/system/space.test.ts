import t from 'tap';
import { nodeFiles } from '../../../src/base/disk/files.ts';
import { diskBytes } from '../../../src/base/disk/disk-size.ts';
import { GatewayError } from '../../../src/base/errors/gateway-error.ts';
import { Alarms } from '../../../src/base/telemetry/alarms.ts';
import { silentLogger } from '../../../src/base/telemetry/log.ts';
import { refuseCaseInsensitive } from '../../../src/system/file-system.ts';
import { SpaceWatch } from '../../../src/system/space.ts';

const clock = { wallUs: () => 0, monotonicMs: () => 0 };

function watch(freeBytes: () => number) {
  const alarms = new Alarms({ clock, logger: silentLogger });
  const space = new SpaceWatch(
    { files: { freeBytes }, diskBytes: () => 1000, alarms, logger: silentLogger },
    {
      dataDirectory: '/data',
      softFree: { share: 0.15, bytes: 2000, floorBytes: 0 },
      hardFree: { share: 0.05, bytes: 2000, floorBytes: 60 },
      intervalMs: 1000,
    },
  );
  return { space, names: () => alarms.active().map(({ id }) => id) };
}

t.test('the state follows free space in both directions, with its alarms', (t) => {
  let free = 500;
  const { space, names } = watch(() => free);
  const seen: string[] = [];
  space.onState((state) => seen.push(state));
  t.match(space.figures, { softFreeBytes: 150, hardFreeBytes: 60, freeBytes: 500 });
  const steps: [number, string, string[]][] = [
    [150, 'enough', []],
    [149, 'soft', ['disk_soft']],
    [60, 'soft', ['disk_soft']],
    [59, 'hard', ['disk_hard']],
    [100, 'soft', ['disk_soft']],
    [500, 'enough', []],
  ];
  for (const [bytes, state, alarms] of steps) {
    free = bytes;
    t.equal(space.check(), state, `${bytes} free`);
    t.equal(space.full, state === 'hard');
    t.same(names(), alarms);
  }
  t.same(seen, ['soft', 'hard', 'soft', 'enough'], 'each change told once');
  t.end();
});

t.test('a disk that cannot be asked keeps its state under an alarm', (t) => {
  let broken = false;
  const { space, names } = watch(() => {
    if (broken) throw new GatewayError('HF_IO', 'statfs: EIO');
    return 10;
  });
  t.equal(space.full, true);
  broken = true;
  t.equal(space.check(), 'hard');
  t.same(names(), ['disk_hard', 'disk_unknown']);
  broken = false;
  space.check();
  t.same(names(), ['disk_hard']);
  t.end();
});

t.test('the real disk has a size', (t) => {
  t.ok(diskBytes('/') >= nodeFiles.freeBytes('/'));
  t.throws(() => diskBytes('/no/such/folder'), { code: 'HF_IO' });
  t.end();
});

t.test('a file system that does not tell case apart is refused', (t) => {
  const directory = t.testdir({});
  t.doesNotThrow(() => refuseCaseInsensitive(nodeFiles, directory));
  t.same(nodeFiles.list(directory), [], 'nothing is left behind');
  const folding = { ...nodeFiles, size: (path: string) => nodeFiles.size(path.toLowerCase()) };
  t.throws(() => refuseCaseInsensitive(folding, directory), { code: 'HF_FILE_SYSTEM' });
  t.same(nodeFiles.list(directory), []);
  t.end();
});
