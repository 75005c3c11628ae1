/** The options of the write-ahead log as the configuration decides them. */
import type { WalConfig } from '../../base/config/derive.ts';
import type { WalOptions } from './wal-client.ts';

/** `config` and what it does not know: threads, clock and where bad ranges are kept. */
export function walOptions(
  config: WalConfig,
  places: Required<Pick<WalOptions, 'thread' | 'spareThread' | 'quarantine' | 'clock'>>,
): WalOptions {
  const { directory, segmentBytes, segmentAgeMs, syncMode } = config;
  return {
    ...places,
    directory,
    segmentBytes,
    segmentAgeMs,
    syncMode,
    queueBytesMax: config.queueBytesMax,
    unsyncedBytesMax: config.unsyncedBytesMax,
    asyncIntervalMs: config.asyncIntervalMs ?? 0,
  };
}
