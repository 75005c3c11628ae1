/**
 * One query on one connection: its snapshot's files become scans, the scans take their places in
 * the text, and the rows come out as JSON while DuckDB makes them.
 *
 * The engine's streams end in the same way when they are complete and when they break: an error,
 * an interrupt or a corrupt file looks like the last row. So the query runs in an explicit
 * transaction, which any error aborts; a statement after the last row shows which of the two it
 * was.
 */
import type { DuckDBConnection, DuckDBResult } from '@duckdb/node-api';
import type { Clock } from '../../base/lib/clock.ts';
import { GatewayError } from '../../base/errors/gateway-error.ts';
import { rewriteQuery } from '../sql/rewrite.ts';
import type { Scan } from '../sql/scan.ts';
import type { TimeRange } from '../sql/scan-terms.ts';
import type { TimeBound } from '../sql/time-bounds.ts';
import { quoteText } from '../sql/tokens.ts';
import { InstantFormat, rowsJson } from './encode-json.ts';
import { bindParameters, type Engine } from './engine.ts';
import { engineError } from './engine-errors.ts';
import type { HotColumns } from './hot-columns.ts';
import { evaluateBounds } from './evaluate-bounds.ts';
import type { FileIndex } from './file-index.ts';
import { tableScan } from './table-scan.ts';
import type { HotFile, RunRequest, TableSource } from './wire.ts';

/** Where the answer goes. Resolves when more may be written. */
export type AnswerSink = (text: string) => Promise<void>;

export interface RunDependencies {
  readonly engine: Engine;
  readonly index: FileIndex;
  readonly hotColumns: HotColumns;
  readonly clock: Clock;
  readonly dataDirectory: string;
}

/** Text is handed on in pieces of about this many characters. */
const pieceLength = 65_536;

/** An interrupt that comes between two statements is lost, so it is repeated this often. */
const interruptEveryMs = 50;

const openRange: TimeRange = { from: undefined, to: undefined };

function cancelled(): GatewayError {
  return new GatewayError('HF_QUERY_CANCELLED', 'the query was cancelled');
}

export class QueryRun {
  readonly #deps: RunDependencies;
  readonly #request: RunRequest;
  readonly #signal: AbortSignal;
  readonly #sink: AnswerSink;
  readonly #startedMs: number;
  #pending = '';
  #sent = false;

  constructor(deps: RunDependencies, request: RunRequest, signal: AbortSignal, sink: AnswerSink) {
    this.#deps = deps;
    this.#request = request;
    this.#signal = signal;
    this.#sink = sink;
    this.#startedMs = deps.clock.monotonicMs();
  }

  /**
   * Resolves when the whole answer was handed to the sink. Rejects before the first piece with the
   * query's own error, after it with what broke the stream: the answer is not complete then.
   */
  async execute(): Promise<void> {
    await this.#deps.index.reached(this.#request.commit, this.#signal);
    const connection = await this.#deps.engine.connect();
    let timer: NodeJS.Timeout | undefined;
    const interrupt = () => {
      connection.interrupt();
      timer ??= setInterval(interrupt, interruptEveryMs);
    };
    this.#signal.addEventListener('abort', interrupt);
    try {
      this.#checkCancelled();
      await this.#onConnection(connection);
    } catch (error) {
      throw this.#signal.aborted ? cancelled() : engineError(error);
    } finally {
      this.#signal.removeEventListener('abort', interrupt);
      clearInterval(timer);
      connection.closeSync();
    }
  }

  #checkCancelled(): void {
    if (this.#signal.aborted) throw cancelled();
  }

  async #onConnection(connection: DuckDBConnection): Promise<void> {
    await connection.run('BEGIN TRANSACTION READ ONLY');
    const sql = await this.#place(connection);
    this.#checkCancelled();
    const statement = await connection.prepare(sql);
    bindParameters(statement, this.#request.parameters);
    this.#checkCancelled();
    const result = await statement.stream();
    await this.#write(headJson(result));
    const rowCount = await this.#writeRows(result);
    await this.#confirmComplete(connection, sql);
    await this.#write(this.#tailJson(rowCount));
    await this.#flush();
  }

