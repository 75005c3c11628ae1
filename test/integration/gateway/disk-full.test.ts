/**
 * Contract W7 on a real small file system: below the hard watermark writes get 503 `disk_full`,
 * queries go on, and once there is space again writes go in as before. On a disk that is full to
 * the last byte nothing that was answered is lost either.
 */
import { spawnSync } from 'node:child_process';
import { rmSync, statfsSync } from 'node:fs';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import t, { type Test } from 'tap';
import { RealGateway, scratchDirectory, type HttpAnswer } from '../../support/real-gateway.ts';
import { required } from '../../support/requirements.ts';

t.setTimeout(120_000);

const skip = required('disk full', [
  { kind: 'root' },
  { kind: 'program', name: 'mount', from: 'mount' },
  { kind: 'program', name: 'umount', from: 'mount' },
  { kind: 'program', name: 'fallocate', from: 'util-linux' },
]);

const mebibyte = 1024 * 1024;
const diskBytes = 96 * mebibyte;
/** With these the hard watermark is 8 + 16 + 2 x 1 MiB. */
const flags = ['--ingest-memory', '8MiB', '--wal-segment-size', '1MiB'];
const hardFreeBytes = 26 * mebibyte;

function run(...words: string[]): void {
  const [program = '', ...rest] = words;
  const { status, stderr } = spawnSync(program, rest, { encoding: 'utf8' });
  if (status !== 0) throw new Error(`${words.join(' ')}: ${stderr}`);
}

class SmallDisk {
  readonly path: string;
  readonly #filler: string;

  constructor(t: Test) {
    this.path = scratchDirectory(t);
    run('mount', '-t', 'tmpfs', '-o', `size=${diskBytes}`, 'holdfast-test', this.path);
    this.#filler = join(this.path, 'filler');
    t.teardown(() => {
      spawnSync('umount', ['-l', this.path]);
    });
  }

  freeBytes(): number {
    const { bavail, bsize } = statfsSync(this.path);
    return bavail * bsize;
  }

