/**
 * `GET /metrics`: figures in the text format of Prometheus.
 */
import type { FastifyInstance } from 'fastify';
import type { Metrics } from '../../../base/telemetry/metrics.ts';

export function registerMetrics(app: FastifyInstance, metrics: Metrics): void {
  app.get('/metrics', async (_request, reply) => {
    return reply.type(metrics.contentType).send(await metrics.text());
  });
}
