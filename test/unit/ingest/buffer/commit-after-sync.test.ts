/** Modes that answer before the sync: the log is ahead of the files and of the commits. */
import t from 'tap';
import {
  commitAfterSync,
  encodeAfterSync,
} from '../../../../src/ingest/buffer/commit-after-sync.ts';
import type { FlushJob, HotJob } from '../../../../src/storage/parquet/types.ts';
import { FakeCommitter, FakeEncoder, settled } from '../../../support/flush-fakes.ts';

function heldSync() {
  const pending: PromiseWithResolvers<void>[] = [];
  const sync = (): Promise<void> => {
    const one = Promise.withResolvers<void>();
    pending.push(one);
    return one.promise;
  };
  return { sync, pending };
}

const job = { measurementId: 16, lsns: [1, 2], sets: [], range: [0, 0] } as unknown as FlushJob;

t.test('a file is made only of rows that the log has on the device', async (t) => {
  const encoder = new FakeEncoder();
  const { sync, pending } = heldSync();
  const made = encodeAfterSync(encoder, sync).flush(job);
  await settled();
  t.equal(encoder.flushes.length, 0, 'a power cut now leaves no file above the end of the log');
  pending[0]?.resolve();
  await settled();
  t.equal(encoder.flushes.length, 1);
  encoder.finish();
  await made;
});

t.test('without a sync there is no file', async (t) => {
  const encoder = new FakeEncoder();
  const { sync, pending } = heldSync();
  const made = encodeAfterSync(encoder, sync).flush(job);
  pending[0]?.reject(new Error('EIO'));
  await t.rejects(made, { message: 'EIO' });
  t.equal(encoder.flushes.length, 0);
});

t.test('hot chunks, which outlive nothing, wait for no sync', async (t) => {
  const encoder = new FakeEncoder();
  const { sync, pending } = heldSync();
  void encodeAfterSync(encoder, sync).hot({} as HotJob);
  await settled();
  t.equal(encoder.hots.length, 1);
  t.equal(pending.length, 0);
});

t.test('a commit waits for a sync of its own: its low-water mark may be newer', async (t) => {
  const committer = new FakeCommitter();
  const { sync, pending } = heldSync();
  const done = commitAfterSync(committer, sync).commit({ kind: 'flush', lowWater: 9 }, []);
  await settled();
  t.equal(committer.proposals.length, 0);
  pending[0]?.resolve();
  await done;
  t.equal(committer.proposals.length, 1);
});
