/**
 * The routes that take line protocol. One handler: the dialects differ in where they name the
 * database, in their words for a precision, and in how they are told of bad lines.
 */
import type { FastifyInstance, FastifyReply, FastifyRequest } from 'fastify';
import { freeMemory } from '../../../base/lib/free-memory.ts';
import type { HttpFrontDeps, HttpFrontOptions } from '../front-types.ts';
import { type Dialect, lineProtocolPaths } from '../dialect.ts';
import { databaseOf, parameter, type Parameters, precisionOf } from '../parameters.ts';
import { readBody } from '../read-body.ts';
import { writeAnswer } from '../write-answer.ts';

type Deps = Pick<HttpFrontDeps, 'clock' | 'door' | 'decompress' | 'metrics'>;
type Options = Pick<HttpFrontOptions, 'maxBodyBytes' | 'durability'>;

function senderOf(request: FastifyRequest): string {
  const agent = request.headers['user-agent'] ?? '';
  return agent === '' ? request.ip : `${request.ip} ${agent}`;
}

async function takeLines(
  request: FastifyRequest,
  reply: FastifyReply,
  dialect: Dialect,
  deps: Deps,
  options: Options,
): Promise<void> {
  const parameters = request.query as Parameters;
  const precision = precisionOf(dialect, parameters);
  const database = databaseOf(request.headers, parameters);
  // Only v3 lets its senders ask for all or nothing; no_sync changes nothing (contract W1).
  const acceptPartial = dialect !== 'v3' || parameter(parameters, 'accept_partial') !== 'false';
  deps.door.admit();
  const body = await readBody(request.raw, {
    bytesMax: options.maxBodyBytes,
    decompress: deps.decompress,
    sniff: dialect === 'arc',
  });
  const sender = senderOf(request);
  const outcome = await deps.door.write({
    dialect,
    database,
    precision,
    body,
    acceptPartial,
    sender,
  });
  // Rejected lines are views of the body.
  if (outcome.rejectedLines === 0) freeMemory(body);
  if (options.durability !== 'synced') reply.header('x-holdfast-durability', options.durability);
  const answer = writeAnswer(dialect, outcome, acceptPartial);
  reply.code(answer.status).headers(answer.headers);
  if (answer.body === undefined) await reply.send();
  else await reply.type('application/json; charset=utf-8').send(`${JSON.stringify(answer.body)}\n`);
}

export function registerLineRoutes(app: FastifyInstance, deps: Deps, options: Options): void {
  const seconds = deps.metrics.histogram('holdfast_http_write_seconds');
  for (const { path, dialect } of lineProtocolPaths) {
    app.post(path, async (request, reply) => {
      const fromMs = deps.clock.monotonicMs();
      await takeLines(request, reply, dialect, deps, options);
      seconds.observe((deps.clock.monotonicMs() - fromMs) / 1000);
      return reply;
    });
  }
}
