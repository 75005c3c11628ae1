/**
 * Contract W9 as a sender meets it: late, repeated, resent and field-by-field points are one point
 * each, with the last value of each field, in whatever order tags come; before and after they are
 * filed, and after kills. The expected answers are those of a plain map.
 */
import t from 'tap';
import { chosenSeed, seededRandom, type Random } from '../../support/random.ts';
import { RealGateway } from '../../support/real-gateway.ts';

t.setTimeout(300_000);

const hour = 3_600_000_000;
const base = 1_700_000_000_000_000 - (1_700_000_000_000_000 % hour);
const flags = [
  ...['--ingest-buffer-rows', '60'],
  ...['--ingest-buffer-age', '500ms', '--ingest-buffer-age-max', '500ms'],
];

interface Point {
  readonly line: string;
  readonly key: string;
  readonly fields: Readonly<Record<string, string>>;
}

/** Few times, series and fields, so that most points come again. */
function randomPoint(random: Random): Point {
  const time = base + random.below(3) * hour + random.below(12) * 1_000_000;
  const tags = random.shuffled([
    ...(random.chance(0.8) ? [`site=${random.pick(['a', 'b'])}`] : []),
    ...(random.chance(0.5) ? [`dev=${random.pick(['1', '2'])}`] : []),
  ]);
  const number = random.below(100);
  const written = random
    .shuffled([
      ['x', random.chance(0.5) ? `${number}i` : `${number}.5`],
      ['n', `${random.below(1000)}i`],
      ['s', `"${random.pick(['', 'word', 'a text of more than twelve'])}"`],
    ] as const)
    .slice(0, 1 + random.below(3));
  const valueOf = (text: string): string => text.replace(/i$/, '').replaceAll('"', '');
  return {
    line: `${['m', ...tags].join(',')} ${written.map((pair) => pair.join('=')).join(',')} ${time}`,
    key: [String(time), ...tags.toSorted()].join(' '),
    fields: Object.fromEntries(written.map(([name, text]) => [name, valueOf(text)])),
  };
}

type Model = Map<string, Readonly<Record<string, string>>>;

function write(model: Model, { key, fields }: Point): void {
  model.set(key, { ...model.get(key), ...fields });
}

async function rowsOf(gateway: RealGateway, where = ''): Promise<string[]> {
  const rows = await gateway.select(
    `SELECT epoch_us(time), dev, site, x, n, s FROM d.m ${where} ORDER BY 1, 2, 3`,
  );
  return rows.map(([time, dev, site, ...values]) => {
    const tags = [dev === null ? '' : ` dev=${dev}`, site === null ? '' : ` site=${site}`];
    return `${time}${tags.join('')}: ${values.join(' | ')}`;
  });
}

function expectedOf(model: Model, keep: (key: string, x: number) => boolean): string[] {
  const kept = [...model].filter(([key, { x }]) => keep(key, Number(x)));
  return kept.map(([key, { x, n, s }]) => `${key}: ${[x, n, s].map((v) => v ?? '').join(' | ')}`);
}

/** What differs between the gateway and the model, in whole and behind conditions. */
async function differences(gateway: RealGateway, model: Model): Promise<string[]> {
  const everything = () => true;
  const cases: readonly (readonly [where: string, keep: (key: string, x: number) => boolean])[] = [
    ['', everything],
    ['WHERE x > 80', (_, x) => x > 80],
    ["WHERE site = 'a'", (key) => key.includes(' site=a')],
    [`WHERE time >= make_timestamp(${base + hour})`, (key) => Number.parseInt(key) >= base + hour],
  ];
  const found: string[] = [];
  for (const [where, keep] of cases) {
    const rows = new Set(await rowsOf(gateway, where));
    const expected = expectedOf(model, keep);
    const total = await gateway.count(`d.m ${where}`);
    if (total !== expected.length) found.push(`${where}: ${total}, not ${expected.length}`);
    found.push(...expected.filter((row) => !rows.has(row)).map((row) => `${where} lacks ${row}`));
  }
  return found;
}

