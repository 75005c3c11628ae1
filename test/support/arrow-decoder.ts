/**
 * An Arrow decoder over a registry of its own, with a clock that moves on with each look at it, so
 * that the decoder gives way often; and the streams that pyarrow wrote (test/fixtures/arrow).
 */
import { readFileSync } from 'node:fs';
import { ArrowDecoder } from '../../src/ingest/decode/arrow-ipc/arrow-ipc.ts';
import type { Decoded, DecodeOptions, TableTerms } from '../../src/ingest/decode/types.ts';
import { SchemaRegistry } from '../../src/storage/catalog/schema-registry.ts';
import { nowUs } from './msgpack-decoder.ts';

const registryOptions = {
  columnsMax: 100,
  measurementsMax: 20,
  databasesMax: 4,
  nameBytesMax: 65_535,
  createDatabases: true,
};

export function newArrowDecoder(
  options: Partial<typeof registryOptions> = {},
  registry = new SchemaRegistry({ ...registryOptions, ...options }),
) {
  let tick = 0;
  const monotonicMs = () => (tick += 1);
  const decoder = new ArrowDecoder({ registry, monotonicMs, seed: 1 });
  const decode = (
    body: Uint8Array,
    table: TableTerms = { measurement: 'm' },
    setup: Partial<DecodeOptions> = {},
  ): Promise<Decoded> =>
    decoder.decode(body, {
      database: 'd',
      precision: 'auto',
      table,
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

const path = new URL('../fixtures/arrow/pyarrow-streams.json', import.meta.url);

/** Streams by name, as pyarrow writes them. */
export function pyarrowStreams(): ReadonlyMap<string, Uint8Array> {
  const all = JSON.parse(readFileSync(path, 'utf8')) as Record<string, string>;
  return new Map(Object.entries(all).map(([name, text]) => [name, Buffer.from(text, 'base64')]));
}

/** The stream of that name. */
export function pyarrowStream(name: string): Uint8Array {
  const stream = pyarrowStreams().get(name);
  if (stream === undefined) throw new Error(`no stream "${name}"`);
  return stream;
}
