import fc from 'fast-check';
import t from 'tap';
import { asGatewayError } from '../../../../src/base/errors/gateway-error.ts';
import type { Commit, CommitProposal } from '../../../../src/base/model/commit.ts';
import type { ColumnKind } from '../../../../src/base/model/schema.ts';
import {
  decodePayload,
  encodeCommit,
  encodeSnapshot,
} from '../../../../src/log/journal/commit-record.ts';
import {
  emptyState,
  highestFileId,
  highestLsn,
  LiveState,
} from '../../../../src/log/journal/live-state.ts';
import { fileFacts, modelState } from '../../../support/catalog-model.ts';
import { seededRandom, type Random } from '../../../support/random.ts';

const column = (measurementId: number, columnId: number, kind: ColumnKind = 'unknown') => ({
  measurementId,
  columnId,
  logical: Math.floor(columnId / 2),
  kind,
  spelling: `c${columnId}`,
  sqlName: `c${columnId}`,
  name: `c${columnId}`,
  type: 'double' as const,
});

/** A random commit that is allowed after `state`: adds, removals, schema, positions. */
function randomProposal(random: Random, state: LiveState): CommitProposal {
  const live = [...state.files()].map(({ id }) => id);
  const measurementId = 16 + random.below(3);
  if (random.chance(0.1)) return { kind: 'ids', fileIdsTo: state.fileIdsTo + random.below(20) };
  if (random.chance(0.2)) {
    const columnId = random.below(6);
    return {
      kind: 'schema',
      databases: [`d${random.below(3)}`],
      measurements: [{ id: measurementId, database: 'd', name: `m${measurementId}` }],
      columns: [column(measurementId, columnId)],
      kinds: random.chance(0.5)
        ? [
            {
              measurementId,
              logical: random.below(3),
              kind: random.pick(['tag', 'field']),
              ...(random.chance(0.5) && { columnar: true }),
            },
          ]
        : [],
    };
  }
  const used = [...state.files(), ...state.removedFiles()].map(({ id }) => id);
  const id = Math.max(0, ...used) + 1;
  if (live.length > 0 && random.chance(0.4)) {
    const removes = random
      .shuffled(live)
      .slice(0, 1 + random.below(3))
      .map((gone) => ({ id: gone, reason: random.pick(['compact', 'delete'] as const) }));
    const adds = random.chance(0.6) ? [fileFacts(id, measurementId, [1, 2])] : [];
    return { kind: 'job', removes, adds, fileIdsTo: Math.max(state.fileIdsTo, id) };
  }
  const from = state.position(measurementId) + 1 + random.below(5);
  const to = from + random.below(10);
  return {
    kind: 'flush',
    adds: [fileFacts(id, measurementId, [from, to])],
    positions: [[measurementId, to + random.below(3)]],
    lowWater: random.below(to),
  };
}

/** Runs `count` random commits; ids are reserved as needed. */
function randomCommits(seed: number, count: number, state: LiveState): readonly Commit[] {
  const random = seededRandom(seed);
  const commits: Commit[] = [];
  const commit = (proposal: CommitProposal): void => {
    state.check(proposal);
    const made = { ...proposal, number: state.commit + 1 + random.below(3) };
    state.apply(made);
    commits.push(made);
  };
  for (let at = 0; at < count; at += 1) {
    commit({ kind: 'ids', fileIdsTo: state.fileIdsTo + 2 });
    commit(randomProposal(random, state));
  }
  return commits;
}

t.test('any commits give the state that the list of all commits says', (t) => {
  fc.assert(
    fc.property(fc.integer(), fc.nat(40), (seed, count) => {
      const state = new LiveState();
      const commits = randomCommits(seed, count, state);
      t.strictSame(state.toState(), modelState(commits));
      t.equal(state.fileCount, state.toState().files.length);
      return t.passing();
    }),
  );
  t.end();
});

