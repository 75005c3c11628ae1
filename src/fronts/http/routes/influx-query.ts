/**
 * `/query` of InfluxDB 1, as far as senders need it: CREATE DATABASE (Telegraf's first request) and
 * SHOW DATABASES. Everything else is refused statement by statement, in the form that clients of
 * InfluxQL show to their users.
 */
import type { FastifyInstance, FastifyRequest } from 'fastify';
import { GatewayError } from '../../../base/errors/gateway-error.ts';
import type { DatabaseDoor, HttpFrontDeps } from '../front-types.ts';
import { parameter, type Parameters } from '../parameters.ts';
import { type BodyOptions, readBody } from '../read-body.ts';

type Statement =
  | { readonly kind: 'create'; readonly database: string }
  | { readonly kind: 'databases' }
  | { readonly kind: 'other'; readonly text: string };

/**
 * Parts of `text` between semicolons that stand outside of quotes; none is empty. A quote that is
 * not closed reaches to the end. One look at each character, however the quotes stand.
 */
export function splitStatements(text: string): readonly string[] {
  const parts: string[] = [];
  let start = 0;
  let quote = '';
  for (let at = 0; at < text.length; at += 1) {
    const character = text.charAt(at);
    if (quote !== '') {
      if (character === '\\') at += 1;
      else if (character === quote) quote = '';
    } else if (character === '"' || character === "'") {
      quote = character;
    } else if (character === ';') {
      parts.push(text.slice(start, at));
      start = at + 1;
    }
  }
  parts.push(text.slice(start));
  return parts.map((part) => part.trim()).filter((part) => part !== '');
}

function unquoted(identifier: string): string {
  if (!identifier.startsWith('"')) return identifier;
  return identifier.slice(1, -1).replaceAll(/\\(.)/gs, (_, escaped: string) => {
    return escaped === 'n' ? '\n' : escaped;
  });
}

export function parseStatement(text: string): Statement {
  const create = /^create\s+database\s+("(?:[^"\\]|\\.)+"|[^\s"';]+)(?:\s+with\s.*)?$/is.exec(text);
  if (create !== null) return { kind: 'create', database: unquoted(create[1] ?? '') };
  if (/^show\s+databases$/i.test(text)) return { kind: 'databases' };
  return { kind: 'other', text };
}

async function run(statement: Statement, id: number, databases: DatabaseDoor): Promise<object> {
  switch (statement.kind) {
    case 'create':
      await databases.create(statement.database);
      return { statement_id: id };
    case 'databases': {
      const values = databases.list().map((name) => [name]);
      const series = [{ name: 'databases', columns: ['name'], values }];
      return { statement_id: id, series };
    }
    case 'other': {
      const start = statement.text.slice(0, 60);
      const error =
        `not supported here: '${start}'; InfluxQL knows CREATE DATABASE and SHOW DATABASES so ` +
        'far, SQL is at /api/v1/query';
      return { statement_id: id, error };
    }
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
  deps: Pick<HttpFrontDeps, 'databases' | 'decompress'>,
): void {
  const body = { bytesMax: controlBodyBytesMax, decompress: deps.decompress, sniff: false };
  app.route({
    method: ['GET', 'POST'],
    url: '/query',
    exposeHeadRoute: false,
    handler: async (request, reply) => {
      const parameters = await parametersOf(request, body);
      const statements = splitStatements(parameter(parameters, 'q') ?? '');
      if (statements.length === 0) {
        throw new GatewayError('HF_PARAMETER', 'missing required parameter "q"');
      }
      if (statements.length > statementsMax) {
        const reason = `${statements.length} statements; at most ${statementsMax} are taken at once`;
        throw new GatewayError('HF_PARAMETER', reason);
      }
      const results: object[] = [];
      for (const [id, text] of statements.entries()) {
        results.push(await run(parseStatement(text), id, deps.databases));
      }
      const indent = parameter(parameters, 'pretty') === 'true' ? 4 : undefined;
      const answer = `${JSON.stringify({ results }, undefined, indent)}\n`;
      return reply.type('application/json').send(answer);
    },
  });
}
