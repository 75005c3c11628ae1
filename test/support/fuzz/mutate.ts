/**
 * Mutations of bytes, all from one seeded `random`: flipped bits, cuts, splices of two inputs,
 * numbers at which formats break, and words of the format's own.
 */
import type { Random } from '../random.ts';

const numbers = [
  0, 1, 0x7f, 0x80, 0xff, 0x7fff, 0x8000, 0xffff, 0x7fffffff, 0x80000000, 0xffffffff,
];

/** Bytes beyond which an input does not grow. */
const bytesMax = 65_536;

type Mutation = (bytes: Buffer, random: Random, others: Sources) => Buffer;

export interface Sources {
  /** Inputs to splice with; at least one. */
  readonly corpus: readonly Uint8Array[];
  /** Words of the format. */
  readonly words: readonly (string | Uint8Array)[];
}

function inserted(bytes: Buffer, at: number, part: Uint8Array): Buffer {
  return Buffer.concat([bytes.subarray(0, at), part, bytes.subarray(at)]);
}

const place = (bytes: Buffer, random: Random): number => random.below(bytes.length + 1);

const mutations: readonly Mutation[] = [
  function flipBit(bytes, random) {
    const at = random.below(bytes.length);
    bytes[at] = (bytes[at] ?? 0) ^ (1 << random.below(8));
    return bytes;
  },
  function setByte(bytes, random) {
    bytes[random.below(bytes.length)] = random.below(256);
    return bytes;
  },
  function setNumber(bytes, random) {
    const width = random.pick([1, 2, 4, 8]);
    if (bytes.length < width) return bytes;
    const at = random.below(bytes.length - width + 1);
    const number = random.pick(numbers);
    const low = random.chance(0.5) ? number : Math.max(0, bytes.length - at + random.below(9) - 4);
    if (width === 1) bytes[at] = low & 255;
    else if (width === 2) bytes.writeUInt16LE(low & 0xffff, at);
    else if (width === 4) bytes.writeUInt32LE(low >>> 0, at);
    else bytes.writeBigUInt64LE(BigInt(low) << BigInt(random.pick([0, 20, 32])), at);
    if (random.chance(0.5)) bytes.subarray(at, at + width).reverse();
    return bytes;
  },
  function cutEnd(bytes, random) {
    return bytes.subarray(0, random.below(bytes.length));
  },
  function cutPart(bytes, random) {
    const from = place(bytes, random);
    const length = Math.min(bytes.length - from, 1 + random.below(16));
    return Buffer.concat([bytes.subarray(0, from), bytes.subarray(from + length)]);
  },
  function repeatPart(bytes, random) {
    const from = place(bytes, random);
    const part = bytes.subarray(from, from + 1 + random.below(64));
    const times = random.pick([1, 2, 3, 50]);
    return inserted(bytes, place(bytes, random), Buffer.concat(Array<Buffer>(times).fill(part)));
  },
  function splice(bytes, random, { corpus }) {
    const other = Buffer.from(random.pick(corpus));
    return Buffer.concat([
      bytes.subarray(0, place(bytes, random)),
      other.subarray(place(other, random)),
    ]);
  },
  function borrow(bytes, random, { corpus }) {
    const other = Buffer.from(random.pick(corpus));
    const from = place(other, random);
    return inserted(bytes, place(bytes, random), other.subarray(from, from + 1 + random.below(32)));
  },
  function word(bytes, random, { words }) {
    if (words.length === 0) return bytes;
    return inserted(bytes, place(bytes, random), Buffer.from(random.pick(words)));
  },
  function replaceByWord(bytes, random, { words }) {
    if (words.length === 0) return bytes;
    const part = Buffer.from(random.pick(words));
    const from = place(bytes, random);
    return Buffer.concat([bytes.subarray(0, from), part, bytes.subarray(from + part.length)]);
  },
  function zeros(bytes, random) {
    const from = place(bytes, random);
    bytes.fill(0, from, Math.min(bytes.length, from + 1 + random.below(64)));
    return bytes;
  },
];

/** A new input: one of the corpus with one to eight mutations. */
export function mutated(random: Random, sources: Sources): Uint8Array {
  let bytes = Buffer.from(random.pick(sources.corpus));
  const count = 1 + Math.min(random.below(8), random.below(8));
  for (let index = 0; index < count; index += 1) {
    if (bytes.length === 0) bytes = Buffer.from(random.pick(sources.corpus));
    if (bytes.length > 0) bytes = Buffer.from(random.pick(mutations)(bytes, random, sources));
    if (bytes.length > bytesMax) bytes = bytes.subarray(0, bytesMax);
  }
  return new Uint8Array(bytes);
}
