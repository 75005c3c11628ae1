/**
 * Which files become spares (contract W5): only segments that this process made and that no call
 * ever failed on. A file on a sick spot of the disk is unlinked and never comes back.
 */
import t from 'tap';
import { GatewayError } from '../../../src/base/errors/gateway-error.ts';
import { openLog } from '../../../src/log/open-log.ts';
import type { AppendLog, LogOptions, SyncMode } from '../../../src/log/log-types.ts';
import { prepareSpare } from '../../../src/log/spare.ts';
import { interceptFiles, type FileCall } from '../../support/intercept-files.ts';
import { seededRandom } from '../../support/random.ts';
import { SimulatedDisk } from '../../support/simulated-disk.ts';

const directory = '/data/wal';

class Bench {
  readonly disk = new SimulatedDisk(seededRandom(7));
  /** Fails the next call that it is true for. */
  sick: ((call: FileCall) => boolean) | undefined;
  readonly #random = seededRandom(8);

  open(syncMode: SyncMode = 'fdatasync'): AppendLog {
    const files = interceptFiles(this.disk, {
      before: (call) => {
        if (this.sick?.(call) !== true) return undefined;
        this.sick = undefined;
        throw new GatewayError('HF_IO', `${call.kind} ${call.path}: EIO`);
      },
    });
    const options: LogOptions = {
      files,
      directory,
      quarantine: '/data/quarantine',
      prefix: 'worker-1-',
      suffix: '.wal',
      kind: 'wal',
      segmentBytes: 64 * 1024,
      segmentAgeMs: 60_000,
      syncMode,
      preallocate: true,
      clock: { wallUs: () => 0, monotonicMs: () => 0 },
      randomSalt: () => 1 + this.#random.below(2 ** 32 - 1),
    };
    return openLog(options, { lowWater: 0, floor: () => 0, onRecord: () => undefined }).log;
  }

  /** Has a spare made, and a segment of it. */
  rotate(log: AppendLog): void {
    const wanted = log.spareWanted();
    if (wanted !== undefined) prepareSpare(this.disk, wanted);
    log.rotate();
  }

  get spares(): number {
    return this.#count('.spare');
  }

  get segments(): number {
    return this.#count('.wal');
  }

  #count(suffix: string): number {
    return this.disk.list(directory).filter((name) => name.endsWith(suffix)).length;
  }
}

function append(log: AppendLog, text: string): number {
  return log.append([{ count: 1, payload: Buffer.from(text) }])[0] ?? 0;
}

t.test('a segment without a fault becomes a spare', (t) => {
  const bench = new Bench();
  const log = bench.open();
  bench.rotate(log);
  const last = append(log, 'a');
  bench.rotate(log);
  log.release(last);
  t.equal(bench.spares, 1);
  t.end();
});

const faults: readonly (readonly [name: string, mode: SyncMode, call: FileCall['kind']])[] = [
  ['a write failed', 'fdatasync', 'write'],
  ['a sync failed', 'fdatasync', 'sync'],
  ['a background sync failed', 'async', 'sync'],
];

for (const [name, mode, kind] of faults) {
  t.test(`a segment on which ${name} is unlinked when it is released`, (t) => {
    const bench = new Bench();
    const log = bench.open(mode);
    bench.rotate(log);
    const last = append(log, 'a');
    log.sync();
    bench.sick = (call) => call.kind === kind && call.path.endsWith('.wal');
    if (mode === 'async') {
      append(log, 'carried');
      log.sync();
    } else t.throws(() => append(log, 'refused'), { code: 'HF_LOG_APPEND' });
    t.equal(bench.sick, undefined);
    t.equal(log.state, 'open');
    const { segments } = bench;
    log.release(last);
    t.ok(bench.segments < segments, 'it is gone');
    t.equal(bench.spares, 0, 'and no spare');
    t.end();
  });
}

t.test('a segment whose close failed is unlinked', (t) => {
  const bench = new Bench();
  const log = bench.open();
  bench.rotate(log);
  const last = append(log, 'a');
  bench.sick = ({ kind, path }) => kind === 'close' && path.endsWith('.wal');
  log.rotate();
  t.equal(bench.sick, undefined);
  log.release(last);
  t.equal(bench.spares, 0);
  t.end();
});

t.test('a segment whose header could not be zeroed is unlinked by the next attempt', (t) => {
  const bench = new Bench();
  const log = bench.open();
  bench.rotate(log);
  const last = append(log, 'a');
  bench.rotate(log);
  const released = log.segments().findLast(({ active }) => !active)?.name;
  bench.sick = ({ kind, path }) => kind === 'sync' && path.endsWith(`${released}`);
  log.release(last);
  t.equal(bench.sick, undefined);
  t.equal(bench.spares, 0, 'the disk refused');
  log.release(last);
  t.equal(bench.spares, 0, 'the page cache may say zero and the disk not');
  t.notOk(bench.disk.list(directory).includes(`${released}`));
  t.end();
});

t.test('a segment of an earlier process, of which nobody knows, is unlinked', (t) => {
  const bench = new Bench();
  const log = bench.open();
  bench.rotate(log);
  append(log, 'a');
  bench.sick = ({ kind, path }) => kind === 'sync' && path.endsWith('.wal');
  t.throws(() => append(log, 'refused'), { code: 'HF_LOG_APPEND' });
  const last = append(log, 'b');
  bench.disk.restart('kill');
  const again = bench.open();
  again.release(last);
  t.equal(bench.spares, 0);
  t.equal(bench.segments, 1, 'only the one of this start');
  t.end();
});
