/**
 * Bodies without their compression, whole and in chunks: never more than the limit, and a body that
 * is accepted is what zlib makes of its parts.
 */
import zlib from 'node:zlib';
import { decompress } from '../../../../src/ingest/decode/decompress.ts';
import { Broken, expectedCode, text, type FuzzTarget } from '../target.ts';

const encodings = ['gzip', 'zstd', 'deflate'] as const;
const bytesMax = 100_000;

const line = text('cpu,host=a usage=1.5 1700000000000000000\n');
const long = text('m f=1\n'.repeat(5000));

function seedsOf(): Uint8Array[] {
  const bodies = [line, long, text(''), Buffer.concat([line, long])];
  const each = [zlib.gzipSync, zlib.zstdCompressSync, zlib.deflateSync];
  return each.flatMap((compress, kind) =>
    bodies.flatMap((body) => {
      const part = compress(body);
      // The first byte says which encoding the rest is said to have.
      const head = Buffer.of(kind);
      return [Buffer.concat([head, part]), Buffer.concat([head, part, part])];
    }),
  );
}

async function* chunksOf(bytes: Uint8Array): AsyncGenerator<Uint8Array> {
  for (let at = 0; at < bytes.length; at += 1000) {
    yield await Promise.resolve(Uint8Array.from(bytes.subarray(at, at + 1000)));
  }
}

export function decompressTarget(run: typeof decompress = decompress): FuzzTarget {
  return {
    seeds: seedsOf(),
    words: [
      Uint8Array.of(0x1f, 0x8b, 8),
      Uint8Array.of(0x28, 0xb5, 0x2f, 0xfd),
      Uint8Array.of(0x50, 0x2a, 0x4d, 0x18, 0, 0, 0, 0),
      zlib.gzipSync(line),
      zlib.zstdCompressSync(line),
    ],
    async run(input) {
      const encoding = encodings[(input[0] ?? 0) % encodings.length] ?? 'gzip';
      const bytes = input.subarray(1);
      try {
        const body = await run(chunksOf(bytes), encoding, bytesMax, bytes.length);
        if (body.length > bytesMax) throw new Broken('beyond the limit');
        if (encoding === 'gzip' && bytes.length > 0) {
          if (!zlib.gunzipSync(bytes).equals(body)) throw new Broken('another body');
        }
        return `${encoding} ${Math.ceil(Math.log2(body.length + 1))}`;
      } catch (error) {
        const code = expectedCode(error, ['HF_BODY_ENCODING', 'HF_BODY_TOO_LARGE']);
        const cause = (error as { cause?: { code?: unknown } }).cause?.code;
        return `${encoding} ${code} ${String(cause)}`;
      }
    },
  };
}
