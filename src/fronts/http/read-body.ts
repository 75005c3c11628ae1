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

/** True if nothing of the body was read or lost yet, and its chunks are the parser's own. */
function isWaiting(request: IncomingMessage): boolean {
  return request instanceof IncomingMessage && !request.readableEnded && !request.destroyed;
}

/** Encoding by the first bytes; neither of these can begin a line of line protocol. */
function sniffed(first: Uint8Array): string {
  if (first[0] === 0x1f && first[1] === 0x8b) return 'gzip';
  const zstd = first[0] === 0x28 && first[1] === 0xb5 && first[2] === 0x2f && first[3] === 0xfd;
  return zstd ? 'zstd' : 'identity';
}

/** Bodies of up to so many bytes get all of their memory on their sender's word. */
const declaredBytesMax = 1_048_576;

/**
 * The body of a request that says how long it is. Most fit into one chunk of the parser, which then
 * is the body; events instead of an iterator save a tenth of a small request's way.
 * @throws HF_HTTP if the sender goes away
 */
function readDeclared(request: IncomingMessage, bytes: number): Promise<Uint8Array> {
  return new Promise((resolve, reject) => {
    let body: Buffer | undefined;
    let total = 0;
    let ended = false;
    const fail = (cause?: unknown) => {
      // Every request closes; an error that nobody gets costs as much as a small body.
      if (ended) return;
      ended = true;
      reject(new GatewayError('HF_HTTP', 'the sender went away', { cause }));
    };
    request.on('data', (chunk: Buffer) => {
      total += chunk.length;
      if (body === undefined && total === bytes) {
        body = chunk;
        return;
      }
      // The parser gives no more than was declared.
      body ??= Buffer.allocUnsafeSlow(bytes);
      body.set(chunk, total - chunk.length);
      freeMemory(chunk);
    });
    request.once('end', () => {
      ended = true;
      resolve(body?.subarray(0, total) ?? new Uint8Array(0));
    });
    request.on('error', fail);
    request.once('close', fail);
  });
}

async function* only(bytes: Uint8Array): AsyncGenerator<Uint8Array> {
  await Promise.resolve();
  yield bytes;
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
  const isSmall = declared > 0 && declared <= Math.min(bytesMax, declaredBytesMax);
  if (isSmall && isPlain(encoding) && isWaiting(request)) {
    const body = await readDeclared(request, declared);
    const found = options.sniff ? sniffed(body) : 'identity';
    return isPlain(found) ? body : decompress(only(body), found, bytesMax, declared);
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