t.test('a snapshot taken anywhere, and the commits after it, give the same state', (t) => {
  fc.assert(
    fc.property(fc.integer(), fc.nat(30), fc.nat(60), (seed, count, cut) => {
      const commits = randomCommits(seed, count, new LiveState());
      const before = new LiveState();
      for (const commit of commits.slice(0, cut)) before.apply(commit);
      const read = decodePayload(encodeSnapshot(before.toState()));
      if (read.type !== 'snapshot') return t.fail('no snapshot');
      const after = new LiveState(read.state);
      for (const { number, ...proposal } of commits.slice(cut)) {
        const again = decodePayload(encodeCommit(proposal));
        if (again.type === 'commit') after.apply({ ...again.proposal, number });
      }
      t.strictSame(after.toState(), modelState(commits));
      t.strictSame(
        [...after.removedFiles()].map(({ removedAt }) => removedAt),
        after
          .toState()
          .removed.map(({ removedAt }) => removedAt)
          .sort((a, b) => a - b),
        'oldest removal first, over a snapshot too',
      );
      return t.passing();
    }),
  );
  t.end();
});

/** Files 1 and 2 of measurement 16 live, file 3 removed; filed up to 20; ids up to 10. */
function smallState(): LiveState {
  const state = new LiveState();
  state.apply({ number: 5, kind: 'ids', fileIdsTo: 10 });
  state.apply({
    number: 6,
    kind: 'flush',
    adds: [1, 2, 3].map((id) => fileFacts(id, 16, [1, 20])),
    measurements: [{ id: 16, database: 'd', name: 'm' }],
    columns: [column(16, 0)],
    positions: [[16, 20]],
    lowWater: 20,
  });
  state.apply({ number: 7, kind: 'job', removes: [{ id: 3, reason: 'compact' }] });
  return state;
}

const flushOf = (id: number, lsns: readonly [number, number], position: number) =>
  ({
    kind: 'flush',
    adds: [fileFacts(id, 16, lsns)],
    positions: [[16, position]],
  }) as const;
const removing = (...ids: number[]): CommitProposal => ({
  kind: 'job',
  removes: ids.map((id) => ({ id, reason: 'compact' })),
});

const verdicts: Readonly<Record<string, readonly [CommitProposal, string | undefined]>> = {
  'removes live files': [removing(1, 2), undefined],
  'removes a file that is already removed': [removing(1, 3), 'HF_COMMIT_CONFLICT'],
  'removes a file that never was': [removing(9), 'HF_COMMIT_CONFLICT'],
  'removes a file twice': [removing(1, 1), 'HF_BUG'],
  'adds a file that is live': [flushOf(1, [21, 30], 30), 'HF_BUG'],
  'adds a file that was removed': [flushOf(3, [21, 30], 30), 'HF_BUG'],
  'adds one file twice': [
    { kind: 'job', adds: [fileFacts(4, 16, [1, 2]), fileFacts(4, 16, [1, 2])] },
    'HF_BUG',
  ],
  'adds a file whose id is not reserved': [flushOf(11, [21, 30], 30), 'HF_BUG'],
  'moves a position on': [flushOf(4, [21, 30], 30), undefined],
  'moves a position beyond its rows': [flushOf(4, [21, 30], 35), undefined],
  'files rows that are filed already': [flushOf(4, [20, 30], 30), 'HF_BUG'],
  'files rows and does not say so': [flushOf(4, [21, 30], 29), 'HF_BUG'],
  'lets a position fall': [{ kind: 'flush', positions: [[16, 19]] }, 'HF_BUG'],
  'moves a position only': [{ kind: 'flush', positions: [[16, 40]] }, undefined],
  'gives up a position that is no integer': [{ kind: 'flush', positions: [[16, 20.5]] }, 'HF_BUG'],
  'lets reserved ids fall': [{ kind: 'ids', fileIdsTo: 9 }, 'HF_BUG'],
  'says a lower low-water mark': [{ kind: 'schema', lowWater: 3 }, undefined],
  'repeats a measurement': [
    { kind: 'schema', measurements: [{ id: 16, database: 'd', name: 'm' }] },
    undefined,
  ],
  'names a measurement anew': [
    { kind: 'schema', measurements: [{ id: 16, database: 'd', name: 'other' }] },
    'HF_BUG',
  ],
  'repeats a column': [{ kind: 'schema', columns: [column(16, 0)] }, undefined],
  'changes the type of a column': [
    { kind: 'schema', columns: [{ ...column(16, 0), type: 'string' }] },
    'HF_BUG',
  ],
};

