/**
 * Tags named at any moment (commit-protocol P17): a row's point is told by the tags that it was
 * decided with, for ever, in buffers, chunks and files and over restarts; versions of a point are
 * merged, and none across a naming. Histories against brute force; planted bugs are noticed.
 */
import t from 'tap';
import fc from 'fast-check';
import { isTagAt } from '../../../src/base/model/schema.ts';
import { NamingBox, type BoxParts, type Dialect } from '../../support/naming-box.ts';
import {
  NamingModel,
  tagNames,
  type Cell,
  type DecidedRow,
  type PlainRow,
  type TagName,
} from '../../support/naming-model.ts';

const base = 472_223 * 3_600_000_000;

const tagValue = fc.constantFrom<Cell>(null, null, '', 'a', 'b');
const fieldValue = fc.option(fc.integer({ min: 0, max: 99 }));
const row: fc.Arbitrary<PlainRow> = fc
  .record({
    hour: fc.nat(1),
    offset: fc.nat(2),
    host: fc.constantFrom<Cell>(null, 'a', 'a', 'b'),
    region: tagValue,
    zone: tagValue,
    v: fc.integer({ min: 0, max: 99 }),
    w: fieldValue,
  })
  .map(({ hour, offset, ...cells }) => ({ time: base + hour * 3_600_000_000 + offset, cells }));

const step = fc.oneof(
  {
    weight: 8,
    arbitrary: fc.record({
      do: fc.constant('write' as const),
      dialect: fc.constantFrom<Dialect>('columnar', 'columnar', 'columnar', 'row', 'line'),
      rows: fc.array(row, { minLength: 1, maxLength: 5 }),
      isHeld: fc.nat(3).map((luck) => luck === 0),
    }),
  },
  { weight: 2, arbitrary: fc.record({ do: fc.constant('release' as const), pick: fc.nat(4) }) },
  {
    weight: 3,
    arbitrary: fc.record({
      do: fc.constant('name' as const),
      tags: fc.subarray([...tagNames], { minLength: 1, maxLength: 2 }),
      forDatabase: fc.nat(2).map((luck) => luck === 0),
    }),
  },
  { weight: 3, arbitrary: fc.record({ do: fc.constant('seal' as const) }) },
  { weight: 3, arbitrary: fc.record({ do: fc.constant('file' as const) }) },
  { weight: 1, arbitrary: fc.record({ do: fc.constant('restart' as const) }) },
  { weight: 1, arbitrary: fc.record({ do: fc.constant('look' as const) }) },
);
type Step = typeof step extends fc.Arbitrary<infer S> ? S : never;

interface Held {
  readonly request: Awaited<ReturnType<NamingBox['decide']>>;
  readonly rows: readonly DecidedRow[];
}

/** Runs the steps on box and model; throws where a scan shows anything else than the model. */
class History {
  readonly #box: NamingBox;
  readonly #model = new NamingModel();
  #held: Held[] = [];
  turned = 0;

  constructor(box: NamingBox) {
    this.#box = box;
  }

  async run(steps: readonly Step[]): Promise<void> {
    for (const each of steps) await this.#step(each);
    this.#releaseAll();
    await this.#look();
    this.turned = this.#model.turnedCount;
  }

  async #step(each: Step): Promise<void> {
    switch (each.do) {
      case 'write': {
        const { dialect, rows, isHeld } = each;
        const request = await this.#box.decide(rows, dialect);
        const decided =
          dialect === 'columnar' ? this.#model.decideColumnar(rows) : this.#model.decideNamed(rows);
        this.#held.push({ request, rows: decided });
        if (!isHeld) this.#release(this.#held.length - 1);
        break;
      }
      case 'release':
        if (this.#held.length > 0) this.#release(each.pick % this.#held.length);
        break;
      case 'name':
        await this.#box.name(each.tags, each.forDatabase);
        this.#model.name(each.tags, each.forDatabase);
        break;
      case 'seal':
        this.#box.seal();
        break;
      case 'file':
        await this.#box.file();
        break;
      case 'restart':
        this.#releaseAll();
        this.#box.restart();
        break;
      case 'look':
        await this.#look();
        break;
    }
  }

  #releaseAll(): void {
    while (this.#held.length > 0) this.#release(0);
  }

  #release(index: number): void {
    for (const { request, rows } of this.#held.splice(index, 1)) {
      this.#box.append(request);
      this.#model.append(rows);
    }
  }

  async #look(): Promise<void> {
    const [found, expected] = [await this.#box.rows(), this.#model.answer()];
    if (JSON.stringify(found) === JSON.stringify(expected)) return;
    throw new Error(`found:\n${found.join('\n')}\nexpected:\n${expected.join('\n')}`);
  }
}

/** Runs the history; returns how many columns became tags of rows that had them as fields. */
async function play(steps: readonly Step[], parts: BoxParts = {}): Promise<number> {
  const box = await NamingBox.open(parts);
  try {
    const history = new History(box);
    await history.run(steps);
    return history.turned;
  } finally {
    box.close();
  }
}

const histories = fc.array(step, { minLength: 1, maxLength: 30, size: 'max' });

