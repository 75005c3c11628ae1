/**
 * The route that takes Arrow IPC. A table says neither its measurement nor its tags, so the request
 * does: by parameters, by a header, or in the metadata of the schema.
 */
import type { FastifyInstance } from 'fastify';
import { arrowPath } from '../dialect.ts';
import {
  databaseOf,
  parameter,
  type Parameters,
  precisionOf,
  tableTermsOf,
} from '../parameters.ts';
import { measured, takeBody, type WriteDeps, type WriteOptions } from './write-body.ts';

export function registerArrowRoute(
  app: FastifyInstance,
  deps: WriteDeps,
  options: WriteOptions,
): void {
  const handler = measured(deps, (request, reply) => {
    const { headers } = request;
    const parameters = request.query as Parameters;
    const hasPrecision = parameter(parameters, 'precision') !== undefined;
    const terms = {
      dialect: 'arc',
      format: 'arrow',
      precision: hasPrecision ? precisionOf('arc', parameters) : 'auto',
      database: databaseOf(headers, parameters),
      table: tableTermsOf(headers, parameters),
      acceptPartial: true,
    } as const;
    return takeBody(request, reply, terms, deps, options);
  });
  app.post(arrowPath, handler);
}
