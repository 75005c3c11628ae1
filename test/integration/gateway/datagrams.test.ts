/**
 * Line protocol over UDP, and rows dated far in the future, through a real gateway.
 */
import { createSocket } from 'node:dgram';
import { setTimeout as sleep } from 'node:timers/promises';
import t from 'tap';
import { RealGateway } from '../../support/real-gateway.ts';

/** The port that the gateway says it takes datagrams on. */
function udpPort(gateway: RealGateway): number {
  const address = gateway.lines.map((line) => /"udp":"127\.0\.0\.1:(\d+)"/.exec(line)?.[1]);
  return Number(address.find((port) => port !== undefined));
}

void t.test('rows that come in datagrams are kept, bad ones are dead letters', async (t) => {
  const flags = ['--server-udp-listen', '127.0.0.1:0', '--server-udp-database', 'net'];
  const gateway = await RealGateway.start(t, flags);
  const socket = createSocket('udp4');
  t.teardown(() => {
    socket.close();
  });
  const send = async (body: string) => {
    const taken = async () => {
      const text = (await gateway.send({ path: '/metrics' })).text;
      return Number(/^holdfast_udp_datagrams_total (\d+)/m.exec(text)?.[1] ?? 0);
    };
    const before = await taken();
    socket.send(body, udpPort(gateway), '127.0.0.1');
    while ((await taken()) === before) await sleep(10);
  };
  await send('m,t=a f=1i 1000');
  await send('m,t=b f=2i 2000\nbad\nm,t=c f=3i 3000\n');
  t.same(await gateway.select('SELECT t, f FROM net.m ORDER BY f'), [
    ['a', 1n],
    ['b', 2n],
    ['c', 3n],
  ]);
  const { text } = await gateway.send({ path: '/metrics' });
  t.match(text, /^holdfast_ingest_rejected_rows_total\{dialect="v1"\} 1$/m, 'one dead letter');
  await gateway.kill();
  await gateway.startAgain(flags);
  t.equal(await gateway.count('net.m'), 3, 'they were in the log');
});

void t.test(
  'rows dated far in the future are kept, and an alarm says whose they are',
  async (t) => {
    const gateway = await RealGateway.start(t);
    const soon = Math.floor(Date.now() / 1000) + 80_000;
    const far = soon + 3600 * 24;
    const answer = await gateway.send({
      path: '/write?db=plant&precision=s',
      body: `m f=1i ${soon}\nm f=2i ${far}\n`,
      headers: { 'user-agent': 'sender of tomorrow' },
    });
    t.equal(answer.status, 204);
    t.equal(await gateway.count('plant.m'), 2);
    t.match((await gateway.status()).alarms, [
      { id: 'future_rows', detail: /^1 rows of plant\.m from 127\.0\.0\.1 sender of tomorrow/ },
    ]);
    const { text } = await gateway.send({ path: '/metrics' });
    t.match(text, /^holdfast_ingest_future_rows_total\{dialect="v1"\} 1$/m);
  },
);

void t.test('an address for datagrams that is not of this machine refuses the start', async (t) => {
  await t.rejects(
    RealGateway.start(t, ['--server-udp-listen', '0.0.0.0:8089']),
    /the gateway ended/,
  );
});
