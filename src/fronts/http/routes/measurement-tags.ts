/** `PUT /api/v1/measurements/:database/:name/tags`: names tags for dialects that name none. */
import type { FastifyInstance } from 'fastify';
import { GatewayError } from '../../../base/errors/gateway-error.ts';
import type { HttpFrontDeps } from '../front-types.ts';
import { readBody } from '../read-body.ts';

const controlBodyBytesMax = 1024 * 1024;

/** The `tags` of a JSON body. @throws HF_PARAMETER if there are none */
function tagsOf(body: Uint8Array): readonly string[] {
  let tags: unknown;
  try {
    ({ tags } = JSON.parse(new TextDecoder().decode(body)) as { tags?: unknown });
  } catch (error) {
    throw new GatewayError('HF_PARAMETER', 'the body is not a JSON object', { cause: error });
  }
  const isList = Array.isArray(tags) && tags.every((tag) => typeof tag === 'string' && tag !== '');
  if (!isList || (tags as unknown[]).length === 0) {
    throw new GatewayError('HF_PARAMETER', 'the body is {"tags": [names of columns]}');
  }
  return tags as string[];
}

export function registerMeasurementTags(
  app: FastifyInstance,
  { tagNames, decompress }: Pick<HttpFrontDeps, 'tagNames' | 'decompress'>,
): void {
  app.route({
    method: 'PUT',
    url: '/api/v1/measurements/:database/:name/tags',
    handler: async (request, reply) => {
      const { database, name } = request.params as { database: string; name: string };
      const body = { bytesMax: controlBodyBytesMax, decompress, sniff: false };
      const wanted = tagsOf(await readBody(request.raw, body));
      const tags = await tagNames.name(database, name, wanted);
      return reply.send({ database, measurement: name, tags });
    },
  });
}
