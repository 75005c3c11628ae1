/**
 * A line decoder over a registry of its own, with caps that tests reach and a clock that moves on
 * with each look at it, so that the decoder gives way often.
 */
import { LineDecoder } from '../../src/ingest/decode/line-protocol.ts';
import type { Precision } from '../../src/ingest/decode/types.ts';
import { SchemaRegistry } from '../../src/storage/catalog/schema-registry.ts';

export const nowUs = 1_700_000_000_123_456;

const registryOptions = {
  columnsMax: 100,
  measurementsMax: 20,
  databasesMax: 4,
  nameBytesMax: 65_535,
  createDatabases: true,
};

export interface DecodeSetup {
  readonly database?: string;
  readonly precision?: Precision;
  readonly nowUs?: number;
  readonly acceptPartial?: boolean;
  readonly cellsMax?: number;
  readonly daysMax?: number;
  readonly lineBytesMax?: number;
  readonly yieldNow?: () => Promise<void>;
}

export function newDecoder(
  options: Partial<typeof registryOptions> = {},
  cacheBytesMax = 1 << 20,
  registry = new SchemaRegistry({ ...registryOptions, ...options }),
) {
  let tick = 0;
  const monotonicMs = () => (tick += 1);
  const decoder = new LineDecoder({ registry, monotonicMs, seed: 1, cacheBytesMax });
  const decode = (body: string | Uint8Array, setup: DecodeSetup = {}) =>
    decoder.decode(typeof body === 'string' ? new TextEncoder().encode(body) : body, {
      database: 'd',
      precision: 'n',
      nowUs,
      acceptPartial: true,
      cellsMax: 1_000_000,
      daysMax: 100_000,
      lineBytesMax: 2_000_000,
      yieldNow: () => Promise.resolve(),
      ...setup,
    });
  return { registry, decode };
}
