/**
 * WAL records whose checksum holds and whose content makes no sense, or is refused: replay passes
 * them over, so that no start needs a person, and nothing of them is lost (contract W6).
 *
 * I1 A record is passed over for good only when its payload stands in `quarantine/`, durably. If no
 *    copy can be made, whoever asked keeps the log from letting the record go.
 * I2 A copy's name ends with the record's LSNs, which are never given twice: each record is copied
 *    once, however many starts find it, and also if one of them has carried it further.
 *
 * Main thread, during recovery.
 */
import type { Files } from '../../base/disk/files.ts';
import { asGatewayError, GatewayError } from '../../base/errors/gateway-error.ts';
import type { LostNumbers } from '../journal/commit-messages.ts';
import { lastNumberOf } from '../log-types.ts';
import { SegmentFiles } from '../segment-files.ts';
import type { ReplayedRecord } from './replay-feed.ts';
import { walNaming } from './wal-naming.ts';

export interface UnreadableDeps {
  readonly files: Files;
  /** `<data_dir>/quarantine`; exists. */
  readonly quarantine: string;
  /** Told of each record; `segment` is the file that it was found in. */
  alarm(message: string, segment: string): void;
}

export class UnreadableRecords {
  readonly #deps: UnreadableDeps;
  readonly #names: SegmentFiles;
  readonly #numbers: LostNumbers[] = [];

  constructor(deps: UnreadableDeps) {
    this.#deps = deps;
    this.#names = new SegmentFiles(deps.files, '', walNaming.prefix, walNaming.suffix);
  }

  /** What was passed over, ascending. */
  get numbers(): readonly LostNumbers[] {
    return this.#numbers;
  }

  /** Copies the payload of `record` to quarantine; false if that is not possible (I1). */
  setAside(record: ReplayedRecord, cause: unknown): boolean {
    const { lsn, count, sequence } = record;
    const segment = this.#names.segmentName(sequence);
    const lastNumber = lastNumberOf({ number: lsn, count });
    this.#numbers.push({ firstNumber: lsn, lastNumber });
    const what =
      `record of the numbers ${lsn} to ${lastNumber} in ${segment} cannot be read: ` +
      asGatewayError(cause).message;
    try {
      const copy = this.#copy(record, segment, `.lsn-${lsn}-${lastNumber}`);
      this.#deps.alarm(`${what}; its content is in quarantine/${copy}`, segment);
      return true;
    } catch (error) {
      if (!(error instanceof GatewayError)) throw error;
      const why = `no copy in quarantine: ${error.message}`;
      this.#deps.alarm(`${what}; it stays in the log, for there is ${why}`, segment);
      return false;
    }
  }

  /** Name of the copy, which is durable. @throws HF_IO, HF_IO_SHORT_WRITE, HF_DISK_FULL */
  #copy({ payload, position }: ReplayedRecord, segment: string, numbers: string): string {
    const { files, quarantine } = this.#deps;
    const { length } = payload;
    for (const known of files.list(quarantine)) {
      if (known.endsWith(numbers) && files.size(`${quarantine}/${known}`) === length) return known;
    }
    const name = `${segment}.${position}-${position + length}${numbers}`;
    const path = `${quarantine}/${name}`;
    files.unlink(path);
    const file = files.open(path, 'create');
    try {
      file.write([payload], 0);
      file.sync('fsync');
    } finally {
      file.close();
    }
    files.syncDirectory(quarantine);
    return name;
  }
}