void t.test('repeated points are one point with their last values', async (t) => {
  const seed = chosenSeed();
  t.comment(`--seed=${seed}`);
  const random = seededRandom(seed);
  const gateway = await RealGateway.start(t, flags);
  const model: Model = new Map();
  // The first value makes `x` an integer column with a double part to come.
  const first = { line: `m x=1i ${base}`, key: String(base), fields: { x: '1' } };
  write(model, first);
  t.equal((await gateway.write(first.line)).status, 204);
  let last = '';
  for (let request = 0; request < 60; request += 1) {
    if (request % 20 === 19) {
      await gateway.kill();
      await gateway.startAgain();
    }
    const points = Array.from({ length: 1 + random.below(12) }, () => randomPoint(random));
    for (const point of points) write(model, point);
    last = points.map(({ line }) => line).join('\n');
    t.equal((await gateway.write(last)).status, 204);
    const wrong = request % 10 === 5 ? await differences(gateway, model) : [];
    if (wrong.length > 0) t.same(wrong.slice(0, 3), [], `${wrong.length} after ${request}`);
  }
  t.equal((await gateway.write(last)).status, 204, 'a request that is sent again');
  t.same((await differences(gateway, model)).slice(0, 3), []);
  await gateway.filed();
  t.same((await differences(gateway, model)).slice(0, 3), [], 'when all is filed');
  const both = 'd.m WHERE x__int64 IS NOT NULL AND x__double IS NOT NULL';
  t.equal(await gateway.count(both), 0, 'no value stands in two parts');
  await gateway.kill();
  await gateway.startAgain();
  t.same((await differences(gateway, model)).slice(0, 3), [], 'after another start');
  const columns = await gateway.select('SELECT column_name FROM (DESCRIBE SELECT * FROM d.m)');
  t.notOk(columns.flat().includes('_seq'), 'versions are not shown');
});

void t.test('an old value that was overwritten is found by no condition', async (t) => {
  const gateway = await RealGateway.start(t, flags);
  const above = 'd.power WHERE p > 80';
  t.equal((await gateway.write(`power,site=a p=90 ${base}`)).status, 204);
  t.equal(await gateway.count(above), 1);
  await gateway.filed();
  t.equal(await gateway.count(above), 1);
  t.equal((await gateway.write(`power,site=a p=10 ${base}`)).status, 204);
  t.equal(await gateway.count(above), 0, 'while the new value is hot');
  await gateway.filed();
  t.equal(await gateway.count(above), 0, 'when it is filed');
  t.same(await gateway.select('SELECT p FROM d.power'), [[10]]);
  await gateway.kill();
  await gateway.startAgain();
  // The floor of the hour comes from files now: rows behind it are repeats again.
  const lines = [`power,site=a q=1 ${base}`, `power,site=b p=99 ${base}`];
  t.equal((await gateway.write(lines.join('\n'))).status, 204);
  await gateway.filed();
  t.same(await gateway.select('SELECT site, p, q FROM d.power ORDER BY site'), [
    ['a', 10, 1],
    ['b', 99, null],
  ]);
});

void t.test(
  'a point that is written again and again is one row that never goes back',
  async (t) => {
    const gateway = await RealGateway.start(t, flags);
    const newest = "SELECT v FROM d.counter WHERE site = 'a'";
    const write = (value: number) => {
      // Rows around it fill buffers, so that versions lie in several files and chunks.
      const others = Array.from({ length: 12 }, (_, row) => {
        return `counter,site=b v=${row}i ${base + value * 100 + row}`;
      });
      return gateway.write([...others, `counter,site=a v=${value}i ${base}`].join('\n'));
    };
    t.equal((await write(0)).status, 204);
    const faults: string[] = [];
    let isOver = false;
    const writing = (async () => {
      for (let value = 1; !isOver; value += 1) {
        const { status, text } = await write(value);
        if (status !== 204) faults.push(`${status} ${text}`);
        const rows = await gateway.select(newest);
        if (rows.length !== 1 || rows[0]?.[0] !== BigInt(value)) {
          faults.push(`after ${value} was answered: ${String(rows)}`);
        }
      }
    })();
    let last = -1n;
    while (!isOver) {
      const rows = await gateway.select(newest);
      const value = rows[0]?.[0];
      if (rows.length !== 1 || typeof value !== 'bigint' || value < last) {
        faults.push(`after ${last} was seen: ${String(rows)}`);
      } else last = value;
      isOver = faults.length > 5 || (await gateway.status()).buffers.flushes >= 8;
    }
    await writing;
    t.same(faults.slice(0, 3), []);
  },
);
