/** Counts what came in, into the metrics; one call per request that was kept. Main thread. */
import type { Metrics } from '../base/telemetry/metrics.ts';
import type { DecodeCounters } from './decode/types.ts';
import type { WriteOutcome, WriteRequest } from './door-types.ts';

type CountRequest = (
  request: WriteRequest,
  outcome: WriteOutcome,
  counters: DecodeCounters,
) => void;

/** Returns the counter of the door. */
export function ingestCounters(metrics: Metrics): CountRequest {
  const bytes = metrics.counter('holdfast_ingest_body_bytes_total');
  const rows = metrics.counter('holdfast_ingest_rows_total');
  const rejected = metrics.counter('holdfast_ingest_rejected_rows_total');
  const nans = metrics.counter('holdfast_ingest_nan_values_total');
  const cutTimes = metrics.counter('holdfast_ingest_cut_times_total');
  const duplicates = metrics.counter('holdfast_ingest_duplicate_fields_total');
  const renamed = metrics.counter('holdfast_ingest_renamed_columns_total');
  return ({ dialect, body }, outcome, counters) => {
    bytes.add(body.length, { dialect });
    rows.add(outcome.rows, { dialect });
    if (outcome.rejectedLines > 0) rejected.add(outcome.rejectedLines, { dialect });
    if (counters.nanCells > 0) nans.add(counters.nanCells, {});
    if (counters.cutTimeDigits > 0) cutTimes.add(counters.cutTimeDigits, {});
    if (counters.duplicateFields > 0) duplicates.add(counters.duplicateFields, {});
    if (counters.renamedCells > 0) renamed.add(counters.renamedCells, {});
  };
}
