/**
 * The byte order of a string dictionary, as ranks by code: sorting rows by a tag then compares
 * small integers instead of strings.
 */
import type { StringDictionary } from '../../base/model/column-batch.ts';

/** Bytes packed into one double for the first comparison; 48 bits are exact. */
const packedBytes = 6;

function commonPrefix(dictionary: StringDictionary): number {
  const { bytes, offsets, count } = dictionary;
  const first = offsets[0] as number;
  let length = (offsets[1] as number) - first;
  for (let code = 1; code < count && length > 0; code += 1) {
    const start = offsets[code] as number;
    const bound = Math.min(length, (offsets[code + 1] as number) - start);
    let same = 0;
    while (same < bound && bytes[first + same] === bytes[start + same]) same += 1;
    length = same;
  }
  return length;
}

/** Bytes after the common prefix as one number that sorts as the bytes do; absent bytes are 0. */
function packedKeys(dictionary: StringDictionary, prefix: number): Float64Array {
  const { bytes, offsets, count } = dictionary;
  const keys = new Float64Array(count);
  for (let code = 0; code < count; code += 1) {
    const end = offsets[code + 1] as number;
    let position = (offsets[code] as number) + prefix;
    let key = 0;
    for (let index = 0; index < packedBytes; index += 1) {
      key = key * 256 + (position < end ? (bytes[position] as number) : 0);
      position += 1;
    }
    keys[code] = key;
  }
  return keys;
}

/** Codes in ascending order of their bytes; equal byte strings keep the order of their codes. */
export function sortedCodes(dictionary: StringDictionary): Uint32Array {
  const { bytes, offsets, count } = dictionary;
  const codes = new Uint32Array(count);
  for (let code = 0; code < count; code += 1) codes[code] = code;
  if (count < 2) return codes;
  const keys = packedKeys(dictionary, commonPrefix(dictionary));
  const buffer = Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  return codes.sort((a, b) => {
    const byKey = (keys[a] as number) - (keys[b] as number);
    if (byKey !== 0) return byKey;
    const startA = offsets[a] as number;
    const startB = offsets[b] as number;
    const endA = offsets[a + 1] as number;
    const endB = offsets[b + 1] as number;
    return buffer.compare(buffer, startB, endB, startA, endA) || a - b;
  });
}

/** Rank by code, from 1; equal byte strings share a rank. 0 stays free for null. */
export function dictionaryRanks(dictionary: StringDictionary): Uint32Array {
  const { bytes, offsets, count } = dictionary;
  const ranks = new Uint32Array(count);
  const order = sortedCodes(dictionary);
  const buffer = Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  let rank = 0;
  for (let index = 0; index < count; index += 1) {
    const code = order[index] as number;
    const before = index === 0 ? undefined : (order[index - 1] as number);
    const equal =
      before !== undefined &&
      buffer.compare(
        buffer,
        offsets[before] as number,
        offsets[before + 1] as number,
        offsets[code] as number,
        offsets[code + 1] as number,
      ) === 0;
    if (!equal) rank += 1;
    ranks[code] = rank;
  }
  return ranks;
}