  /** Takes space until `leftBytes` are free, while the gateway takes some too. */
  fill(leftBytes: number): void {
    const page = 4096;
    for (let less = 0; this.freeBytes() - leftBytes > less * page; less += 1) {
      const bytes = this.freeBytes() - leftBytes - less * page;
      if (spawnSync('fallocate', ['-l', String(bytes), this.#filler]).status === 0) return;
    }
  }

  empty(): void {
    rmSync(this.#filler, { force: true });
  }
}

class Sender {
  readonly #gateway: RealGateway;
  /** Requests of a hundred rows that were answered 204. */
  readonly acknowledged: number[] = [];
  readonly refused: HttpAnswer[] = [];
  #next = 0;

  constructor(gateway: RealGateway) {
    this.#gateway = gateway;
  }

  async send(): Promise<number> {
    const request = this.#next;
    this.#next += 1;
    const lines = Array.from({ length: 100 }, (_, row) => {
      const at = request * 100 + row;
      return `m,h=h${row % 10} request=${request}i,text="${'x'.repeat(300)}${at}" ${at}`;
    });
    const answer = await this.#gateway.write(lines.join('\n'));
    if (answer.status === 204) this.acknowledged.push(request);
    else this.refused.push(answer);
    return answer.status;
  }

  /** Sends until an answer has that status; false if none has within twenty seconds. */
  async sendUntil(status: number): Promise<boolean> {
    const untilMs = performance.now() + 20_000;
    while (performance.now() < untilMs) {
      if ((await this.send()) === status) return true;
      await sleep(20);
    }
    return false;
  }

  /** Requests that are not there exactly once, though they were answered. */
  async missing(): Promise<number[]> {
    const rows = await this.#gateway.select('SELECT request, count(*) FROM d.m GROUP BY request');
    const counts = new Map(rows.map(([request, count]) => [Number(request), Number(count)]));
    return this.acknowledged.filter((request) => counts.get(request) !== 100);
  }
}

void t.test('below the hard watermark writes wait and queries go on', { skip }, async (t) => {
  const disk = new SmallDisk(t);
  const gateway = await RealGateway.start(t, flags, join(disk.path, 'data'));
  const sender = new Sender(gateway);
  for (let request = 0; request < 20; request += 1) t.equal(await sender.send(), 204);
  disk.fill(hardFreeBytes - mebibyte);
  t.ok(await sender.sendUntil(503), 'refused');
  const [refused] = sender.refused;
  t.match(refused?.headers['retry-after'], /^\d+$/);
  t.match(JSON.parse(refused?.text ?? ''), { code: 'disk_full', error: String });
  for (const path of [
    '/api/v2/write?bucket=d',
    '/api/v3/write_lp',
    '/api/v1/write/line-protocol',
  ]) {
    const answer = await gateway.send({ path, body: 'm f=1i 1' });
    t.match(answer, { status: 503, headers: { 'retry-after': /^\d+$/ } }, path);
    t.match(answer.text, 'disk_full', path);
  }
  t.same(await sender.missing(), [], 'queries go on');
  t.equal((await gateway.send({ path: '/ready' })).status, 503);
  const { alarms, writes } = await gateway.status();
  t.match(writes, { accepted: false, code: 'disk_full' });
  t.ok(alarms.some(({ id }) => id === 'disk_hard'));
  t.equal((await gateway.send({ path: '/health' })).status, 200);
  const created = await gateway.send({ path: '/query', body: 'q=CREATE DATABASE "other"' });
  t.equal(created.status, 200, 'what needs a few bytes still works');

  disk.empty();
  t.ok(await sender.sendUntil(204), 'accepted again by itself');
  t.notOk((await gateway.status()).alarms.some(({ id }) => id === 'disk_hard'));
  await gateway.kill();
  await gateway.startAgain();
  t.same(await sender.missing(), [], 'nothing that was answered is lost');
});

void t.test('a disk that fills up at once loses nothing either', { skip }, async (t) => {
  const disk = new SmallDisk(t);
  const gateway = await RealGateway.start(
    t,
    [...flags, '--ingest-buffer-rows', '500'],
    join(disk.path, 'data'),
  );
  const sender = new Sender(gateway);
  t.equal(await sender.send(), 204);
  for (let round = 0; round < 3; round += 1) {
    // Under way while the space goes.
    const sending = Promise.all(Array.from({ length: 12 }, () => sender.send()));
    disk.fill(0);
    await sending;
    t.ok(await sender.sendUntil(503), 'refused');
    await sleep(500);
    disk.empty();
    t.ok(await sender.sendUntil(204), 'accepted again by itself');
    t.notOk(gateway.hasEnded, 'it went on');
    t.same(await sender.missing(), [], `round ${round}`);
  }
  t.same(
    [...new Set(sender.refused.map(({ status }) => status))],
    [503],
    'never an answer that makes a sender drop rows',
  );
  for (const { headers } of sender.refused) {
    if (!/^\d+$/.test(headers['retry-after'] ?? '')) t.fail('no Retry-After');
  }
  disk.fill(0);
  await sleep(200);
  await gateway.kill();
  disk.empty();
  await gateway.startAgain();
  t.same(await sender.missing(), [], 'after a kill on the full disk');
  await gateway.filed();
  t.same(await sender.missing(), [], 'filed');
  t.equal(await gateway.stop(), 0);
});

void t.test('a start on a full disk waits for space', { skip }, async (t) => {
  const disk = new SmallDisk(t);
  const gateway = await RealGateway.start(t, flags, join(disk.path, 'data'));
  const sender = new Sender(gateway);
  for (let request = 0; request < 5; request += 1) t.equal(await sender.send(), 204);
  t.equal(await gateway.stop(), 0);
  await gateway.startAgain();
  for (let request = 0; request < 5; request += 1) t.equal(await sender.send(), 204);
  disk.fill(0);
  await gateway.kill();
  await gateway.startListening();
  t.equal(await sender.send(), 503);
  t.match(await gateway.json('/health'), { status: 'pass' });
  disk.empty();
  t.ok(await sender.sendUntil(204), 'accepted again by itself');
  t.same(await sender.missing(), []);
  t.equal(await gateway.stop(), 0);
  await gateway.startAgain();
  t.same(await sender.missing(), [], 'all of it is filed');
});
