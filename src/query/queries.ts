/**
 * The way of a query through the main process: admission, parsing in the query process, names to
 * measurements, the snapshot, the run, the answer's bytes. Main thread; the one entry of the wing.
 *
 * Q1 A query sees the files of one commit and the hot rows of the same tick, both pinned until its
 *    answer has ended (commit-protocol P15).
 * Q2 A query whose process died starts anew with a new snapshot unless its answer has begun; an
 *    answer that began and cannot be finished is destroyed, so that it never looks complete.
 * Q3 While the log is replayed a query waits, unless it asked for partial answers (P16).
 */
import { PassThrough, Readable } from 'node:stream';
import type { IncomingMessage } from 'node:http';
import { setTimeout as sleep } from 'node:timers/promises';
import type { Clock } from '../base/lib/clock.ts';
import type { Files } from '../base/disk/files.ts';
import { GatewayError } from '../base/errors/gateway-error.ts';
import { abortError, orAborted } from './abort-error.ts';
import { Admission, type Priority } from './admission.ts';
import { CommitFeed } from './commit-feed.ts';
import { EngineProcess, type EngineProcessOptions, type EngineStatus } from './engine-process.ts';
import type { HotSet, QueryHost } from './query-host.ts';
import { isAbsence, resolveMeasurement } from './resolve.ts';
import { showAnswer, type TextTable } from './show-answer.ts';
import { readShow } from './sql/show.ts';
import type { PreparedQuery, RunRequest, TableSource, WireParameter } from './child/wire.ts';

export type ParameterValue = null | boolean | number | bigint | string;

export interface QueryRequest {
  readonly sql: string;
  /** By position, or by name. */
  readonly parameters?: readonly ParameterValue[] | Readonly<Record<string, ParameterValue>>;
  /** Database of measurements that are named without one. */
  readonly database: string;
  readonly priority?: Priority;
  /** True if the sender may read `_internal`. */
  readonly admin?: boolean;
  /** True if an answer during replay may lack rows. */
  readonly partial?: boolean;
  /** From admission to the last byte; the default is the option's. */
  readonly timeoutMs?: number;
  /** Aborted when the client goes away. */
  readonly signal?: AbortSignal;
  /**
   * True if a SELECT over a measurement or database that does not exist gets an answer without
   * columns and rows, which says what is missing as its `warning`, instead of an error.
   */
  readonly absentIsEmpty?: boolean;
}

/** What says how long a query may wait. */
export type QueryPatience = Pick<QueryRequest, 'partial' | 'timeoutMs' | 'signal'>;

export interface QueryAnswer {
  /** For `x-holdfast-commit`. */
  readonly commit: number;
  /** True if replay was not at its end: `x-holdfast-incomplete: recovery`. */
  readonly incomplete: boolean;
  /**
   * The whole JSON body of the answer to `POST /api/v1/query`. Destroyed with a GatewayError if it
   * cannot be finished; destroying it cancels the query.
   */
  readonly body: Readable;
}

export interface QueriesOptions {
  readonly process: EngineProcessOptions;
  readonly queueMax: number;
  readonly timeoutMs: number;
}

export interface QueriesDependencies {
  readonly host: QueryHost;
  readonly files: Files;
  readonly clock: Clock;
}

export interface QueriesStatus {
  readonly running: number;
  readonly waiting: number;
  readonly seeds: number;
  readonly engine: EngineStatus;
}

/** A query is started at most so often; each start but the last met a process that died. */
const attemptsMax = 3;
const pauseMs = 20;

export class Queries {
  readonly #deps: QueriesDependencies;
  readonly #options: QueriesOptions;
  readonly #engine: EngineProcess;
  readonly #feed: CommitFeed;
  readonly #admission: Admission;
  /** Snapshots of running queries. */
  readonly #snapshots = new Set<{ readonly commit: number }>();
  #waitingForReplay = 0;