for (const [what, [proposal, code]] of Object.entries(verdicts)) {
  t.test(`a commit that ${what} is ${code ?? 'taken'}`, (t) => {
    const state = smallState();
    const before = state.toState();
    if (code === undefined)
      t.doesNotThrow(() => {
        state.check(proposal);
      });
    else
      t.throws(
        () => {
          state.check(proposal);
        },
        { code },
      );
    t.strictSame(state.toState(), before, 'checking changes nothing');
    t.end();
  });
}

t.test('the conflict names the files that are gone', (t) => {
  try {
    smallState().check(removing(2, 3, 9));
    t.fail('not checked');
  } catch (error) {
    t.same(asGatewayError(error).details, { files: [3, 9] });
  }
  t.end();
});

t.test('nothing falls, whatever a commit of the journal says', (t) => {
  const state = smallState();
  state.apply({ number: 8, kind: 'flush', positions: [[16, 3]], lowWater: 2, fileIdsTo: 1 });
  t.match(state.toState(), { positions: [[16, 20]], lowWater: 20, fileIdsTo: 10, commit: 8 });
  t.throws(
    () => {
      state.apply({ number: 8, kind: 'schema' });
    },
    { code: 'HF_BUG' },
  );
  t.end();
});

t.test('a column that is added again keeps the kind that was decided since', (t) => {
  const state = smallState();
  state.apply({
    number: 8,
    kind: 'schema',
    kinds: [{ measurementId: 16, logical: 0, kind: 'tag', columnar: true }],
  });
  state.apply({ number: 9, kind: 'flush', columns: [column(16, 0)] });
  t.match(state.toState().columns, [{ columnId: 0, kind: 'tag', columnar: true }]);
  t.end();
});

t.test('a removal of an unknown file, met in replay, is counted and harms nothing', (t) => {
  const state = smallState();
  state.apply({ number: 8, kind: 'job', removes: [{ id: 9, reason: 'compact' }] });
  t.equal(state.unknownRemovals, 1);
  t.equal(state.fileCount, 2);
  t.end();
});

t.test('a file is forgotten once it is unlinked', (t) => {
  const state = smallState();
  t.equal(state.removedFile(3)?.removedAt, 7);
  state.unlinked(3);
  t.equal(state.removedFile(3), undefined);
  t.same(state.toState().removed, []);
  t.end();
});

t.test('floors of a start cover live and removed files, positions and marks', (t) => {
  const removed = { ...fileFacts(77, 16, [5, 900]), removedAt: 3, reason: 'drop' as const };
  t.equal(highestLsn(emptyState), 0);
  t.equal(highestLsn({ ...emptyState, lowWater: 8 }), 8);
  t.equal(
    highestLsn({
      ...emptyState,
      positions: [
        [1, 4],
        [2, 9],
      ],
    }),
    9,
  );
  t.equal(highestLsn({ ...emptyState, removed: [removed], lowWater: 1 }), 900);
  const merged = fileFacts(5, 16, [1, 2], { seqMax: 70 });
  t.equal(highestLsn({ ...emptyState, files: [merged] }), 70);
  t.equal(highestFileId({ ...emptyState, fileIdsTo: 40, removed: [removed] }), 77);
  t.equal(highestFileId({ ...emptyState, fileIdsTo: 99, files: [merged] }), 99);
  t.end();
});
