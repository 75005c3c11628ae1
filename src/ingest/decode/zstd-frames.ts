/**
 * Takes a zstd stream apart into its frames (RFC 8878). Node's decoder stops after the first frame
 * and says nothing of the bytes behind it; rows in later frames would be lost without a word.
 */

const frameMagic = 0xfd2fb528;
const skippableMagic = 0x184d2a50;

/** Length of the content size field by its two flag bits; the first is 1 in a single segment. */
const contentSizeBytes: readonly number[] = [0, 2, 4, 8];
const dictionaryIdBytes: readonly number[] = [0, 1, 2, 4];

/**
 * The frames in `bytes` that hold content, in order; undefined if the bytes are not whole frames
 * from the first to the last.
 */
export function zstdFrames(bytes: Uint8Array): readonly Uint8Array[] | undefined {
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  const frames: Uint8Array[] = [];
  let at = 0;
  while (at < bytes.length) {
    if (at + 5 > bytes.length) return undefined;
    const magic = view.getUint32(at, true);
    if ((magic & 0xfffffff0) >>> 0 === skippableMagic) {
      if (at + 8 > bytes.length) return undefined;
      at += 8 + view.getUint32(at + 4, true);
      if (at > bytes.length) return undefined;
      continue;
    }
    const end = magic === frameMagic ? frameEnd(bytes, at) : undefined;
    if (end === undefined) return undefined;
    frames.push(bytes.subarray(at, end));
    at = end;
  }
  return frames;
}

/** Position behind the frame at `start`. */
function frameEnd(bytes: Uint8Array, start: number): number | undefined {
  const descriptor = bytes[start + 4] ?? 0;
  const single = (descriptor & 0x20) !== 0;
  const sizeFlag = descriptor >>> 6;
  const sizeBytes = sizeFlag === 0 && single ? 1 : (contentSizeBytes[sizeFlag] ?? 0);
  let at = start + 5 + (single ? 0 : 1) + (dictionaryIdBytes[descriptor & 3] ?? 0) + sizeBytes;
  for (;;) {
    if (at + 3 > bytes.length) return undefined;
    const header = (bytes[at] ?? 0) | ((bytes[at + 1] ?? 0) << 8) | ((bytes[at + 2] ?? 0) << 16);
    const isRun = ((header >>> 1) & 3) === 1;
    at += 3 + (isRun ? 1 : header >>> 3);
    if ((header & 1) === 1) break;
  }
  if ((descriptor & 4) !== 0) at += 4;
  return at > bytes.length ? undefined : at;
}
