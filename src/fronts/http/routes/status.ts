/**
 * `GET /api/v1/status`: one JSON with everything that the page and the CLI show.
 */
import type { FastifyInstance } from 'fastify';
import type { StatusReport } from '../../status.ts';

export function registerStatus(app: FastifyInstance, status: StatusReport): void {
  app.get('/api/v1/status', (_request, reply) => reply.send(status.full()));
}
