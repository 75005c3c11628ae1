import fc from 'fast-check';
import t from 'tap';
import { GatewayError } from '../../../../src/base/errors/gateway-error.ts';
import type { CatalogState, CommitProposal, FileFacts } from '../../../../src/base/model/commit.ts';
import {
  decodePayload,
  encodeCommit,
  encodeSnapshot,
} from '../../../../src/log/journal/commit-record.ts';
import { emptyState } from '../../../../src/log/journal/live-state.ts';
import { fileFacts } from '../../../support/catalog-model.ts';

const number = fc.integer({ min: 0, max: Number.MAX_SAFE_INTEGER });
const pair = fc.tuple(number, number);
const reason = fc.constantFrom(
  ...(['compact', 'merge', 'rewrite', 'delete', 'retention', 'drop', 'lost'] as const),
);
const kind = fc.constantFrom(...(['tag', 'field', 'unknown'] as const));
const name = fc.string({ unit: 'binary', maxLength: 12 });

const fileFields = {
  id: number,
  measurementId: number,
  path: name,
  sha256: fc.string({ unit: fc.constantFrom(...'0123456789abcdef'), minLength: 64, maxLength: 64 }),
  bytes: number,
  rows: number,
  // Hours before 1970 are negative.
  hours: fc.array(fc.tuple(fc.integer(), number, number), { maxLength: 3 }),
  flags: fc.nat(7),
  lsns: pair,
  part: pair,
  seqMax: number,
  columns: fc.array(pair, { maxLength: 3 }),
};
const file: fc.Arbitrary<FileFacts> = fc.record(
  { ...fileFields, namings: number },
  { requiredKeys: Object.keys(fileFields) as (keyof typeof fileFields)[] },
);
const databaseTags = fc.record({ database: name, tags: fc.array(name) });
const measurement = fc.record({ id: number, database: name, name });
/** With or without the mark and the naming. */
const marked = <T extends object>(item: fc.Arbitrary<T>) =>
  fc
    .tuple(item, fc.boolean(), fc.option(number, { nil: undefined }))
    .map(([each, columnar, tagSince]) => ({
      ...each,
      ...(columnar && { columnar: true as const }),
      ...(tagSince !== undefined && { tagSince }),
    }));

const column = marked(
  fc.record({
    measurementId: number,
    columnId: number,
    logical: number,
    kind,
    spelling: name,
    sqlName: name,
    name,
    type: fc.constantFrom(...(['int64', 'double', 'boolean', 'string', 'uint64'] as const)),
  }),
);

const filled = <T>(item: fc.Arbitrary<T>) => fc.array(item, { minLength: 1, maxLength: 4 });

const proposal: fc.Arbitrary<CommitProposal> = fc.record(
  {
    kind: fc.constantFrom(...(['flush', 'job', 'schema', 'ids', 'mark'] as const)),
    adds: filled(file),
    removes: filled(fc.record({ id: number, reason })),
    databases: filled(name),
    measurements: filled(measurement),
    columns: filled(column),
    kinds: filled(marked(fc.record({ measurementId: number, logical: number, kind }))),
    identified: filled(number),
    databaseTags: filled(databaseTags),
    positions: filled(pair),
    lowWater: number,
    fileIdsTo: number,
  },
  { requiredKeys: ['kind'] },
);

const state: fc.Arbitrary<CatalogState> = fc.record({
  commit: number,
  databases: fc.array(name),
  measurements: fc.array(measurement),
  columns: fc.array(column),
  files: fc.array(file),
  removed: fc.array(
    fc
      .tuple(file, fc.record({ removedAt: number, reason }))
      .map(([facts, removal]) => ({ ...facts, ...removal })),
  ),
  identified: fc.array(number),
  databaseTags: fc.array(databaseTags),
  positions: fc.array(pair),
  lowWater: number,
  fileIdsTo: number,
});

/** fast-check's records have no prototype; what is read has one. */
const plain = <T>(value: T): T => structuredClone(value);

t.test('a commit is read back as it was written', (t) => {
  fc.assert(
    fc.property(proposal, (written) => {
      const read = decodePayload(encodeCommit(written));
      t.strictSame(read, { type: 'commit', proposal: plain(written) });
      return t.passing();
    }),
  );
  t.end();
});

t.test('a snapshot is read back as it was written', (t) => {
  fc.assert(
    fc.property(state, (written) => {
      t.strictSame(decodePayload(encodeSnapshot(written)), {
        type: 'snapshot',
        state: plain(written),
      });
      return t.passing();
    }),
  );
  t.end();
});

