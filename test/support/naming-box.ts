/**
 * One gateway's ingest and scan without its threads: real decoders, log records, registry, buffers,
 * hot chunks, Parquet files, catalog state and scans, put together so that a history can stop
 * between any two of them. Restarts lose all but what is in files, catalog and log.
 */
import { mkdirSync, mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { DuckDBInstance, type DuckDBConnection } from '@duckdb/node-api';
import { nodeFiles } from '../../src/base/disk/files.ts';
import type { ColumnBatch, RequestBatch } from '../../src/base/model/column-batch.ts';
import type { CommitProposal, FileFacts } from '../../src/base/model/commit.ts';
import type { MeasurementSchema } from '../../src/base/model/schema.ts';
import { HotChunks } from '../../src/ingest/buffer/hot-chunks.ts';
import { MeasurementBuffers } from '../../src/ingest/buffer/measurement-buffers.ts';
import type { MeasurementBuffer } from '../../src/ingest/buffer/measurement-buffer.ts';
import { SeriesMarks } from '../../src/ingest/buffer/series-marks.ts';
import {
  decodePayload,
  encodeCommit,
  encodeSnapshot,
} from '../../src/log/journal/commit-record.ts';
import { LiveState } from '../../src/log/journal/live-state.ts';
import { decodeRequest, encodeRequest } from '../../src/log/wal/request-record.ts';
import { HotColumns } from '../../src/query/child/hot-columns.ts';
import { tableScan } from '../../src/query/child/table-scan.ts';
import type { FileEntry, HotFile } from '../../src/query/child/wire.ts';
import { TagNames } from '../../src/storage/catalog/tag-names.ts';
import { SchemaRegistry } from '../../src/storage/catalog/schema-registry.ts';
import { FileWriter } from '../../src/storage/parquet/file-writer.ts';
import { encodeFlush } from '../../src/storage/parquet/flush-encoder.ts';
import { encodeHot } from '../../src/storage/parquet/hot-encoder.ts';
import { FakeClock } from './flush-fakes.ts';
import { newDecoder } from './line-decoder.ts';
import { newMessageDecoder } from './msgpack-decoder.ts';
import { fieldNames, tagNames, textOf, type PlainRow } from './naming-model.ts';

/** What a test plants; the product's own where a part is left out. */
export interface BoxParts {
  /** The schema by which a scan merges. */
  readonly scanSchema?: (schema: MeasurementSchema) => MeasurementSchema;
  /** Batches as they enter the buffers. */
  readonly entering?: (batch: ColumnBatch) => ColumnBatch;
}

const registryOptions = {
  columnsMax: 100,
  measurementsMax: 20,
  databasesMax: 4,
  nameBytesMax: 65_535,
  createDatabases: true,
};

interface Record {
  readonly lsn: number;
  readonly payload: Uint8Array;
}

const database = 'd';
export const measurement = 'm';

export class NamingBox {
  readonly #parts: BoxParts;
  readonly #directory = mkdtempSync(join(tmpdir(), 'namings-'));
  readonly #connection: DuckDBConnection;
  readonly #writer: FileWriter;
  readonly #log: Record[] = [];
  #state = new LiveState();
  #life: Life;
  #lsn = 1;
  #commit = 0;
  #fileId = 1;
  #lives = 0;

  private constructor(connection: DuckDBConnection, parts: BoxParts) {
    this.#connection = connection;
    this.#parts = parts;
    this.#writer = new FileWriter(nodeFiles, this.#directory);
    this.#life = this.#start();
  }

  static async open(parts: BoxParts = {}): Promise<NamingBox> {
    const instance = await DuckDBInstance.create(':memory:', { threads: '1' });
    const connection = await instance.connect();
    await connection.run("SET TimeZone = 'UTC'");
    return new NamingBox(connection, parts);
  }

  close(): void {
    this.#connection.closeSync();
    rmSync(this.#directory, { recursive: true, force: true });
  }

  /** Decides a request; nothing of it is in the log yet. */
  async decide(rows: readonly PlainRow[], dialect: Dialect): Promise<RequestBatch> {
    const { message, line } = this.#life;
    const decoded =
      dialect === 'line'
        ? await line(rows.map(lineOf).join('\n'), { database, precision: 'us' })
        : await message(dialect === 'row' ? rows.map(rowItem) : columnarItem(rows), { database });
    if (decoded.rejected.length > 0) throw new Error(JSON.stringify(decoded.rejected));
    return { batches: decoded.batches, serverTimeUs: 0, clockTrusted: true };
  }

  append(request: RequestBatch): void {
    const payload = encodeRequest(request);
    const record = { lsn: this.#lsn, payload };
    this.#lsn += request.batches.reduce((sum, { rowCount }) => sum + rowCount, 0);
    this.#log.push(record);
    this.#enter(request, record.lsn);
  }

  name(tags: readonly string[], forDatabase: boolean): Promise<readonly string[]> {
    const { tags: names } = this.#life;
    return forDatabase ? names.nameForAll(database, tags) : names.name(database, measurement, tags);
  }

  seal(): void {
    const { buffers, waiting } = this.#life;
    for (const { measurementId } of [...buffers.open])
      waiting.push(...buffers.seal([measurementId]));
  }

  /** Files the buffer that was sealed first. */
  async file(): Promise<void> {
    const { waiting, registry, buffers } = this.#life;
    const buffer = waiting.shift();
    if (buffer === undefined) return;
    const plans = buffer.plan(1);
    const count = plans.flat().length;
    const ids = Array.from({ length: count }, () => (this.#fileId += 1));
    const job = buffer.flushJob(plans, ids, [0, count]);
    const { facts } = await encodeFlush(job, 'none', this.#writer);
    const { measurementId, lastSeq } = buffer;
    this.#apply({
      kind: 'flush',
      adds: facts,
      positions: [[measurementId, lastSeq]],
      ...registry.takeChanges([measurementId]),
    });
    buffers.filed(measurementId, lastSeq);
  }

  /** The process ends and starts; the catalog is read from a snapshot. */
  restart(): void {
    const payload = decodePayload(encodeSnapshot(this.#state.toState()));
    if (payload.type !== 'snapshot') throw new Error('a snapshot is read back as one');
    this.#state = new LiveState(payload.state);
    this.#life = this.#start();
    for (const { lsn, payload: record } of this.#log) {
      this.#enter(this.#life.registry.adopt(decodeRequest(record)), lsn);
    }
  }

  /** The files of the catalog. */
  files(): readonly FileFacts[] {
    return [...this.#state.files()];
  }

  /** Text of the scan over all rows. */
  async scanSql(): Promise<string> {
    return (await this.#scan()).sql;
  }

  /** All rows that a query sees, as sorted texts. */
  async rows(): Promise<readonly string[]> {
    const { sql, release } = await this.#scan();
    const columns = [...tagNames, ...fieldNames];
    const answer = await this.#connection.runAndReadAll(`SELECT * FROM (${sql})`);
    release();
    const names = answer.columnNames();
    return answer
      .getRows()
      .map((row) => {
        const cell = (name: string) => row[names.indexOf(name)] ?? null;
        const cells = columns.map((name) => {
          const value = cell(name);
          return [
            name,
            typeof value === 'string' || value === null ? value : Number(value),
          ] as const;
        });
        const { micros } = cell('time') as unknown as { readonly micros: bigint };
        return textOf({
          time: Number(micros),
          cells: Object.fromEntries(cells) as PlainRow['cells'],
        });
      })
      .toSorted();
  }

  async #scan(): Promise<{ readonly sql: string; release(): void }> {
    const { registry, hot } = this.#life;
    const own = registry.find(database, measurement);
    if (own === undefined)
      return { sql: 'SELECT 1 AS "time" WHERE false', release: () => undefined };
    const schema = this.#parts.scanSchema?.(own) ?? own;
    const pin = hot.pin([own.id]);
    const parts = {
      schema,
      files: this.files().filter(({ measurementId }) => measurementId === own.id) as FileEntry[],
      hot: await this.#held(schema, await pin.chunks),
      columns: { words: new Set<string>(), all: true },
      range: { from: undefined, to: undefined },
      tags: [],
      dataDirectory: this.#directory,
    };
    const { scan, lists } = tableScan(parts, 0);
    for (const [variable, paths] of lists) {
      const list = paths.map((path) => `'${path}'`).join(', ');
      await this.#connection.run(`SET VARIABLE ${variable} = [${list}]`);
    }
    return { sql: scan.sql, release: () => pin.release() };
  }

  async #held(
    schema: MeasurementSchema,
    chunks: Awaited<ReturnType<HotChunks['pin']>['chunks']>,
  ): Promise<readonly HotFile[]> {
    if (chunks.length === 0) return [];
    const paths = chunks.map(({ path }) => path);
    const held = await new HotColumns().namesIn(paths, this.#connection);
    const parts = schema.columns.flatMap((column) => column.parts);
    return chunks.map((chunk) => {
      const names = held.get(chunk.path);
      const ids = parts.filter(({ name }) => names?.has(name) === true).map(({ id }) => id);
      return { ...chunk, columnIds: ids.toSorted((a, b) => a - b) };
    });
  }

  #enter(request: RequestBatch, lsn: number): void {
    const { entering = (batch: ColumnBatch) => batch } = this.#parts;
    const batches = request.batches.map(entering);
    this.#life.buffers.enter(batches, lsn, () => undefined);
  }

  /** As the journal would give it back. */
  #apply(proposal: CommitProposal): number {
    const payload = decodePayload(encodeCommit(proposal));
    if (payload.type !== 'commit') throw new Error('a commit is read back as one');
    this.#commit += 1;
    const commit = { ...payload.proposal, number: this.#commit };
    this.#state.apply(commit);
    this.#life.registry.confirm(commit);
    return this.#commit;
  }

  #start(): Life {
    const state = this.#state.toState();
    const registry = new SchemaRegistry(registryOptions);
    registry.load(state);
    const buffers = new MeasurementBuffers(new FakeClock(), {
      positions: state.positions,
      lowWater: 0,
      rowsMax: 50_000,
      bufferBytesMax: 2 ** 26,
      memoryBytesMax: 2 ** 26,
      hashSeed: 7,
      marks: new SeriesMarks(state.files, { bytesMax: 2 ** 20, hashSeed: 9 }),
    });
    const encoder = {
      flush: () => Promise.reject(new Error('flushes are made by hand')),
      hot: (job: Parameters<typeof encodeHot>[0]) => encodeHot(job, nodeFiles),
    };
    // A query process lives no longer than its gateway; this engine would know the old chunks.
    this.#lives += 1;
    const directories = [join(this.#directory, `hot-${this.#lives}`)];
    for (const directory of directories) mkdirSync(directory);
    const hot = new HotChunks({ buffers, encoder, files: nodeFiles }, { directories });
    const commits = { commit: (each: CommitProposal) => Promise.resolve(this.#apply(each)) };
    return {
      registry,
      buffers,
      hot,
      waiting: [],
      tags: new TagNames({ registry, commits, admit: () => undefined, seal: () => undefined }),
      message: newMessageDecoder({}, 1 << 20, registry).decode,
      line: newDecoder({}, 1 << 20, registry).decode,
    };
  }
}

export type Dialect = 'columnar' | 'row' | 'line';

/** What a restart makes anew. */
interface Life {
  readonly registry: SchemaRegistry;
  readonly buffers: MeasurementBuffers;
  readonly hot: HotChunks;
  readonly waiting: MeasurementBuffer[];
  readonly tags: TagNames;
  readonly message: ReturnType<typeof newMessageDecoder>['decode'];
  readonly line: ReturnType<typeof newDecoder>['decode'];
}

function lineOf({ time, cells }: PlainRow): string {
  const tags = tagNames.filter((tag) => cells[tag]).map((tag) => `,${tag}=${String(cells[tag])}`);
  const fields = fieldNames.filter((name) => cells[name] !== null);
  const texts = fields.map((name) => `${name}=${String(cells[name])}i`);
  return `${measurement}${tags.join('')} ${texts.join(',')} ${String(time)}`;
}

function rowItem({ time, cells }: PlainRow) {
  const tags = Object.fromEntries(tagNames.map((tag) => [tag, cells[tag]]));
  const named = fieldNames.filter((name) => cells[name] !== null);
  const fields = Object.fromEntries(named.map((name) => [name, cells[name]]));
  return { m: measurement, t: time, tags, fields };
}

function columnarItem(rows: readonly PlainRow[]) {
  const columns = [...tagNames, ...fieldNames].map(
    (name) => [name, rows.map(({ cells }) => cells[name])] as const,
  );
  const time = rows.map((row) => row.time);
  return { m: measurement, columns: { time, ...Object.fromEntries(columns) } };
}
