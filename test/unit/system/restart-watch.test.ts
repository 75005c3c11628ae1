import { setTimeout as sleep } from 'node:timers/promises';
import t from 'tap';
import { GatewayError, fromWire, toWire } from '../../../src/base/errors/gateway-error.ts';
import { RestartWatch } from '../../../src/system/restart-watch.ts';

const device = new GatewayError('HF_IO', 'fdatasync x: EIO', { details: { errno: 'EIO' } });
const full = new GatewayError('HF_DISK_FULL', 'write x: ENOSPC', { details: { errno: 'ENOSPC' } });

t.test('a log that stays failed ends the process where a new start can help', async (t) => {
  const ends: GatewayError[] = [];
  const watch = new RestartWatch(5, (error) => ends.push(error));
  watch.failed('wal', device);
  watch.failed('wal', device);
  await sleep(30);
  t.same(ends, [device], 'once');
});

t.test('a log that is written again in time ends nothing', async (t) => {
  const ends: GatewayError[] = [];
  const watch = new RestartWatch(20, (error) => ends.push(error));
  watch.failed('wal', device);
  watch.recovered('wal');
  await sleep(60);
  t.same(ends, []);
});

t.test('a full or read-only disk ends nothing, across threads and causes too', async (t) => {
  const ends: GatewayError[] = [];
  const watch = new RestartWatch(1, (error) => ends.push(error));
  watch.failed('wal', full);
  const refused = new GatewayError('HF_LOG_APPEND', 'the log refused a group', { cause: full });
  watch.failed('journal', fromWire(toWire(refused)));
  const readOnly = new GatewayError('HF_LOG_APPEND', 'refused', { cause: new Error('x: EROFS') });
  watch.failed('other', readOnly);
  await sleep(30);
  t.same(ends, []);
});
