/**
 * A signal for work that nobody waits for any more.
 */
import type { FastifyReply } from 'fastify';

/** Aborts when the connection closes before the answer is out. */
export function goneSignal(reply: FastifyReply): AbortSignal {
  const controller = new AbortController();
  reply.raw.once('close', () => {
    if (!reply.raw.writableFinished) controller.abort();
  });
  return controller.signal;
}
