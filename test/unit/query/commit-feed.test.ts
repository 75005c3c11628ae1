/** The feed of commits to a query process, against a fake process. */
import t from 'tap';
import { Readable } from 'node:stream';
import { text } from 'node:stream/consumers';
import { setImmediate as turn, setTimeout as sleep } from 'node:timers/promises';
import type { CommitEvent, FileFacts } from '../../../src/base/model/commit.ts';
import { GatewayError } from '../../../src/base/errors/gateway-error.ts';
import { CommitFeed } from '../../../src/query/commit-feed.ts';
import type { FileListing } from '../../../src/query/query-host.ts';

interface Request {
  readonly path: string;
  readonly lines: readonly string[];
  answer(applied: number): void;
  fail(): void;
}

const file = (id: number, path = 'p'): FileFacts => {
  const facts = { sha256: '', bytes: 0, rows: 0, hours: [], flags: 0, seqMax: 0, columns: [] };
  return { ...facts, id, measurementId: 16, path, lsns: [0, 0], part: [0, 1] };
};

class Fake {
  readonly requests: Request[] = [];
  /** Files of a seed, piece by piece. */
  pieces: readonly (readonly FileFacts[])[] = [[file(1)]];
  /** Pieces that were asked for. */
  taken = 0;
  opened = 0;
  closed = 0;
  /** Reads the body of a request. */
  read: (body: Readable) => Promise<string> = text;
  ready: () => void = () => undefined;
  emit: (event: CommitEvent) => void = () => undefined;
  commit = 0;
  readonly feed: CommitFeed;

  constructor() {
    this.feed = new CommitFeed({
      host: {
        seed: async (): Promise<FileListing> => {
          await turn();
          this.opened += 1;
          const close = () => (this.closed += 1);
          return { commit: this.commit, pieces: Readable.from(this.take()), close };
        },
        onEvent: (listener) => (this.emit = listener),
      },
      engine: {
        onReady: (listener) => (this.ready = listener),
        requestJson: async (path, body) => {
          const sent = typeof body === 'string' ? body : await this.read(body);
          const { promise, resolve, reject } = Promise.withResolvers<unknown>();
          this.requests.push({
            path,
            lines: sent.split('\n').slice(0, -1),
            answer: (applied) => {
              resolve({ applied });
            },
            fail: () => {
              reject(new GatewayError('HF_QUERY_ENGINE_DOWN', 'lost'));
            },
          });
          return promise;
        },
      },
      floor: () => 7,
    });
  }

  *take(): Generator<{ readonly files: readonly FileFacts[] }> {
    for (const files of this.pieces) {
      this.taken += 1;
      yield { files };
    }
  }

  add(path?: string): void {
    this.commit += 1;
    const adds = [file(this.commit, path)];
    this.emit({ commit: { number: this.commit, kind: 'flush', adds }, statistics: [] });
  }

  async next(): Promise<Request> {
    let request = this.requests.shift();
    for (; request === undefined; request = this.requests.shift()) await sleep(1);
    return request;
  }
}

await t.test('a seed, then what came meanwhile, then one batch at a time', async (t) => {
  const fake = new Fake();
  fake.add();
  fake.ready();
  fake.add();
  const seed = await fake.next();
  t.equal(seed.path, '/seed?commit=2');
  t.match(seed.lines, [/"id":1/]);
  fake.add();
  seed.answer(2);
  const third = await fake.next();
  t.equal(third.path, '/commits?floor=7');
  t.match(third.lines, ['"commit":3'], 'commits at or below the seed are not sent again');
  fake.add();
  fake.add();
  await turn();
  t.equal(fake.requests.length, 0, 'one batch is on its way at a time');
  third.answer(3);
  const rest = await fake.next();
  t.match(rest.lines, ['"commit":4', '"commit":5']);
  rest.answer(5);
  await turn();
  t.equal(fake.requests.length, 0);
  t.equal(fake.feed.seeds, 1);
});

await t.test('a new process is seeded though the old one never answered', async (t) => {
  const fake = new Fake();
  fake.ready();
  const lost = await fake.next();
  fake.ready();
  const seed = await fake.next();
  lost.fail();
  seed.answer(0);
  fake.add();
  await turn();
  const batch = await fake.next();
  t.match(batch.lines, ['"commit":1']);
  t.equal(fake.feed.seeds, 2);
});

