/**
 * `POST /api/v1/query`: SQL in, JSON out. The answer is streamed as the engine encodes it; a client
 * that goes away ends its query.
 */
import type { FastifyInstance, FastifyRequest } from 'fastify';
import { GatewayError } from '../../../base/errors/gateway-error.ts';
import { priorities, type Priority } from '../../../query/admission.ts';
import type { ParameterValue } from '../../../query/queries.ts';
import type { HttpFrontDeps, HttpFrontOptions } from '../front-types.ts';
import { goneSignal } from '../gone-signal.ts';
import { databaseOf, headerValue, type Parameters } from '../parameters.ts';
import { readBody } from '../read-body.ts';

type Deps = Pick<HttpFrontDeps, 'clock' | 'queries' | 'decompress' | 'metrics'>;

const controlBodyBytesMax = 4 * 1024 * 1024;

function priorityOf(request: FastifyRequest): Priority {
  const given = headerValue(request.headers, 'x-holdfast-priority')?.toLowerCase() ?? 'normal';
  const priority = priorities.find((each) => each === given);
  if (priority !== undefined) return priority;
  const words = priorities.join(', ');
  throw new GatewayError('HF_PARAMETER', `x-holdfast-priority: '${given}' is none of ${words}`);
}

/** JSON whose integers beyond 2^53 keep their digits. */
function parseExactly(text: string): unknown {
  const reviver = (_key: string, value: unknown, context?: { readonly source?: string }) => {
    const source = context?.source ?? '';
    if (typeof value !== 'number' || Number.isSafeInteger(value)) return value;
    return /^-?\d+$/.test(source) ? BigInt(source) : value;
  };
  return JSON.parse(text, reviver as (key: string, value: unknown) => unknown);
}

function bodyObject(body: Uint8Array, contentType: string): Parameters {
  const text = new TextDecoder().decode(body);
  if (contentType.includes('urlencoded') && !text.trimStart().startsWith('{')) {
    return Object.fromEntries(new URLSearchParams(text));
  }
  let value: unknown;
  try {
    value = parseExactly(text);
  } catch (error) {
    const reason = error instanceof Error ? error.message : String(error);
    throw new GatewayError('HF_PARAMETER', `the body is not JSON: ${reason}`, { cause: error });
  }
  if (typeof value === 'object' && value !== null && !Array.isArray(value)) {
    return value as Parameters;
  }
  throw new GatewayError('HF_PARAMETER', 'the body must be a JSON object: {"sql": "SELECT ..."}');
}

function isParameterValue(value: unknown): value is ParameterValue {
  return value === null || ['boolean', 'number', 'bigint', 'string'].includes(typeof value);
}

interface Statement {
  readonly sql: string;
  readonly parameters: readonly ParameterValue[] | Readonly<Record<string, ParameterValue>>;
}

/** Statement and parameters of a body. @throws HF_PARAMETER if they are not there. */
function statementOf(body: Parameters): Statement {
  const { sql, params = [] } = body;
  if (typeof sql !== 'string' || sql.trim() === '') {
    throw new GatewayError('HF_PARAMETER', 'the body needs "sql": a statement as text');
  }
  if (Array.isArray(params)) {
    const values: unknown[] = params;
    if (values.every(isParameterValue)) return { sql, parameters: values };
  } else if (typeof params === 'object' && params !== null) {
    const named = Object.entries(params);
    if (named.every((each): each is [string, ParameterValue] => isParameterValue(each[1]))) {
      return { sql, parameters: Object.fromEntries(named) };
    }
  }
  throw new GatewayError('HF_PARAMETER', '"params" must be plain values, as a list or by name');
}

export function registerQuery(
  app: FastifyInstance,
  deps: Deps,
  options: Pick<HttpFrontOptions, 'queryTimeoutMs'>,
): void {
  const seconds = deps.metrics.histogram('holdfast_http_query_seconds');
  app.post('/api/v1/query', async (request, reply) => {
    const fromMs = deps.clock.monotonicMs();
    const signal = goneSignal(reply);
    const contentType = request.headers['content-type'] ?? '';
    const priority = priorityOf(request);
    const body = await readBody(request.raw, {
      bytesMax: controlBodyBytesMax,
      decompress: deps.decompress,
      sniff: false,
    });
    const { sql, parameters } = statementOf(bodyObject(body, contentType));
    const answer = await deps.queries.execute({
      sql,
      parameters,
      database: databaseOf(request.headers, request.query as Parameters),
      // While the gateway is open, whoever is let in may do all; roles come with tokens.
      admin: true,
      // As Arc answers here; the warning is what people are shown (fronts/cli/query.ts).
      absentIsEmpty: true,
      priority,
      partial: headerValue(request.headers, 'x-holdfast-partial') === 'allow',
      timeoutMs: options.queryTimeoutMs,
      signal,
    });
    reply.header('x-holdfast-commit', String(answer.commit));
    if (answer.incomplete) reply.header('x-holdfast-incomplete', 'recovery');
    reply.raw.once('close', () => {
      seconds.observe((deps.clock.monotonicMs() - fromMs) / 1000);
      // A client that went away must not leave the engine writing into a pipe nobody reads.
      if (!answer.body.readableEnded) answer.body.destroy();
    });
    return reply.type('application/json; charset=utf-8').send(answer.body);
  });
}
