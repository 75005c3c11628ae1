import Database from 'better-sqlite3';
import { existsSync, mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import t from 'tap';
import { nodeFiles } from '../../../../src/base/disk/files.ts';
import type { Commit, FileStatistics } from '../../../../src/base/model/commit.ts';
import type { JournalAlarm } from '../../../../src/log/journal/commit-messages.ts';
import { LiveState } from '../../../../src/log/journal/live-state.ts';
import { FileIndex } from '../../../../src/storage/catalog/file-index.ts';
import { fileFacts } from '../../../support/catalog-model.ts';

const statisticsOf = (fileId: number): FileStatistics => ({
  fileId,
  columns: [
    { columnId: 0, min: 'a', max: 'zürich', nullCount: fileId },
    { columnId: 3, min: '-9223372036854775808', max: '18446744073709551615', nullCount: 0 },
    { columnId: 4, min: undefined, max: undefined, nullCount: 100 },
  ],
});

const adding = (number: number, ...ids: number[]): Commit => ({
  number,
  kind: 'flush',
  adds: ids.map((id) => fileFacts(id, 16, [id, id])),
});
const removing = (number: number, ...ids: number[]): Commit => ({
  number,
  kind: 'job',
  removes: ids.map((id) => ({ id, reason: 'compact' })),
});

class Bench {
  readonly path: string;
  readonly alarms: JournalAlarm[] = [];
  readonly state = new LiveState();

  constructor(t: { teardown(call: () => void): unknown }) {
    const root = mkdtempSync(join(tmpdir(), 'holdfast-index-'));
    t.teardown(() => {
      rmSync(root, { recursive: true });
    });
    this.path = join(root, 'index.db');
  }

  open(): FileIndex {
    const alarm = (raised: JournalAlarm) => this.alarms.push(raised);
    return new FileIndex({ files: nodeFiles, path: this.path, alarm }, this.state);
  }

  /** The journal has `commit`; so has `index`, if there is one. */
  commit(commit: Commit, index?: FileIndex): void {
    this.state.apply(commit);
    const statistics = (commit.adds ?? []).map(({ id }) => statisticsOf(id));
    index?.committed({ commit, statistics }, this.state);
  }

  /** All that the index has of the files that were ever added. */
  statisticsIn(index: FileIndex): readonly FileStatistics[] {
    const ids = Array.from({ length: 9 }, (_, id) => id);
    return index.statistics(ids, this.state);
  }

  /** Files of the index, and files of which it has statistics, after a start. */
  reopened(): { files: unknown; statistics: readonly number[]; position: unknown } {
    const index = this.open();
    const statistics = this.statisticsIn(index).map(({ fileId }) => fileId);
    index.close();
    const database = new Database(this.path);
    const files = database.prepare('SELECT id FROM files ORDER BY id').pluck().all();
    const position = database.prepare('SELECT commit_number FROM position').pluck().all();
    database.close();
    return { files, statistics, position };
  }

  /** Files 1 to 3 added, 2 removed, at commit 6; the index closed in order. */
  fill(): this {
    const index = this.open();
    this.commit(adding(4, 1, 2), index);
    this.commit(removing(5, 2), index);
    this.commit(adding(6, 3), index);
    index.close();
    return this;
  }
}

const whole = { files: [1, 3], statistics: [1, 3], position: [6] };

t.test('an index follows the commits and gives exact statistics after a start', (t) => {
  const bench = new Bench(t).fill();
  const index = bench.open();
  t.strictSame(bench.statisticsIn(index), [statisticsOf(1), statisticsOf(3)]);
  t.strictSame(index.statistics([3, 2], bench.state), [statisticsOf(3)], 'only those asked for');
  t.same([index.wasAhead, index.rebuilds], [false, 0]);
  index.close();
  t.same(bench.reopened(), whole);
  t.same(bench.alarms, []);
  t.end();
});

t.test('an index that is behind is brought on; statistics it never had are absent', (t) => {
  const bench = new Bench(t).fill();
  bench.commit(adding(9, 4, 5));
  bench.commit(removing(11, 1));
  t.same(bench.reopened(), { files: [3, 4, 5], statistics: [3], position: [11] });
  t.same(bench.alarms, []);
  t.end();
});

t.test('an index that is ahead goes back with the journal, and says so', (t) => {
  const bench = new Bench(t);
  const index = bench.open();
  bench.commit(adding(4, 1, 2), index);
  index.committed({ commit: adding(8, 3), statistics: [statisticsOf(3)] }, bench.state);
  index.close();
  const again = bench.open();
  t.equal(again.wasAhead, true);
  again.close();
  t.same(bench.reopened(), { files: [1, 2], statistics: [1, 2], position: [4] });
  t.equal(bench.open().wasAhead, false, 'once');
  t.end();
});

const spoiled: Readonly<Record<string, (path: string) => void>> = {
  deleted: (path) => {
    rmSync(path);
  },
  empty: (path) => {
    writeFileSync(path, '');
  },
  garbage: (path) => {
    writeFileSync(path, Buffer.alloc(50_000, 'garbage'));
  },
  'cut in the middle': (path) => {
    const bytes = readFileSync(path);
    writeFileSync(path, bytes.subarray(0, bytes.length / 2 - 100));
  },
  'of another version': (path) => {
    const database = new Database(path);
    database.exec('DROP TABLE files; CREATE TABLE files (odd TEXT); PRAGMA user_version = 77');
    database.close();
  },
  'without a table': (path) => {
    const database = new Database(path);
    database.exec('DROP TABLE statistics');
    database.close();
  },
  'with a page of zeros': (path) => {
    const bytes = readFileSync(path);
    bytes.fill(0, 4096, 8192);
    writeFileSync(path, bytes);
  },
};

for (const [what, spoil] of Object.entries(spoiled)) {
  t.test(`an index that is ${what} is made anew, without statistics`, (t) => {
    const bench = new Bench(t).fill();
    spoil(bench.path);
    t.same(bench.reopened(), { files: [1, 3], statistics: [], position: [6] });
    const silent = ['deleted', 'empty', 'of another version'].includes(what);
    t.equal(bench.alarms.length, silent ? 0 : 1, 'damage is told');
    const index = bench.open();
    bench.commit(adding(7, 4), index);
    t.equal(index.rebuilds, 0, 'and stands');
    index.close();
    t.same(bench.reopened(), { files: [1, 3, 4], statistics: [4], position: [7] });
    t.end();
  });
}

t.test('statistics whose checksum does not hold are given to nobody', (t) => {
  const changes = [
    `UPDATE statistics SET columns = replace(columns, 'rich', 'ric_') WHERE file = 3`,
    'UPDATE statistics SET file = 2 WHERE file = 3',
    'UPDATE statistics SET checksum = checksum + 1 WHERE file = 1',
  ];
  for (const change of changes) {
    const bench = new Bench(t).fill();
    const database = new Database(bench.path);
    database.exec(change);
    database.close();
    t.same(bench.reopened().statistics, [], change);
    t.match(bench.alarms, [{ kind: 'index-dropped', message: /damaged/ }]);
  }
  t.end();
});

t.test('files that are missing in an index of the right position are put back', (t) => {
  const bench = new Bench(t).fill();
  const database = new Database(bench.path);
  database.exec('DELETE FROM files WHERE id = 1');
  database.close();
  t.same(bench.reopened(), whole);
  t.end();
});

t.test('an index that fails under a commit costs the commit nothing and goes on', (t) => {
  const bench = new Bench(t);
  const index = bench.open();
  bench.commit(adding(4, 1), index);
  const intruder = new Database(bench.path);
  intruder.exec('DROP TABLE files');
  intruder.close();
  t.doesNotThrow(() => {
    bench.commit(adding(5, 2), index);
  });
  t.match(bench.alarms, [{ kind: 'index-dropped' }]);
  t.equal(index.rebuilds, 1);
  bench.commit(adding(6, 3), index);
  index.close();
  t.same(bench.reopened(), { files: [1, 2, 3], statistics: [3], position: [6] });
  t.end();
});

t.test('where no index can be made, statistics are absent and commits go on', (t) => {
  const bench = new Bench(t);
  mkdirSync(bench.path);
  const index = bench.open();
  t.same(bench.statisticsIn(index), []);
  t.doesNotThrow(() => {
    bench.commit(adding(4, 1), index);
  });
  index.close();
  t.ok(bench.alarms.length > 0);
  rmSync(bench.path, { recursive: true });
  t.same(bench.reopened(), { files: [1], statistics: [], position: [4] }, 'the next start');
  t.end();
});

t.test('an index that is closed leaves one file', (t) => {
  const bench = new Bench(t).fill();
  t.notOk(existsSync(`${bench.path}-wal`));
  t.end();
});
