/**
 * Footers of Parquet files: a damaged file gives the facts that were written or an error with a
 * code, and Thrift's structs of any bytes come to an end.
 */
import { isDeepStrictEqual } from 'node:util';
import type { Files, OpenFile } from '../../../../src/base/disk/files.ts';
import { readFooterFacts, withFooterFacts } from '../../../../src/storage/parquet/footer.ts';
import { ThriftReader } from '../../../../src/storage/parquet/thrift.ts';
import { Broken, expectedCode, text, type FuzzTarget } from '../target.ts';

const facts = {
  fileId: 2 ** 40,
  rows: 2,
  measurementId: 17,
  database: 'd"\n',
  measurement: 'm',
  lsns: [1, 2 ** 50] as const,
  part: [0, 1] as const,
  flags: 2,
  seqMax: 9,
  hours: [[-5, 0, 3_599_999_999]] as const,
  supersedes: [1],
  columns: [],
};

/** The least that is a Parquet file to the reader: a version, two rows, one of every type. */
const leastFooter = Uint8Array.of(
  ...[0x15, 2, 0x19, 0x2c, 0x15, 2, 0, 0x15, 2, 0, 0x16, 4],
  ...[0x3b, 1, 0x58, 1, 1, 97, 0x11, 0x12, 0x13, 5, 0x17, 0, 0, 0, 0, 0, 0, 0, 0, 0x1a, 0x11, 1, 0],
);

function whole(): Uint8Array {
  const length = Buffer.alloc(4);
  length.writeUInt32LE(leastFooter.length);
  const file = Buffer.concat([text('PAR1'), leastFooter, length, text('PAR1')]);
  return Buffer.concat(withFooterFacts(file, facts));
}

/** One file, to be read only. */
function filesOf(bytes: Uint8Array): Files {
  const open = (path: string): OpenFile =>
    ({
      path,
      size: () => bytes.length,
      read: (target: Uint8Array, position: number) => {
        const part = bytes.subarray(position, position + target.length);
        target.set(part);
        return part.length;
      },
      close: () => undefined,
    }) as unknown as OpenFile;
  return { open } as unknown as Files;
}

const codes = ['HF_PARQUET_FOOTER', 'HF_FORMAT_NEWER'];

export function footerTarget(Reader: typeof ThriftReader = ThriftReader): FuzzTarget {
  return {
    seeds: [whole(), leastFooter],
    words: [
      ...[text('PAR1'), Uint8Array.of(0x1b, 0x80, 0x80, 0x80, 0x80, 0x40, 0x11)],
      ...[
        Uint8Array.of(0x19, 0xfc, 0xff, 0xff, 0xff, 0xff, 7),
        Uint8Array.of(0x1c),
        Uint8Array.of(0x1b),
      ],
      ...[Uint8Array.of(0xff, 0xff, 0xff, 0xff, 0x7f), Uint8Array.of(0)],
    ],
    run(input) {
      const outcomes: string[] = [];
      try {
        outcomes.push(`fields ${new Reader(input).fields().length}`);
      } catch (error) {
        outcomes.push(`${expectedCode(error, codes)} ${(error as Error).message.slice(0, 24)}`);
      }
      try {
        const read = readFooterFacts(filesOf(input), 'f');
        if (!isDeepStrictEqual(read, facts)) throw new Broken('other facts');
        outcomes.push('facts');
      } catch (error) {
        outcomes.push(`${expectedCode(error, codes)} ${(error as Error).message.slice(0, 24)}`);
      }
      return outcomes.join().replaceAll(/\d+/g, '');
    },
  };
}
