/**
 * Asks DuckDB for the points of a VersionHistory by the scan that the query process would make,
 * over real Parquet files, and says what the model answers.
 */
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { DuckDBInstance, type DuckDBConnection } from '@duckdb/node-api';
import { fileFlags } from '../../src/base/model/commit.ts';
import type { MeasurementSchema } from '../../src/base/model/schema.ts';
import { tableScan, type TableScan } from '../../src/query/child/table-scan.ts';
import type { FileEntry, HotFile } from '../../src/query/child/wire.ts';
import type { TimeRange } from '../../src/query/sql/scan-terms.ts';
import type { TagBound } from '../../src/query/sql/tag-bounds.ts';
import { column } from './query-rig.ts';
import {
  versionOf,
  type FieldName,
  type FieldValues,
  type PartName,
  type StoredRow,
  type VersionHistory,
} from './version-history.ts';

export const pointSchema: MeasurementSchema = {
  id: 16,
  database: 'default',
  name: 'points',
  columns: [
    column('tag', 'a', { id: 0, name: 'a', type: 'string' }),
    column(
      'field',
      'x',
      { id: 2, name: 'x', type: 'int64' },
      { id: 3, name: 'x__double', type: 'double' },
      { id: 4, name: 'x__uint64', type: 'uint64' },
    ),
    column('field', 's', { id: 5, name: 's', type: 'string' }),
    column('tag', 'b', { id: 1, name: 'b', type: 'string' }),
    column('field', 'ok', { id: 6, name: 'ok', type: 'boolean' }),
  ],
};

const partTypes: Readonly<Record<PartName, string>> = {
  x: 'BIGINT',
  x__double: 'DOUBLE',
  x__uint64: 'DECIMAL(20,0)',
  s: 'VARCHAR',
  ok: 'BOOLEAN',
};
const partIds: Readonly<Record<PartName, number>> = {
  x: 2,
  x__double: 3,
  x__uint64: 4,
  s: 5,
  ok: 6,
};
const partNames = Object.keys(partTypes) as readonly PartName[];

/** Columns of the answer, and the value that the model has for them. */
export const answerColumns = [
  'a',
  'b',
  'x',
  'x__int64',
  'x__double',
  'x__uint64',
  's',
  'ok',
] as const;
export type AnswerColumn = (typeof answerColumns)[number];

function partOf(values: FieldValues, name: PartName): string {
  const field: FieldName = name === 's' || name === 'ok' ? name : 'x';
  const value = values[field];
  return value?.part === name ? value.sql : 'NULL';
}

function quoted(tag: string | null): string {
  return tag === null ? 'NULL' : `'${tag}'`;
}

function shownX(values: FieldValues): string {
  return values.x === undefined ? 'NULL' : `CAST(${values.x.sql} AS DOUBLE)`;
}

/** What is written into files, so that a test can plant a mistake. */
export interface ScanOptions {
  readonly range: TimeRange;
  readonly columns: readonly AnswerColumn[];
  readonly rowsInChunk: number;
  /** In the place of the version column of files. */
  readonly fileVersion?: (row: StoredRow, commit: number) => number;
  /** In the place of the flags of files. */
  readonly fileFlagsAs?: (flags: number) => number;
  /** Files that are left out of the scan. */
  readonly pruned?: (rows: readonly StoredRow[]) => boolean;
  /** Conditions that the query of `where` proves. */
  readonly tags?: readonly TagBound[];
  /** Condition on the scan's rows, in SQL. */
  readonly where?: string;
}

export class VersionScan {
  readonly #directory = mkdtempSync(join(tmpdir(), 'versions-'));
  readonly #connection: DuckDBConnection;
  #next = 0;

  private constructor(connection: DuckDBConnection) {
    this.#connection = connection;
  }

  static async open(): Promise<VersionScan> {
    const instance = await DuckDBInstance.create(':memory:', { threads: '1' });
    const connection = await instance.connect();
    await connection.run("SET TimeZone = 'UTC'");
    return new VersionScan(connection);
  }

  close(): void {
    this.#connection.closeSync();
    rmSync(this.#directory, { recursive: true, force: true });
  }

  /** Writes `rows`; gives the path below the directory and the ids of the columns with a value. */
  async #write(
    rows: readonly StoredRow[],
    version: ((row: StoredRow) => number) | undefined,
  ): Promise<{ readonly path: string; readonly columnIds: readonly number[] }> {
    this.#next += 1;
    const path = `${String(this.#next)}.parquet`;
    const held = partNames.filter((name) =>
      rows.some(({ values }) => partOf(values, name) !== 'NULL'),
    );
    const tags = (['a', 'b'] as const).filter((tag) => rows.some((row) => row[tag] !== null));
    const selects = rows.map((row) => {
      const items = [
        `make_timestamp(${String(row.timeUs)})::TIMESTAMPTZ AS "time"`,
        ...tags.map((tag) => `${quoted(row[tag])}::VARCHAR AS ${tag}`),
        ...held.map((name) => `CAST(${partOf(row.values, name)} AS ${partTypes[name]}) AS ${name}`),
        ...(version === undefined ? [] : [`${String(version(row))}::BIGINT AS "_seq"`]),
      ];
      return `SELECT ${items.join(', ')}`;
    });
    const file = join(this.#directory, path);
    await this.#connection.run(
      `COPY (${selects.join(' UNION ALL ')}) TO '${file}' (FORMAT parquet)`,
    );
    const ids = [...tags.map((tag) => (tag === 'a' ? 0 : 1)), ...held.map((name) => partIds[name])];
    return { path, columnIds: ids.toSorted((one, other) => one - other) };
  }

