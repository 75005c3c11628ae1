/**
 * Rot found by replay (contract W6): what is missing, and a copy of the bad bytes. A copy has the
 * same name at each start, so one range is copied once. A copy that fails is an alarm, never a
 * refused start.
 */
import { GatewayError } from '../base/errors/gateway-error.ts';
import type { LogAlarm, LogOptions, RotRange } from './log-types.ts';

/** Where in a segment numbers went missing; `bytes` undefined if the file is gone. */
export interface BadRange {
  readonly segment: string;
  readonly bytes: Uint8Array | undefined;
  readonly from: number;
  readonly to: number;
}

export class RotFindings {
  readonly ranges: RotRange[] = [];
  readonly alarms: LogAlarm[] = [];
  readonly #options: LogOptions;

  readonly #copies: boolean;

  /** `copies` false: only looks. */
  constructor(options: LogOptions, copies: boolean) {
    this.#options = options;
    this.#copies = copies;
  }

  alarm(kind: LogAlarm['kind'], segment: string, message: string): void {
    this.alarms.push({ kind, segment, message });
  }

  /** Records that `firstNumber` to `lastNumber` are gone, and copies `bad` to quarantine. */
  add(firstNumber: number, lastNumber: number, bad: BadRange): void {
    const { segment, from } = bad;
    const to = from + lengthUsed(bad);
    const copy = to > from ? this.#copy({ ...bad, to }) : undefined;
    this.ranges.push({ segment, from, to, firstNumber, lastNumber, copy });
    const where = `bytes ${from} to ${to}, numbers ${firstNumber} to ${lastNumber}`;
    this.alarm('rot', segment, `${segment} is rotten: ${where}`);
  }

  #copy({ segment, bytes, from, to }: BadRange): string | undefined {
    if (bytes === undefined || !this.#copies) return undefined;
    const { files, quarantine, prefix } = this.#options;
    const path = `${quarantine}/${segment}.${from}-${to}`;
    try {
      if (files.size(path) === to - from) return path;
      files.unlink(path);
      const file = files.open(path, 'create');
      try {
        file.write([bytes.subarray(from, to)], 0);
        file.sync('fsync');
      } finally {
        file.close();
      }
      files.syncDirectory(quarantine);
      return path;
    } catch (error) {
      if (!(error instanceof GatewayError)) throw error;
      this.alarm(
        'quarantine-failed',
        segment,
        `${prefix}: no copy in quarantine: ${error.message}`,
      );
      return undefined;
    }
  }
}

/** Length of a bad range without the zeros at its end. */
function lengthUsed({ bytes, from, to }: BadRange): number {
  if (bytes === undefined) return 0;
  let end = Math.min(to, bytes.length);
  while (end > from && bytes[end - 1] === 0) end -= 1;
  return Math.max(0, end - from);
}
