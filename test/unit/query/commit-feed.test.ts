/** The feed of commits to a query process, against a fake process. */
import t from 'tap';
import { text } from 'node:stream/consumers';
import { setImmediate as turn, setTimeout as sleep } from 'node:timers/promises';
import type { CatalogState, CommitEvent, FileFacts } from '../../../src/base/model/commit.ts';
import { GatewayError } from '../../../src/base/errors/gateway-error.ts';
import { CommitFeed } from '../../../src/query/commit-feed.ts';

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
  ready: () => void = () => undefined;
  emit: (event: CommitEvent) => void = () => undefined;
  commit = 0;
  readonly feed: CommitFeed;

  constructor() {
    const state = { databases: [], measurements: [], columns: [], removed: [], positions: [] };
    this.feed = new CommitFeed({
      host: {
        seed: async (): Promise<CatalogState> => {
          await turn();
          return { ...state, commit: this.commit, files: [file(1)], lowWater: 0, fileIdsTo: 0 };
        },
        onEvent: (listener) => (this.emit = listener),
      },
      engine: {
        onReady: (listener) => (this.ready = listener),
        requestJson: async (path, body) => {
          const sent = typeof body === 'string' ? body : await text(body);
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
