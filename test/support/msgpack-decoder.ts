/**
 * A MessagePack decoder over a registry of its own, with caps that tests reach and a clock that
 * moves on with each look at it, so that the decoder gives way often.
 */
import { MessagePackDecoder } from '../../src/ingest/decode/msgpack/message-pack.ts';
import type { Decoded } from '../../src/ingest/decode/types.ts';
import { SchemaRegistry } from '../../src/storage/catalog/schema-registry.ts';
import type { DecodeSetup } from './line-decoder.ts';
import { packed } from './msgpack-bytes.ts';

export const nowUs = 1_700_000_000_123_456;

const registryOptions = {
  columnsMax: 100,
  measurementsMax: 20,
  databasesMax: 4,
  nameBytesMax: 65_535,
  createDatabases: true,
};

export function newMessageDecoder(
  options: Partial<typeof registryOptions> = {},
  cacheBytesMax = 1 << 20,
  registry = new SchemaRegistry({ ...registryOptions, ...options }),
) {
  let tick = 0;
  const monotonicMs = () => (tick += 1);
  const decoder = new MessagePackDecoder({ registry, monotonicMs, seed: 1, cacheBytesMax });
  /** Takes the bytes of a body, or a value that is packed first. */
  const decode = (body: unknown, setup: DecodeSetup = {}): Promise<Decoded> =>
    decoder.decode(body instanceof Uint8Array ? body : packed(body), {
      database: 'd',
      precision: 'auto',
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
