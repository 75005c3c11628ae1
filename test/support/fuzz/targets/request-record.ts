/**
 * Request records behind a good checksum: refused with a code, or read within their bounds, and
 * then written again to the same.
 */
import fc from 'fast-check';
import { isDeepStrictEqual } from 'node:util';
import type { RequestBatch } from '../../../../src/base/model/column-batch.ts';
import { decodeRequest, encodeRequest } from '../../../../src/log/wal/request-record.ts';
import { iotRequest, plain, requestArbitrary } from '../../request-batches.ts';
import { Broken, expectedCode, type FuzzTarget } from '../target.ts';

/** Touches every value, so that one out of range is seen. */
function readAll(decoded: RequestBatch): void {
  for (const { columns, rowCount } of decoded.batches) {
    for (const { values, rows, dictionary } of columns) {
      if (values.length !== (rows?.length ?? rowCount)) throw new Broken('count of values');
      for (const row of rows ?? []) if (row >= rowCount) throw new Broken('row out of range');
      if (dictionary === undefined) continue;
      for (const code of values) {
        const from = dictionary.offsets[Number(code)];
        const to = dictionary.offsets[Number(code) + 1];
        if (from === undefined || to === undefined || from > to) throw new Broken('bad code');
        if (to > dictionary.bytes.length) throw new Broken('string out of range');
      }
    }
  }
}

/** At a multiple of eight, as records of the log stand. */
function aligned(bytes: Uint8Array): Uint8Array {
  return Uint8Array.from(bytes);
}

export function requestTarget(decode: typeof decodeRequest = decodeRequest): FuzzTarget {
  const some = fc.sample(requestArbitrary, { numRuns: 20, seed: 7 });
  return {
    seeds: [iotRequest(1), iotRequest(20), ...some].map((request) => encodeRequest(request)),
    words: [],
    run(input) {
      let decoded;
      try {
        decoded = decode(aligned(input));
      } catch (error) {
        const code = expectedCode(error, ['HF_WAL_RECORD_BAD', 'HF_FORMAT_NEWER']);
        return `${code} ${(error as Error).message.replace(/\d+/g, '')}`;
      }
      readAll(decoded);
      const again = decodeRequest(encodeRequest(decoded));
      if (!isDeepStrictEqual(plain(again), plain(decoded))) throw new Broken('not the same again');
      return `sections ${decoded.batches.length}`;
    },
  };
}
