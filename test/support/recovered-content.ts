/**
 * What a data directory holds after a crash, read by the product's own recovery: the journal is
 * opened, unlisted files are judged, the write-ahead log is opened above the low-water mark, and
 * rows of log and live files are brought together, versions of a point merged. Files are read by
 * DuckDB and their bytes held against the journal; contents already seen (by hash) are read once
 * per process. Merging would hide a row that is filed twice, or first twice: both are damage. Rows
 * without identity are not merged.
 */
import { createHash } from 'node:crypto';
import { existsSync, mkdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { DuckDBInstance, type DuckDBConnection } from '@duckdb/node-api';
import { nodeFiles } from '../../src/base/disk/files.ts';
import { systemClock } from '../../src/base/lib/clock.ts';
import {
  fileFlags,
  type CatalogState,
  type ColumnAddition,
  type FileFacts,
} from '../../src/base/model/commit.ts';
import type { ColumnBatch, ColumnValues } from '../../src/base/model/column-batch.ts';
import { firstMeasurementId, internalDatabase } from '../../src/base/model/schema.ts';
import { highestLsn } from '../../src/log/journal/live-state.ts';
import { openJournal } from '../../src/log/journal/open-journal.ts';
import { lastNumberOf, type LogRecord, type RecoveryReport } from '../../src/log/log-types.ts';
import { openLog } from '../../src/log/open-log.ts';
import { decodeRequest } from '../../src/log/wal/request-record.ts';
import { walNaming } from '../../src/log/wal/wal-naming.ts';
import { commitParts } from '../../src/storage/catalog/commit-parts.ts';
import { withTags } from './mixed-load.ts';
import { mergedPlainRows, rowKey, type PlainRow, type PlainValue } from './plain-row.ts';

export interface RecoveredContent {
  /** Each point with identity once, its fields from their newest versions; all rows without. */
  readonly rows: readonly PlainRow[];
  /** Files that are missing or differ from what the journal says, alarms of the logs. */
  readonly damage: readonly string[];
  readonly state: CatalogState;
  readonly walRecords: number;
}

/** A row with the number that orders the versions of its point; -1 in files without repeats. */
interface VersionRow {
  readonly row: PlainRow;
  readonly seq: number;
  readonly hasIdentity: boolean;
}

interface MutableRow {
  readonly tags: Record<string, string>;
  readonly fields: Record<string, PlainValue>;
  readonly time: bigint;
}

const randomSalt = (): number => 1 + Math.floor(Math.random() * (2 ** 32 - 2));

export class ContentReader {
  readonly #connection: DuckDBConnection;
  readonly #known = new Map<string, readonly VersionRow[]>();

  private constructor(connection: DuckDBConnection) {
    this.#connection = connection;
  }

  static async open(): Promise<ContentReader> {
    const instance = await DuckDBInstance.create(':memory:', { threads: '1' });
    return new ContentReader(await instance.connect());
  }

  /** Recovers the directory as a start would (it changes) and returns all that is there. */
  async read(dataDirectory: string): Promise<RecoveredContent> {
    for (const name of ['wal', 'journal', 'data', 'quarantine', 'orphans']) {
      const path = join(dataDirectory, name);
      if (!existsSync(path)) mkdirSync(path, { recursive: true });
    }
    const damage: string[] = [];
    const deps = { files: nodeFiles, clock: systemClock, openLog, randomSalt };
    const quarantine = join(dataDirectory, 'quarantine');
    const settings = {
      root: dataDirectory,
      directory: join(dataDirectory, 'journal'),
      dataDirectory: join(dataDirectory, 'data'),
      quarantine,
      orphans: join(dataDirectory, 'orphans'),
      segmentBytes: 1 << 20,
      syncMode: 'fdatasync',
    } as const;
    const journal = openJournal(deps, settings);
    noteDamage('journal', journal.report, damage);
    const unlisted = commitParts(deps).findUnlisted(settings, journal.state, false, (alarm) => {
      damage.push(alarm.message);
    });
    const state = journal.state.toState();
    const records = this.#readWal(dataDirectory, state, damage);
    const [first, last] = [records[0], records.at(-1)];
    if (first !== undefined && last !== undefined) {
      unlisted.replayed(state.lowWater + 1, lastNumberOf(last));
    }
    journal.log.close();
    const rows = records.flatMap((record) => rowsOfRecord(record, journal.state));
    rows.push(...(await this.#readFiles(dataDirectory, state, damage)));
    noteDoubles(rows, damage);
    noteOverlaps(state, damage);
    rows.sort((a, b) => a.seq - b.seq);
    const merged = mergedPlainRows(rows.filter((each) => each.hasIdentity).map(({ row }) => row));
    const others = rows.filter((each) => !each.hasIdentity).map(({ row }) => row);
    return { rows: [...merged, ...others], damage, state, walRecords: records.length };
  }

  #readWal(dataDirectory: string, state: CatalogState, damage: string[]): readonly LogRecord[] {
    const records: LogRecord[] = [];
    const { log, report } = openLog(
      {
        ...walNaming,
        files: nodeFiles,
        directory: join(dataDirectory, 'wal'),
        quarantine: join(dataDirectory, 'quarantine'),
        kind: 'wal',
        segmentBytes: 1 << 16,
        segmentAgeMs: Infinity,
        syncMode: 'fdatasync',
        preallocate: true,
        clock: systemClock,
        randomSalt,
      },
      {
        lowWater: state.lowWater,
        floor: () => highestLsn(state),
        onRecord: (record) => records.push(record),
      },
    );
    noteDamage('write-ahead log', report, damage);
    log.close();
    return records;
  }

  async #readFiles(
    dataDirectory: string,
    state: CatalogState,
    damage: string[],
  ): Promise<VersionRow[]> {
    const rows: VersionRow[] = [];
    for (const file of state.files) {
      const path = join(dataDirectory, 'data', file.path);
      const content = existsSync(path) ? readFileSync(path) : undefined;
      if (content === undefined) {
        damage.push(`missing: ${file.path}`);
        continue;
      }
      const sha256 = createHash('sha256').update(content).digest('hex');
      if (sha256 !== file.sha256) {
        damage.push(`differs from its hash: ${file.path}`);
        continue;
      }
      const known = this.#known.get(sha256) ?? (await this.#readFile(path, file, state));
      this.#known.set(sha256, known);
      const isOwn = file.measurementId < firstMeasurementId;
      if (!isOwn && known.length !== file.rows) damage.push(`row count of ${file.path}`);
      rows.push(...known);
    }
    return rows;
  }

  async #readFile(path: string, file: FileFacts, state: CatalogState): Promise<VersionRow[]> {
    const measurement = state.measurements.find(({ id }) => id === file.measurementId);
    if (measurement === undefined) throw new Error(`no measurement ${file.measurementId}`);
    if (measurement.database === internalDatabase) return [];
    const columns = new Map<string, ColumnAddition>();
    for (const column of state.columns) {
      if (column.measurementId === file.measurementId) columns.set(column.name, column);
    }
    const quoted = path.replaceAll("'", "''");
    const reader = await this.#connection.runAndReadAll(`SELECT * FROM read_parquet('${quoted}')`);
    const names = reader.columnNames();
    const hasIdentity = (file.flags & fileFlags.noIdentity) === 0;
    return reader.getRows().map((cells) => {
      const parts: MutableRow = { tags: {}, fields: {}, time: 0n };
      let time = 0n;
      let seq = -1;
      names.forEach((name, index) => {
        const value = plainCell(cells[index]);
        if (name === 'time') time = value as bigint;
        else if (name === '_seq') seq = Number(value);
        else if (value !== null) put(parts, columns.get(name), name, value);
      });
      const { tags, fields } = parts;
      const { database, name } = measurement;
      const row = withTags({ database, measurement: name, tags, fields, time });
      return { row, seq, hasIdentity };
    });
  }
}

