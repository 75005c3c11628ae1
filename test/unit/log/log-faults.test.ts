/**
 * One table of single faults per promise of the log, on the simulated disk: what each leaves after
 * a restart. The histories of log-model.test.ts mix them.
 */
import { crc32 } from 'node:zlib';
import t from 'tap';
import { errorCodes } from '../../../src/base/errors/codes.ts';
import { GatewayError } from '../../../src/base/errors/gateway-error.ts';
import { openLog } from '../../../src/log/open-log.ts';
import { formatOldest, formatVersion } from '../../../src/log/segment-header.ts';
import type { AppendLog, LogOptions, OpenedLog, SyncMode } from '../../../src/log/log-types.ts';
import { prepareSpare } from '../../../src/log/spare.ts';
import { interceptFiles } from '../../support/intercept-files.ts';
import { seededRandom } from '../../support/random.ts';
import { Crash, noFaults, SimulatedDisk } from '../../support/simulated-disk.ts';

const directory = '/data/wal';

class Bench {
  readonly disk: SimulatedDisk;
  readonly options: LogOptions;
  nowMs = 0;

  constructor(options: Partial<LogOptions> = {}, seed = 7) {
    const random = seededRandom(8);
    this.disk = new SimulatedDisk(seededRandom(seed));
    this.options = {
      files: this.disk,
      directory,
      quarantine: '/data/quarantine',
      prefix: 'worker-1-',
      suffix: '.wal',
      kind: 'wal',
      segmentBytes: 64 * 1024,
      segmentAgeMs: 60_000,
      syncMode: 'fdatasync',
      preallocate: false,
      clock: { wallUs: () => 0, monotonicMs: () => this.nowMs },
      randomSalt: () => 1 + random.below(2 ** 32 - 1),
      ...options,
    };
  }

  open(lowWater = 0): OpenedLog & { readonly texts: string[] } {
    const texts: string[] = [];
    const opened = openLog(this.options, {
      lowWater,
      floor: () => lowWater,
      payloadsPass: true,
      onRecord: ({ payload }) => {
        texts.push(Buffer.from(payload).toString());
      },
    });
    return { ...opened, texts };
  }

  /** The newest segment's path. */
  newest(): string {
    const name = this.disk.list(directory).findLast((file) => file.endsWith('.wal'));
    return `${directory}/${String(name)}`;
  }
}

function append(log: AppendLog, ...texts: string[]): readonly number[] {
  return log.append(texts.map((text) => ({ count: 1, payload: Buffer.from(text) })));
}

/** Position of `text` in the newest segment. */
function find(bench: Bench, text: string): number {
  return Buffer.from(bench.disk.bytesOf(bench.newest())).indexOf(text);
}

const header = 4096;
const damages: Readonly<
  Record<string, { damage(bench: Bench): void; left: string[]; alarms: string[] }>
> = {
  'nothing wrong': { damage: () => undefined, left: ['a', 'b', 'c'], alarms: [] },
  'payload of the last record flipped': {
    damage: (bench) => {
      bench.disk.rot(bench.newest(), find(bench, 'c'));
    },
    left: ['a', 'b'],
    alarms: [],
  },
  'length of the last record flipped': {
    damage: (bench) => {
      bench.disk.rot(bench.newest(), find(bench, 'c') - 40 + 8);
    },
    left: ['a', 'b'],
    alarms: [],
  },
  'last record lost': {
    damage: (bench) => {
      bench.disk.zero(bench.newest(), header + 8192, header + 12288);
    },
    left: ['a', 'b'],
    alarms: [],
  },
  'record before the last one flipped': {
    damage: (bench) => {
      bench.disk.rot(bench.newest(), find(bench, 'b'));
    },
    left: ['a', 'c'],
    alarms: ['rot'],
  },
  'magic of a record before the last one flipped': {
    damage: (bench) => {
      bench.disk.rot(bench.newest(), find(bench, 'a') - 40);
    },
    left: ['b', 'c'],
    alarms: ['rot'],
  },
  'header flipped': {
    damage: (bench) => {
      bench.disk.rot(bench.newest(), 24);
    },
    left: ['a', 'b', 'c'],
    alarms: ['segment-unlisted'],
  },
  'header zeroed': {
    damage: (bench) => {
      bench.disk.zero(bench.newest(), 0, header);
    },
    left: ['a', 'b', 'c'],
    alarms: ['segment-unlisted'],
  },
};

for (const [name, { damage, left, alarms }] of Object.entries(damages)) {
  t.test(`what a start finds: ${name}`, (t) => {
    const bench = new Bench();
    const { log } = bench.open();
    for (const text of ['a', 'b', 'c']) append(log, text);
    bench.disk.restart('kill');
    damage(bench);
    const opened = bench.open();
    t.same(opened.texts, left);
    t.same(
      opened.report.alarms.map(({ kind }) => kind),
      alarms,
    );
    if (alarms[0] === 'rot') {
      const copy = String(opened.report.rot[0]?.copy);
      t.ok((bench.disk.size(copy) ?? 0) > 0, 'the bad bytes are in quarantine');
    }
    append(opened.log, 'd');
    bench.disk.restart('cut');
    t.same(bench.open().texts, [...left, 'd'], 'and the next start finds the same');
    t.end();
  });
}

