/** Datagrams between a socket and a door that the test steers. */
import { createSocket } from 'node:dgram';
import { once } from 'node:events';
import { setTimeout as sleep } from 'node:timers/promises';
import t from 'tap';
import { GatewayError } from '../../../../src/base/errors/gateway-error.ts';
import { Alarms } from '../../../../src/base/telemetry/alarms.ts';
import { silentLogger } from '../../../../src/base/telemetry/log.ts';
import { Metrics } from '../../../../src/base/telemetry/metrics.ts';
import { UdpFront } from '../../../../src/fronts/udp/udp-front.ts';
import type { WriteRequest } from '../../../../src/ingest/door-types.ts';
import { FakeClock } from '../../../support/flush-fakes.ts';
import type { Teardown } from '../../../support/real-gateway.ts';

async function compose(t: Teardown, host = '127.0.0.1') {
  const metrics = new Metrics();
  const clock = new FakeClock();
  const alarms = new Alarms({ clock, logger: silentLogger });
  const writes: WriteRequest[] = [];
  const script = {
    refusal: undefined as GatewayError | undefined,
    failure: undefined as GatewayError | undefined,
    gate: Promise.resolve(),
  };
  const door = {
    admit: () => {
      if (script.refusal !== undefined) throw script.refusal;
    },
    write: async (request: WriteRequest) => {
      writes.push(request);
      await script.gate;
      if (script.failure !== undefined) throw script.failure;
      return { rows: 1, rejected: [], rejectedLines: 0 };
    },
  };
  const options = { host, port: 0, database: 'net', precision: 'ms' } as const;
  const front = new UdpFront({ door, alarms, metrics, logger: silentLogger }, options);
  const port = await front.open();
  const sender = createSocket(host.includes(':') ? 'udp6' : 'udp4');
  t.teardown(async () => {
    sender.close();
    await front.close();
  });
  const send = (body: string) =>
    new Promise<void>((resolve, reject) => {
      sender.send(body, port, host, (error) => {
        if (error === null) resolve();
        else reject(error);
      });
    });
  const until = async (done: () => boolean | Promise<boolean>) => {
    while (!(await done())) await sleep(1);
  };
  const shows = async (line: string) => (await metrics.text()).includes(line);
  return { front, port, alarms, clock, writes, script, send, until, shows };
}

t.test('a datagram is one request, with database, precision and sender', async (t) => {
  const { writes, send, until, shows, alarms } = await compose(t);
  await send('m f=1 1\nm f=2 2\n');
  await until(() => shows('holdfast_udp_datagrams_total 1'));
  t.match(writes, [
    {
      dialect: 'v1',
      database: 'net',
      precision: 'ms',
      acceptPartial: true,
      sender: /^udp 127\.0\.0\.1:\d+$/,
    },
  ]);
  t.equal(Buffer.from(writes[0]?.body ?? []).toString(), 'm f=1 1\nm f=2 2\n');
  t.strictSame(alarms.active(), []);
});

t.test('IPv6 loopback works alike', async (t) => {
  const { send, until, shows } = await compose(t, '::1');
  await send('m f=1 1');
  await until(() => shows('holdfast_udp_datagrams_total 1'));
});

t.test('what the door refuses or cannot keep is counted, with an alarm that goes', async (t) => {
  const { script, send, until, shows, alarms, clock } = await compose(t);
  script.refusal = new GatewayError('HF_DISK_FULL', 'free space is below the hard watermark');
  await send('m f=1 1');
  await until(() => shows('holdfast_udp_dropped_datagrams_total{code="disk_full"} 1'));
  script.refusal = undefined;
  script.failure = new GatewayError('HF_LOG_APPEND', 'EIO');
  await send('m f=1 1');
  await until(() => shows('holdfast_udp_dropped_datagrams_total{code="log_append"} 1'));
  t.match(alarms.active(), [
    { id: 'udp_dropped', subject: 'disk_full', detail: /^1 lost .* udp 127\.0\.0\.1:\d+: free/ },
    { id: 'udp_dropped', subject: 'log_append', detail: /EIO$/ },
  ]);
  clock.nowMs += 600_000;
  t.strictSame(alarms.active(), []);
  script.failure = undefined;
  await send('m f=1 1');
  await until(() => shows('holdfast_udp_datagrams_total 1'));
});

t.test('bytes under way are bounded, and what comes beyond is counted', async (t) => {
  const { script, send, until, shows, alarms, writes, front } = await compose(t);
  const gate = Promise.withResolvers<void>();
  script.gate = gate.promise;
  const body = 'x'.repeat(60_000);
  const fits = Math.floor((8 * 1024 * 1024) / body.length);
  for (let number = 0; number < fits; number += 1) {
    await send(body);
    // One at a time: the kernel's buffer for the socket must not overflow here.
    await until(() => writes.length > number);
  }
  await send(body);
  await until(() => shows('holdfast_udp_dropped_datagrams_total{code="udp_queue_full"} 1'));
  t.equal(writes.length, fits);
  t.match(alarms.active(), [{ subject: 'udp_queue_full', detail: /too many datagrams/ }]);
  let closed = false;
  const closing = front.close().then(() => {
    closed = true;
  });
  await sleep(0);
  t.notOk(closed, 'a stop waits for what is under way');
  gate.resolve();
  await closing;
  t.ok(await shows(`holdfast_udp_datagrams_total ${fits}`));
});

t.test('an address that is taken refuses the start', async (t) => {
  const other = createSocket('udp4');
  other.bind(0, '127.0.0.1');
  await once(other, 'listening');
  const { port } = other.address();
  const clock = new FakeClock();
  const front = new UdpFront(
    {
      door: { admit: () => undefined, write: () => Promise.reject(new Error('no')) },
      alarms: new Alarms({ clock, logger: silentLogger }),
      metrics: new Metrics(),
      logger: silentLogger,
    },
    { host: '127.0.0.1', port, database: 'd', precision: 'n' },
  );
  await t.rejects(front.open(), { code: 'HF_LISTEN', details: { port, errno: 'EADDRINUSE' } });
  other.close();
});