function plainCell(value: unknown): PlainValue | null {
  if (value === null || typeof value !== 'object') return value as PlainValue | null;
  if ('micros' in value) return value.micros as bigint;
  return (value as { value: bigint }).value;
}

function put(
  row: MutableRow,
  column: Pick<ColumnAddition, 'kind' | 'spelling'> | undefined,
  name: string,
  value: PlainValue,
): void {
  if (column === undefined) throw new Error(`the schema knows no column ${name}`);
  const { kind, spelling } = column;
  const target: Record<string, PlainValue> = kind === 'tag' ? row.tags : row.fields;
  if (target[spelling] !== undefined) throw new Error(`two values of ${spelling} in one row`);
  target[spelling] = value;
}

function noteDamage(log: string, report: RecoveryReport, damage: string[]): void {
  for (const { message } of report.alarms) damage.push(`${log}: ${message}`);
  for (const { segment, from, to } of report.rot)
    damage.push(`${log}: rot ${segment} ${from}-${to}`);
  if (report.failure !== undefined) damage.push(`${log}: ${report.failure.message}`);
}

/** Of all files without repeats only one may hold a point. */
function noteDoubles(rows: readonly VersionRow[], damage: string[]): void {
  const met = new Set<string>();
  for (const { row, seq, hasIdentity } of rows) {
    if (seq >= 0 || !hasIdentity) continue;
    const key = rowKey(row);
    if (met.has(key)) damage.push(`filed as first twice: ${key}`);
    met.add(key);
  }
}

