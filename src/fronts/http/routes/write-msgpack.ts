/**
 * The routes that take MessagePack, as Arc's senders speak it: the shapes of a body say all but the
 * database; bad items are told by a header of an answer that is a success.
 */
import type { FastifyInstance } from 'fastify';
import { messagePackPaths } from '../dialect.ts';
import { databaseOf, type Parameters } from '../parameters.ts';
import { measured, takeBody, type WriteDeps, type WriteOptions } from './write-body.ts';

export function registerMessagePackRoutes(
  app: FastifyInstance,
  deps: WriteDeps,
  options: WriteOptions,
): void {
  const handler = measured(deps, (request, reply) => {
    const database = databaseOf(request.headers, request.query as Parameters);
    const terms = { dialect: 'arc', format: 'msgpack', precision: 'auto', database } as const;
    return takeBody(request, reply, { ...terms, acceptPartial: true }, deps, options);
  });
  for (const path of messagePackPaths) app.post(path, handler);
}
