/**
 * The decoder against the corpus of the line protocol's authors: the same verdict and the same
 * values for every case, or a line in the file of deviations with its reason. Each case has a
 * registry of its own, as a fresh database has.
 */
import { readFileSync } from 'node:fs';
import t from 'tap';
import { plainRows } from '../support/decoded-rows.ts';
import { newDecoder } from '../support/line-decoder.ts';
import {
  type Corpus,
  corpusPath,
  readCorpus,
  type CorpusCase,
  type CorpusRow,
} from '../support/line-corpus.ts';
import { required } from '../support/requirements.ts';

interface Deviations {
  /** Why Holdfast decides otherwise, by kind. */
  readonly kinds: Readonly<Record<string, string>>;
  /** Kind of each case of the corpus that is decided otherwise. */
  readonly cases: Readonly<Record<string, string>>;
}

const kindsMax = 10;
const deviations = JSON.parse(
  readFileSync(new URL('../fixtures/line-protocol-deviations.json', import.meta.url), 'utf8'),
) as Deviations;

const skip = required('line protocol corpus', [{ kind: 'path', path: corpusPath }]);

/** Rows as one text that two readings share if and only if they mean the same. */
function rowsText(rows: readonly CorpusRow[]): string {
  const sorted = (map: ReadonlyMap<string, string>): string[][] => [...map].sort();
  const texts = rows.map(({ measurement, timeUs, tags, fields }) =>
    JSON.stringify([measurement, String(timeUs), sorted(tags), sorted(fields)]),
  );
  // Rows of a request come back by measurement.
  return texts.sort().join('\n');
}

/** Undefined if the decoder decides as the corpus does, else what it says. */
async function difference(wanted: CorpusCase): Promise<string | undefined> {
  const { decode } = newDecoder({ columnsMax: 1000 });
  const { body, precision, nowUs } = wanted;
  const decoded = await decode(body, { precision, nowUs });
  const [bad] = decoded.rejected;
  if (bad !== undefined) {
    return wanted.rows === undefined ? undefined : `rejected: ${bad.reason}`;
  }
  const rows = [...plainRows(decoded.batches)].flatMap(([measurement, list]) =>
    list.map((row) => ({ measurement, ...row })),
  );
  if (wanted.rows === undefined) return `accepted: ${rowsText(rows)}`;
  const text = rowsText(rows);
  return text === rowsText(wanted.rows) ? undefined : `decoded as ${text}`;
}

function shown({ body, fault, rows }: CorpusCase): string {
  const want = rows === undefined ? `a fault (${fault})` : rowsText(rows);
  return `${JSON.stringify(Buffer.from(body).toString('latin1')).slice(0, 300)} should be ${want}`;
}

async function differing(cases: readonly CorpusCase[]): Promise<Map<string, string>> {
  const found = new Map<string, string>();
  for (const each of cases) {
    const text = await difference(each);
    if (text !== undefined) found.set(each.key, `${shown(each)}; ${text}`);
  }
  return found;
}

void t.test('line protocol corpus', { skip }, async (t) => {
  const corpus: Corpus = readCorpus();

  await t.test('the corpus is whole', (t) => {
    t.equal(corpus.decode.length, 6615, 'decode cases');
    t.equal(corpus.encode.length, 114, 'encode cases with a line');
    t.equal(corpus.withoutLine, 1, 'encode cases whose row has no line');
    t.equal(corpus.decode.filter(({ rows }) => rows !== undefined).length, 395, 'good cases');
    t.end();
  });

  await t.test('every case is decided as the corpus says, or deviates for a reason', async (t) => {
    const found = await differing([...corpus.decode, ...corpus.encode]);
    for (const [key, text] of found) {
      if (deviations.cases[key] === undefined) t.fail(`${key}: ${text}`);
    }
    for (const key of Object.keys(deviations.cases)) {
      if (!found.has(key)) t.fail(`${key} does not deviate: take it out of the file`);
    }
    t.comment(`${found.size} of ${corpus.decode.length + corpus.encode.length} cases deviate`);
    t.equal(found.size, Object.keys(deviations.cases).length);
  });

  await t.test('the check sees a wrong value and a wrong verdict', async (t) => {
    const good = corpus.decode.filter(({ key, rows }) => {
      return (rows?.length ?? 0) > 0 && deviations.cases[key] === undefined;
    });
    const bent = good.map((each): CorpusCase => ({ ...each, rows: each.rows?.map(bentRow) }));
    const refused = good.map((each): CorpusCase => ({ ...each, rows: undefined }));
    t.equal((await differing(bent)).size, good.length, 'each bent row is noticed');
    t.equal((await differing(refused)).size, good.length, 'each row too many is noticed');
  });
});

/** The row with one thing changed, by turns. */
function bentRow(row: CorpusRow): CorpusRow {
  const [tag] = row.tags.keys();
  const [field = ''] = row.fields.keys();
  const turn = Number(row.timeUs % 3n);
  if (turn === 0 && tag !== undefined) return { ...row, tags: new Map([[tag, 'bent']]) };
  if (turn === 1) return { ...row, timeUs: row.timeUs + 1n };
  return { ...row, fields: new Map([...row.fields, [field, 'number:-12345']]) };
}

void t.test('the file of deviations is sound', (t) => {
  const kinds = Object.keys(deviations.kinds);
  t.ok(kinds.length <= kindsMax, `at most ${kindsMax} kinds`);
  for (const [kind, reason] of Object.entries(deviations.kinds)) {
    t.ok(reason.length > 60, `${kind} is explained`);
    t.ok(Object.values(deviations.cases).includes(kind), `${kind} is used`);
  }
  for (const [key, kind] of Object.entries(deviations.cases)) {
    if (!kinds.includes(kind)) t.fail(`${key}: kind ${kind} is not explained`);
  }
  t.end();
});
