/**
 * A query host that a test fills by hand, over real Parquet files that DuckDB itself writes, with a
 * real query process behind. Directories are new ones below the system's temporary folder.
 */
import { mkdirSync, mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { Readable } from 'node:stream';
import { text } from 'node:stream/consumers';
import { DuckDBInstance, type DuckDBConnection } from '@duckdb/node-api';
import { nodeFiles } from '../../src/base/disk/files.ts';
import { systemClock } from '../../src/base/lib/clock.ts';
import type { Commit, CommitEvent, FileFacts } from '../../src/base/model/commit.ts';
import type {
  ColumnKind,
  LogicalColumn,
  MeasurementSchema,
  PhysicalColumn,
} from '../../src/base/model/schema.ts';
import { Queries, type QueryRequest } from '../../src/query/queries.ts';
import type { FileListing, HotChunk, HotSet, QueryHost } from '../../src/query/query-host.ts';

/** A field or tag with its parts, in short. */
export function column(
  kind: ColumnKind,
  sqlName: string,
  ...parts: readonly PhysicalColumn[]
): LogicalColumn {
  return { kind, spelling: sqlName, sqlName, parts };
}

export interface FileSpec {
  /** SELECT whose columns are the physical ones; `time` in microseconds is made from `t`. */
  readonly select: string;
  readonly columnIds: readonly number[];
  /** Hours and offsets of the rows; by default all of hour 0. */
  readonly hours?: FileFacts['hours'];
  /** Bits of `fileFlags`; by default none. Rows of a flagged file have `_seq`. */
  readonly flags?: number;
}

/** What a hot chunk says about versions of points; by default it has none. */
export type HotSpec = FileSpec &
  Partial<Pick<HotChunk, 'bufferId' | 'repeatHours' | 'doubledHours'>>;

const wholeHour = [[0, 0, 3_599_999_999]] as const;

export interface AnswerBody {
  readonly success: boolean;
  readonly columns: readonly string[];
  readonly types: readonly string[];
  readonly data: readonly (readonly unknown[])[];
  readonly row_count: number;
}

export class QueryRig implements QueryHost {
  readonly directory = mkdtempSync(join(tmpdir(), 'query-'));
  readonly queries: Queries;
  readonly pins: number[] = [];
  readonly hotChunks: HotChunk[] = [];
  replaying: PromiseWithResolvers<void> | undefined;
  /** Awaited inside `hot`, between the snapshot and its chunks. */
  duringHot: () => Promise<void> = () => Promise.resolve();
  readonly #writer: DuckDBConnection;
  readonly #schemas: MeasurementSchema[] = [];
  readonly #databases = new Set<string>(['default']);
  readonly #listeners: ((event: CommitEvent) => void)[] = [];
  readonly #files = new Map<number, FileFacts>();
  #commit = 0;
  #nextFile = 1;

  private constructor(
    writer: DuckDBConnection,
    options: { memoryBytes: number; queueMax: number },
  ) {
    this.#writer = writer;
    for (const name of ['data', 'hot', 'spill', 'run']) mkdirSync(join(this.directory, name));
    this.queries = new Queries(
      { host: this, files: nodeFiles, clock: systemClock },
      {
        queueMax: options.queueMax,
        timeoutMs: 60_000,
        process: {
          entry: new URL('../../src/query/child/main.ts', import.meta.url),
          runtimeDirectory: join(this.directory, 'run'),
          poolSize: 2,
          engine: {
            dataDirectory: join(this.directory, 'data'),
            readDirectories: [join(this.directory, 'hot')],
            spillDirectory: join(this.directory, 'spill'),
            spillBytesMax: 2 ** 28,
            threads: 1,
            memoryBytes: options.memoryBytes,
          },
        },
      },
    );
    this.queries.start();
  }

  static async open(options = { memoryBytes: 256 * 2 ** 20, queueMax: 2 }): Promise<QueryRig> {
    const instance = await DuckDBInstance.create(':memory:', { threads: '1' });
    return new QueryRig(await instance.connect(), options);
  }

  async close(): Promise<void> {
    await this.queries.close();
    rmSync(this.directory, { recursive: true, force: true });
  }

  addMeasurement(schema: MeasurementSchema): void {
    this.#databases.add(schema.database);
    const others = this.#schemas.filter((other) => other.id !== schema.id);
    this.#schemas.splice(0, this.#schemas.length, ...others, schema);
  }

  async #write(path: string, select: string): Promise<void> {
    mkdirSync(dirname(path), { recursive: true });
    const columns = `make_timestamp(t)::TIMESTAMPTZ AS "time", * EXCLUDE (t)`;
    await this.#writer.run(
      `COPY (SELECT ${columns} FROM (${select})) TO '${path.replaceAll("'", "''")}' (FORMAT parquet)`,
    );
  }

  async #hoursOf(select: string): Promise<FileFacts['hours']> {
    const hour = '(t - (t % 3600000000 + 3600000000) % 3600000000) // 3600000000';
    const answer = await this.#writer.runAndReadAll(
      `SELECT h, min(t - h * 3600000000), max(t - h * 3600000000)
       FROM (SELECT t, ${hour} AS h FROM (${select})) GROUP BY h ORDER BY h`,
    );
    return answer.getRows().map(([at, min, max]) => [Number(at), Number(min), Number(max)]);
  }

  async fileOf(measurementId: number, spec: FileSpec): Promise<FileFacts> {
    const id = this.#nextFile;
    this.#nextFile += 1;
    const path = `m${String(measurementId)}/${String(id)}.parquet`;
    await this.#write(join(this.directory, 'data', path), spec.select);
    return {
      id,
      measurementId,
      path,
      sha256: '',
      bytes: 0,
      rows: 0,
      hours: spec.hours ?? wholeHour,
      flags: spec.flags ?? 0,
      lsns: [0, 0],
      part: [0, 1],
      seqMax: 0,
      columns: spec.columnIds.map((columnId) => [columnId, columnId] as const),
    };
  }

  /** Commits: the numbers and files move at once, as on the main thread. */
  commit(adds: readonly FileFacts[], removes: readonly number[] = []): number {
    this.#commit += 1;
    const commit: Commit = {
      number: this.#commit,
      kind: 'flush',
      adds,
      removes: removes.map((id) => ({ id, reason: 'compact' })),
    };
    for (const file of adds) this.#files.set(file.id, file);
    for (const id of removes) this.#files.delete(id);
    for (const listener of this.#listeners) listener({ commit, statistics: [] });
    return this.#commit;
  }

  async addFile(measurementId: number, spec: FileSpec): Promise<FileFacts> {
    const file = await this.fileOf(measurementId, spec);
    this.commit([file]);
    return file;
  }

  async addHot(measurementId: number, spec: HotSpec, declared?: readonly number[]): Promise<void> {
    // Never a name twice: a chunk's file does not change while a query may read it.
    const name = `${String(measurementId)}-${String(this.#nextFile)}.parquet`;
    this.#nextFile += 1;
    const path = join(this.directory, 'hot', name);
    await this.#write(path, spec.select);
    const schema = this.#schemas.find((other) => other.id === measurementId);
    const columns = (schema?.columns ?? []).flatMap((logical) => {
      const { kind, spelling, sqlName } = logical;
      return logical.parts.map((physical) => ({ kind, spelling, sqlName, physical }));
    });
    const ids = declared ?? spec.columnIds;
    this.hotChunks.push({
      measurementId,
      hasIdentity: true,
      bufferId: spec.bufferId ?? this.#nextFile,
      hours: spec.hours ?? (await this.#hoursOf(spec.select)),
      repeatHours: spec.repeatHours ?? [],
      doubledHours: spec.doubledHours ?? [],
      path,
      columns: columns.filter((reference) => ids.includes(reference.physical.id)),
    });
  }

  visibleCommit(): number {
    return this.#commit;
  }

  seed(): Promise<FileListing> {
    const pieces = Readable.from([{ files: [...this.#files.values()] }]);
    return Promise.resolve({ commit: this.#commit, pieces, close: () => undefined });
  }

  onEvent(listener: (event: CommitEvent) => void): void {
    this.#listeners.push(listener);
  }

  async hot(measurementIds: readonly number[]): Promise<HotSet> {
    const commit = this.#commit;
    const chunks = this.hotChunks.filter((chunk) => measurementIds.includes(chunk.measurementId));
    this.pins.push(commit);
    await this.duringHot();
    let held = true;
    const release = () => {
      if (held) this.pins.splice(this.pins.indexOf(commit), 1);
      held = false;
    };
    return { commit, chunks, release };
  }

  databases(): readonly string[] {
    return [...this.#databases];
  }

  measurements(database: string): readonly MeasurementSchema[] {
    return this.#schemas.filter((schema) => schema.database === database);
  }

  find(database: string, measurement: string): MeasurementSchema | undefined {
    return this.measurements(database).find((schema) => schema.name === measurement);
  }

  recovering(): boolean {
    return this.replaying !== undefined;
  }

  async recovered(): Promise<void> {
    await this.replaying?.promise;
  }

  /** The text of the whole answer. */
  async answerText(sql: string, request: Partial<QueryRequest> = {}): Promise<string> {
    const answer = await this.queries.execute({ sql, database: 'default', ...request });
    return text(answer.body);
  }

  async ask(sql: string, request: Partial<QueryRequest> = {}): Promise<AnswerBody> {
    return JSON.parse(await this.answerText(sql, request)) as AnswerBody;
  }

  /** Rows of the answer. */
  async rows(sql: string, request: Partial<QueryRequest> = {}): Promise<AnswerBody['data']> {
    return (await this.ask(sql, request)).data;
  }
}
