/**
 * Reads a write-ahead log that no gateway has open, in log order, and changes nothing: for
 * `holdfast wal inspect` and for tests. It finds exactly what the next start would replay, because
 * it runs the same replay, over a file layer that refuses everything but reading.
 */
import type { Files } from '../../base/disk/files.ts';
import { asGatewayError, type GatewayError } from '../../base/errors/gateway-error.ts';
import { systemClock } from '../../base/lib/clock.ts';
import type { RequestBatch } from '../../base/model/column-batch.ts';
import { surveySegments } from '../live-segments.ts';
import { logRules } from '../log-rules.ts';
import type { LogAlarm, LogOptions, RotRange } from '../log-types.ts';
import { readOnly } from '../read-only.ts';
import { Replay } from '../replay.ts';
import { SegmentFiles } from '../segment-files.ts';
import { decodeRequest } from './request-record.ts';
import { walNaming } from './wal-naming.ts';

export interface InspectedRecord {
  /** It takes the numbers `lsn` .. `lsn + count - 1`. */
  readonly lsn: number;
  readonly count: number;
  readonly bytes: number;
  readonly sections: readonly {
    readonly database: string;
    readonly measurement: string;
    readonly rows: number;
  }[];
  /** Views of the segment's memory; undefined if the payload makes no sense. */
  readonly request: RequestBatch | undefined;
  readonly error: GatewayError | undefined;
}

export interface WalInspection {
  readonly records: number;
  /** Last number that counts; 0 in an empty log. */
  readonly lastNumber: number;
  /** Highest number proven synced. Records above it may be ones that nobody acknowledged. */
  readonly mark: number;
  readonly tornRecords: number;
  readonly rot: readonly RotRange[];
  readonly alarms: readonly LogAlarm[];
}

export interface InspectOptions {
  readonly files: Files;
  /** `<data_dir>/wal` */
  readonly directory: string;
  /** Records whose last number is at or below it are left out; default 0. */
  readonly lowWater?: number;
}

/**
 * Gives each WAL record that a start would replay to `onRecord`, in log order.
 * @throws HF_FORMAT_NEWER, HF_IO
 */
export function inspectWal(
  options: InspectOptions,
  onRecord: (record: InspectedRecord) => void,
): WalInspection {
  const logOptions: LogOptions = {
    ...walNaming,
    files: readOnly(options.files),
    directory: options.directory,
    quarantine: options.directory,
    segmentBytes: 0,
    segmentAgeMs: 0,
    syncMode: 'fdatasync',
    preallocate: false,
    clock: systemClock,
    randomSalt: () => 1,
  };
  const { prefix, suffix } = walNaming;
  const names = new SegmentFiles(logOptions.files, options.directory, prefix, suffix);
  const survey = surveySegments(logOptions, names);
  const replay = new Replay(logOptions, names, logRules, survey, {
    lowWater: options.lowWater ?? 0,
    copies: false,
    onRecord: ({ number, count, payload }) => {
      onRecord(inspected(number, count, payload));
    },
  });
  const { records, lastNumber, mark, tornRecords } = replay.run();
  const { ranges, alarms: found } = replay.rot;
  // Copies are refused here on purpose.
  const alarms = found.filter(({ kind }) => kind !== 'quarantine-failed');
  return { records, lastNumber, mark, tornRecords, rot: ranges, alarms };
}

function inspected(lsn: number, count: number, payload: Uint8Array): InspectedRecord {
  const bytes = payload.length;
  try {
    const request = decodeRequest(payload);
    const sections = request.batches.map(({ database, measurement, rowCount }) => ({
      database,
      measurement,
      rows: rowCount,
    }));
    return { lsn, count, bytes, sections, request, error: undefined };
  } catch (error) {
    return { lsn, count, bytes, sections: [], request: undefined, error: asGatewayError(error) };
  }
}