t.test('empty lists take no place', (t) => {
  const bytes = encodeCommit({ kind: 'schema', adds: [], databases: [], positions: [] });
  t.equal(Buffer.from(bytes).toString(), '{"v":1,"kind":"schema"}');
  t.end();
});

t.test('a file takes about 300 bytes, whatever its columns hold', (t) => {
  const flush = (count: number): number => {
    const adds = Array.from({ length: count }, (_, at) => fileFacts(2 ** 40 + at, 16, [1, 9]));
    return encodeCommit({ kind: 'flush', adds }).length;
  };
  t.ok((flush(101) - flush(1)) / 100 < 350, `${(flush(101) - flush(1)) / 100}`);
  t.end();
});

const json = (value: unknown): Uint8Array => Buffer.from(JSON.stringify(value));
const goodFile = JSON.parse(
  Buffer.from(encodeCommit({ kind: 'job', adds: [fileFacts(1, 2, [3, 4])] })).toString(),
) as { adds: [Record<string, unknown>] };
const withFile = (change: Record<string, unknown>) =>
  json({ v: 1, kind: 'job', adds: [{ ...goodFile.adds[0], ...change }] });

const refusals: Readonly<Record<string, readonly [string, Uint8Array]>> = {
  'a later version': ['HF_FORMAT_NEWER', json({ v: 2, kind: 'flush' })],
  'a key of a later version': ['HF_FORMAT_NEWER', json({ v: 1, kind: 'flush', plans: [] })],
  'a later key of a file': ['HF_FORMAT_NEWER', withFile({ raw: true })],
  'a later key in a snapshot': [
    'HF_FORMAT_NEWER',
    json({ ...(JSON.parse(Buffer.from(encodeSnapshot(emptyState)).toString()) as object), x: 1 }),
  ],
  'no version': ['HF_JOURNAL_RECORD_BAD', json({ kind: 'flush' })],
  'an earlier version': ['HF_JOURNAL_RECORD_BAD', json({ v: 0, kind: 'flush' })],
  'an unknown kind': ['HF_JOURNAL_RECORD_BAD', json({ v: 1, kind: 'flushed' })],
  'a list': ['HF_JOURNAL_RECORD_BAD', json([0])],
  null: ['HF_JOURNAL_RECORD_BAD', json(null)],
  'no JSON': ['HF_JOURNAL_RECORD_BAD', Buffer.from('{"v":1')],
  'bytes that are not UTF-8': [
    'HF_JOURNAL_RECORD_BAD',
    Buffer.concat([Buffer.from('{"v":1,"kind":"schema","databases":["'), Buffer.of(0xff, 0x22)]),
  ],
  'an empty payload': ['HF_JOURNAL_RECORD_BAD', Buffer.alloc(0)],
  'a number beyond 2^53': ['HF_JOURNAL_RECORD_BAD', withFile({ id: 2 ** 53 })],
  'a fraction': ['HF_JOURNAL_RECORD_BAD', withFile({ rows: 1.5 })],
  'a pair of three': ['HF_JOURNAL_RECORD_BAD', withFile({ lsns: [1, 2, 3] })],
  'a missing path': ['HF_JOURNAL_RECORD_BAD', withFile({ path: undefined })],
  'an unknown reason': [
    'HF_JOURNAL_RECORD_BAD',
    json({ v: 1, kind: 'job', removes: [{ id: 1, reason: 'mood' }] }),
  ],
  'positions that are no list': [
    'HF_JOURNAL_RECORD_BAD',
    json({ v: 1, kind: 'flush', positions: { 16: 4 } }),
  ],
};

for (const [what, [code, payload]] of Object.entries(refusals)) {
  t.test(`refused: ${what}`, (t) => {
    t.throws(() => decodePayload(payload), { code });
    t.end();
  });
}

t.test('any truncation or flipped bit is read or refused by a code, never more', (t) => {
  const payload = encodeCommit({
    kind: 'flush',
    adds: [fileFacts(2 ** 40 + 1, 16, [1, 1000])],
    removes: [{ id: 4, reason: 'merge' }],
    positions: [[16, 1000]],
    lowWater: 5,
  });
  fc.assert(
    fc.property(fc.nat(payload.length - 1), fc.nat(7), fc.boolean(), (at, bit, cut) => {
      const changed = Uint8Array.from(cut ? payload.subarray(0, at) : payload);
      if (!cut) changed[at] = (changed[at] ?? 0) ^ (1 << bit);
      try {
        decodePayload(changed);
      } catch (error) {
        const known = error instanceof GatewayError && error.kind !== 'bug';
        if (!known) throw error;
      }
    }),
    { numRuns: 1000 },
  );
  t.pass('every change');
  t.end();
});
