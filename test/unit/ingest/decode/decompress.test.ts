import zlib from 'node:zlib';
import fc from 'fast-check';
import t from 'tap';
import { decompress } from '../../../../src/ingest/decode/decompress.ts';

async function* chunked(bytes: Uint8Array, size: number): AsyncGenerator<Uint8Array> {
  for (let at = 0; at < bytes.length; at += size) {
    await Promise.resolve();
    yield bytes.subarray(at, at + size);
  }
}

const text = Buffer.from('cpu,host=a usage=1 1\n'.repeat(500));
const other = Buffer.from('mem free=2i 2\n');
const large = Buffer.from(
  Array.from({ length: 3_000_000 }, (_, index) => Math.imul(index, 2_654_435_761) >>> 24),
);
const skippable = Buffer.from([0x53, 0x2a, 0x4d, 0x18, 3, 0, 0, 0, 1, 2, 3]);

const good: Readonly<Record<string, readonly [encoding: string, sent: Buffer, body: Buffer]>> = {
  identity: ['identity', text, text],
  'no encoding': ['', text, text],
  gzip: ['gzip', zlib.gzipSync(text), text],
  'x-gzip in capitals': [' X-GZIP ', zlib.gzipSync(text), text],
  'gzip of two members': [
    'gzip',
    Buffer.concat([zlib.gzipSync(text), zlib.gzipSync(other)]),
    Buffer.concat([text, other]),
  ],
  'gzip of an empty body': ['gzip', zlib.gzipSync(''), Buffer.alloc(0)],
  'no bytes at all, said to be gzip': ['gzip', Buffer.alloc(0), Buffer.alloc(0)],
  'no bytes at all, said to be zstd': ['zstd', Buffer.alloc(0), Buffer.alloc(0)],
  'large gzip': ['gzip', zlib.gzipSync(large), large],
  'small gzip of a large body': ['gzip', zlib.gzipSync(Buffer.alloc(4e6)), Buffer.alloc(4e6)],
  deflate: ['deflate', zlib.deflateSync(text), text],
  zstd: ['zstd', zlib.zstdCompressSync(text), text],
  'large zstd': ['zstd', zlib.zstdCompressSync(large), large],
  'zstd of several frames, one to be skipped': [
    'zstd',
    Buffer.concat([
      zlib.zstdCompressSync(text),
      skippable,
      zlib.zstdCompressSync(large, { params: { [zlib.constants.ZSTD_c_checksumFlag]: 1 } }),
      zlib.zstdCompressSync(''),
      zlib.zstdCompressSync(other),
    ]),
    Buffer.concat([text, large, other]),
  ],
};

for (const [title, [encoding, sent, body]] of Object.entries(good)) {
  t.test(`takes ${title}, however it is cut in chunks`, async (t) => {
    for (const size of [sent.length + 1, 65_536, 1000]) {
      const result = await decompress(chunked(sent, size), encoding, 16e6);
      t.ok(body.equals(result), `chunks of ${size}`);
    }
  });
}

const gzipped = zlib.gzipSync(text);
const zstd = zlib.zstdCompressSync(text);
const bad: Readonly<Record<string, readonly [encoding: string, sent: Buffer]>> = {
  'an unknown encoding': ['br', text],
  'a name of every object': ['constructor', text],
  'gzip that is none': ['gzip', text],
  'gzip cut short': ['gzip', gzipped.subarray(0, -3)],
  'a second gzip member cut short': ['gzip', Buffer.concat([gzipped, gzipped.subarray(0, 9)])],
  'gzip with something behind it': ['gzip', Buffer.concat([gzipped, Buffer.from('junk')])],
  'large gzip cut short': ['gzip', zlib.gzipSync(large).subarray(0, -3)],
  'zstd that is none': ['zstd', text],
  'zstd cut short': ['zstd', zstd.subarray(0, -2)],
  'zstd cut in a header': ['zstd', Buffer.concat([zstd, zstd.subarray(0, 4)])],
  'zstd with something behind it': ['zstd', Buffer.concat([zstd, Buffer.from('junkjunkjunk')])],
  'zstd of very many frames': ['zstd', Buffer.concat(new Array(5000).fill(zstd))],
};

for (const [title, [encoding, sent]] of Object.entries(bad)) {
  t.test(`refuses ${title}`, async (t) => {
    await t.rejects(decompress(chunked(sent, 1000), encoding, 64e6), { code: 'HF_BODY_ENCODING' });
  });
}

t.test('limits count decompressed bytes, to the byte', async (t) => {
  const size = text.length;
  for (const [encoding, sent] of [
    ['identity', text],
    ['gzip', gzipped],
    ['zstd', zstd],
    ['deflate', zlib.deflateSync(text)],
  ] as const) {
    t.equal((await decompress(chunked(sent, 999), encoding, size)).length, size, encoding);
    await t.rejects(decompress(chunked(sent, 999), encoding, size - 1), {
      code: 'HF_BODY_TOO_LARGE',
    });
  }
});

t.test('a bomb is refused at the limit, also one that only its frames together make', async (t) => {
  const zeros = Buffer.alloc(20e6);
  for (const [encoding, sent] of [
    ['gzip', zlib.gzipSync(zeros)],
    ['gzip', Buffer.concat([zlib.gzipSync(Buffer.alloc(9e6)), zlib.gzipSync(Buffer.alloc(9e6))])],
    ['zstd', zlib.zstdCompressSync(zeros)],
    ['zstd', Buffer.concat(new Array(9).fill(zlib.zstdCompressSync(Buffer.alloc(2e6))))],
  ] as const) {
    await t.rejects(decompress(chunked(sent, 4096), encoding, 16e6), {
      code: 'HF_BODY_TOO_LARGE',
      message: 'the body has more than 16000000 bytes',
    });
  }
});

t.test('a plain body beyond the limit is not read to its end', async (t) => {
  let read = 0;
  async function* endless(): AsyncGenerator<Uint8Array> {
    for (;;) {
      await Promise.resolve();
      read += 1000;
      yield new Uint8Array(1000);
    }
  }
  await t.rejects(decompress(endless(), 'identity', 5000), { code: 'HF_BODY_TOO_LARGE' });
  await t.rejects(decompress(endless(), 'gzip', 5000), { code: 'HF_BODY_TOO_LARGE' });
  t.ok(read < 100_000, `${read} bytes`);
});

t.test('damaged bytes give the body or an error of the sender, nothing else', async (t) => {
  const frames = Buffer.concat([zstd, skippable, zlib.zstdCompressSync(other)]);
  const members = Buffer.concat([gzipped, zlib.gzipSync(other)]);
  await fc.assert(
    fc.asyncProperty(
      fc.constantFrom(['gzip', members] as const, ['zstd', frames] as const),
      fc.nat(),
      fc.integer({ min: 1, max: 255 }),
      fc.boolean(),
      async ([encoding, sent], position, flip, cut) => {
        const at = position % sent.length;
        const damaged = Buffer.from(cut ? sent.subarray(0, at) : sent);
        if (!cut) damaged[at] = (damaged[at] ?? 0) ^ flip;
        try {
          await decompress(chunked(damaged, 100), encoding, 1e6);
        } catch (error) {
          t.match(error, { code: /^HF_BODY_(ENCODING|TOO_LARGE)$/ });
        }
      },
    ),
    { numRuns: 300 },
  );
});
