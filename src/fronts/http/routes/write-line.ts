/**
 * The routes that take line protocol. One handler: the dialects differ in where they name the
 * database, in their words for a precision, and in how they are told of bad lines.
 */
import type { FastifyInstance, FastifyRequest } from 'fastify';
import { type Dialect, lineProtocolPaths } from '../dialect.ts';
import { databaseOf, parameter, type Parameters, precisionOf } from '../parameters.ts';
import {
  measured,
  takeBody,
  type WriteDeps,
  type WriteOptions,
  type WriteTerms,
} from './write-body.ts';

function termsOf(dialect: Dialect, request: FastifyRequest): WriteTerms {
  const parameters = request.query as Parameters;
  return {
    dialect,
    precision: precisionOf(dialect, parameters),
    database: databaseOf(request.headers, parameters),
    // Only v3 lets its senders ask for all or nothing; no_sync changes nothing (contract W1).
    acceptPartial: dialect !== 'v3' || parameter(parameters, 'accept_partial') !== 'false',
  };
}

export function registerLineRoutes(
  app: FastifyInstance,
  deps: WriteDeps,
  options: WriteOptions,
): void {
  const handler = (dialect: Dialect) =>
    measured(deps, (request, reply) =>
      takeBody(request, reply, termsOf(dialect, request), deps, options),
    );
  for (const { path, dialect } of lineProtocolPaths) app.post(path, handler(dialect));
}
