/** Which files of the reserved measurements go, and what happens when a removal is refused. */
import t from 'tap';
import { GatewayError } from '../../../../src/base/errors/gateway-error.ts';
import type { CommitEvent, CommitProposal, FileFacts } from '../../../../src/base/model/commit.ts';
import { Metrics } from '../../../../src/base/telemetry/metrics.ts';
import { ReservedFiles } from '../../../../src/ingest/letters/reserved-files.ts';
import { KeyTime } from '../../../../src/ingest/keys/key-time.ts';
import { FakeClock, settled } from '../../../support/flush-fakes.ts';

const letters = 1;
const keys = 2;
const marks = 3;
const drops = 4;

function file(id: number, measurementId: number, lsn: number, changes = {}): FileFacts {
  return {
    id,
    measurementId,
    path: `${id}.parquet`,
    sha256: '',
    bytes: 100,
    rows: 10,
    hours: [[1000, 0, 5]],
    flags: 2,
    lsns: [lsn, lsn + 9],
    part: [0, 1],
    seqMax: 0,
    columns: [],
    ...changes,
  };
}

function compose(seed: readonly FileFacts[]) {
  const clock = new FakeClock();
  clock.nowMs = 1001 * 3_600_000;
  const proposals: CommitProposal[] = [];
  const failures: GatewayError[] = [];
  const raised: string[] = [];
  const metrics = new Metrics();
  let listener: (event: CommitEvent) => void = () => undefined;
  let number = 0;
  const show = (proposal: CommitProposal) => {
    number += 1;
    listener({ commit: { ...proposal, number }, statistics: [] });
  };
  const kept = new ReservedFiles(
    {
      commits: {
        commit: async (proposal) => {
          proposals.push(proposal);
          await settled();
          const failure = failures.shift();
          if (failure !== undefined) throw failure;
          show(proposal);
          return number;
        },
        onEvent: (call) => {
          listener = call;
        },
      },
      keyTime: new KeyTime(clock, undefined),
      metrics,
      alarms: { raise: (id) => raised.push(id), clear: () => undefined },
    },
    {
      letterBytesMax: 350,
      letterRowsMax: 1000,
      keyBytesMax: 5000,
      keyRowsMax: 25,
      keyAgeUsMax: 86_400_000_000,
    },
    seed,
  );
  const removed = () => proposals.map(({ removes = [] }) => removes.map(({ id }) => id));
  return { kept, show, removed, failures, raised, metrics, proposals, clock };
}

t.test('the oldest letters go by log number, in one commit, and are counted', async (t) => {
  const { kept, removed, raised, metrics, proposals } = compose([
    file(9, letters, 100),
    file(1, letters, 400),
    file(2, letters, 300),
    file(3, letters, 200),
    file(4, letters, 500),
    file(5, 77, 50, { bytes: 1e9 }),
  ]);
  await kept.trim();
  t.same(removed(), [[9, 3]]);
  t.match(proposals, [{ kind: 'job', removes: [{ reason: 'retention' }, {}] }]);
  t.same(raised, ['dead_letters_dropped']);
  t.match(await metrics.text(), 'holdfast_deadletter_dropped_rows_total 20');
  t.match(await metrics.text(), 'holdfast_deadletter_bytes 300');
  await kept.trim();
  t.equal(removed().length, 1);
});

t.test('marks go when all letters that they may speak of are gone', async (t) => {
  const { kept, show, removed } = compose([
    file(1, letters, 100),
    file(2, letters, 200),
    file(3, marks, 150),
    file(4, marks, 190),
    file(5, marks, 195, { lsns: [195, 205] }),
  ]);
  await kept.trim();
  t.same(removed(), [], 'the letter below them stands');
  show({ kind: 'flush', adds: [file(6, letters, 300), file(7, letters, 400)] });
  for (let turn = 0; turn < 5; turn += 1) await settled();
  t.same(removed(), [[1, 3, 4]]);
});

t.test('keys go by their number, their bytes and their age', async (t) => {
  const { kept, show, removed, clock } = compose([
    file(1, keys, 100),
    file(2, keys, 200),
    file(3, keys, 300),
  ]);
  await kept.trim();
  t.same(removed(), [[1]], 'the newest stay');
  clock.nowMs += 86_400_001;
  show({ kind: 'flush', adds: [file(4, keys, 400, { hours: [[1024, 0, 5]], rows: 1 })] });
  for (let turn = 0; turn < 5; turn += 1) await settled();
  t.same(removed().slice(1), [[2, 3]]);
  const long = { hours: [[1024, 0, 6]], rows: 1, bytes: 4901 };
  show({ kind: 'flush', adds: [file(5, keys, 500, long)] });
  for (let turn = 0; turn < 5; turn += 1) await settled();
  t.same(removed().slice(2), [[4]]);
});

t.test('no jump of the wall clock removes a key', async (t) => {
  const files = [file(1, keys, 100), file(2, keys, 200)];
  for (const jumpMs of [10, -1, -50].map((years) => years * 365 * 86_400_000)) {
    const { kept, removed, clock } = compose(files);
    clock.wallJumpMs += jumpMs;
    await kept.trim();
    t.same(removed(), []);
    clock.nowMs += 25 * 3_600_000;
    await kept.trim();
    t.same(removed(), [[1, 2]], 'a day of running time does');
  }
});

t.test(
  'a removal that is too late starts anew; one that is refused waits for the next',
  async (t) => {
    const files = [1, 2, 3, 4].map((id) => file(id, letters, id * 100));
    const { kept, show, removed, failures } = compose(files);
    failures.push(new GatewayError('HF_COMMIT_CONFLICT', 'gone'));
    const trimmed = kept.trim();
    show({ kind: 'job', removes: [{ id: 1, reason: 'drop' }] });
    await trimmed;
    t.same(removed(), [[1]], 'what another removed is not removed again');
    failures.push(new GatewayError('HF_COMMIT_REFUSED', 'EIO'));
    show({ kind: 'flush', adds: [file(5, letters, 500)] });
    for (let turn = 0; turn < 5; turn += 1) await settled();
    t.same(removed(), [[1], [2]]);
    await kept.trim();
    t.same(removed(), [[1], [2], [2]]);
  },
);

t.test('files of which all letters are dropped go, of those that were there before', async (t) => {
  const at = (hour: number) => ({ hours: [[hour, 0, 5]] });
  const { kept, show, removed, failures, metrics } = compose([
    file(1, letters, 100, at(1)),
    file(2, letters, 200, at(3)),
    file(3, drops, 150),
    file(4, drops, 250),
    file(5, keys, 10, at(1)),
  ]);
  const older = kept.older();
  show({ kind: 'flush', adds: [file(6, letters, 300, at(1))] });
  failures.push(new GatewayError('HF_COMMIT_CONFLICT', 'not yet'));
  t.equal(await older(2 * 3_600_000_000), 1);
  t.same(removed().slice(0, 2), [[1], [1]], 'tried again after a conflict');
  for (let turn = 0; turn < 5; turn += 1) await settled();
  t.same(removed().slice(2), [[3]], 'with it the marks that can speak of no other letter');
  t.equal(await older(2 * 3_600_000_000), 0, 'the new file was not seen');
  failures.push(new GatewayError('HF_COMMIT_REFUSED', 'EIO'));
  await t.rejects(kept.older()(Infinity), { code: 'HF_COMMIT_REFUSED' });
  t.equal(await kept.older()(Infinity), 2);
  t.equal(kept.letterFigures.rows, 0);
  t.match(await metrics.text(), 'holdfast_deadletter_dropped_rows_total 0', 'nothing was lost');
});
