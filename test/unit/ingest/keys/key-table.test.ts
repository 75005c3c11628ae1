/** The table of idempotency keys against a plain model, and its limits. */
import { createHash } from 'node:crypto';
import { isDeepStrictEqual } from 'node:util';
import fc from 'fast-check';
import t from 'tap';
import { KeyTable, type KeyTableOptions } from '../../../../src/ingest/keys/key-table.ts';

const digest = (text: string) => createHash('sha256').update(text).digest();

interface ModelEntry {
  readonly key: string;
  readonly body: string;
  readonly timeUs: number;
  readonly answer: string | undefined;
}

/** The rules in their plainest form: a list of all puts, oldest first. */
class Model {
  readonly entries: ModelEntry[] = [];
  dropped = 0;

  put(entry: ModelEntry, capacity: number): void {
    if (this.entries.length === capacity) this.#shift(true);
    this.entries.push(entry);
  }

  find(key: string, nowUs: number, ageUsMax: number): ModelEntry | undefined {
    const isOld = ({ timeUs }: ModelEntry) => nowUs - timeUs > ageUsMax;
    while (this.entries[0] !== undefined && isOld(this.entries[0])) this.#shift(false);
    const found = this.entries.findLast((each) => each.key === key);
    return found === undefined || isOld(found) ? undefined : found;
  }

  get live(): number {
    return new Set(this.entries.map(({ key }) => key)).size;
  }

  #shift(isEarly: boolean): void {
    const gone = this.entries.shift();
    const stands = this.entries.some(({ key }) => key === gone?.key);
    if (isEarly && !stands) this.dropped += 1;
  }
}

const step = fc.record({
  isPut: fc.boolean(),
  key: fc.integer({ min: 0, max: 40 }).map(String),
  body: fc.constantFrom('a', 'b'),
  answer: fc.option(fc.constant('answer'), { nil: undefined }),
  later: fc.integer({ min: 0, max: 9 }),
});

t.test('it finds what a plain list finds, whatever comes and goes', (t) => {
  fc.assert(
    fc.property(
      fc.array(step, { maxLength: 300, size: 'max' }),
      fc.integer({ min: 1, max: 24 }),
      (steps, capacity) => {
        const ageUsMax = 60;
        const table = new KeyTable({ entriesMax: capacity, bytesMax: 1e6, ageUsMax });
        const model = new Model();
        let nowUs = 1000;
        for (const { isPut, key, body, answer, later } of steps) {
          nowUs += later;
          if (isPut) {
            table.put(digest(key), digest(body), nowUs, answer);
            model.put({ key, body, timeUs: nowUs, answer }, capacity);
          }
          const found = table.find(digest(key), digest(body), nowUs);
          const known = model.find(key, nowUs, ageUsMax);
          const wanted =
            known === undefined
              ? undefined
              : known.body === body
                ? { isSame: true, answer: known.answer }
                : { isSame: false };
          if (!isDeepStrictEqual(found, wanted)) return false;
          if (table.size !== model.live || table.dropped !== model.dropped) return false;
        }
        return true;
      },
    ),
    { numRuns: 300 },
  );
  t.end();
});

const wide: KeyTableOptions = { entriesMax: 100_000, bytesMax: 2 ** 26, ageUsMax: 1e12 };

t.test('it grows as keys come and keeps them all', (t) => {
  const table = new KeyTable(wide);
  const count = 20_000;
  for (let key = 0; key < count; key += 1) {
    const answer = key % 7 === 0 ? `answer ${key}` : undefined;
    table.put(digest(`key ${key}`), digest(`body ${key}`), key, answer);
  }
  t.equal(table.size, count);
  let wrong = 0;
  for (let key = 0; key < count; key += 1) {
    const found = table.find(digest(`key ${key}`), digest(`body ${key}`), count);
    const answer = key % 7 === 0 ? `answer ${key}` : undefined;
    if (found?.isSame !== true || found.answer !== answer) wrong += 1;
  }
  t.equal(wrong, 0);
  t.equal(table.find(digest('key -1'), digest('x'), count), undefined);
  t.end();
});

t.test('its memory is bounded, answers included; the oldest go and are counted', (t) => {
  const bytesMax = 200_000;
  const table = new KeyTable({ ...wide, bytesMax });
  for (let key = 0; key < 5000; key += 1) {
    table.put(digest(`${key}`), digest('b'), key, key % 2 === 0 ? 'x'.repeat(500) : undefined);
    if (table.bytes > bytesMax) t.fail(`${table.bytes} bytes after ${key} keys`);
  }
  t.equal(table.size + table.dropped, 5000);
  t.ok(table.size > 50);
  t.match(table.find(digest('4999'), digest('b'), 5000), { isSame: true });
  t.equal(table.find(digest('0'), digest('b'), 5000), undefined);
  t.end();
});

t.test('a million keys are remembered, and one more pushes out the oldest', (t) => {
  const count = 1_000_000;
  const table = new KeyTable({ entriesMax: count, bytesMax: 2 ** 27, ageUsMax: 86_400e6 });
  const key = Buffer.alloc(16);
  const body = Buffer.alloc(16, 7);
  const put = (number: number) => {
    // As even as a digest.
    key.writeUInt32LE(Math.imul(number, 0x9e3779b1) >>> 0, 0);
    key.writeUInt32LE(number, 4);
    table.put(key, body, number, undefined);
  };
  const isKnown = (number: number, nowUs: number) => {
    key.writeUInt32LE(Math.imul(number, 0x9e3779b1) >>> 0, 0);
    key.writeUInt32LE(number, 4);
    return table.find(key, body, nowUs) !== undefined;
  };
  for (let number = 0; number < count; number += 1) put(number);
  t.equal(table.size, count);
  t.equal(table.dropped, 0);
  t.ok(isKnown(0, count) && isKnown(count / 2, count) && isKnown(count - 1, count));
  put(count);
  t.equal(table.size, count);
  t.equal(table.dropped, 1);
  t.notOk(isKnown(0, count), 'the oldest is forgotten');
  t.ok(isKnown(1, count) && isKnown(count, count));
  t.notOk(isKnown(count / 2, count / 2 + 86_400e6 + 1), 'and after a day those of their time');
  t.equal(table.dropped, 1, 'which is no loss');
  t.end();
});

t.test('what another table remembers is put behind what is here', (t) => {
  const older = new KeyTable(wide);
  older.put(digest('a'), digest('1'), 1, 'old');
  older.put(digest('b'), digest('1'), 2, undefined);
  const newer = new KeyTable(wide);
  newer.put(digest('a'), digest('2'), 3, 'newer');
  newer.put(digest('a'), digest('3'), 4, 'newest');
  newer.put(digest('c'), digest('1'), 5, undefined);
  older.append(newer);
  t.equal(older.size, 3);
  t.strictSame(older.find(digest('a'), digest('3'), 6), { isSame: true, answer: 'newest' });
  t.strictSame(older.find(digest('b'), digest('1'), 6), { isSame: true, answer: undefined });
  t.strictSame(older.find(digest('c'), digest('2'), 6), { isSame: false });
  t.end();
});
