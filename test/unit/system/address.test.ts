/** Addresses that are free, taken, or not of this machine. */
import { once } from 'node:events';
import { createServer, type AddressInfo } from 'node:net';
import t from 'tap';
import { refuseTakenAddress } from '../../../src/system/address.ts';

const host = '127.0.0.1';

t.test('an address that somebody listens on is refused, and free once they are gone', async (t) => {
  const other = createServer().listen(0, host);
  await once(other, 'listening');
  const { port } = other.address() as AddressInfo;
  await t.rejects(refuseTakenAddress({ host, port }), {
    code: 'HF_LISTEN',
    message: `cannot listen on ${host}:${port}: EADDRINUSE`,
  });
  other.close();
  await once(other, 'close');
  await refuseTakenAddress({ host, port });
  const next = createServer().listen(port, host);
  await once(next, 'listening');
  t.pass('asking left nothing behind');
  next.close();
});

t.test('an address of another machine is refused', async (t) => {
  await t.rejects(refuseTakenAddress({ host: '192.0.2.1', port: 0 }), { code: 'HF_LISTEN' });
});