  constructor(deps: QueriesDependencies, options: QueriesOptions) {
    this.#deps = deps;
    this.#options = options;
    const { poolSize } = options.process;
    this.#admission = new Admission({ poolSize, queueMax: options.queueMax });
    this.#engine = new EngineProcess(deps, options.process);
    this.#feed = new CommitFeed({
      host: deps.host,
      engine: this.#engine,
      floor: () => this.#oldestSnapshot(),
    });
  }

  /** Starts the query process; queries that come before it listens wait for it. */
  start(): void {
    this.#engine.start();
  }

  /** Called each time that the query process ended by itself, with its last words. */
  onEngineEnd(listener: (lastWords: string) => void): void {
    this.#engine.onEnd(listener);
  }

  status(): QueriesStatus {
    return {
      running: this.#admission.running,
      waiting: this.#admission.waiting + this.#waitingForReplay,
      seeds: this.#feed.seeds,
      engine: this.#engine.status(),
    };
  }

  async close(): Promise<void> {
    this.#feed.close();
    await this.#engine.close();
  }

  /**
   * Resolves when the answer begins.
   * @throws HF_QUERY_SYNTAX, HF_QUERY_REFUSED, HF_QUERY_INVALID, HF_QUERY_UNKNOWN_MEASUREMENT,
   * HF_QUERY_INTERNAL for the statement; HF_QUERY_QUEUE_FULL, HF_QUERY_MEMORY, HF_QUERY_TIMEOUT,
   * HF_QUERY_CANCELLED, HF_QUERY_FAILED, HF_QUERY_ENGINE_DOWN, HF_RECOVERING for its run.
   */
  async execute(request: QueryRequest): Promise<QueryAnswer> {
    const show = readShow(request.sql);
    if (show !== undefined) {
      await this.replayed(request);
      const admin = request.admin === true;
      const table = showAnswer(show, this.#deps.host, request.database, admin);
      return this.#answerTable(table);
    }
    const deadline = this.#deadline(request);
    let release: (() => void) | undefined;
    try {
      await this.#awaitReplay(request, deadline.signal);
      release = await this.#admission.acquire(request.priority ?? 'normal', deadline.signal);
      return await this.#attempts(request, deadline, release);
    } catch (error) {
      deadline.clear();
      release?.();
      if (request.absentIsEmpty !== true || !isAbsence(error)) throw error;
      return this.#answerTable({ columns: [], rows: [] }, error.message);
    }
  }

  /**
   * Resolves when the log is read to its end, so that everything in it is seen (Q3).
   * @throws HF_RECOVERING, HF_QUERY_CANCELLED
   */
  async replayed(request: QueryPatience): Promise<void> {
    const deadline = this.#deadline(request);
    try {
      await this.#awaitReplay(request, deadline.signal);
    } finally {
      deadline.clear();
    }
  }

  #deadline(request: QueryPatience): Deadline {
    return new Deadline(request.timeoutMs ?? this.#options.timeoutMs, request.signal);
  }

  async #awaitReplay(request: QueryPatience, signal: AbortSignal): Promise<void> {
    if (request.partial === true || !this.#deps.host.recovering()) return;
    if (this.#waitingForReplay >= this.#options.queueMax) {
      throw new GatewayError('HF_RECOVERING', 'the log is still being read, many queries wait');
    }
    this.#waitingForReplay += 1;
    try {
      await orAborted(this.#deps.host.recovered(), signal);
    } catch (error) {
      const late = error instanceof GatewayError && error.code === 'HF_QUERY_TIMEOUT';
      throw late ? new GatewayError('HF_RECOVERING', 'the log is still being read') : error;
    } finally {
      this.#waitingForReplay -= 1;
    }
  }

  async #attempts(
    request: QueryRequest,
    deadline: Deadline,
    release: () => void,
  ): Promise<QueryAnswer> {
    for (let attempt = 1; ; attempt += 1) {
      try {
        return await this.#attempt(request, deadline, release);
      } catch (error) {
        if (deadline.signal.aborted) throw abortError(deadline.signal);
        if (attempt === attemptsMax || !startsAnew(error)) throw error;
        // A seed may be ahead of the commits that are visible here; they follow at once.
        await orAborted(sleep(pauseMs * attempt), deadline.signal);
      }
    }
  }

  async #attempt(
    request: QueryRequest,
    deadline: Deadline,
    release: () => void,
  ): Promise<QueryAnswer> {
    const { host } = this.#deps;
    const { signal } = deadline;
    const body = JSON.stringify({ sql: request.sql });
    const query = (await this.#engine.requestJson('/prepare', body, signal)) as PreparedQuery;
    const schemas = query.shape.tables.map(({ database, name }) =>
      resolveMeasurement(host, database ?? request.database, name, request.admin === true),
    );
    const incomplete = host.recovering();
    // Noted in the tick in which `hot` takes it, so that no commit raises the floor in between.
    const snapshot = { commit: host.visibleCommit() };
    this.#snapshots.add(snapshot);
    let hot: HotSet | undefined;
    const unpin = () => {
      this.#snapshots.delete(snapshot);
      hot?.release();
    };
    try {
      hot = await host.hot([...new Set(schemas.map((schema) => schema.id))]);
      const { commit, chunks } = hot;
      const tables = schemas.map((schema) => tableSource(schema, chunks));
      const parameters = wireParameters(request.parameters);
      const run: RunRequest = { query, commit, tables, parameters };
      const answer = await this.#engine.request('POST', '/run', JSON.stringify(run), signal);
      const ended = () => {
        unpin();
        deadline.clear();
        release();
      };
      return { commit, incomplete, body: answerBody(answer, signal, ended) };
    } catch (error) {
      unpin();
      throw error;
    }
  }

  #oldestSnapshot(): number {
    let oldest = this.#deps.host.visibleCommit();
    for (const { commit } of this.#snapshots) oldest = Math.min(oldest, commit);
    return oldest;
  }

  #answerTable(table: TextTable, warning?: string): QueryAnswer {
    const { host, clock } = this.#deps;
    const body = JSON.stringify({
      success: true,
      columns: table.columns,
      types: table.columns.map(() => 'VARCHAR'),
      data: table.rows,
      row_count: table.rows.length,
      execution_time_ms: 0,
      timestamp: new Date(clock.wallUs() / 1000).toISOString(),
      warning,
    });
    const incomplete = host.recovering();
    return { commit: host.visibleCommit(), incomplete, body: Readable.from([Buffer.from(body)]) };
  }
}