/** No two flushes of a measurement file the same rows, or rows that the log has to give again. */
function noteOverlaps({ files, positions }: CatalogState, damage: string[]): void {
  const flushes = new Map<string, FileFacts>();
  for (const file of files) flushes.set(`${file.measurementId} ${file.lsns.join('-')}`, file);
  const ordered = [...flushes.values()].sort(
    (a, b) => a.measurementId - b.measurementId || a.lsns[0] - b.lsns[0],
  );
  const filedTo = new Map(positions);
  ordered.forEach((file, index) => {
    const { measurementId, lsns, path } = file;
    const before = ordered[index - 1];
    if (before?.measurementId === measurementId && before.lsns[1] >= lsns[0]) {
      damage.push(`rows filed twice: ${before.path} and ${path}`);
    }
    if (lsns[1] > (filedTo.get(measurementId) ?? -1)) damage.push(`filed and not: ${path}`);
  });
}

/** Rows of a record that no file holds yet: a batch is filed when its last row's number is. */
function rowsOfRecord(record: LogRecord, state: { position(id: number): number }): VersionRow[] {
  const rows: VersionRow[] = [];
  let next = record.number;
  for (const batch of decodeRequest(record.payload).batches) {
    const first = next;
    next += batch.rowCount;
    if (batch.database === internalDatabase) continue;
    if (next - 1 <= state.position(batch.measurementId)) continue;
    const { hasIdentity } = batch;
    rows.push(
      ...rowsOfBatch(batch).map((row, index) => {
        return { row: withTags(row), seq: first + index, hasIdentity };
      }),
    );
  }
  return rows;
}

function rowsOfBatch(batch: ColumnBatch): PlainRow[] {
  const rows = Array.from(batch.times, (time): MutableRow => ({ tags: {}, fields: {}, time }));
  for (const column of batch.columns) {
    for (let index = 0; index < column.values.length; index += 1) {
      const row = rows[column.rows?.[index] ?? index];
      if (row === undefined) throw new Error('a column has more values than rows');
      put(row, column.column, column.column.spelling, valueAt(column, index));
    }
  }
  const { database, measurement } = batch;
  return rows.map(({ tags, fields, time }) => ({ database, measurement, tags, fields, time }));
}

function valueAt({ column, values, dictionary }: ColumnValues, index: number): PlainValue {
  const value = values[index] ?? 0;
  if (column.physical.type === 'boolean') return value === 1;
  if (column.physical.type !== 'string' || dictionary === undefined) return value;
  const [start = 0, end = 0] = dictionary.offsets.subarray(Number(value), Number(value) + 2);
  return Buffer.from(dictionary.bytes.subarray(start, end)).toString('utf8');
}
