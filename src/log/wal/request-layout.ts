/**
 * Byte positions and code numbers of the request record, format version 1: what one WAL record
 * carries. The boxes stand in docs/format/wal.md ("Request record"); this file is their only copy
 * in code. All integers are little-endian, which is also the byte order of every machine that
 * Holdfast runs on: columns are typed-array views of the record, never converted.
 */
import { GatewayError } from '../../base/errors/gateway-error.ts';
import type { ColumnArray } from '../../base/model/column-batch.ts';
import type { ColumnKind, PhysicalType } from '../../base/model/schema.ts';

export const requestVersion = 1;

/** Positions in the header of a record. */
export const requestHeader = {
  version: 0,
  flags: 1,
  keyBytes: 2,
  totalBytes: 4,
  sectionCount: 8,
  answerBytes: 12,
  serverTimeUs: 16,
  rowCount: 24,
  zero: 28,
  bytes: 32,
} as const;

export const requestFlags = { clockTrusted: 1 } as const;

/** Positions in the header of a section, from its start. */
export const sectionHeader = {
  totalBytes: 0,
  measurementId: 4,
  rowCount: 8,
  columnCount: 12,
  flags: 14,
  zero: 15,
  databaseBytes: 16,
  measurementBytes: 18,
  nameBytes: 20,
  eightCount: 24,
  fourCount: 28,
  byteCount: 32,
  descriptorBytes: 36,
  bytes: 40,
} as const;

export const sectionFlags = { hasIdentity: 1, namingsGiven: 2 } as const;

export const columnFlags = {
  sparse: 1,
  sqlNameGiven: 2,
  physicalNameGiven: 4,
  columnar: 8,
} as const;

/** Kind and type of a column are their positions in these lists. */
export const kindCodes: readonly ColumnKind[] = ['tag', 'field', 'unknown'];
export const typeCodes: readonly PhysicalType[] = [
  'int64',
  'double',
  'boolean',
  'string',
  'uint64',
];

/** Names are shorter than this; a 16-bit length counts their UTF-8 bytes. */
export const nameBytesMax = 65_535;
export const columnsMax = 65_535;

/** A record stays below this, so that every offset in it is a small integer. */
export const requestBytesMax = 2 ** 30;

/** Next multiple of eight. */
export function padded(bytes: number): number {
  return Math.ceil(bytes / 8) * 8;
}

/** Bytes of one value: strings are codes of four bytes, booleans are bytes. */
export function valueBytes(type: PhysicalType): 8 | 4 | 1 {
  if (type === 'string') return 4;
  return type === 'boolean' ? 1 : 8;
}

/** View of `count` values of `type` at `offset`, which is a multiple of their size. */
export function valueView(
  type: PhysicalType,
  buffer: ArrayBufferLike,
  offset: number,
  count: number,
): ColumnArray {
  switch (type) {
    case 'int64':
      return new BigInt64Array(buffer, offset, count);
    case 'double':
      return new Float64Array(buffer, offset, count);
    case 'uint64':
      return new BigUint64Array(buffer, offset, count);
    case 'string':
      return new Uint32Array(buffer, offset, count);
    case 'boolean':
      return new Uint8Array(buffer, offset, count);
  }
}

/** True if `values` is the kind of array that holds `type`. */
export function valuesFit(type: PhysicalType, values: ColumnArray): boolean {
  switch (type) {
    case 'int64':
      return values instanceof BigInt64Array;
    case 'double':
      return values instanceof Float64Array;
    case 'uint64':
      return values instanceof BigUint64Array;
    case 'string':
      return values instanceof Uint32Array;
    case 'boolean':
      return values instanceof Uint8Array;
  }
}

/** The error of a payload whose checksum holds and whose content does not make sense. */
export function badRecord(reason: string, position: number): GatewayError {
  const message = `request record: ${reason} at byte ${String(position)}`;
  return new GatewayError('HF_WAL_RECORD_BAD', message, { details: { reason, position } });
}
