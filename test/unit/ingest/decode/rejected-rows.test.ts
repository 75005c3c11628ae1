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

const request = {
  dialect: 'v1',
  database: 'plant',
  precision: 's',
  sender: '::1',
  agent: 'x/1',
} as const;

function rejection(line: number, text: string, raw?: Uint8Array): Rejection {
  return { line, text, raw, reason: 'missing fields', kind: 'parse', count: 1 };
}

t.test('rejected lines become rows of the dead letters, whatever the caps', (t) => {
  const batch = rejectedBatch(
    registry,
    [rejection(3, 'bad'), rejection(9, 'né\n"x"')],
    request,
    1_700_000_000_123_456,
    'seed',
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
    sender: 'string:::1',
    agent: 'string:x/1',
    precision: 'string:s',
    format: 'string:line',
    id: 'string:seed-1',
    part: 'number:0',
    parts: 'number:1',
    whole: 'boolean:1',
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

t.test('what continues a rejection is part of its letter', (t) => {
  const piece = (text: string, count: number) => ({ ...rejection(1, text), count });
  const cut = { ...piece('c', 0), isCut: true as const };
  const batch = rejectedBatch(
    registry,
    [piece('a', 1), piece('b', 0), cut, piece('d', 2)],
    request,
    5,
    'seed',
  );
  const rows = plainRows([batch]).get('dead_letters') ?? [];
  t.same(
    rows.map(({ fields }) => ['id', 'part', 'parts', 'whole'].map((name) => fields.get(name))),
    [
      ['string:seed-0', 'number:0', 'number:3', 'boolean:0'],
      ['string:seed-0', 'number:1', 'number:3', 'boolean:0'],
      ['string:seed-0', 'number:2', 'number:3', 'boolean:0'],
      ['string:seed-1', 'number:0', 'number:1', 'boolean:1'],
    ],
  );
  t.end();
});