await t.test('every history gives the answer of the model', { timeout: 240_000 }, async (t) => {
  let turned = 0;
  await fc.assert(
    fc.asyncProperty(histories, async (steps) => {
      turned += await play(steps);
    }),
    { numRuns: 60 },
  );
  t.ok(turned > 10, `${turned} columns became tags of rows that had them as fields`);
});

const cells = (host: Cell, region: Cell, v: number, w: number | null = null) => {
  return { host, region, zone: null, v, w };
};
const write = (dialect: Dialect, ...rows: readonly PlainRow['cells'][]): Step => {
  return {
    do: 'write',
    dialect,
    rows: rows.map((each) => ({ time: base, cells: each })),
    isHeld: false,
  };
};
const name = (...tags: readonly TagName[]): Step => ({
  do: 'name',
  tags: [...tags],
  forDatabase: false,
});

/** Two versions of a point in files, of which the newer has another region; then a naming. */
const overwritten: readonly Step[] = [
  name('host'),
  write('columnar', cells('a', 'x', 1)),
  { do: 'seal' },
  { do: 'file' },
  write('columnar', cells('a', 'y', 2)),
  { do: 'seal' },
  { do: 'file' },
  name('region'),
];

await t.test('what was overwritten stays so when its values become a tag', async (t) => {
  t.equal(await play(overwritten), 1);
  const box = await NamingBox.open();
  t.teardown(() => {
    box.close();
  });
  await new History(box).run(overwritten);
  t.same(await box.rows(), [`${base} | a | y | null | 2 | null`]);
});

await t.test('the model notices keys that are made from the schema of today', async (t) => {
  const today: BoxParts = {
    scanSchema: (schema) => ({
      ...schema,
      columns: schema.columns.map((column) => ({ ...column, tagSince: 0 })),
    }),
  };
  await t.rejects(play(overwritten, today), /expected/);
});

await t.test(
  'the model notices a buffer that takes rows from both sides of a naming',
  async (t) => {
    const steps: readonly Step[] = [
      name('host'),
      write('columnar', cells('a', 'x', 1)),
      name('region'),
      write('columnar', cells('a', 'x', 2), cells('a', 'y', 3)),
    ];
    t.equal(await play(steps), 1);
    const together: BoxParts = { entering: (batch) => ({ ...batch, namings: 0 }) };
    await t.rejects(play(steps, together), /expected/);
  },
);

await t.test('a tag that line protocol brings by itself changes nothing', async (t) => {
  const steps: readonly Step[] = [
    write('line', cells('a', null, 1, 7)),
    { do: 'seal' },
    { do: 'file' },
    write('line', cells('a', 'x', 2), cells('a', null, 3)),
    { do: 'seal' },
    { do: 'file' },
    { do: 'restart' },
    write('line', cells('a', 'x', 4), cells('a', '', 5)),
  ];
  t.equal(await play(steps), 0, 'nothing was a field before');
  const box = await NamingBox.open();
  t.teardown(() => {
    box.close();
  });
  await new History(box).run(steps);
  t.same(await box.rows(), [
    `${base} | a | null | null | 5 | 7`,
    `${base} | a | x | null | 4 | null`,
  ]);
  t.ok(
    box.files().every(({ namings }) => namings === undefined),
    'no naming',
  );
});

await t.test(
  'an empty tag is none, in rows that are merged and in rows that are not',
  async (t) => {
    const box = await NamingBox.open();
    t.teardown(() => {
      box.close();
    });
    const plain: readonly Step[] = [
      name('host', 'region'),
      write('columnar', cells('a', '', 1), cells('b', '', 1)),
      { do: 'seal' },
      { do: 'file' },
    ];
    await new History(box).run(plain);
    const rows = [`${base} | a | null | null | 1 | null`, `${base} | b | null | null | 1 | null`];
    t.notMatch(await box.scanSql(), /nullif/);
    t.same(await box.rows(), rows);
    await box.append(await box.decide([{ time: base, cells: cells('a', '', 1) }], 'columnar'));
    t.match(await box.scanSql(), /nullif/);
    t.same(await box.rows(), rows);
  },
);

await t.test(
  'a range without repeats is scanned as one of a measurement without namings',
  async (t) => {
    const plain: readonly Step[] = [
      name('host'),
      write('columnar', cells('a', 'x', 1), cells('b', 'x', 1)),
      { do: 'seal' },
      { do: 'file' },
    ];
    const [one, other] = [await NamingBox.open(), await NamingBox.open()];
    t.teardown(() => {
      one.close();
      other.close();
    });
    await new History(one).run(plain);
    const withTag: readonly Step[] = [name('host', 'region'), ...plain.slice(1)];
    await new History(other).run(withTag);
    await one.name(['region'], false);
    t.equal(await one.scanSql(), await other.scanSql());
    t.notMatch(await one.scanSql(), /_seq|GROUP|JOIN|UNION/);
    t.ok(isTagAt({ kind: 'tag', spelling: '', sqlName: '', parts: [], tagSince: 1 }, 1));
  },
);
