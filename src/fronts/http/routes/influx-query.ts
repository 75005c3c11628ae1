/**
 * `/query` of InfluxDB 1: CREATE DATABASE (Telegraf's first request) and the SHOW statements.
 * Everything else is refused statement by statement, in the form that clients of InfluxQL show to
 * their users.
 */
import type { FastifyInstance, FastifyRequest } from 'fastify';
import { GatewayError } from '../../../base/errors/gateway-error.ts';
import { type Cell, type Series, ShowAnswers } from '../../influxql/show.ts';
import { parseStatements, type Statement } from '../../influxql/statements.ts';
import type { HttpFrontDeps, HttpFrontOptions } from '../front-types.ts';
import { goneSignal } from '../gone-signal.ts';
import { parameter, type Parameters } from '../parameters.ts';
import { type BodyOptions, readBody } from '../read-body.ts';

type Deps = Pick<HttpFrontDeps, 'databases' | 'decompress' | 'queries'>;

interface Request {
  readonly database: string | undefined;
  readonly signal: AbortSignal;
  readonly timeoutMs: number;
}

/** Of an engine's answer; statements that would give more are refused, not cut. */
const answerBytesMax = 64 * 1024 * 1024;

async function rowsOf(
  deps: Deps,
  request: Request,
  sql: string,
): Promise<readonly (readonly Cell[])[]> {
  const { signal, timeoutMs } = request;
  const { body } = await deps.queries.execute({ sql, database: 'default', signal, timeoutMs });
  const parts: Uint8Array[] = [];
  let size = 0;
  for await (const part of body as AsyncIterable<Uint8Array | string>) {
    const bytes = Buffer.from(part);
    size += bytes.length;
    if (size > answerBytesMax) {
      const message = 'the answer is too large: ask for less with FROM, WHERE or LIMIT';
      throw new GatewayError('HF_PARAMETER', message);
    }
    parts.push(bytes);
  }
  const answer = JSON.parse(Buffer.concat(parts).toString()) as { data: readonly Cell[][] };
  return answer.data;
}

const policies: Series = {
  columns: ['name', 'duration', 'shardGroupDuration', 'replicaN', 'default'],
  // The one that every InfluxDB database begins with: nothing is ever dropped by age unasked.
  values: [['autogen', '0s', '168h0m0s', 1, true]],
};

/** Series of the answer to one statement. @throws GatewayError for what cannot be answered */
async function seriesOf(
  statement: Statement,
  request: Request,
  deps: Deps,
): Promise<readonly Series[]> {
  const { databases } = deps;
  switch (statement.kind) {
    case 'create':
      await databases.create(statement.database);
      return [];
    case 'databases': {
      await deps.queries.replayed(request);
      const values = databases.list().map((name) => [name]);
      return [{ name: 'databases', columns: ['name'], values }];
    }
    case 'other': {
      const start = statement.text.slice(0, 60);
      const known = 'InfluxQL knows CREATE DATABASE and SHOW so far';
      const message = `not supported here: '${start}'; ${known}, SQL is at /api/v1/query`;
      throw new GatewayError('HF_PARAMETER', message);
    }
    default: {
      await deps.queries.replayed(request);
      const database = statement.database ?? request.database;
      if (database === undefined) throw new GatewayError('HF_PARAMETER', 'database name required');
      if (!databases.list().includes(database)) {
        if (statement.kind === 'measurements') return [];
        throw new GatewayError('HF_PARAMETER', `database not found: ${database}`);
      }
      if (statement.kind === 'retention policies') return [policies];
      const show = new ShowAnswers(statement, (sql) => rowsOf(deps, request, sql));
      return show.series(databases.measurements(database));
    }
  }
}

/** The result of one statement; what may pass fails the whole request instead. */
async function resultOf(
  statement: Statement,
  id: number,
  request: Request,
  deps: Deps,
): Promise<object> {
  try {
    const series = await seriesOf(statement, request, deps);
    return series.length === 0 ? { statement_id: id } : { statement_id: id, series };
  } catch (error) {
    if (!(error instanceof GatewayError) || error.kind !== 'input') throw error;
    return { statement_id: id, error: error.message };
  }
}

/** Parameters of the body: a form, or a JSON object; they win over those of the URL. */
function bodyParameters(body: Uint8Array): Parameters {
  const text = new TextDecoder().decode(body).trim();
  if (!text.startsWith('{')) return Object.fromEntries(new URLSearchParams(text));
  try {
    return JSON.parse(text) as Parameters;
  } catch (error) {
    throw new GatewayError('HF_PARAMETER', 'the body is neither a form nor JSON', { cause: error });
  }
}

async function parametersOf(request: FastifyRequest, body: BodyOptions): Promise<Parameters> {
  const inUrl = request.query as Parameters;
  if (request.method !== 'POST') return inUrl;
  return { ...inUrl, ...bodyParameters(await readBody(request.raw, body)) };
}

const controlBodyBytesMax = 1024 * 1024;

/** Each of them is answered, in more bytes than it takes to ask. */
const statementsMax = 1000;

export function registerInfluxQuery(
  app: FastifyInstance,
  deps: Deps,
  options: Pick<HttpFrontOptions, 'queryTimeoutMs'>,
): void {
  const body = { bytesMax: controlBodyBytesMax, decompress: deps.decompress, sniff: false };
  app.route({
    method: ['GET', 'POST'],
    url: '/query',
    exposeHeadRoute: false,
    handler: async (request, reply) => {
      const signal = goneSignal(reply);
      const parameters = await parametersOf(request, body);
      const statements = parseStatements(parameter(parameters, 'q') ?? '');
      if (statements.length === 0) {
        throw new GatewayError('HF_PARAMETER', 'missing required parameter "q"');
      }
      if (statements.length > statementsMax) {
        const reason = `${statements.length} statements; at most ${statementsMax} are taken at once`;
        throw new GatewayError('HF_PARAMETER', reason);
      }
      const database = parameter(parameters, 'db');
      const asked = { database, signal, timeoutMs: options.queryTimeoutMs };
      const results: object[] = [];
      for (const [id, statement] of statements.entries()) {
        results.push(await resultOf(statement, id, asked, deps));
      }
      const indent = parameter(parameters, 'pretty') === 'true' ? 4 : undefined;
      const answer = `${JSON.stringify({ results }, undefined, indent)}\n`;
      return reply.type('application/json').send(answer);
    },
  });
}
