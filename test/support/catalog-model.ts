/**
 * What the catalog is, said as plainly as possible: functions over the list of all commits. Slow,
 * and without a line in common with the LiveState that it checks. Besides: makers of file facts.
 */
import type {
  CatalogState,
  ColumnAddition,
  Commit,
  DatabaseTags,
  FileFacts,
} from '../../src/base/model/commit.ts';

/** Facts of a file that holds rows of the given LSNs of one measurement. */
export function fileFacts(
  id: number,
  measurementId: number,
  lsns: readonly [number, number],
  over: Partial<FileFacts> = {},
): FileFacts {
  const digits = id.toString(16).padStart(16, '0');
  return {
    id,
    measurementId,
    path: `m${measurementId}/m_20260104_170000_1_${digits}.parquet`,
    sha256: digits.repeat(4),
    bytes: 100 + (id % 50),
    rows: 1,
    hours: [[490_901, 0, 3_599_999_999]],
    flags: 0,
    lsns,
    part: [0, 1],
    seqMax: lsns[1],
    columns: [[0, 3]],
    ...over,
  };
}

const byNumber = (a: number, b: number): number => a - b;

/** The state after `commits`, as if no removed file had been unlinked. */
export function modelState(commits: readonly Commit[]): CatalogState {
  const adds = commits.flatMap((commit) => commit.adds ?? []);
  const removals = commits.flatMap(({ number, removes }) =>
    (removes ?? []).map(({ id, reason }) => ({ id, reason, removedAt: number })),
  );
  const removalOf = new Map(removals.map((removal) => [removal.id, removal]));
  const files = adds.filter(({ id }) => !removalOf.has(id)).sort((a, b) => a.id - b.id);
  const removed = adds
    .flatMap((file) => {
      const removal = removalOf.get(file.id);
      return removal === undefined ? [] : [{ ...file, ...removal }];
    })
    .sort((a, b) => a.id - b.id);
  const moves = commits.flatMap((commit) => commit.positions ?? []);
  const positioned = [...new Set(moves.map(([id]) => id))].sort(byNumber);
  return {
    commit: commits.at(-1)?.number ?? 0,
    databases: [...new Set(commits.flatMap((commit) => commit.databases ?? []))],
    measurements: firstsOf(
      commits.flatMap((commit) => commit.measurements ?? []),
      ({ id }) => `${id}`,
    ).sort((a, b) => a.id - b.id),
    columns: modelColumns(commits),
    files,
    removed,
    databaseTags: modelTags(commits),
    identified: [...new Set(commits.flatMap((commit) => commit.identified ?? []))].sort(byNumber),
    positions: positioned.map((id) => [
      id,
      Math.max(...moves.filter(([of]) => of === id).map(([, lsn]) => lsn)),
    ]),
    lowWater: Math.max(0, ...commits.map((commit) => commit.lowWater ?? 0)),
    fileIdsTo: Math.max(0, ...commits.map((commit) => commit.fileIdsTo ?? 0)),
  };
}

function modelTags(commits: readonly Commit[]): DatabaseTags[] {
  const added = commits.flatMap((commit) => commit.databaseTags ?? []);
  const databases = [...new Set(added.map(({ database }) => database))];
  return databases.map((database) => {
    const own = added.filter((each) => each.database === database);
    return { database, tags: [...new Set(own.flatMap(({ tags }) => tags))] };
  });
}

/**
 * A column has the kind that the last change of its logical column after its addition gave it, and
 * is columnar if any of them said so, and a tag since what the last of them said.
 */
function modelColumns(commits: readonly Commit[]): ColumnAddition[] {
  const all = commits.flatMap((commit, at) =>
    (commit.columns ?? []).map((column) => ({ at, column })),
  );
  const firsts = firstsOf(all, ({ column }) => `${column.measurementId}/${column.columnId}`);
  return firsts
    .map(({ at, column }) => {
      const changes = commits.slice(at).flatMap((commit) => commit.kinds ?? []);
      const its = changes.filter(
        ({ measurementId, logical }) =>
          measurementId === column.measurementId && logical === column.logical,
      );
      const columnar = its.some((change) => change.columnar === true);
      const kind = its.at(-1)?.kind ?? column.kind;
      const since = its.findLast(({ tagSince }) => tagSince !== undefined)?.tagSince;
      return {
        ...column,
        kind,
        ...(columnar && { columnar: true as const }),
        ...(since !== undefined && { tagSince: since }),
      };
    })
    .sort((a, b) => a.measurementId - b.measurementId || a.columnId - b.columnId);
}

function firstsOf<T>(list: readonly T[], key: (item: T) => string): T[] {
  const seen = new Set<string>();
  return list.filter((item) => !seen.has(key(item)) && seen.add(key(item)));
}
