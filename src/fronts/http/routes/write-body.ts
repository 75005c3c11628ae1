/**
 * What all routes that take rows have in common: the way of a body from the connection through the
 * door to the answer.
 */
import type { FastifyReply, FastifyRequest } from 'fastify';
import { freeMemory } from '../../../base/lib/free-memory.ts';
import type { WriteRequest } from '../../../ingest/door-types.ts';
import type { HttpFrontDeps, HttpFrontOptions } from '../front-types.ts';
import { idempotencyKeyOf } from '../parameters.ts';
import { readBody } from '../read-body.ts';
import { writeAnswer } from '../write-answer.ts';

export type WriteDeps = Pick<HttpFrontDeps, 'clock' | 'door' | 'decompress' | 'metrics'>;
export type WriteOptions = Pick<HttpFrontOptions, 'maxBodyBytes' | 'durability'>;

/** What the path and its parameters say of a body. */
export type WriteTerms = Omit<WriteRequest, 'body' | 'sender' | 'agent' | 'key' | 'letter'>;

function senderOf(request: FastifyRequest): Pick<WriteRequest, 'sender' | 'agent'> {
  const agent = request.headers['user-agent'] ?? '';
  return { sender: request.ip, ...(agent !== '' && { agent }) };
}

/** Takes the rows of `request` and answers it. */
export async function takeBody(
  request: FastifyRequest,
  reply: FastifyReply,
  terms: WriteTerms,
  deps: WriteDeps,
  options: WriteOptions,
): Promise<void> {
  const key = idempotencyKeyOf(request.headers);
  deps.door.admit(key !== undefined);
  const body = await readBody(request.raw, {
    bytesMax: options.maxBodyBytes,
    decompress: deps.decompress,
    sniff: terms.dialect === 'arc',
  });
  const outcome = await deps.door.write({
    ...terms,
    ...senderOf(request),
    ...(key !== undefined && { key }),
    body,
  });
  // Rejected lines are views of the body.
  if (outcome.rejectedLines === 0) freeMemory(body);
  if (options.durability !== 'synced') reply.header('x-holdfast-durability', options.durability);
  if (outcome.isRepeat === true) reply.header('idempotent-replayed', 'true');
  const answer = writeAnswer(terms.dialect, outcome, terms.acceptPartial);
  reply.code(answer.status).headers(answer.headers);
  if (answer.body === undefined) await reply.send();
  else await reply.type('application/json; charset=utf-8').send(`${JSON.stringify(answer.body)}\n`);
}

/** A handler that measures how long its requests take. */
export function measured(
  deps: WriteDeps,
  take: (request: FastifyRequest, reply: FastifyReply) => Promise<void>,
): (request: FastifyRequest, reply: FastifyReply) => Promise<FastifyReply> {
  const seconds = deps.metrics.histogram('holdfast_http_write_seconds');
  return async (request, reply) => {
    const fromMs = deps.clock.monotonicMs();
    await take(request, reply);
    seconds.observe((deps.clock.monotonicMs() - fromMs) / 1000);
    return reply;
  };
}
