/**
 * The request record: one accepted request as bytes, and back (commit-protocol P2). It holds the
 * request after every decision, in columns, so that replay is a memory copy that needs no other
 * state. Format: docs/format/wal.md ("Request record"), version 1.
 *
 * I1 A record describes itself: names, kinds and types of all columns stand in it. Ids of physical
 *    columns do not; the schema registry gives them when it adopts a decoded batch.
 * I2 Every array starts at a multiple of its element size, so decoding makes views, no copies.
 * I3 Decoding checks each length, row index and string code before use: bytes that the checksum
 *    calls good and that make no sense throw HF_WAL_RECORD_BAD, and nothing is read out of range.
 *
 * Encoding runs on the main thread for each request; decoding at replay, and in `wal inspect`.
 */
import { assert } from '../../base/lib/assert.ts';
import { atOnce, type Steps } from '../../base/lib/turns.ts';
import { GatewayError } from '../../base/errors/gateway-error.ts';
import type { ColumnBatch, RequestBatch } from '../../base/model/column-batch.ts';
import {
  badRecord,
  padded,
  requestBytesMax,
  requestFlags,
  requestHeader,
  requestVersion,
} from './request-layout.ts';
import { SectionReader } from './section-reader.ts';
import { sectionBytes, sectionSize, SectionWriter, type SectionSize } from './section-writer.ts';

/** Sections, and bytes of arrays, that are encoded without a pause. */
const quickSectionsMax = 200;
const quickBytesMax = 2 * 1024 * 1024;

/** Log numbers that the record of `batch` takes: its rows, at least one (L1). */
export function requestNumbers(batch: RequestBatch): number {
  let rows = 0;
  for (const section of batch.batches) rows += section.rowCount;
  return Math.max(1, rows);
}

/**
 * Bytes of `batch` as one WAL record, written once into memory of their own. The memory is not
 * shared: the log's client moves it to the log's thread, which frees it after the sync, at once
 * and not when the collector comes round (shared memory is invisible to the collector's accounts).
 */
export function encodeRequest(batch: RequestBatch): Uint8Array {
  return atOnce(encodingRequest(batch));
}

/** As `encodeRequest`; yields between pieces of the work. */
export function* encodingRequest(batch: RequestBatch): Steps<Uint8Array> {
  const sizes: SectionSize[] = [];
  let total: number = requestHeader.bytes;
  let rowCount = 0;
  for (const section of batch.batches) {
    const size = sectionSize(section);
    sizes.push(size);
    total += sectionBytes(size);
    rowCount += section.rowCount;
    yield;
  }
  assert(total < requestBytesMax, 'request too large for a record');
  const buffer = new ArrayBuffer(total);
  const header = new DataView(buffer);
  header.setUint8(requestHeader.version, requestVersion);
  header.setUint8(requestHeader.flags, batch.clockTrusted ? requestFlags.clockTrusted : 0);
  header.setUint32(requestHeader.totalBytes, total, true);
  header.setUint32(requestHeader.sectionCount, sizes.length, true);
  header.setBigInt64(requestHeader.serverTimeUs, BigInt(batch.serverTimeUs), true);
  header.setUint32(requestHeader.rowCount, rowCount, true);
  const writer = new SectionWriter(buffer);
  let position: number = requestHeader.bytes;
  for (const [index, section] of batch.batches.entries()) {
    position = yield* writer.section(section, sizes[index] as SectionSize, position);
  }
  assert(position === total, 'request record size');
  return new Uint8Array(buffer);
}

/** True if encoding takes longer than a millisecond or two. */
export function isLargeRequest({ batches }: RequestBatch): boolean {
  if (batches.length > quickSectionsMax) return true;
  let bytes = 0;
  for (const { times, columns } of batches) {
    bytes += times.byteLength;
    for (const { values, dictionary } of columns) {
      bytes += values.byteLength + (dictionary?.bytes.byteLength ?? 0);
    }
  }
  return bytes > quickBytesMax;
}

/**
 * The request that `payload` holds, as views of its memory; physical ids are -1. `payload` starts
 * at a multiple of eight bytes.
 * @throws HF_FORMAT_NEWER for a later version, HF_WAL_RECORD_BAD for bytes that make no sense
 */
export function decodeRequest(payload: Uint8Array): RequestBatch {
  assert(payload.byteOffset % 8 === 0, 'request record starts at a multiple of eight');
  const { length } = payload;
  if (length < requestHeader.bytes) throw badRecord('header cut off', 0);
  const header = new DataView(payload.buffer, payload.byteOffset, length);
  const version = header.getUint8(requestHeader.version);
  if (version > requestVersion) {
    throw new GatewayError('HF_FORMAT_NEWER', `request record of version ${String(version)}`, {
      details: { version, known: requestVersion },
    });
  }
  if (version < requestVersion) throw badRecord('version', requestHeader.version);
  const flags = header.getUint8(requestHeader.flags);
  const known = flags <= requestFlags.clockTrusted;
  if (!known || header.getUint32(requestHeader.zero, true) !== 0) {
    throw badRecord('unknown flags', requestHeader.flags);
  }
  if (header.getUint32(requestHeader.totalBytes, true) !== length) {
    throw badRecord('length', requestHeader.totalBytes);
  }
  const serverTimeUs = Number(header.getBigInt64(requestHeader.serverTimeUs, true));
  if (!Number.isSafeInteger(serverTimeUs)) throw badRecord('time', requestHeader.serverTimeUs);
  const keyBytes = header.getUint16(requestHeader.keyBytes, true);
  const answerBytes = header.getUint32(requestHeader.answerBytes, true);
  const batches: ColumnBatch[] = [];
  const reader = new SectionReader(payload);
  reader.end = padded(requestHeader.bytes + keyBytes + answerBytes);
  const sectionCount = header.getUint32(requestHeader.sectionCount, true);
  let rows = 0;
  for (let index = 0; index < sectionCount; index++) {
    const section = reader.section(reader.end);
    rows += section.rowCount;
    batches.push(section);
  }
  if (reader.end !== length) throw badRecord('bytes behind the last section', reader.end);
  if (rows !== header.getUint32(requestHeader.rowCount, true)) {
    throw badRecord('count of rows', requestHeader.rowCount);
  }
  return { batches, serverTimeUs, clockTrusted: flags === requestFlags.clockTrusted };
}
