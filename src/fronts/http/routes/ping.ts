/**
 * `/ping`: InfluxDB clients ask it before they write, and read the version from its headers.
 */
import type { FastifyInstance } from 'fastify';
import { parameter, type Parameters } from '../parameters.ts';

/** The InfluxDB 1 release whose answers this front gives; clients compare it with theirs. */
export const influxVersion = '1.8.10';

export function registerPing(app: FastifyInstance, version: string): void {
  const path = '/ping';
  app.route({
    method: ['GET', 'HEAD', 'POST'],
    url: path,
    handler: (request, reply) => {
      const verbose = parameter(request.query as Parameters, 'verbose') ?? '0';
      reply.header('x-holdfast-version', version);
      if (verbose === '0' || verbose === 'false') return reply.code(204).send();
      return reply.send({ version: influxVersion, build: 'Holdfast', holdfast: version });
    },
  });
}
