/**
 * The query process's HTTP server on its UNIX socket: the endpoints of wire.ts. Only the gateway's
 * main process can reach it. A connection that closes before its answer is complete cancels its
 * query; a query that breaks after its first bytes closes the connection, so that what arrived can
 * not be taken for a whole answer.
 */
import { createServer, type IncomingMessage, type Server, type ServerResponse } from 'node:http';
import { createInterface } from 'node:readline';
import { once } from 'node:events';
import type { Clock } from '../../base/lib/clock.ts';
import { asGatewayError, GatewayError, toWire } from '../../base/errors/gateway-error.ts';
import type { Engine } from './engine.ts';
import type { FileIndex } from './file-index.ts';
import type { HotColumns } from './hot-columns.ts';
import { QueryRun } from './query-run.ts';
import type {
  Applied,
  FileChange,
  FileEntry,
  Health,
  PreparedQuery,
  PrepareRequest,
  RunRequest,
} from './wire.ts';

export interface ServerDependencies {
  readonly engine: Engine;
  readonly index: FileIndex;
  readonly hotColumns: HotColumns;
  readonly clock: Clock;
}

async function readBody(request: IncomingMessage): Promise<string> {
  const chunks: Buffer[] = [];
  for await (const chunk of request) chunks.push(chunk as Buffer);
  return Buffer.concat(chunks).toString('utf8');
}

async function* readLines(request: IncomingMessage): AsyncIterable<unknown> {
  for await (const line of createInterface({ input: request, crlfDelay: Infinity })) {
    if (line !== '') yield JSON.parse(line);
  }
}

function answerJson(response: ServerResponse, status: number, value: unknown): void {
  const body = JSON.stringify(value);
  response.writeHead(status, { 'content-type': 'application/json' });
  response.end(body);
}

export class QueryServer {
  readonly #deps: ServerDependencies;
  readonly #dataDirectory: string;
  readonly #server: Server;
  #running = 0;

  constructor(deps: ServerDependencies, dataDirectory: string) {
    this.#deps = deps;
    this.#dataDirectory = dataDirectory;
    this.#server = createServer((request, response) => void this.#answer(request, response));
    // A long seed, a slow reader or a quiet hour is no reason to give up on the other process.
    this.#server.requestTimeout = 0;
    this.#server.headersTimeout = 0;
    this.#server.keepAliveTimeout = 0;
  }

  async listen(socketPath: string): Promise<void> {
    this.#server.listen(socketPath);
    await once(this.#server, 'listening');
  }

  async #answer(request: IncomingMessage, response: ServerResponse): Promise<void> {
    const url = new URL(request.url ?? '/', 'http://query');
    try {
      switch (`${request.method ?? ''} ${url.pathname}`) {
        case 'POST /seed':
          answerJson(response, 200, await this.#seed(request, url));
          break;
        case 'POST /commits':
          answerJson(response, 200, await this.#apply(request, url));
          break;
        case 'POST /prepare':
          answerJson(response, 200, await this.#prepare(request));
          break;
        case 'POST /run':
          await this.#run(request, response);
          break;
        case 'GET /health':
          answerJson(response, 200, this.#health());
          break;
        default:
          throw new GatewayError('HF_BUG', `the query process has no ${url.pathname}`);
      }
    } catch (error) {
      if (response.headersSent) response.destroy(asGatewayError(error));
      else if (!response.destroyed) answerJson(response, 500, toWire(error));
    }
  }

  async #seed(request: IncomingMessage, url: URL): Promise<Applied> {
    const files: FileEntry[] = [];
    for await (const line of readLines(request)) files.push(line as FileEntry);
    this.#deps.index.seed(Number(url.searchParams.get('commit')), files);
    return { applied: this.#deps.index.applied };
  }

  async #apply(request: IncomingMessage, url: URL): Promise<Applied> {
    const changes: FileChange[] = [];
    for await (const line of readLines(request)) changes.push(line as FileChange);
    this.#deps.index.apply(changes);
    this.#deps.index.raiseFloor(Number(url.searchParams.get('floor')));
    return { applied: this.#deps.index.applied };
  }

  async #prepare(request: IncomingMessage): Promise<PreparedQuery> {
    const { sql } = JSON.parse(await readBody(request)) as PrepareRequest;
    return this.#deps.engine.prepare(sql);
  }

  async #run(request: IncomingMessage, response: ServerResponse): Promise<void> {
    const run = JSON.parse(await readBody(request)) as RunRequest;
    const abort = new AbortController();
    response.on('close', () => {
      abort.abort();
    });
    const sink = async (text: string) => {
      if (!response.headersSent) {
        response.writeHead(200, { 'content-type': 'application/json; charset=utf-8' });
      }
      if (!response.write(text)) await drained(response, abort.signal);
    };
    this.#running += 1;
    try {
      const deps = { ...this.#deps, dataDirectory: this.#dataDirectory };
      await new QueryRun(deps, run, abort.signal, sink).execute();
      response.end();
    } finally {
      this.#running -= 1;
    }
  }

  #health(): Health {
    return {
      applied: this.#deps.index.applied,
      queriesRunning: this.#running,
      filesKnown: this.#deps.index.fileCount,
      residentBytes: process.memoryUsage.rss(),
    };
  }
}

/** Resolves when the reader took what was written; rejects when it went away. */
async function drained(response: ServerResponse, signal: AbortSignal): Promise<void> {
  try {
    await once(response, 'drain', { signal });
  } catch (error) {
    throw new GatewayError('HF_QUERY_CANCELLED', 'the reader went away', { cause: error });
  }
}
