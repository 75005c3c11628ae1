/**
 * The decoder of Arrow IPC. What it gives is well formed and counted, whatever the bytes; rows that
 * it refuses are whole in themselves: the decoder of MessagePack reads as many of them.
 */
import type { Decoded } from '../../../../src/ingest/decode/types.ts';
import { newArrowDecoder, pyarrowStreams } from '../../arrow-decoder.ts';
import { plainRows } from '../../decoded-rows.ts';
import { newMessageDecoder } from '../../msgpack-decoder.ts';
import { Broken, expectedCode, text, type FuzzTarget } from '../target.ts';

type Decode = ReturnType<typeof newArrowDecoder>['decode'];

const limits = { columnsMax: 20_000, measurementsMax: 20_000 };

/** Larger streams hold nothing that smaller ones do not, and take longer. */
const seedBytesMax = 3000;

const words = [
  ...[text('ARROW1\0\0'), text('ARROW1'), text('time'), text('tags'), text('measurement')],
  ...[
    [0xff, 0xff, 0xff, 0xff],
    [0, 0, 0, 0],
    [0xff, 0xff, 0xff, 0x7f],
    [0, 0, 0, 0x80],
    [8, 0, 0, 0, 0, 0, 0, 0],
    [0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0x7f],
  ].map((bytes) => Uint8Array.from(bytes)),
];

function countedRows({ batches, rows }: Decoded): void {
  let count = 0;
  for (const list of plainRows(batches).values()) count += list.length;
  if (count !== rows) throw new Broken(`${rows} rows told, ${count} given`);
}

async function checkRefused({ rejected, rejectedLines }: Decoded): Promise<void> {
  const lines = rejected.reduce((sum, { count }) => sum + count, 0);
  if (lines !== rejectedLines) throw new Broken(`${rejectedLines} refused, ${lines} kept`);
  const own = rejected.filter(({ format }) => format === 'msgpack');
  if (own.length === 0 || own.some(({ isCut }) => isCut)) return;
  const raw = Buffer.concat(own.map((each) => each.raw ?? new Uint8Array(0)));
  const again = await newMessageDecoder(limits).decode(raw);
  if (again.rejected.some(({ isCut }) => isCut)) throw new Broken('what was refused is not whole');
}

const kindOf = (reason: string) =>
  reason
    .replace(/.*message \d+ at byte \d+: /, '')
    .replace(/"[^"]*"|-?\d+/g, '')
    .slice(0, 32);

export function arrowTarget(decodeOf: (decode: Decode) => Decode = (each) => each): FuzzTarget {
  const streams = [...pyarrowStreams().values()];
  return {
    seeds: streams.filter(({ length }) => length < seedBytesMax),
    words,
    async run(input) {
      const decode = decodeOf(newArrowDecoder(limits).decode);
      let decoded;
      try {
        decoded = await decode(input, input.length % 2 === 0 ? { measurement: 'm' } : {});
      } catch (error) {
        const code = expectedCode(error, ['HF_BODY_UNREADABLE']);
        return `${code} ${kindOf((error as Error).message)}`;
      }
      countedRows(decoded);
      await checkRefused(decoded);
      decoded.free();
      const reasons = [...new Set(decoded.rejected.map(({ reason }) => kindOf(reason)))].sort();
      return `${decoded.rows > 0 ? 'rows ' : ''}${reasons.slice(0, 2).join()}`;
    },
  };
}