await t.test('events that a seed was ahead of are left out', async (t) => {
  const fake = new Fake();
  fake.commit = 5;
  fake.ready();
  (await fake.next()).answer(5);
  await turn();
  fake.commit = 3;
  for (let count = 0; count < 3; count += 1) fake.add();
  const batch = await fake.next();
  t.match(batch.lines, ['"commit":6']);
  batch.answer(6);
  await turn();
  t.equal(fake.feed.seeds, 1);
});

await t.test('a process too far behind is seeded anew', async (t) => {
  const fake = new Fake();
  fake.ready();
  (await fake.next()).answer(0);
  await turn();
  const path = 'x'.repeat(2 ** 20);
  fake.add(path);
  const stuck = await fake.next();
  for (let count = 0; count < 16; count += 1) fake.add(path);
  const seed = await fake.next();
  t.equal(seed.path, '/seed?commit=17');
  stuck.answer(1);
  seed.answer(17);
  fake.add();
  const batch = await fake.next();
  t.match(batch.lines, ['"commit":18']);
});

await t.test('a process at another commit than it was brought to is seeded anew', async (t) => {
  const fake = new Fake();
  fake.ready();
  (await fake.next()).answer(0);
  await turn();
  fake.add();
  (await fake.next()).answer(9);
  t.equal((await fake.next()).path, '/seed?commit=1');
});

await t.test('a seed is read no faster than the process takes it', async (t) => {
  const fake = new Fake();
  const path = 'x'.repeat(2 ** 16);
  fake.pieces = Array.from({ length: 40 }, (_, at) => [file(2 * at + 1, path), file(2 * at + 2)]);
  const stuck = Promise.withResolvers<undefined>();
  let pieces = 0;
  fake.read = async (body) => {
    let sent = '';
    for await (const piece of body) {
      pieces += 1;
      if (pieces === 5) await stuck.promise;
      sent += String(piece);
    }
    return sent;
  };
  fake.ready();
  while (pieces < 5) await turn();
  for (let count = 0; count < 100; count += 1) await turn();
  t.ok(fake.taken < 10, `${fake.taken} of 40 pieces were made for a process that took four`);
  t.equal(fake.closed, 0);
  stuck.resolve(undefined);
  const seed = await fake.next();
  t.same(
    seed.lines.map((line) => (JSON.parse(line) as { id: number }).id),
    Array.from({ length: 80 }, (_, at) => at + 1),
  );
  t.equal(pieces, 40, 'one part of the body for a piece');
  seed.answer(0);
  await turn();
  t.equal(fake.closed, 1);
});

await t.test(
  'what gathers while a seed loads does not make the process too far behind',
  async (t) => {
    const fake = new Fake();
    fake.ready();
    const seed = await fake.next();
    const path = 'x'.repeat(2 ** 20);
    for (let count = 0; count < 20; count += 1) fake.add(path);
    seed.answer(0);
    const first = await fake.next();
    t.equal(first.path, '/commits?floor=7', 'it is sent on, though it is more than the limit');
    t.match(first.lines, ['"commit":1'], 'in batches');
    for (let count = 0; count < 15; count += 1) fake.add(path);
    await turn();
    t.equal(fake.feed.seeds, 1, 'nor is it counted with what comes after');
    first.answer(1);
    for (let number = 2; number <= 20; number += 1) {
      const batch = await fake.next();
      t.match(batch.lines, [`"commit":${number}`]);
      batch.answer(number);
    }
    t.match((await fake.next()).lines, ['"commit":21']);
    for (let count = 0; count < 2; count += 1) fake.add(path);
    t.equal((await fake.next()).path, '/seed?commit=37', 'what came after is');
  },
);

await t.test('a listing is closed, whatever becomes of its seed', async (t) => {
  const fake = new Fake();
  fake.ready();
  fake.ready();
  const seed = await fake.next();
  t.same([fake.opened, fake.closed], [2, 1], 'one that another seed overtook');
  seed.fail();
  await turn();
  t.equal(fake.closed, 2, 'one that failed');
  fake.feed.close();
});

await t.test('one piece of a seed is sent in a turn of the loop', async (t) => {
  const fake = new Fake();
  fake.pieces = Array.from({ length: 20 }, (_, at) => [file(at + 1)]);
  let parts = 0;
  let turns = 0;
  fake.read = async (body) => {
    let sent = '';
    for await (const part of body) {
      parts += 1;
      sent += String(part);
    }
    return sent;
  };
  fake.ready();
  for (; fake.requests.length === 0; turns += 1) await turn();
  t.equal(parts, 20);
  t.ok(turns >= 20, `${turns} turns, though all pieces were there and the process took them`);
});
