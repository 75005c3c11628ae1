/** Replays of dead letters over a door and rows that the test makes. */
import t from 'tap';
import { GatewayError } from '../../../../src/base/errors/gateway-error.ts';
import type { WriteOutcome, WriteRequest } from '../../../../src/ingest/door-types.ts';
import { DeadLetters } from '../../../../src/ingest/letters/dead-letters.ts';
import { cursorText, parseCursor } from '../../../../src/ingest/letters/letter-query.ts';
import { settled } from '../../../support/flush-fakes.ts';

interface RowShape {
  readonly id: string;
  readonly timeUs: number;
  readonly text: string;
  readonly part: number;
  readonly parts: number;
  readonly whole: boolean;
  readonly format: 'line' | 'msgpack';
}

function row(id: string, timeUs: number, changes: Partial<RowShape> = {}): RowShape {
  const text = `m,id=${id} v=1`;
  return { id, timeUs, text, part: 0, parts: 1, whole: true, format: 'line', ...changes };
}

/** In the columns that a page has. */
function cellsOf({ id, timeUs, text, part, parts, whole, format }: RowShape): readonly unknown[] {
  const how = ['d', 'v1', format, 's', 3, 1, 'cap', 'max', '::1', 'x'];
  const raw = format === 'msgpack' ? Buffer.from(text).toString('base64') : null;
  return [timeUs, id, ...how, whole, parts, text, raw, part];
}

function compose(rows: readonly RowShape[]) {
  const marked = new Set<string>();
  const written: WriteRequest[] = [];
  const answers: (() => WriteOutcome)[] = [];
  let underWay = 0;
  let mostUnderWay = 0;
  const letters = new DeadLetters({
    // As SQL answers: open letters behind the cursor, in order, a page of them.
    ask: async function* (sql, parameters = []) {
      await settled();
      const limit = Number(/LIMIT (\d+)$/.exec(sql)?.[1]);
      const [timeUs, id] = parameters;
      const open = rows.filter((each) => !marked.has(each.id));
      const behind = open.filter((each) => {
        if (timeUs === undefined) return true;
        const time = Number(timeUs);
        return each.timeUs > time || (each.timeUs === time && each.id > String(id));
      });
      yield behind.slice(0, limit).map(cellsOf);
    },
    files: { older: () => () => Promise.resolve(0) },
    door: {
      dropLetters: () => Promise.resolve(),
      admit: () => undefined,
      write: async (request) => {
        underWay += 1;
        mostUnderWay = Math.max(mostUnderWay, underWay);
        await settled();
        underWay -= 1;
        written.push(request);
        const outcome = answers.shift()?.() ?? { rows: 1, rejected: [], rejectedLines: 0 };
        if (outcome.rows > 0) marked.add(request.letter ?? '');
        return outcome;
      },
    },
  });
  return { letters, written, answers, most: () => mostUnderWay };
}

const open = { state: 'open' } as const;

t.test('a letter goes through the door as it came, its parts put together', async (t) => {
  const { letters, written } = compose([
    row('a-0', 1, { text: 'one', part: 0, parts: 2 }),
    row('a-0', 1, { text: 'two', part: 1, parts: 2 }),
    row('b-0', 2, { text: '\u0001\u0002', part: 0, parts: 2, format: 'msgpack' }),
    row('b-0', 2, { text: '\u0003', part: 1, parts: 2, format: 'msgpack' }),
  ]);
  t.match(await letters.replay(open, 10), { replayed: 2, rows: 2, refused: 0, next: undefined });
  t.match(written, [
    {
      dialect: 'v1',
      format: 'line',
      database: 'd',
      precision: 's',
      sender: '::1',
      agent: 'x',
      letter: 'a-0',
      key: 'dead letter a-0',
      acceptPartial: true,
    },
    { format: 'msgpack', letter: 'b-0' },
  ]);
  t.same(
    written.map(({ body }) => Buffer.from(body).toString()),
    ['one\ntwo', '\u0001\u0002\u0003'],
  );
});

t.test('what was not kept whole is not sent', async (t) => {
  const { letters, written } = compose([
    row('a-0', 1, { whole: false }),
    row('b-0', 2, { parts: 2 }),
    row('c-0', 3),
  ]);
  const outcome = await letters.replay(open, 10);
  t.match(outcome, { replayed: 1, refused: 2, refusals: [{ id: 'a-0' }, { id: 'b-0' }] });
  t.same(
    written.map(({ letter }) => letter),
    ['c-0'],
  );
});

t.test('more letters than a page, some of many parts, are each sent once', async (t) => {
  const rows: RowShape[] = [];
  for (let number = 0; number < 700; number += 1) {
    const id = `l${String(number).padStart(4, '0')}`;
    const parts = 1 + (number % 4);
    for (let part = 0; part < parts; part += 1) {
      rows.push(row(id, Math.floor(number / 50), { part, parts, text: `${id}.${part}` }));
    }
  }
  const { letters, written } = compose(rows);
  let from: Parameters<DeadLetters['replay']>[2];
  let replayed = 0;
  let calls = 0;
  do {
    const outcome = await letters.replay(open, 300, from);
    t.equal(outcome.refused, 0);
    replayed += outcome.replayed;
    from = outcome.next === undefined ? undefined : parseCursor(cursorText(outcome.next));
    calls += 1;
  } while (from !== undefined);
  t.equal(replayed, 700);
  t.equal(calls, 3);
  t.equal(new Set(written.map(({ letter }) => letter)).size, written.length);
});

t.test('two replays at once send no letter twice', async (t) => {
  const rows = Array.from({ length: 20 }, (_, number) => row(`l${number + 10}`, number));
  const { letters, written, most } = compose(rows);
  const outcomes = await Promise.all([letters.replay(open, 100), letters.replay(open, 100)]);
  t.same(
    outcomes.map(({ replayed }) => replayed),
    [20, 0],
  );
  t.equal(written.length, 20);
  t.equal(most(), 1);
});

t.test(
  'a reason that passes stops it and says where to go on; others count as refused',
  async (t) => {
    const rows = ['a', 'b', 'c', 'd'].map((id, number) => row(id, number));
    const { letters, answers } = compose(rows);
    const good = () => ({ rows: 1, rejected: [], rejectedLines: 0 });
    const full = () => {
      throw new GatewayError('HF_DISK_FULL', 'no room');
    };
    answers.push(good, full);
    const outcome = await letters.replay(open, 10);
    t.match(outcome, {
      replayed: 1,
      stopped: { code: 'HF_DISK_FULL' },
      next: { id: 'a', timeUs: 0 },
    });
    answers.push(full);
    await t.rejects(letters.replay(open, 10, outcome.next), { code: 'HF_DISK_FULL' }, 'the first');
    answers.push(() => {
      throw new GatewayError('HF_DATABASE_UNKNOWN', 'database not found: "d"');
    });
    t.match(await letters.replay(open, 10, outcome.next), {
      replayed: 2,
      refused: 1,
      refusals: [{ id: 'b', reason: /database not found/ }],
      next: undefined,
      stopped: undefined,
    });
  },
);
