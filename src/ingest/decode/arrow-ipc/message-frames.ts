/**
 * Where the messages of a body are. A body is a stream, several of them one behind the other, or a
 * file, which is a stream between two marks with an index behind it that nobody needs.
 */
import type { ByteSpace } from '../bytes.ts';
import { arrowFault } from './flat-table.ts';

/** Where the metadata of a message is; a stream ends where there is none. */
export interface Frame {
  readonly metadataAt: number;
  /** 0: the end of a stream. */
  readonly metadataLength: number;
}

const fileMark = [0x41, 0x52, 0x52, 0x4f, 0x57, 0x31];
const footerLengthBytes = 4;

function hasMark({ bytes }: ByteSpace, at: number): boolean {
  return at >= 0 && fileMark.every((byte, index) => bytes[at + index] === byte);
}

export interface MessageRange {
  /** Where the messages begin, and where they end at the latest. */
  readonly at: number;
  readonly end: number;
  /** Where the footer of a file is, which ends at `footerEnd`; -1: there is none. */
  readonly footerAt: number;
  readonly footerEnd: number;
}

export function messageRange(space: ByteSpace): MessageRange {
  const { length } = space.bytes;
  const none = { end: length, footerAt: -1, footerEnd: -1 };
  if (!hasMark(space, 0)) return { at: 0, ...none };
  const at = Math.min(length, 8);
  const markAt = length - fileMark.length;
  const footerEnd = markAt - footerLengthBytes;
  // One that was cut off is read as far as it goes.
  if (footerEnd < at || !hasMark(space, markAt)) return { at, ...none };
  const footerAt = footerEnd - space.view.getUint32(footerEnd, true);
  return footerAt < at ? { at, ...none } : { at, end: footerAt, footerAt, footerEnd };
}

/** The message at `at`. @throws HF_BODY_UNREADABLE if none can be there */
export function frameAt({ view }: ByteSpace, at: number, end: number): Frame {
  if (at + 4 > end) throw arrowFault('it ends within a length');
  const first = view.getInt32(at, true);
  // Before Arrow 0.15 there was no mark before the length.
  const hasMarker = first === -1;
  if (hasMarker && at + 8 > end) throw arrowFault('it ends within a length');
  const metadataLength = hasMarker ? view.getInt32(at + 4, true) : first;
  const metadataAt = at + (hasMarker ? 8 : 4);
  if (metadataLength < 0) throw arrowFault(`metadata of ${metadataLength} bytes`);
  if (metadataLength > end - metadataAt) {
    throw arrowFault(`metadata of ${metadataLength} bytes, of which ${end - metadataAt} are there`);
  }
  return { metadataAt, metadataLength };
}

/** True if there is nothing from `at` on but a few zeros, which some writers pad with. */
export function isPadding({ bytes }: ByteSpace, at: number, end: number): boolean {
  return end - at < 8 && bytes.subarray(at, end).every((byte) => byte === 0);
}