/** Aborts when the time is up or the client leaves, with the error that the query then has. */
class Deadline {
  readonly #controller = new AbortController();
  readonly #timer: NodeJS.Timeout;
  readonly #client: AbortSignal | undefined;
  readonly #onClient = () => {
    this.#controller.abort(new GatewayError('HF_QUERY_CANCELLED', 'the client went away'));
  };

  constructor(timeoutMs: number, client: AbortSignal | undefined) {
    this.#client = client;
    this.#timer = setTimeout(() => {
      const message = `the query took longer than ${String(timeoutMs)} ms`;
      this.#controller.abort(new GatewayError('HF_QUERY_TIMEOUT', message));
    }, timeoutMs);
    if (client?.aborted === true) this.#onClient();
    client?.addEventListener('abort', this.#onClient, { once: true });
  }

  get signal(): AbortSignal {
    return this.#controller.signal;
  }

  clear(): void {
    clearTimeout(this.#timer);
    this.#client?.removeEventListener('abort', this.#onClient);
  }
}

function startsAnew(error: unknown): boolean {
  if (!(error instanceof GatewayError)) return false;
  return error.code === 'HF_QUERY_ENGINE_DOWN' || error.code === 'HF_QUERY_SNAPSHOT_GONE';
}

function tableSource(schema: TableSource['schema'], chunks: HotSet['chunks']): TableSource {
  const own = chunks.filter((chunk) => chunk.measurementId === schema.id);
  const hot = own.map(({ columns, ...chunk }) => {
    return { ...chunk, columnIds: columns.map((column) => column.physical.id) };
  });
  return { schema, hot };
}

function wireParameter(value: ParameterValue): WireParameter {
  return typeof value === 'bigint' ? { integer: String(value) } : value;
}

function wireParameters(parameters: QueryRequest['parameters']): RunRequest['parameters'] {
  if (parameters === undefined) return [];
  if (Array.isArray(parameters)) {
    return (parameters as readonly ParameterValue[]).map(wireParameter);
  }
  const named = Object.entries(parameters as Readonly<Record<string, ParameterValue>>);
  return Object.fromEntries(named.map(([name, value]) => [name, wireParameter(value)]));
}

/** The answer's bytes; errors in the middle become GatewayErrors, `ended` runs once at the end. */
function answerBody(answer: IncomingMessage, signal: AbortSignal, ended: () => void): Readable {
  const body = new PassThrough();
  const late = () => {
    body.destroy(abortError(signal));
  };
  const broken = (cause?: unknown) => {
    if (signal.aborted) late();
    else body.destroy(new GatewayError('HF_QUERY_ENGINE_DOWN', 'the answer broke off', { cause }));
  };
  signal.addEventListener('abort', late, { once: true });
  // Whoever was to read may be gone already; the error is then nobody's.
  body.on('error', () => undefined);
  answer.on('error', broken);
  answer.on('close', () => {
    if (!answer.complete) broken();
  });
  body.once('close', () => {
    signal.removeEventListener('abort', late);
    answer.destroy();
    ended();
  });
  return answer.pipe(body);
}
