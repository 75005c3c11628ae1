/**
 * Rows dated far in the future: a sender whose clock or unit of time is wrong. They are kept like
 * any other row, because nobody else has them, and a person is told who sends them. Called by the
 * door, on the main thread.
 */
import type { Clock } from '../base/lib/clock.ts';
import type { ColumnBatch } from '../base/model/column-batch.ts';
import type { AlarmRecorder } from '../base/telemetry/alarms.ts';
import type { CounterRecorder, Metrics } from '../base/telemetry/metrics.ts';
import { AlarmSubjects } from './alarm-subjects.ts';
import { senderText, type WriteRequest } from './door-types.ts';

/** Rows of one measurement in one request that are dated too far in the future. */
export interface FutureBatch {
  readonly database: string;
  readonly measurement: string;
  readonly rows: number;
  /** Time of the last of them, microseconds. */
  readonly latestUs: number;
}

export interface FutureRowsDeps {
  readonly alarms: AlarmRecorder;
  readonly metrics: Metrics;
  readonly clock: Clock;
}

/** An alarm goes when no such row came for so long. */
const quietMs = 3_600_000;

const nothing: readonly FutureBatch[] = [];
const twoTo32 = 4_294_967_296;

/** The last time that a JavaScript date can show, in milliseconds; later ones are shown as it. */
const dateMsMax = 8.64e15;

export class FutureRows {
  readonly #deps: FutureRowsDeps;
  readonly #limitUs: number;
  readonly #count: CounterRecorder<'holdfast_ingest_future_rows_total'>;
  readonly #subjects: AlarmSubjects;

  /** `limitMs`: how far ahead of the gateway's clock a row may be dated. */
  constructor(deps: FutureRowsDeps, options: { readonly limitMs: number }) {
    this.#deps = deps;
    this.#limitUs = options.limitMs * 1000;
    this.#subjects = new AlarmSubjects(deps.clock, quietMs, 'other senders and measurements');
    this.#count = deps.metrics.counter('holdfast_ingest_future_rows_total');
  }

  /** What lies beyond the limit; asked while the batches still have their memory. */
  find(batches: readonly ColumnBatch[], nowUs: number): readonly FutureBatch[] {
    const limitUs = Math.floor(nowUs + this.#limitUs);
    let found: FutureBatch[] | undefined;
    for (const batch of batches) {
      const future = futureIn(batch, limitUs);
      if (future === undefined) continue;
      found ??= [];
      found.push(future);
    }
    return found ?? nothing;
  }

  /** Counts rows that were kept, and raises the alarm for each measurement. */
  note(found: readonly FutureBatch[], request: WriteRequest): void {
    const { dialect } = request;
    for (const { database, measurement, rows, latestUs } of found) {
      this.#count.add(rows, { dialect });
      const latest = new Date(Math.min(latestUs / 1000, dateMsMax)).toISOString();
      const what = `${database}.${measurement} from ${senderText(request)}`;
      const detail = `${rows} rows of ${what} in one request, dated up to ${latest}`;
      this.#deps.alarms.raise('future_rows', detail, this.#subjects.subject(what), quietMs);
    }
  }
}

/** Looks at halves of times: no bigint per row. */
function futureIn(batch: ColumnBatch, limitUs: number): FutureBatch | undefined {
  const { database, measurement, times, rowCount } = batch;
  const words = new Int32Array(times.buffer, times.byteOffset, rowCount * 2);
  const limitHigh = Math.floor(limitUs / twoTo32);
  const limitLow = limitUs - limitHigh * twoTo32;
  let rows = 0;
  let latestUs = 0;
  for (let at = 0; at < words.length; at += 2) {
    const high = words[at + 1] ?? 0;
    if (high < limitHigh) continue;
    const low = (words[at] ?? 0) >>> 0;
    if (high === limitHigh && low <= limitLow) continue;
    rows += 1;
    latestUs = Math.max(latestUs, high * twoTo32 + low);
  }
  return rows === 0 ? undefined : { database, measurement, rows, latestUs };
}
