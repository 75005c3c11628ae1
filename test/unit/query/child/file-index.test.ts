import t from 'tap';
import fc from 'fast-check';
import { FileIndex } from '../../../../src/query/child/file-index.ts';
import type { FileEntry } from '../../../../src/query/child/wire.ts';

const open = { from: undefined, to: undefined };
const file = (id: number, hours: FileEntry['hours'] = [[0, 0, 0]]): FileEntry => {
  return { id, measurementId: 16, path: String(id), hours, flags: 0, columns: [] };
};

await t.test('each snapshot sees exactly its files, whatever came later', (t) => {
  const step = fc.oneof(fc.constant('add' as const), fc.nat());
  fc.assert(
    fc.property(fc.array(step, { maxLength: 40 }), (steps) => {
      const index = new FileIndex();
      index.seed(0, []);
      const live: number[] = [];
      const model: number[][] = [[]];
      for (const [at, action] of steps.entries()) {
        const commit = at + 1;
        const remove = action !== 'add' && live.length > 0;
        const gone = remove ? live.splice(action % live.length, 1) : [];
        const adds = remove ? [] : [file(commit)];
        live.push(...adds.map(({ id }) => id));
        index.apply([{ commit, adds, removes: gone }]);
        model.push([...live]);
      }
      const floor = Math.floor(model.length / 2);
      index.raiseFloor(floor);
      for (const [commit, ids] of model.entries()) {
        if (commit < floor) {
          t.throws(() => index.filesAt(16, commit, open), { code: 'HF_QUERY_SNAPSHOT_GONE' });
          continue;
        }
        const seen = index.filesAt(16, commit, open).map(({ id }) => id);
        if (seen.toSorted().join() !== ids.toSorted().join()) return false;
      }
      return true;
    }),
  );
  t.end();
});

await t.test('files without a row in the range are left out, days with gaps too', (t) => {
  const index = new FileIndex();
  const hours = [
    [-1, 10, 20],
    [2, 0, 5],
  ] as const;
  index.seed(5, [file(1, hours)]);
  const hour = 3_600_000_000n;
  const cases: readonly (readonly [bigint | undefined, bigint | undefined, number])[] = [
    [undefined, undefined, 1],
    [undefined, -hour + 9n, 0],
    [undefined, -hour + 10n, 1],
    [-hour + 20n, undefined, 1],
    [-hour + 21n, 2n * hour - 1n, 0],
    [2n * hour + 5n, undefined, 1],
    [2n * hour + 6n, undefined, 0],
  ];
  for (const [from, to, count] of cases) {
    t.equal(index.filesAt(16, 5, { from, to }).length, count, `${String(from)} ${String(to)}`);
  }
  t.end();
});

await t.test('a wait ends with its commit, or with its signal', async (t) => {
  const index = new FileIndex();
  const controller = new AbortController();
  const early = index.reached(1, controller.signal);
  const late = index.reached(2, controller.signal);
  index.seed(1, []);
  await early;
  controller.abort();
  await t.rejects(late, { code: 'HF_QUERY_CANCELLED' });
});

await t.test('commits that are known are left out, removals of unknown files are a bug', (t) => {
  const index = new FileIndex();
  index.seed(3, [file(1)]);
  index.apply([{ commit: 3, adds: [], removes: [1] }]);
  t.equal(index.filesAt(16, 3, open).length, 1);
  t.throws(() => {
    index.apply([{ commit: 4, adds: [], removes: [9] }]);
  });
  t.end();
});
