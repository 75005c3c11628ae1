/**
 * Whole bodies of requests, decompressed and bounded. What is left of a refused body is read and
 * dropped, because a connection that is reset while the sender still writes looks to it like a
 * network fault, and it would send the same body again for ever.
 */
import { IncomingMessage } from 'node:http';
import { Readable } from 'node:stream';
import { GatewayError } from '../../base/errors/gateway-error.ts';
import { freeMemory } from '../../base/lib/free-memory.ts';

/**
 * Bytes of a body after undoing `encoding` (a Content-Encoding, `identity` if there is none). Takes
 * a chunk's bytes before it asks for the next. `bytesExpected` is the length as sent, 0 if unknown.
 * Throws HF_BODY_TOO_LARGE beyond `bytesMax` decompressed bytes, HF_BODY_ENCODING if it cannot.
 */
export type Decompress = (
  chunks: AsyncIterable<Uint8Array>,
  encoding: string,
  bytesMax: number,
  bytesExpected: number,
) => Promise<Uint8Array>;

export interface BodyOptions {
  readonly bytesMax: number;
  readonly decompress: Decompress;
  /** Take gzip and zstd by their first bytes when there is no Content-Encoding, as Arc does. */
  readonly sniff: boolean;
}

function isPlain(encoding: string): boolean {
  return encoding === '' || encoding === 'identity';
}

/** Encoding by the first bytes; neither of these can begin a line of line protocol. */
function sniffed(first: Uint8Array): string {
  if (first[0] === 0x1f && first[1] === 0x8b) return 'gzip';
  const zstd = first[0] === 0x28 && first[1] === 0xb5 && first[2] === 0x2f && first[3] === 0xfd;
  return zstd ? 'zstd' : 'identity';
}

/** @param owned the chunks belong to nobody else: each one's memory is freed after its use */
async function* from(
  first: IteratorResult<Uint8Array, unknown>,
  rest: AsyncIterator<Uint8Array>,
  owned: boolean,
): AsyncGenerator<Uint8Array> {
  for (let next = first; next.done !== true; next = await rest.next()) {
    yield next.value;
    if (owned) freeMemory(next.value);
  }
}

/**
 * The body of `request`.
 * @throws HF_BODY_TOO_LARGE, HF_BODY_ENCODING, or HF_HTTP if the sender went away.
 */
export async function readBody(
  request: IncomingMessage,
  options: BodyOptions,
): Promise<Uint8Array> {
  const { bytesMax, decompress } = options;
  const given = request.headers['content-encoding'] ?? '';
  const encoding = (Array.isArray(given) ? given.join(',') : given).trim().toLowerCase();
  const declared = Math.max(0, Number(request.headers['content-length']) || 0);
  if (isPlain(encoding) && declared > bytesMax && !options.sniff) {
    throw new GatewayError('HF_BODY_TOO_LARGE', `the body has more than ${bytesMax} bytes`);
  }
  const chunks: AsyncIterable<Uint8Array> = Readable.prototype.iterator.call(request, {
    // The iterator's own way to end early would reset the connection.
    destroyOnReturn: false,
  });
  const iterator = chunks[Symbol.asyncIterator]();
  try {
    const first = await iterator.next();
    if (first.done === true) return new Uint8Array(0);
    const effective = isPlain(encoding)
      ? options.sniff
        ? sniffed(first.value)
        : 'identity'
      : encoding;
    // The parser of a real connection makes each chunk anew; others may send what they still need.
    const body = from(first, iterator, request instanceof IncomingMessage);
    return await decompress(body, effective, bytesMax, declared);
  } catch (error) {
    if (error instanceof GatewayError) throw error;
    if (request.errored !== null || request.destroyed) {
      throw new GatewayError('HF_HTTP', 'the sender went away', { cause: error });
    }
    throw error;
  } finally {
    await iterator.return?.();
    if (!request.readableEnded) request.resume();
  }
}
