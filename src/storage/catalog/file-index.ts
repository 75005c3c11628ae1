/**
 * The SQLite index of the journal (`index.db`): live files with what is derived from them (columns'
 * smallest and largest values), so that a start need not open every footer. It is derived: it may
 * be deleted at any time, and whatever is wrong with it, it is made anew from the journal's state.
 *
 * I1. It never holds a commit that the journal does not have: one that is ahead proves a lost tail
 *     of the journal, and it follows the journal back.
 * I2. None of its failures costs a commit; it is dropped and made anew, counted, with an alarm.
 * I3. Not synced: after a power cut it may be behind or broken, and both are seen at the start.
 * I4. Statistics carry a checksum of their own, so that no damage to the database makes a query
 *     pass over a file. Ids are never reused: what holds for one file never holds for another.
 */
import { crc32 } from 'node:zlib';
import Database from 'better-sqlite3';
import type { Files } from '../../base/disk/files.ts';
import { present } from '../../base/lib/assert.ts';
import { asGatewayError } from '../../base/errors/gateway-error.ts';
import type {
  ColumnStatistics,
  CommitEvent,
  FileFacts,
  FileStatistics,
} from '../../base/model/commit.ts';
import type { JournalAlarm } from '../../log/journal/commit-messages.ts';
import type { CommitIndex } from '../../log/journal/commit-worker.ts';
import type { LiveState } from '../../log/journal/live-state.ts';

/** Raised when the tables change: an index of another version is dropped. */
const indexVersion = 2;

const tables = `
  CREATE TABLE position (commit_number INTEGER NOT NULL);
  CREATE TABLE files (
    id INTEGER PRIMARY KEY, measurement INTEGER NOT NULL, path TEXT NOT NULL,
    bytes INTEGER NOT NULL, row_count INTEGER NOT NULL, first_hour INTEGER, last_hour INTEGER
  );
  CREATE INDEX files_by_measurement ON files (measurement, first_hour);
  CREATE TABLE statistics (
    file INTEGER PRIMARY KEY, columns TEXT NOT NULL, checksum INTEGER NOT NULL
  );
`;

export interface FileIndexDeps {
  readonly files: Files;
  /** `<data_dir>/index.db`. */
  readonly path: string;
  alarm(alarm: JournalAlarm): void;
}

export class FileIndex implements CommitIndex {
  readonly wasAhead: boolean = false;
  readonly #deps: FileIndexDeps;
  #database: Database.Database | undefined;
  readonly #statements = new Map<string, Database.Statement>();
  #rebuilds = 0;

  /** Opens the index and brings it to `state`. */
  constructor(deps: FileIndexDeps, state: LiveState) {
    this.#deps = deps;
    try {
      this.#database = this.#open();
      const position = this.#position();
      this.wasAhead = position > state.commit;
      if (position !== state.commit || this.#fileCount() !== state.fileCount) this.#rebuild(state);
    } catch (error) {
      this.#startAnew(error, state);
    }
  }

  /** Since the start; the making of a first one over an empty journal does not count. */
  get rebuilds(): number {
    return this.#rebuilds;
  }

  /** Of those of `ids` of which it has any, ascending. */
  statistics(ids: readonly number[], state: LiveState): readonly FileStatistics[] {
    try {
      return this.#readStatistics(ids);
    } catch (error) {
      this.#startAnew(error, state);
      return [];
    }
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
    this.#statements.clear();
    const database = new Database(this.#deps.path);
    try {
      prepareTables(database);
      return database;
    } catch (error) {
      database.close();
      throw error;
    }
  }

  #position(): number {
    const row = this.#database?.prepare('SELECT commit_number AS at FROM position').get();
    return (row as { at: number } | undefined)?.at ?? -1;
  }

  #fileCount(): number {
    const row = this.#database?.prepare('SELECT count(*) AS files FROM files').get();
    return (row as { files: number } | undefined)?.files ?? 0;
  }

  /** @throws if a checksum does not hold */
  #readStatistics(ids: readonly number[]): readonly FileStatistics[] {
    if (this.#database === undefined) return [];
    const chosen = 'SELECT value FROM json_each(?)';
    const select = `SELECT * FROM statistics WHERE file IN (${chosen}) ORDER BY file`;
    const rows = this.#statement(select).all(JSON.stringify(ids)) as readonly StatisticsRow[];
    return rows.map(({ file, columns, checksum }) => {
      if (checksumOf(file, columns) !== checksum) {
        throw new Error(`statistics of file ${file} are damaged`);
      }
      return { fileId: file, columns: fromJson(columns) };
    });
  }

  /** Files from the state; statistics of files that are still live stay. */
  #rebuild(state: LiveState): void {
    this.#database?.transaction(() => {
      this.#run('DELETE FROM files');
      for (const file of state.files()) this.#add(file);
      this.#run('DELETE FROM statistics WHERE file NOT IN (SELECT id FROM files)');
      this.#run('DELETE FROM position');
      this.#run('INSERT INTO position VALUES (?)', state.commit);
    })();
    if (state.commit > 0) this.#rebuilds++;
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
    this.#statement(sql).run(...values);
  }

  #statement(sql: string): Database.Statement {
    let statement = this.#statements.get(sql);
    if (statement === undefined) {
      statement = present(this.#database, 'open index').prepare(sql);
      this.#statements.set(sql, statement);
    }
    return statement;
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
    const json = toJson(columns);
    const insert = 'INSERT OR REPLACE INTO statistics VALUES (?, ?, ?)';
    this.#run(insert, fileId, json, checksumOf(fileId, json));
  }
}

interface StatisticsRow {
  readonly file: number;
  readonly columns: string;
  readonly checksum: number;
}

type ColumnJson = readonly [
  columnId: number,
  min: string | null,
  max: string | null,
  nullCount: number,
];

function toJson(columns: readonly ColumnStatistics[]): string {
  const json = columns.map(({ columnId, min, max, nullCount }): ColumnJson => {
    return [columnId, min ?? null, max ?? null, nullCount];
  });
  return JSON.stringify(json);
}

function fromJson(text: string): readonly ColumnStatistics[] {
  return (JSON.parse(text) as readonly ColumnJson[]).map(([columnId, min, max, nullCount]) => {
    return { columnId, min: min ?? undefined, max: max ?? undefined, nullCount };
  });
}

/** Of the text together with the id, so that it holds for no other file. */
function checksumOf(file: number, columns: string): number {
  return crc32(`${file} ${columns}`);
}

function prepareTables(database: Database.Database): void {
  database.pragma('journal_mode = WAL');
  database.pragma('synchronous = OFF');
  if (database.pragma('user_version', { simple: true }) !== indexVersion) {
    database.exec(`${dropAll(database)} ${tables} PRAGMA user_version = ${indexVersion}`);
  }
  if (database.pragma('quick_check(1)', { simple: true }) !== 'ok') {
    throw new Error('quick_check found damage');
  }
}

function dropAll(database: Database.Database): string {
  const names = database
    .prepare("SELECT name FROM sqlite_schema WHERE type = 'table' AND name NOT LIKE 'sqlite_%'")
    .all() as readonly { name: string }[];
  return names.map(({ name }) => `DROP TABLE "${name}";`).join(' ');
}
