/** Footers: what is written is read back; damaged and foreign files are told apart. */
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { isDeepStrictEqual } from 'node:util';
import t from 'tap';
import fc from 'fast-check';
import { nodeFiles } from '../../../../src/base/disk/files.ts';
import { GatewayError } from '../../../../src/base/errors/gateway-error.ts';
import { encodeParquet } from '../../../../src/storage/parquet/encode.ts';
import {
  readFooterFacts,
  withFooterFacts,
  withKeyValues,
} from '../../../../src/storage/parquet/footer.ts';
import { ThriftReader } from '../../../../src/storage/parquet/thrift.ts';
import { toArrowStream } from '../../../../src/storage/parquet/schema-to-arrow.ts';
import { readWithDuckdb } from '../../../support/read-parquet.ts';
import { columnRef } from '../../../support/row-sets.ts';

const root = mkdtempSync(join(tmpdir(), 'holdfast-footer-'));
t.teardown(() => {
  rmSync(root, { recursive: true });
});

const column = columnRef(4, 'field', 'int64', 'w"ert', 'w"ert__2');
const facts = {
  fileId: 2 ** 52 + 1,
  rows: 2,
  measurementId: 17,
  database: 'dät"a\n',
  measurement: '',
  lsns: [2 ** 40, 2 ** 52] as const,
  part: [3, 20] as const,
  flags: 6,
  seqMax: 2 ** 52 - 1,
  hours: [
    [-5, 0, 3_599_999_999],
    [7, 1, 1],
  ] as const,
  supersedes: [1, 2],
  columns: [column],
};

async function parquet(): Promise<Uint8Array> {
  const times = BigInt64Array.of(1n, 2n);
  const values = BigInt64Array.of(3n, 4n);
  const slice = {
    column,
    length: 2,
    values,
    validity: undefined,
    nullCount: 0,
    dictionary: undefined,
    copied: false,
  };
  const settings = { compression: 'snappy', statistics: true } as const;
  return encodeParquet([(memory) => toArrowStream(times, [slice], memory)], [column], settings);
}

function save(name: string, bytes: Uint8Array): string {
  const path = join(root, name);
  writeFileSync(path, bytes);
  return path;
}

t.test('facts come back as written, and the file stays readable', async (test) => {
  const path = save('good', Buffer.concat(withFooterFacts(await parquet(), facts)));
  test.strictSame(readFooterFacts(nodeFiles, path), facts);
  const read = await readWithDuckdb(path);
  test.strictSame(read.rows, [
    [1n, 3n],
    [2n, 4n],
  ]);
});

t.test('key-values can be replaced again, by none and by many', async (test) => {
  const once = Buffer.concat(withFooterFacts(await parquet(), facts));
  const none = save('none', Buffer.concat(withKeyValues(once, [])));
  test.equal((await readWithDuckdb(none)).rows.length, 2);
  test.throws(() => readFooterFacts(nodeFiles, none), { code: 'HF_PARQUET_FOOTER' });
  const many = Array.from({ length: 40 }, (_, index) => [`k${index}`, 'v'] as const);
  const path = save('many', Buffer.concat(withKeyValues(once, many)));
  test.equal((await readWithDuckdb(path)).rows.length, 2);
});

t.test('a newer format is refused by name', async (test) => {
  const entries = [['holdfast.format', '7']] as const;
  const path = save('newer', Buffer.concat(withKeyValues(await parquet(), entries)));
  test.throws(() => readFooterFacts(nodeFiles, path), { code: 'HF_FORMAT_NEWER' });
  const zero = [['holdfast.format', '0']] as const;
  const old = save('old', Buffer.concat(withKeyValues(await parquet(), zero)));
  test.throws(() => readFooterFacts(nodeFiles, old), { code: 'HF_PARQUET_FOOTER' });
});

t.test(
  'any truncation or damaged byte gives the same facts or an error with a code',
  async (test) => {
    const good = Buffer.concat(withFooterFacts(await parquet(), facts));
    const tryRead = (bytes: Uint8Array): void => {
      try {
        const read = readFooterFacts(nodeFiles, save('damaged', bytes));
        if (!isDeepStrictEqual(read, facts)) throw new Error('other facts');
      } catch (error) {
        if (!(error instanceof GatewayError)) throw error;
        const known = ['HF_PARQUET_FOOTER', 'HF_FORMAT_NEWER'].includes(error.code);
        if (!known) throw error;
      }
    };
    for (let length = 0; length < good.length; length += 1) tryRead(good.subarray(0, length));
    fc.assert(
      fc.property(fc.nat(good.length - 1), fc.integer({ min: 1, max: 255 }), (position, flip) => {
        const bytes = Buffer.from(good);
        bytes[position] = (bytes[position] ?? 0) ^ flip;
        tryRead(bytes);
      }),
      { numRuns: 2000 },
    );
    test.strictSame(readFooterFacts(nodeFiles, save('whole', good)), facts);
    test.ok(readFileSync(join(root, 'whole')).length > 0);
  },
);

t.test('a map whose count is damaged ends with the bytes', (test) => {
  // A field 1 of type map, with 2^48 pairs of booleans and no byte behind.
  const count = [0x80, 0x80, 0x80, 0x80, 0x80, 0x80, 0x40];
  const footer = Uint8Array.of(0x1b, ...count, 0x11);
  test.throws(() => new ThriftReader(footer).fields(), { code: 'HF_PARQUET_FOOTER' });
  test.end();
});