  /** The scan over all that `history` holds. */
  async scan(history: VersionHistory, options: ScanOptions): Promise<TableScan> {
    const flagsAs = options.fileFlagsAs ?? ((flags: number) => flags);
    const files: FileEntry[] = [];
    for (const { rows, flags, hours, commit } of history.files) {
      if (options.pruned?.(rows) === true) continue;
      const version = options.fileVersion ?? versionOf;
      const repeat = (flagsAs(flags) & fileFlags.repeat) !== 0;
      const seq = repeat ? (row: StoredRow) => version(row, commit) : undefined;
      const { path, columnIds } = await this.#write(rows, seq);
      const columns = columnIds.map((id) => [id, id] as const);
      const file = { id: this.#next, measurementId: 16, path, hours, columns };
      files.push({ ...file, flags: flagsAs(flags) });
    }
    const hot: HotFile[] = [];
    for (const { rows, ...chunk } of history.chunks(options.rowsInChunk)) {
      const { path, columnIds } = await this.#write(
        rows,
        chunk.hasIdentity ? versionOf : undefined,
      );
      hot.push({ ...chunk, path: join(this.#directory, path), columnIds });
    }
    return this.scanOf(files, hot, options);
  }

  scanOf(files: readonly FileEntry[], hot: readonly HotFile[], options: ScanOptions): TableScan {
    const { range, tags = [] } = options;
    const columns = { words: new Set(options.columns.map(foldedWord)), all: false };
    const dataDirectory = this.#directory;
    return tableScan({ schema: pointSchema, files, hot, columns, range, tags, dataDirectory }, 0);
  }

  async #bind(lists: TableScan['lists']): Promise<void> {
    for (const [variable, paths] of lists) {
      const list = paths.map((path) => `'${path}'`).join(', ');
      await this.#connection.run(`SET VARIABLE ${variable} = [${list}]`);
    }
  }

  /** The engine's plan of a scan. */
  async plan({ scan, lists }: TableScan): Promise<string> {
    await this.#bind(lists);
    const answer = await this.#connection.runAndReadAll(`EXPLAIN SELECT * FROM (${scan.sql})`);
    return String(answer.getRows()[0]?.[1]);
  }

  /** The rows of a scan as sorted texts; empty tags as null. */
  async rows({ scan, lists }: TableScan, options: ScanOptions): Promise<readonly string[]> {
    await this.#bind(lists);
    const where = options.where === undefined ? '' : ` WHERE ${options.where}`;
    return this.#texts(options.columns, `(${scan.sql})${where}`);
  }

  /** The same rows by the model. */
  async expected(history: VersionHistory, options: ScanOptions): Promise<readonly string[]> {
    const points = Array.from(history.points, ([point, values]) => {
      const [time, a, b] = JSON.parse(point) as readonly [string, string | null, string | null];
      return modelRow(BigInt(time), a, b, values);
    });
    const others = history.others.map(({ timeUs, a, b, values }) => modelRow(timeUs, a, b, values));
    const selects = [...points, ...others];
    if (selects.length === 0) return [];
    const { from, to } = options.range;
    const conditions = [
      ...(from === undefined ? [] : [`epoch_us("time") >= ${String(from)}`]),
      ...(to === undefined ? [] : [`epoch_us("time") <= ${String(to)}`]),
      ...(options.where === undefined ? [] : [options.where]),
    ];
    const where = conditions.length === 0 ? '' : ` WHERE ${conditions.join(' AND ')}`;
    return this.#texts(options.columns, `(${selects.join(' UNION ALL ')})${where}`);
  }

  async #texts(columns: readonly AnswerColumn[], from: string): Promise<readonly string[]> {
    const items = columns.map((name) =>
      name === 'a' || name === 'b' ? `nullif(${name}, '')` : name,
    );
    const list = ['epoch_us("time")', ...items].join(', ');
    const answer = await this.#connection.runAndReadAll(`SELECT ${list} FROM ${from}`);
    const rows = answer
      .getRows()
      .map((row) => row.map((value) => (Object.is(value, -0) ? '-0' : String(value))).join(' | '));
    return rows.toSorted();
  }
}

function foldedWord(name: string): string {
  return name.toUpperCase();
}

function modelRow(timeUs: bigint, a: string | null, b: string | null, values: FieldValues): string {
  const part = (name: PartName) => `CAST(${partOf(values, name)} AS ${partTypes[name]})`;
  const items = [
    `make_timestamp(${String(timeUs)}) AS "time"`,
    `${quoted(a)}::VARCHAR AS a`,
    `${quoted(b)}::VARCHAR AS b`,
    `${shownX(values)} AS x`,
    `${part('x')} AS x__int64`,
    `${part('x__double')} AS x__double`,
    `${part('x__uint64')} AS x__uint64`,
    `${part('s')} AS s`,
    `${part('ok')} AS ok`,
  ];
  return `SELECT ${items.join(', ')}`;
}