t.test('a tail carried into a segment whose name is lost twice is not lost', (t) => {
  const lost: number[] = [];
  for (let seed = 1; seed <= 100; seed += 1) {
    const bench = new Bench({}, seed);
    append(bench.open().log, 'a');
    bench.disk.restart('kill');
    // Each start dies when its fresh segment is whole but for the sync of the directory.
    for (const how of ['kill', 'cut'] as const) {
      dieBeforeFreshStands(bench);
      bench.disk.restart(how);
    }
    if (bench.open().texts.join() !== 'a') lost.push(seed);
  }
  t.same(lost, []);
  t.end();
});

/** Runs a start that dies at the last call before its fresh segment stands. */
function dieBeforeFreshStands(bench: Bench): void {
  const { disk, options } = bench;
  const dying = new Proxy(disk, {
    get(target, name: keyof SimulatedDisk) {
      const value = target[name];
      if (typeof value !== 'function') return value;
      if (name !== 'syncDirectory') return value.bind(target);
      return (path: string) => {
        const fresh = target.list(directory).at(-1);
        const file = target.open(`${directory}/${String(fresh)}`, 'read');
        const first = new Uint8Array(8);
        file.read(first, 0);
        const standing = standingBefore.includes(String(fresh));
        if (!standing && first[0] !== 0) target.crashAfter = 1;
        target.syncDirectory(path);
      };
    },
  });
  const standingBefore = disk.list(directory);
  t.throws(() => {
    openLog(
      { ...options, files: dying },
      { lowWater: 0, floor: () => 0, onRecord: () => undefined },
    );
  }, Crash);
}

t.test('a listed segment with live records that is gone is an alarm, the rest stays', (t) => {
  const bench = new Bench();
  const { log } = bench.open();
  append(log, 'a');
  const gone = bench.newest();
  log.rotate();
  append(log, 'b');
  bench.disk.restart('kill');
  bench.disk.remove(gone);
  const { texts, report } = bench.open();
  t.same(texts, ['b']);
  t.same(
    report.alarms.map(({ kind }) => kind),
    ['segment-missing', 'rot'],
  );
  t.end();
});

const modes: readonly SyncMode[] = ['fdatasync', 'fsync', 'dsync'];
for (const syncMode of modes) {
  t.test(`a failed sync refuses its group, and a fresh segment goes on: ${syncMode}`, (t) => {
    const bench = new Bench({ syncMode });
    const { log } = bench.open();
    append(log, 'a');
    bench.disk.faults = { ...noFaults, syncFails: 1 };
    t.throws(() => append(log, 'lost'), { code: 'HF_LOG_APPEND' });
    t.equal(log.state, 'failed', 'nothing can be synced');
    t.throws(() => append(log, 'lost'), { code: 'HF_LOG_APPEND' });
    bench.disk.faults = noFaults;
    t.ok(log.retryFresh());
    const [number] = append(log, 'b');
    t.ok((number ?? 0) > log.nextNumber - 2);
    bench.disk.restart('kill');
    t.same(bench.open().texts, ['a', 'b']);
    t.end();
  });
}

t.test('a full disk refuses, and the log goes on when there is space', (t) => {
  const bench = new Bench();
  const { log } = bench.open();
  append(log, 'a');
  bench.disk.faults = { ...noFaults, full: true };
  t.throws(() => append(log, 'b'), { code: 'HF_LOG_APPEND' });
  t.equal(log.retryFresh(), false);
  t.equal((log.failure as GatewayError).code, 'HF_DISK_FULL');
  bench.disk.faults = noFaults;
  t.ok(log.retryFresh());
  append(log, 'c');
  bench.disk.restart('cut');
  t.same(bench.open().texts, ['a', 'c']);
  t.end();
});

t.test('a start on a disk that refuses gives the records and is read-only', (t) => {
  const bench = new Bench();
  append(bench.open().log, 'a');
  bench.disk.restart('kill');
  bench.disk.faults = { ...noFaults, full: true };
  const { log, texts, report } = bench.open();
  t.same(texts, ['a']);
  t.equal(log.state, 'failed');
  t.ok(report.failure);
  bench.disk.faults = noFaults;
  t.ok(log.retryFresh());
  bench.disk.restart('cut');
  t.same(bench.open().texts, ['a']);
  t.end();
});

t.test('mode async carries unsynced groups over a failed background sync', (t) => {
  const bench = new Bench({ syncMode: 'async' });
  const { log } = bench.open();
  append(log, 'a');
  log.sync();
  append(log, 'b', 'c');
  t.ok(log.syncedTo < log.writtenTo);
  bench.disk.faults = { ...noFaults, syncFails: 1 };
  t.throws(
    () => {
      log.sync();
    },
    { code: 'HF_LOG_APPEND' },
  );
  bench.disk.faults = noFaults;
  t.ok(log.retryFresh());
  t.equal(log.syncedTo, log.nextNumber - 1);
  bench.disk.restart('cut');
  t.same(bench.open().texts, ['a', 'b', 'c']);
  t.end();
});

