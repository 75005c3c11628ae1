/**
 * Tags for dialects that name none: `PUT` names some, `GET` lists them.
 * `/api/v1/measurements/:database/:name/tags`: of one measurement.
 * `/api/v1/databases/:database/tags`: of all measurements of a database, present and future.
 */
import type { FastifyInstance } from 'fastify';
import { GatewayError } from '../../../base/errors/gateway-error.ts';
import type { HttpFrontDeps } from '../front-types.ts';
import { readBody } from '../read-body.ts';

const controlBodyBytesMax = 1024 * 1024;

interface Place {
  readonly database: string;
  /** Of a measurement. */
  readonly name?: string;
}

const paths = ['/api/v1/measurements/:database/:name/tags', '/api/v1/databases/:database/tags'];

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

function answer({ database, name }: Place, tags: readonly string[]): object {
  return { database, ...(name !== undefined && { measurement: name }), tags };
}

export function registerNamedTags(
  app: FastifyInstance,
  { tagNames, decompress }: Pick<HttpFrontDeps, 'tagNames' | 'decompress'>,
): void {
  for (const url of paths) {
    app.get(url, (request, reply) => {
      const place = request.params as Place;
      return reply.send(answer(place, tagNames.list(place.database, place.name)));
    });
    app.route({
      method: 'PUT',
      url,
      handler: async (request, reply) => {
        const place = request.params as Place;
        const { database, name } = place;
        const body = { bytesMax: controlBodyBytesMax, decompress, sniff: false };
        const wanted = tagsOf(await readBody(request.raw, body));
        const tags =
          name === undefined
            ? await tagNames.nameForAll(database, wanted)
            : await tagNames.name(database, name, wanted);
        return reply.send(answer(place, tags));
      },
    });
  }
}
