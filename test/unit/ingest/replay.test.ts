/**
 * Replay between the log and the buffers: what enters, what is passed over, and what the log may
 * let go of afterwards.
 */
import t from 'tap';
import { GatewayError } from '../../../src/base/errors/gateway-error.ts';
import type { RequestBatch } from '../../../src/base/model/column-batch.ts';
import { MeasurementBuffers } from '../../../src/ingest/buffer/measurement-buffers.ts';
import { Replay } from '../../../src/ingest/replay.ts';
import type { ReplayedRecord } from '../../../src/log/wal/replay-feed.ts';
import { decodeRequest, encodeRequest } from '../../../src/log/wal/request-record.ts';
import { FakeClock } from '../../support/flush-fakes.ts';
import { iotRequest } from '../../support/request-batches.ts';

const rows = 3;

function record(lsn: number, changes: Partial<ReplayedRecord> = {}): ReplayedRecord {
  const payload = encodeRequest(iotRequest(rows, lsn));
  return { lsn, count: rows, payload, sequence: 1, position: 4136, ...changes };
}

/** A record whose checksum would hold, and whose flags nobody knows. */
function badRecord(lsn: number): ReplayedRecord {
  const bad = record(lsn);
  bad.payload[1] = 0xff;
  return bad;
}

interface Rig {
  readonly positions?: readonly (readonly [number, number])[];
  readonly adopt?: (request: RequestBatch) => RequestBatch;
  readonly canSetAside?: boolean;
}

/** Gives columns ids, as the registry does. */
const numberColumns = (request: RequestBatch): RequestBatch => ({
  ...request,
  batches: request.batches.map((batch) => ({
    ...batch,
    columns: batch.columns.map(({ column, ...values }, id) => ({
      ...values,
      column: { ...column, physical: { ...column.physical, id } },
    })),
  })),
});

function rig({ positions = [], adopt = numberColumns, canSetAside = true }: Rig = {}) {
  const setAside: number[] = [];
  const buffers = new MeasurementBuffers(new FakeClock(), {
    positions,
    lowWater: 0,
    rowsMax: 1000,
    bufferBytesMax: 1e6,
    memoryBytesMax: 1e6,
    hashSeed: 1,
  });
  const replay = new Replay({
    decode: decodeRequest,
    adopt,
    buffers,
    room: () => Promise.resolve(),
    setAside: ({ lsn }) => {
      setAside.push(lsn);
      return canSetAside;
    },
  });
  return { replay, buffers, setAside };
}

t.test('a record that makes no sense is set aside, and those behind it enter', async (t) => {
  const { replay, buffers, setAside } = rig();
  await replay.take([record(1), badRecord(4), record(7)], 9);
  t.strictSame(setAside, [4]);
  t.strictSame(replay.counts, { records: 3, rows: 6, skipped: 0, unreadable: 1 });
  t.equal(buffers.rows, 6);
  t.equal(buffers.enteredTo, 9);
  buffers.filed(16, buffers.seal([16])[0]?.lastSeq ?? 0);
  t.equal(buffers.lowWater(), 9, 'its copy is all that is left of it: the log may go on');
});

t.test('a bad record at the very end of the log is behind the low-water mark too', async (t) => {
  const { replay, buffers } = rig();
  await replay.take([badRecord(1)], 3);
  t.equal(buffers.lowWater(), 3);
});

t.test('a record that the registry refuses is set aside', async (t) => {
  let refused = false;
  const { replay, buffers, setAside } = rig({
    adopt: (request) => {
      if (refused) return numberColumns(request);
      refused = true;
      throw new GatewayError('HF_BUG', 'no such type');
    },
  });
  await replay.take([record(1), record(4)], 6);
  t.strictSame(setAside, [1]);
  t.equal(buffers.rows, 3);
});

t.test(
  'a record whose rows are not those of its numbers takes none of its neighbour',
  async (t) => {
    const { replay, buffers, setAside } = rig();
    await replay.take([record(1, { count: 2 }), record(3)], 5);
    t.strictSame(setAside, [1]);
    t.equal(buffers.rows, 3);
    t.equal(buffers.enteredTo, 5);
  },
);

t.test('what could not be set aside stays in the log, whatever is filed', async (t) => {
  const { replay, buffers } = rig({ canSetAside: false });
  await replay.take([record(1), badRecord(4), badRecord(7), record(10)], 12);
  t.equal(buffers.rows, 6, 'the others enter');
  buffers.filed(16, buffers.seal([16])[0]?.lastSeq ?? 0);
  t.equal(buffers.rows, 0, 'and are filed');
  t.equal(buffers.lowWater(), 3, 'the log begins with the bad one');
});

t.test('a record of a later version ends the start: that version reads it', async (t) => {
  const { replay, setAside } = rig();
  const newer = record(1);
  newer.payload[0] = 2;
  await t.rejects(replay.take([newer], 3), { code: 'HF_FORMAT_NEWER' });
  t.strictSame(setAside, []);
});

t.test('rows that a commit has filed are skipped, and counted as that', async (t) => {
  const { replay, buffers } = rig({ positions: [[16, 6]] });
  await replay.take([record(1), record(4), record(7)], 9);
  t.strictSame(replay.counts, { records: 3, rows: 3, skipped: 6, unreadable: 0 });
  t.equal(buffers.rows, 3);
});