  /** The text to run: scans in their places, lists of files in session variables. */
  async #place(connection: DuckDBConnection): Promise<string> {
    const { query, tables } = this.#request;
    const { index, dataDirectory } = this.#deps;
    const columns = { words: new Set(query.shape.words), all: query.shape.allColumns };
    const scans: Scan[] = [];
    let variables = 0;
    for (const [place, table] of query.shape.tables.entries()) {
      const source = tables[place];
      if (source === undefined) throw new GatewayError('HF_BUG', 'a table has no source');
      const range = await this.#rangeOf(connection, table.bounds);
      const hot = await this.#heldColumns(connection, source);
      const { schema } = source;
      const files = index.filesAt(schema.id, this.#request.commit, range);
      const { tags } = table;
      const parts = { schema, files, hot, columns, range, tags, dataDirectory };
      const { scan, lists } = tableScan(parts, variables);
      for (const [variable, paths] of lists) {
        await connection.run(`SET VARIABLE ${variable} = [${paths.map(quoteText).join(', ')}]`);
      }
      variables += lists.size;
      scans.push(scan);
    }
    return rewriteQuery(query.sql, query.shape, scans);
  }

  /** The table's hot chunks with the columns that they really hold, ascending. */
  async #heldColumns(
    connection: DuckDBConnection,
    { schema, hot }: TableSource,
  ): Promise<readonly HotFile[]> {
    if (hot.length === 0) return hot;
    const paths = hot.map((chunk) => chunk.path);
    const held = await this.#deps.hotColumns.namesIn(paths, connection);
    const nameOf = new Map<number, string>();
    for (const part of schema.columns.flatMap((column) => column.parts)) {
      nameOf.set(part.id, part.name);
    }
    return hot.map((chunk) => {
      const names = held.get(chunk.path);
      const ids = chunk.columnIds.filter((id) => names?.has(nameOf.get(id) ?? '') === true);
      return { ...chunk, columnIds: ids.toSorted((a, b) => a - b) };
    });
  }

  /** Evaluates bounds in the transaction of the query, so that clock functions agree. */
  async #rangeOf(connection: DuckDBConnection, bounds: readonly TimeBound[]): Promise<TimeRange> {
    if (bounds.length === 0) return openRange;
    try {
      return await evaluateBounds(connection, bounds);
    } catch {
      // A constant that is no time makes the query itself fail, with the sender's own words.
      await connection.run('ROLLBACK');
      await connection.run('BEGIN TRANSACTION READ ONLY');
      return openRange;
    }
  }

  async #writeRows(result: DuckDBResult): Promise<number> {
    const instants = new InstantFormat();
    let rowCount = 0;
    for (;;) {
      this.#checkCancelled();
      const chunk = await result.fetchChunk();
      if (chunk === null || chunk.rowCount === 0) return rowCount;
      await this.#write(`${rowCount === 0 ? '' : ','}${rowsJson(chunk, instants)}`);
      rowCount += chunk.rowCount;
    }
  }

  async #confirmComplete(connection: DuckDBConnection, sql: string): Promise<void> {
    this.#checkCancelled();
    try {
      await connection.run('SELECT 1');
    } catch (error) {
      if (this.#sent) {
        throw new GatewayError('HF_QUERY_FAILED', 'the query broke while it answered', {
          cause: error,
        });
      }
      throw await this.#findError(connection, sql);
    }
  }

  /** The stream does not tell its error; running the statement again without one does. */
  async #findError(connection: DuckDBConnection, sql: string): Promise<GatewayError> {
    try {
      await connection.run('ROLLBACK');
      const statement = await connection.prepare(sql);
      bindParameters(statement, this.#request.parameters);
      await statement.run();
    } catch (error) {
      return engineError(error);
    }
    return new GatewayError('HF_QUERY_FAILED', 'the query broke and worked when it was repeated');
  }

  #tailJson(rowCount: number): string {
    const { clock } = this.#deps;
    const elapsedMs = Math.round((clock.monotonicMs() - this.#startedMs) * 100) / 100;
    const timestamp = new InstantFormat().format(BigInt(clock.wallUs()), 6);
    return (
      `],"row_count":${String(rowCount)},"execution_time_ms":${String(elapsedMs)},` +
      `"timestamp":"${timestamp}"}`
    );
  }

  async #write(text: string): Promise<void> {
    this.#pending += text;
    if (this.#pending.length >= pieceLength) await this.#flush();
  }

  async #flush(): Promise<void> {
    const text = this.#pending;
    this.#pending = '';
    this.#sent = true;
    await this.#sink(text);
  }
}

function headJson(result: DuckDBResult): string {
  const columns = JSON.stringify(result.columnNames());
  const types = JSON.stringify(result.columnTypes().map((type) => type.toString()));
  return `{"success":true,"columns":${columns},"types":${types},"data":[`;
}
