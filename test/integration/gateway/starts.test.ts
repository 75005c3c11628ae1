/**
 * Starts and stops as the operating system and people do them: two on one directory, addresses that
 * are refused, signals, formats of a later version.
 */
import { globSync, readdirSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { setTimeout as delay } from 'node:timers/promises';
import { crc32 } from 'node:zlib';
import t from 'tap';
import { directoryTree } from '../../support/directory-tree.ts';
import { GatewayProcess } from '../../support/gateway-process.ts';
import { expectRows, filedDirectory, hundred } from '../../support/hundreds.ts';
import {
  RealGateway,
  runHoldfast,
  scratchDirectory,
  sendHttp,
} from '../../support/real-gateway.ts';

t.setTimeout(120_000);

const serve = (directory: string, ...flags: string[]) =>
  runHoldfast(['serve', '--data-dir', directory, '--listen', '127.0.0.1:0', ...flags]);

void t.test('a second start on a held directory exits 75 and names the holder', async (t) => {
  const gateway = await RealGateway.start(t);
  const { gateway: own } = await gateway.status();
  const second = await serve(gateway.dataDirectory);
  t.equal(second.code, 75);
  t.match(second.err, new RegExp(`process id ${own.pid}\\b`));
  t.equal((await gateway.write(hundred(0))).status, 204, 'the first goes on');
  await gateway.kill();
  await gateway.startAgain();
  await expectRows(t, gateway, 100, 'a killed holder holds nothing');
});

void t.test('where it listens is said whatever is logged', async (t) => {
  const gateway = await RealGateway.start(t, ['--log-level', 'fatal']);
  t.equal((await gateway.write(hundred(0))).status, 204);
  t.match(
    gateway.lines.map((line) => JSON.parse(line) as object),
    [{ message: 'listening', url: gateway.url }],
  );
  t.equal(gateway.lines.length, 1, 'and nothing else');
});

void t.test('who starts it by hand is shown commands that work at once', async (t) => {
  const dataDirectory = scratchDirectory(t);
  const started = GatewayProcess.start({
    dataDirectory,
    environment: { npm_lifecycle_event: 'start' },
  });
  t.teardown(() => started.kill());
  const url = await started.listening();
  const write = `${url}/write?db=demo`;
  while (!started.lines.some((line) => line.includes(write))) await delay(20);
  const body = 'weather,city=Oslo temperature=21.5';
  const { status } = await sendHttp(url, { path: '/write?db=demo', method: 'POST', body });
  t.equal(status, 204);
});

void t.test('a data directory may have any name that is no pattern', async (t) => {
  const scratch = scratchDirectory(t);
  const odd = join(scratch, `it's a "{x,y}" ; $HOME \\ %20 \n 數據 ]`);
  const gateway = await RealGateway.start(t, [], odd);
  await gateway.write(hundred(0));
  await expectRows(t, gateway, 100, 'rows that are not filed yet');
  t.equal(await gateway.stop(), 0);
  await gateway.startAgain();
  await expectRows(t, gateway, 100, 'filed rows');
  const refused = await serve(join(scratch, 'x[1]'));
  t.equal(refused.code, 78);
  t.match(refused.err, 'x[1]');
  t.strictSame(readdirSync(scratch).length, 1, 'nothing was made for it');
});

void t.test('addresses that are not loopback, and unknown options, are refused', async (t) => {
  const directory = scratchDirectory(t);
  for (const listen of ['0.0.0.0:0', '192.168.1.1:8086', '[::]:0', 'example.com:1', ':8086']) {
    const refused = await runHoldfast(['serve', '--data-dir', directory, '--listen', listen]);
    t.equal(refused.code, 78, listen);
    t.match(refused.err, listen === ':8086' ? /ADDRESS:PORT/ : /loopback/, listen);
  }
  const misspelt = await serve(directory, '--ingest-bufer-rows', '5');
  t.equal(misspelt.code, 64, misspelt.err);
  t.match(misspelt.err, /ingest-buffer-rows/, 'names the nearest option');
  t.same(readdirSync(directory), [], 'nothing was made');
});

void t.test('a port that is taken is 69', async (t) => {
  const gateway = await RealGateway.start(t);
  const { port } = new URL(gateway.url);
  const other = scratchDirectory(t);
  const words = ['serve', '--data-dir', other, '--listen', `127.0.0.1:${port}`];
  t.match(await runHoldfast(words), { code: 69, err: new RegExp(port) });
  const spent = ['wal', 'journal'].flatMap((log) => readdirSync(`${other}/${log}`));
  t.same(spent, [], 'no log was opened: a restart loop spends no numbers');
});

void t.test('SIGTERM files everything and exits 0', async (t) => {
  const gateway = await RealGateway.start(t, ['--server-shutdown-timeout', '10s']);
  for (let index = 0; index < 5; index += 1) {
    t.equal((await gateway.write(hundred(index * 100))).status, 204);
  }
  t.same(gateway.dataFiles(), []);
  t.equal(await gateway.stop(), 0);
  t.not(gateway.dataFiles().length, 0);
  await gateway.startAgain();
  t.equal((await gateway.status()).recovery.rows, 0, 'no row was left in the log');
  await expectRows(t, gateway, 500, 'all are in files');
});

void t.test(
  'SIGTERM under load: what was answered is there, the rest was told to retry',
  async (t) => {
    const gateway = await RealGateway.start(t, ['--server-shutdown-timeout', '10s']);
    let acknowledged = 0;
    const sent: Promise<void>[] = [];
    for (let index = 0; index < 60; index += 1) {
      sent.push(
        gateway.write(hundred(index * 100)).then(
          ({ status, headers }) => {
            if (status === 204) acknowledged += 1;
            else t.match({ status, headers }, { status: 503, headers: { 'retry-after': /^\d+$/ } });
          },
          () => undefined,
        ),
      );
      if (index === 30) await sent[0];
    }
    const code = await gateway.stop();
    await Promise.all(sent);
    t.equal(code, 0);
    t.ok(acknowledged > 0);
    await gateway.startAgain();
    t.equal((await gateway.status()).recovery.rows, 0);
    const [[rows, distinct] = []] = await gateway.select(
      'SELECT count(*), count(DISTINCT v) FROM d.m',
    );
    t.equal(rows, distinct, 'none twice');
    t.ok(Number(rows) >= acknowledged * 100, `${rows} rows of ${acknowledged} answered requests`);
    t.equal(Number(rows) % 100, 0, 'each request whole');
  },
);

void t.test(
  'SIGTERM while the log is read: exit 0 soon, and all is there afterwards',
  async (t) => {
    const flags = ['--ingest-buffer-rows', '1000000', '--ingest-buffer-age', '10m'];
    const gateway = await RealGateway.start(t, [...flags, '--ingest-buffer-age-max', '10m']);
    const requests = 400;
    await Promise.all(
      Array.from({ length: requests }, (_, index) => gateway.write(hundred(index * 100))),
    );
    for (let start = 0; start < 3; start += 1) {
      await gateway.kill();
      await gateway.startListening();
      const startedMs = performance.now();
      const waiting = gateway.select('SELECT count(*) FROM d.m').catch(() => 'refused');
      t.equal(await gateway.stop(), 0);
      t.ok(performance.now() - startedMs < 30_000, 'before server.shutdown_timeout is over');
      const answer = await waiting;
      if (answer !== 'refused') t.same(answer, [[BigInt(requests * 100)]], 'never a part of it');
      await gateway.startAgain();
      await expectRows(t, gateway, requests * 100, 'each row once');
    }
  },
);

/** Gives the first header page of a segment another version, with a checksum that holds. */
function setVersion(path: string, version: number): void {
  const bytes = readFileSync(path);
  bytes.writeUInt32LE(version, 8);
  bytes.writeUInt32LE(crc32(bytes.subarray(0, 12)), 12);
  writeFileSync(path, bytes);
}

const foreignFormats = (['wal', 'journal'] as const).flatMap((log) => [
  { log, title: 'a later format', version: 2 },
  { log, title: 'the format before the first', version: 0 },
]);
for (const { log, title, version } of foreignFormats) {
  void t.test(`a ${log} of ${title} is refused and left as it is`, async (t) => {
    const gateway = await filedDirectory(t, 1);
    const segments = globSync(`${gateway.dataDirectory}/${log}/*.${log}`).sort();
    setVersion(segments.at(-1) ?? '', version);
    const before = directoryTree(gateway.dataDirectory);
    const refused = await serve(gateway.dataDirectory);
    t.equal(refused.code, 78, refused.err);
    t.match(refused.err, `has format version ${version}; this build reads 1`);
    const after = directoryTree(gateway.dataDirectory);
    // The lock's text names its last holder, for people.
    t.same({ ...after, lock: '' }, { ...before, lock: '' }, 'every file is as it was');
  });
}
