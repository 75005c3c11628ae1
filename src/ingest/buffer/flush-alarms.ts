/** Flushes that keep failing, as an alarm that names their measurements. Main thread. */
import type { AlarmRecorder } from '../../base/telemetry/alarms.ts';
import type { FlushAlarm } from './types.ts';

/** Raises or clears `flush_failing` by what fails now. */
export function showFlushAlarms(
  failing: readonly FlushAlarm[],
  nameOf: (measurementId: number) => string,
  alarms: AlarmRecorder,
): void {
  const details = failing.map(({ measurementIds, error, attempts }) => {
    return `${measurementIds.map(nameOf).join(', ')}: ${error.message} (${attempts} tries)`;
  });
  if (details.length > 0) alarms.raise('flush_failing', details.join('; '));
  else alarms.clear('flush_failing');
}
