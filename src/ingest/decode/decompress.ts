/**
 * Bodies of requests without their compression. Limits count decompressed bytes, so a small body
 * cannot become a large one. Small bodies are inflated at once, larger ones on the thread pool.
 */
import { promisify } from 'node:util';
import zlib from 'node:zlib';
import { GatewayError } from '../../base/errors/gateway-error.ts';
import { freeMemory } from '../../base/lib/free-memory.ts';
import { zstdFrames } from './zstd-frames.ts';

/** Compressed bytes up to which a body is inflated on the main thread. */
const inPlaceBytesMax = 65_536;

/** Inflated bytes up to which that is done: about a millisecond's work. */
const inPlaceResultMax = 1_048_576;

/** Compressed bytes may exceed the limit by this much: incompressible bodies grow a little. */
const overheadBytes = 65_536;

const chunkSize = 262_144;

/** Room that a body gets on its sender's word; beyond it memory grows with what really comes. */
const expectedBytesMax = 1_048_576;

/** Frames of one body; real senders make one, parallel compressors one per megabyte or so. */
const partsMax = 4096;

interface Codec {
  /** Parts that are inflated one by one and belong behind each other. */
  split(bytes: Uint8Array): readonly Uint8Array[] | undefined;
  inPlace(bytes: Uint8Array, options: zlib.ZlibOptions): Uint8Array;
  onPool(bytes: Uint8Array, options: zlib.ZlibOptions): Promise<Uint8Array>;
}

const whole = (bytes: Uint8Array): readonly Uint8Array[] => [bytes];

/** zlib goes on through all members of a gzip body by itself. */
const gzip: Codec = {
  split: whole,
  inPlace: zlib.gunzipSync,
  onPool: promisify<Uint8Array, zlib.ZlibOptions, Buffer>(zlib.gunzip),
};

const codecs: Readonly<Record<string, Codec>> = {
  gzip,
  'x-gzip': gzip,
  deflate: {
    split: whole,
    inPlace: zlib.inflateSync,
    onPool: promisify<Uint8Array, zlib.ZlibOptions, Buffer>(zlib.inflate),
  },
  zstd: {
    split: zstdFrames,
    inPlace: (bytes, { maxOutputLength }) =>
      zlib.zstdDecompressSync(bytes, maxOutputLength === undefined ? {} : { maxOutputLength }),
    onPool: (bytes, { maxOutputLength = 0 }) =>
      new Promise((resolve, reject) => {
        zlib.zstdDecompress(bytes, { maxOutputLength, chunkSize }, (error, result) => {
          if (error === null) resolve(result);
          else reject(error);
        });
      }),
  },
};

/**
 * The bytes of a body after undoing `encoding`: gzip (several members too), zstd (several frames
 * too), deflate, or identity. A body of no bytes is empty whatever its encoding. Chunks are copied
 * before the next one is asked for; the result is the caller's.
 * @param bytesExpected length of the body as sent, if it is known
 * @throws HF_BODY_TOO_LARGE beyond `bytesMax` decompressed bytes; HF_BODY_ENCODING if the encoding
 *   is unknown or the bytes are not that.
 */
export async function decompress(
  chunks: AsyncIterable<Uint8Array>,
  encoding: string,
  bytesMax: number,
  bytesExpected = 0,
): Promise<Uint8Array> {
  const name = encoding.trim().toLowerCase();
  if (name === '' || name === 'identity') {
    return collect(chunks, bytesMax, bytesMax, bytesExpected);
  }
  const codec = Object.hasOwn(codecs, name) ? codecs[name] : undefined;
  if (codec === undefined) {
    throw new GatewayError('HF_BODY_ENCODING', `unsupported content encoding "${name}"`);
  }
  const bytes = await collect(chunks, bytesMax + overheadBytes, bytesMax, bytesExpected);
  const parts = codec.split(bytes);
  if (parts === undefined || parts.length > partsMax) throw broken(name);
  // Many parts are many small pieces of work, between which others must get a turn.
  const inPlaceMax = parts.length === 1 ? inPlaceBytesMax : 0;
  const inflated: Uint8Array[] = [];
  let total = 0;
  for (const part of parts) {
    const result =
      part.length === 0
        ? part
        : await inflate(codec, name, part, bytesMax - total, inPlaceMax, bytesMax);
    total += result.length;
    if (total > bytesMax) throw tooLarge(bytesMax);
    inflated.push(result);
  }
  return inflated.length === 1 ? (inflated[0] ?? bytes) : Buffer.concat(inflated, total);
}

/** @param namedMax the limit of the whole body, for the words of the refusal */
async function inflate(
  codec: Codec,
  name: string,
  bytes: Uint8Array,
  room: number,
  inPlaceMax: number,
  namedMax: number,
): Promise<Uint8Array> {
  // zlib takes no limit of 0; one byte too many is found by the caller.
  const limit = Math.max(1, room);
  if (bytes.length <= inPlaceMax) {
    try {
      return codec.inPlace(bytes, { maxOutputLength: Math.min(limit, inPlaceResultMax) });
    } catch (error) {
      if (!isTooLarge(error)) throw broken(name, error);
      if (limit <= inPlaceResultMax) throw tooLarge(namedMax, error);
    }
  }
  try {
    return await codec.onPool(bytes, { maxOutputLength: limit, chunkSize });
  } catch (error) {
    throw isTooLarge(error) ? tooLarge(namedMax, error) : broken(name, error);
  }
}

/** All chunks behind each other, in memory of their own. */
async function collect(
  chunks: AsyncIterable<Uint8Array>,
  bytesMax: number,
  namedMax: number,
  bytesExpected: number,
): Promise<Uint8Array> {
  let body = Buffer.allocUnsafeSlow(Math.min(bytesExpected, bytesMax, expectedBytesMax));
  let total = 0;
  for await (const chunk of chunks) {
    const end = total + chunk.length;
    if (end > bytesMax) throw tooLarge(namedMax);
    if (end > body.length) body = grown(body, total, Math.max(end, 2 * body.length));
    body.set(chunk, total);
    total = end;
  }
  return body.subarray(0, total);
}

/** The first `used` bytes in memory of `length`; the memory that they had is given back. */
function grown(body: Buffer<ArrayBuffer>, used: number, length: number): Buffer<ArrayBuffer> {
  const larger = Buffer.allocUnsafeSlow(length);
  larger.set(body.subarray(0, used));
  freeMemory(body);
  return larger;
}

function isTooLarge(error: unknown): boolean {
  return error instanceof Error && 'code' in error && error.code === 'ERR_BUFFER_TOO_LARGE';
}

function tooLarge(bytesMax: number, cause?: unknown): GatewayError {
  return new GatewayError('HF_BODY_TOO_LARGE', `the body has more than ${bytesMax} bytes`, {
    cause,
  });
}

function broken(name: string, cause?: unknown): GatewayError {
  return new GatewayError('HF_BODY_ENCODING', `the body is not valid ${name}`, { cause });
}
