/**
 * `/health` (the process lives, always 200) and `/ready` (writes come in; 503 otherwise, with the
 * progress of recovery).
 */
import type { FastifyInstance } from 'fastify';
import type { StatusReport } from '../../status.ts';

const retrySeconds = '2';

export function registerHealth(app: FastifyInstance, status: StatusReport): void {
  for (const path of ['/health', '/api/v1/health']) {
    app.get(path, (_request, reply) => reply.send(status.health()));
  }
  app.get('/ready', (_request, reply) => {
    const { ready, body } = status.ready();
    if (!ready) reply.code(503).header('retry-after', retrySeconds);
    return reply.send(body);
  });
}
