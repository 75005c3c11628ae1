import t from 'tap';
import { rejectedBatch } from '../../../../src/ingest/decode/rejected-rows.ts';
import type { Rejection } from '../../../../src/ingest/decode/types.ts';
import { SchemaRegistry } from '../../../../src/storage/catalog/schema-registry.ts';
import { plainRows } from '../../../support/decoded-rows.ts';

const registry = new SchemaRegistry({
  columnsMax: 1,
  measurementsMax: 0,
  databasesMax: 0,
  nameBytesMax: 100,
  createDatabases: false,
});

const request = { dialect: 'v1', database: 'plant', precision: 's', sender: '::1 x/1' } as const;

function rejection(line: number, text: string, raw?: Uint8Array): Rejection {
  return { line, text, raw, reason: 'missing fields', kind: 'parse', count: 1 };
}

t.test('rejected lines become rows of the dead letters, whatever the caps', (t) => {
  const batch = rejectedBatch(
    registry,
    [rejection(3, 'bad'), rejection(9, 'né\n"x"')],
    request,
    1_700_000_000_123_456,
  );
  t.match(batch, { measurementId: 1, database: '_internal', measurement: 'dead_letters' });
  t.equal(batch.hasIdentity, false);
  t.equal(batch.rowCount, 2);
  const rows = plainRows([batch]).get('dead_letters') ?? [];
  t.same(
    rows.map(({ timeUs }) => timeUs),
    [1_700_000_000_123_456n, 1_700_000_000_123_456n],
  );
  t.same(Object.fromEntries(rows[1]?.fields ?? []), {
    database: 'string:plant',
    dialect: 'string:v1',
    line: 'number:9',
    lines: 'number:1',
    kind: 'string:parse',
    reason: 'string:missing fields',
    text: 'string:né\n"x"',
    sender: 'string:::1 x/1',
    precision: 'string:s',
  });
  t.end();
});

t.test('bytes that are no text are kept beside it', (t) => {
  const raw = new Uint8Array([0x6d, 0xff]);
  const batch = rejectedBatch(
    registry,
    [rejection(1, 'a'), rejection(2, 'm\ufffd', raw)],
    request,
    5,
  );
  const rows = plainRows([batch]).get('dead_letters') ?? [];
  t.equal(rows[0]?.fields.get('raw'), undefined);
  t.equal(rows[1]?.fields.get('raw'), `string:${Buffer.from(raw).toString('base64')}`);
  t.end();
});
