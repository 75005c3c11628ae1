/**
 * File ids (P9): epoch of the box x 2^40 + a number. Pure; used on both sides of the commit thread.
 */

/** The box's epoch stands in the high bits of a file id; a restore raises it. */
export const fileIdEpoch = 2 ** 40;

/** Ids reserved by one commit: at one file a second, an hour's worth. */
export const fileIdBlock = 4096;

/** No box gives this id or a higher one: half of all ids stay free above any name that is found. */
export const fileIdLimit = 2 ** 52;

/** Epoch of the box that gave `id`; a new box is in its first, whatever ids it has reserved. */
export function epochOf(id: number): number {
  return Math.max(1, Math.floor(id / fileIdEpoch));
}
