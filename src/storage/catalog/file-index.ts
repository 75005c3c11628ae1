/**
 * The SQLite index of the journal (`index.db`): live files with what is derived from them (columns'
 * smallest and largest values), so that a start need not open every footer. It is derived: it may
 * be deleted at any time, and whatever is wrong with it, it is made anew from the journal's state.
 *
 * I1. It never holds a commit that the journal does not have: one that is ahead proves a lost tail
 *     of the journal, and it is dropped.
 * I2. None of its failures costs a commit; it is dropped and made anew, counted, with an alarm.
 * I3. Not synced: after a power cut it may be behind or broken, and both are seen at the start.
 */
import Database from 'better-sqlite3';
import type { Files } from '../../base/disk/files.ts';
import { asGatewayError } from '../../base/errors/gateway-error.ts';
import type { CommitEvent, FileFacts, FileStatistics } from '../../base/model/commit.ts';
import type { JournalAlarm } from '../../log/journal/commit-messages.ts';
import type { CommitIndex } from '../../log/journal/commit-worker.ts';
import type { LiveState } from '../../log/journal/live-state.ts';

/** Raised when the tables change: an index of another version is dropped. */
const indexVersion = 1;

const tables = `
  CREATE TABLE position (commit_number INTEGER NOT NULL);
  CREATE TABLE files (
    id INTEGER PRIMARY KEY, measurement INTEGER NOT NULL, path TEXT NOT NULL,
    bytes INTEGER NOT NULL, row_count INTEGER NOT NULL, first_hour INTEGER, last_hour INTEGER
  );
  CREATE INDEX files_by_measurement ON files (measurement, first_hour);
  CREATE TABLE statistics (
    file INTEGER NOT NULL, column_id INTEGER NOT NULL,
    smallest TEXT, largest TEXT, null_count INTEGER NOT NULL,
    PRIMARY KEY (file, column_id)
  ) WITHOUT ROWID;
`;

export interface FileIndexDeps {
  readonly files: Files;
  /** `<data_dir>/index.db`. */
  readonly path: string;
  alarm(alarm: JournalAlarm): void;
}

export class FileIndex implements CommitIndex {
  readonly #deps: FileIndexDeps;
  #database: Database.Database | undefined;

  /** Opens the index and brings it to `state`. */
  constructor(deps: FileIndexDeps, state: LiveState) {
    this.#deps = deps;
    try {
      this.#database = this.#open();
      if (this.#position() !== state.commit) this.#rebuild(state);
    } catch (error) {
      this.#startAnew(error, state);
    }
  }

  statistics(): readonly FileStatistics[] {
    const rows = this.#attempt((database) =>
      database.prepare('SELECT * FROM statistics ORDER BY file, column_id').all(),
    ) as readonly StatisticsRow[] | undefined;
    const byFile = new Map<number, FileStatistics['columns'][number][]>();
    for (const row of rows ?? []) {
      const columns = byFile.get(row.file) ?? [];
      const { column_id, smallest, largest, null_count } = row;
      columns.push({
        columnId: column_id,
        min: smallest ?? undefined,
        max: largest ?? undefined,
        nullCount: null_count,
      });
      byFile.set(row.file, columns);
    }
    return [...byFile].map(([fileId, columns]) => ({ fileId, columns }));
  }

  committed({ commit, statistics }: CommitEvent, state: LiveState): void {
    try {
      this.#database?.transaction(() => {
        for (const { id } of commit.removes ?? []) this.#remove(id);
        for (const file of commit.adds ?? []) this.#add(file);
        for (const each of statistics) this.#addStatistics(each);
        this.#run('UPDATE position SET commit_number = ?', commit.number);
      })();
    } catch (error) {
      this.#startAnew(error, state);
    }
  }

  unlinked(): void {
    // Removed files left the index with their commit.
  }

  close(): void {
    this.#attempt((database) => database.close());
    this.#database = undefined;
  }

  #open(): Database.Database {
    const database = new Database(this.#deps.path);
    database.pragma('journal_mode = WAL');
    database.pragma('synchronous = OFF');
    if (database.pragma('user_version', { simple: true }) !== indexVersion) {
      database.exec(`${dropAll(database)} ${tables}`);
      database.exec(`INSERT INTO position VALUES (-1); PRAGMA user_version = ${indexVersion}`);
    }
    if (database.pragma('quick_check(1)', { simple: true }) !== 'ok') {
      throw new Error('quick_check found damage');
    }
    return database;
  }

  #position(): number {
    const row = this.#database?.prepare('SELECT commit_number AS at FROM position').get();
    return (row as { at: number } | undefined)?.at ?? -1;
  }

  /** Files from the state; statistics of files that are still live stay. */
  #rebuild(state: LiveState): void {
    this.#database?.transaction(() => {
      this.#run('DELETE FROM files');
      for (const file of state.files()) this.#add(file);
      this.#run('DELETE FROM statistics WHERE file NOT IN (SELECT id FROM files)');
      this.#run('UPDATE position SET commit_number = ?', state.commit);
    })();
  }

  #startAnew(cause: unknown, state: LiveState): void {
    const { files, path, alarm } = this.#deps;
    const { message } = asGatewayError(cause);
    alarm({ kind: 'index-dropped', message: `${path}: ${message}`, details: { path } });
    this.#attempt((database) => database.close());
    this.#database = undefined;
    try {
      for (const name of [path, `${path}-wal`, `${path}-shm`]) files.unlink(name);
      this.#database = this.#open();
      this.#rebuild(state);
    } catch (error) {
      // Without an index statistics are missing, nothing else; the next start tries again.
      const { message: why } = asGatewayError(error);
      alarm({ kind: 'index-dropped', message: `${path}: ${why}`, details: { path } });
      this.#database = undefined;
    }
  }

  #attempt<T>(call: (database: Database.Database) => T): T | undefined {
    try {
      return this.#database === undefined ? undefined : call(this.#database);
    } catch {
      // What it gave is derived: absent is always allowed.
      return undefined;
    }
  }

  #run(sql: string, ...values: readonly (number | string | null)[]): void {
    this.#database?.prepare(sql).run(...values);
  }

  #remove(id: number): void {
    this.#run('DELETE FROM files WHERE id = ?', id);
    this.#run('DELETE FROM statistics WHERE file = ?', id);
  }

  #add({ id, measurementId, path, bytes, rows, hours }: FileFacts): void {
    const first = hours[0]?.[0] ?? null;
    const last = hours.at(-1)?.[0] ?? null;
    const insert = 'INSERT OR REPLACE INTO files VALUES (?, ?, ?, ?, ?, ?, ?)';
    this.#run(insert, id, measurementId, path, bytes, rows, first, last);
  }

  #addStatistics({ fileId, columns }: FileStatistics): void {
    const insert = 'INSERT OR REPLACE INTO statistics VALUES (?, ?, ?, ?, ?)';
    for (const { columnId, min, max, nullCount } of columns) {
      this.#run(insert, fileId, columnId, min ?? null, max ?? null, nullCount);
    }
  }
}

interface StatisticsRow {
  readonly file: number;
  readonly column_id: number;
  readonly smallest: string | null;
  readonly largest: string | null;
  readonly null_count: number;
}

function dropAll(database: Database.Database): string {
  const names = database
    .prepare("SELECT name FROM sqlite_schema WHERE type = 'table' AND name NOT LIKE 'sqlite_%'")
    .all() as readonly { name: string }[];
  return names.map(({ name }) => `DROP TABLE "${name}";`).join(' ');
}
