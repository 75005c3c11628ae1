/**
 * The load with keys and named tags, and what the checker sees of it: rows before tags are named
 * stand apart, rows after it are one a point, and a row without identity that is filed twice shows.
 */
import t from 'tap';
import { DurabilityModel, type ProblemKind } from '../../support/checker.ts';
import { LoadMaker, type LoadRequest } from '../../support/load.ts';
import { isKeyed, MixedLoad, namedMeasurements, withTags } from '../../support/mixed-load.ts';
import { mergedPlainRows, type PlainRow } from '../../support/plain-row.ts';
import { seededRandom } from '../../support/random.ts';

interface Sent {
  readonly request: LoadRequest;
  /** When it was made: before its tags were named, meanwhile, or after. */
  readonly phase: number;
}

function makeLoad(seed: number): readonly Sent[] {
  const random = seededRandom(seed);
  const load = new MixedLoad(random, new LoadMaker(random, { rowsMax: 6 }));
  const sent: Sent[] = [];
  for (let phase = 0; phase < 3; phase += 1) {
    for (const measurement of namedMeasurements) {
      if (phase === 1) load.namingBegins(measurement);
      if (phase === 2) load.namingEnds(measurement);
    }
    for (let count = 0; count < 150; count += 1) {
      sent.push({ request: load.next(count % 3), phase });
    }
  }
  return sent;
}

const isNamed = ({ measurement }: PlainRow) => namedMeasurements.includes(measurement);

/** What a right gateway shows: `hasIdentity` tells which rows are merged. */
function shown(sent: readonly Sent[], hasIdentity: (row: PlainRow, phase: number) => boolean) {
  const merged: PlainRow[] = [];
  const apart: PlainRow[] = [];
  for (const { request, phase } of sent) {
    for (const row of request.rows) (hasIdentity(row, phase) ? merged : apart).push(row);
  }
  return [...mergedPlainRows(merged), ...apart];
}

const isRight = (row: PlainRow, phase: number) =>
  row.measurement !== 'keyed columns' && (!isNamed(row) || phase === 2);

const sent = makeLoad(11);
const model = new DurabilityModel();
for (const { request } of sent) model.sent(request.number, request.rows);
const promised = sent.map(({ request }) => request.number);
const kindsOf = (rows: readonly PlainRow[]): readonly ProblemKind[] => {
  const problems = model.check(rows.map(withTags), { promised });
  return [...new Set(problems.map(({ kind }) => kind))].sort();
};

t.test('what a right gateway shows is right', (t) => {
  t.same(kindsOf(shown(sent, isRight)), []);
  t.same(
    kindsOf(shown(sent, (row, phase) => isRight(row, phase) || (isNamed(row) && phase === 1))),
    [],
    'rows that came while tags were named may be of either kind',
  );
  t.end();
});

t.test('rows that should be one are noticed where they stand twice', (t) => {
  const rows = shown(sent, (row, phase) => isRight(row, phase) && !isNamed(row));
  t.ok(kindsOf(rows).includes('doubled'));
  t.end();
});

t.test('rows that should stand apart are noticed where they are merged', (t) => {
  const bare = (row: PlainRow): PlainRow => {
    const { apart, ...tags } = row.tags;
    return apart === undefined ? row : { ...row, tags, fields: { ...row.fields, apart } };
  };
  const isMerged = (row: PlainRow) => row.measurement !== 'keyed columns';
  const all = sent.map(({ request, phase }) => {
    return { phase, request: { ...request, rows: request.rows.map(bare) } };
  });
  const kinds = kindsOf(shown(all, isMerged));
  t.ok(kinds.includes('lost') || kinds.includes('torn'), kinds.join());
  t.end();
});

t.test('a keyed request that is filed twice is noticed', (t) => {
  const again = sent.find(({ request: { rows } }) => rows[0]?.measurement === 'keyed columns');
  const rows = shown(sent, isRight);
  t.same(kindsOf([...rows, ...(again?.request.rows ?? [])]), ['doubled']);
  t.end();
});

t.test('it has all that it promises, the same for a seed', (t) => {
  const requests = sent.map(({ request }) => request);
  t.same(
    makeLoad(11).map(({ request }) => request),
    requests,
  );
  const keyed = requests.filter(isKeyed);
  t.equal(new Set(keyed.map(({ path }) => path?.split('?')[0])).size, 9, 'every write route');
  t.ok(keyed.some(({ bad, status }) => bad !== undefined && status === 400));
  t.ok(keyed.some(({ bad, status }) => bad !== undefined && status === 204));
  t.equal(new Set(requests.map(({ number }) => number)).size, requests.length);
  t.end();
});
