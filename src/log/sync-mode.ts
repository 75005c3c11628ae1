/**
 * What each sync mode means for the calls on a segment (contract W1, `wal.sync_mode`).
 * fdatasync, fsync: after each group. dsync: each write returns only when the device has it.
 * async: by the owner's timer; but rotation, fresh segments and recycling are synced in every mode.
 */
import type { OpenFile } from '../base/disk/files.ts';
import type { SyncMode } from './log-types.ts';

/** How a segment is opened for writing. */
export function openOptionsOf(mode: SyncMode): { readonly dsync: boolean } {
  return { dsync: mode === 'dsync' };
}

/** Returns after all written to `file` is on the device, whatever the mode says about groups. */
export function syncBarrier(file: OpenFile, mode: SyncMode): void {
  if (mode !== 'dsync') file.sync(mode === 'fsync' ? 'fsync' : 'fdatasync');
}

/** True if a group is acknowledged only once it is on the device. */
export function syncsGroups(mode: SyncMode): boolean {
  return mode !== 'async';
}
