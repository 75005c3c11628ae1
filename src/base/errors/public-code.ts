/**
 * The word by which clients know an error code.
 */
import type { ErrorCode } from './codes.ts';

/** HF_DISK_FULL is `disk_full` in answers, status and metrics. */
export function publicCode(code: ErrorCode): string {
  return code.slice('HF_'.length).toLowerCase();
}
