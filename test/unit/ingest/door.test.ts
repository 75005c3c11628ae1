/**
 * The door between its neighbours: what enters the buffers, when, and what a request that fails
 * leaves behind.
 */
import t from 'tap';
import { GatewayError } from '../../../src/base/errors/gateway-error.ts';
import type { ColumnBatch } from '../../../src/base/model/column-batch.ts';
import { Admission } from '../../../src/ingest/admission.ts';
import { Door } from '../../../src/ingest/door.ts';
import type { WriteRequest } from '../../../src/ingest/door-types.ts';
import { FakeClock, settled, smallBatch } from '../../support/flush-fakes.ts';

type Done = (error: GatewayError | undefined, lsn: number) => void;

const request: WriteRequest = {
  dialect: 'v1',
  database: 'd',
  precision: 'us',
  body: Buffer.from('m v=1'),
  acceptPartial: true,
  sender: 'test',
};

const counters = {
  nanCells: 0,
  duplicateFields: 0,
  cutTimeDigits: 0,
  renamedCells: 0,
  integersAsFloats: 0,
};

function compose() {
  const appended: { count: number; done: Done }[] = [];
  const entered: string[] = [];
  const state = { recovered: true, diskFull: false };
  const sources = {
    recovered: () => state.recovered,
    diskFull: () => state.diskFull,
    walFailed: () => false,
    walBytes: () => 0,
    walOldestUnsyncedMs: () => 0,
    bufferBytes: () => 0,
  };
  const limits = { memoryBytesMax: 1e6, walBytesMax: 1e6, unsyncedMsMax: 1e6 };
  const admission = new Admission(sources, limits);
  const batches = [smallBatch(16, 3), smallBatch(17, 2)];
  const buffers = {
    enter(batches: readonly ColumnBatch[], lsn: number, done: (error: unknown) => void) {
      entered.push(`${batches.map(({ measurementId }) => measurementId).join(' ')} from ${lsn}`);
      done(undefined);
    },
  };
  const decoder = {
    decode: () =>
      Promise.resolve({
        batches,
        rows: 5,
        rejected: [],
        rejectedLines: 0,
        counters,
        free: () => {
          entered.push('freed');
        },
      }),
  };
  const door = new Door(
    {
      admission,
      decoders: { line: decoder, msgpack: decoder, arrow: decoder },
      rejectedBatch: () => smallBatch(1, 1),
      markedBatch: (became, ids) => smallBatch(became === 'dropped' ? 4 : 3, ids.length),
      keys: {
        check: () => undefined,
        once: () => Promise.reject(new Error('no key')),
      },
      encode: () => new Uint8Array(8),
      log: () => ({
        append: (_payload, count, done) => {
          appended.push({ count, done });
        },
      }),
      buffers,
      clock: new FakeClock(),
      databaseExists: () => true,
      count: () => undefined,
      futureRows: { find: () => [], note: () => undefined },
    },
    { cellsMax: 1e6, daysMax: 1e6, lineBytesMax: 1e6, createDatabases: true },
  );
  return { door, admission, buffers, appended, entered, state };
}

t.test('rows enter once the log has them, each with its number, before the answer', async (t) => {
  const { door, admission, appended, entered } = compose();
  let answered = false;
  const written = door.write(request).then((outcome) => {
    answered = true;
    return outcome;
  });
  await settled();
  t.match(appended, [{ count: 5 }], 'one record of five rows');
  t.strictSame(entered, [], 'nothing is visible before the sync');
  t.notOk(answered);
  t.ok(admission.heldBytes > 0);
  appended[0]?.done(undefined, 100);
  t.strictSame(entered, ['16 17 from 100']);
  t.match(await written, { rows: 5 });
  t.equal(entered.at(-1), 'freed', 'what was decoded is given back behind all else');
  t.equal(admission.heldBytes, 0);
});

t.test('a request that the log refuses leaves nothing in the buffers', async (t) => {
  const { door, admission, appended, entered } = compose();
  const written = door.write(request);
  await settled();
  appended[0]?.done(new GatewayError('HF_LOG_APPEND', 'EIO'), 0);
  await t.rejects(written, { code: 'HF_LOG_APPEND' });
  t.strictSame(entered, []);
  t.equal(admission.heldBytes, 0);
});

t.test('the answer waits for rows that take their turns to enter', async (t) => {
  const { door, admission, buffers, appended, entered } = compose();
  let done: (error: unknown) => void = () => undefined;
  buffers.enter = (_batches, _lsn, end) => {
    done = end;
  };
  let answered = false;
  const written = door.write(request).then(() => {
    answered = true;
  });
  await settled();
  appended[0]?.done(undefined, 100);
  await settled();
  t.notOk(answered);
  t.ok(admission.heldBytes > 0, 'its memory is held');
  t.strictSame(entered, [], 'and not given back: the rows are read');
  done(undefined);
  await written;
  t.strictSame(entered, ['freed']);
  t.equal(admission.heldBytes, 0);
});

t.test('rows that cannot enter are no success, and whoever called back is told', async (t) => {
  const { door, buffers, appended } = compose();
  buffers.enter = (_batches, _lsn, done) => {
    const error = new RangeError('Array buffer allocation failed');
    done(error);
    throw error;
  };
  const written = door.write(request);
  await settled();
  t.throws(() => appended[0]?.done(undefined, 100), { message: 'Array buffer allocation failed' });
  await t.rejects(written, { code: 'HF_BUG' });
});

t.test(
  'letters are dropped by one record, on a full disk too, but not before replay',
  async (t) => {
    const { door, appended, entered, state } = compose();
    state.diskFull = true;
    const dropped = door.dropLetters(['a', 'b']);
    t.match(appended, [{ count: 2 }]);
    appended[0]?.done(undefined, 100);
    await dropped;
    t.strictSame(entered, ['4 from 100']);
    const refused = door.dropLetters(['c']);
    appended[1]?.done(new GatewayError('HF_LOG_APPEND', 'EIO'), 0);
    await t.rejects(refused, { code: 'HF_LOG_APPEND' });
    state.recovered = false;
    await t.rejects(door.dropLetters(['d']), { code: 'HF_RECOVERING' });
    t.equal(appended.length, 2);
  },
);