const foreign = [
  ['newer', formatVersion + 1, 'HF_FORMAT_NEWER'],
  ['old', formatOldest - 1, 'HF_FORMAT_OLD'],
] as const;

for (const [which, version, code] of foreign) {
  t.test(`a format that is ${which} is refused and nothing is touched`, (t) => {
    const bench = new Bench();
    append(bench.open().log, 'a');
    bench.disk.restart('kill');
    const path = bench.newest();
    const bytes = Buffer.from(bench.disk.bytesOf(path));
    bytes.writeUInt32LE(version, 8);
    // crc32 of magic and version, as any version writes it.
    bytes.writeUInt32LE(crc32(bytes.subarray(0, 12)), 12);
    const file = bench.disk.open(path, 'write');
    file.write([bytes], 0);
    file.sync('fsync');
    file.close();
    const before = bench.disk.list(directory);
    t.throws(() => bench.open(), { code });
    t.same(bench.disk.list(directory), before);
    t.same(bench.disk.bytesOf(path), new Uint8Array(bytes));
    t.end();
  });
}

t.test('records of an earlier life of a recycled segment never come back', (t) => {
  const bench = new Bench({ preallocate: true, segmentBytes: 32 * 1024 });
  const { log } = bench.open();
  const request = log.spareWanted();
  t.ok(request);
  if (request !== undefined) prepareSpare(bench.disk, request);
  t.equal(log.spareWanted(), undefined, 'a spare is asked for once');
  log.rotate();
  for (let index = 0; index < 7; index += 1) append(log, `old ${index}`);
  log.rotate();
  const [number] = append(log, 'b');
  log.release((number ?? 0) - 1);
  t.equal(bench.disk.list(directory).filter((name) => name.endsWith('.spare')).length, 1);
  log.rotate();
  append(log, 'c');
  bench.disk.restart('cut');
  t.same(bench.open((number ?? 0) - 1).texts, ['b', 'c']);
  t.end();
});

t.test('a segment grows to fit one record, and a header to list every segment', (t) => {
  const bench = new Bench({ segmentBytes: 8192 });
  const { log } = bench.open();
  const texts = Array.from({ length: 200 }, (_, index) => `record ${index}`);
  for (const text of texts) append(log, text);
  append(log, 'x'.repeat(20_000));
  t.ok(log.segments().length > 180, 'headers of two pages');
  bench.disk.restart('cut');
  const opened = bench.open();
  t.same(opened.texts.slice(0, 200), texts);
  t.equal(opened.texts[200]?.length, 20_000);
  t.end();
});

t.test('a spare that cannot be used does not keep the log from writing', (t) => {
  const bench = new Bench({ preallocate: true });
  const { log } = bench.open();
  append(log, 'a');
  const wanted = log.spareWanted();
  if (wanted !== undefined) prepareSpare(bench.disk, wanted);
  log.close();
  const files = interceptFiles(bench.disk, {
    before: ({ kind, path }) => {
      // One bad page: whoever touches this file is refused, at each start.
      if (kind === 'read' && path.endsWith('.spare')) throw new GatewayError('HF_IO', 'EIO');
      return undefined;
    },
  });
  const again = openLog(
    { ...bench.options, files },
    { lowWater: 0, floor: () => 0, onRecord: () => undefined },
  );
  t.equal(again.log.state, 'open');
  append(again.log, 'b');
  t.notOk(
    bench.disk.list(directory).some((name) => name.endsWith('.spare')),
    'it is out of the way',
  );
  t.same(bench.open().texts, ['a', 'b']);
  t.end();
});

t.test('a segment is rotated by its age', (t) => {
  const bench = new Bench();
  const { log } = bench.open();
  append(log, 'a');
  bench.nowMs += 60_000;
  append(log, 'b');
  t.equal(log.segments().length, 2);
  t.end();
});

t.test('a journal begins at its newest snapshot, which can be read back', (t) => {
  const bench = new Bench({ kind: 'journal' });
  const { log } = bench.open();
  append(log, 'a');
  const number = log.rotate({ count: 1, payload: Buffer.from('state'), snapshot: true }) ?? 0;
  t.equal(Buffer.from(log.readBack(number)?.payload ?? []).toString(), 'state');
  t.ok(log.mark < number, 'no later record says that it is on the device');
  append(log, 'b');
  t.ok(log.mark >= number);
  log.release(number - 1);
  t.equal(log.segments().length, 1);
  bench.disk.restart('cut');
  const { texts, report } = bench.open();
  t.same(texts, ['state', 'b']);
  t.same(report.alarms, []);
  t.end();
});

t.test('the error of the log is one that a sender may try again', (t) => {
  t.equal(errorCodes.HF_LOG_APPEND.kind, 'environment');
  t.end();
});
