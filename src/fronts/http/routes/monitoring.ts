/**
 * The monitoring paths of the seed, with its keys and true numbers.
 */
import type { FastifyInstance } from 'fastify';
import type { StatusReport } from '../../status.ts';

export function registerMonitoring(app: FastifyInstance, status: StatusReport): void {
  for (const prefix of ['/api', '/api/v1']) {
    app.get(`${prefix}/monitoring/buffer`, (_request, reply) => reply.send(status.buffer()));
  }
}
