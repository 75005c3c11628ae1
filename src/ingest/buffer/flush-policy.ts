/**
 * When an open buffer is flushed (commit-protocol P8). Pure. The log and hot rows already give
 * durability and visibility, so a flush may wait until it makes a file worth having; what it must
 * not do is hold memory or log segments that others need.
 */
import type { IngestConfig, WalConfig } from '../../base/config/derive.ts';

/** What the policy looks at of one open buffer. */
export interface BufferFacts {
  readonly measurementId: number;
  readonly rows: number;
  readonly bytes: number;
  readonly ageMs: number;
  /** LSN from which the log is kept for it. */
  readonly firstLsn: number;
}

export interface FlushLimits {
  /** `ingest.buffer_rows` */
  readonly rowsMax: number;
  /** Bytes of one buffer beyond which it counts as full. */
  readonly bufferBytesMax: number;
  /** `ingest.buffer_age`: due then, if it holds `rowsMin` rows. */
  readonly ageMs: number;
  /** `ingest.buffer_min_rows` */
  readonly rowsMin: number;
  /** `ingest.buffer_age_max`: due then, whatever it holds. */
  readonly ageMsMax: number;
  /** Bytes of all open buffers beyond which the oldest are flushed: a share of `ingest.memory`. */
  readonly openBytesMax: number;
  /** Bytes of live log segments beyond which the buffers that hold the oldest are flushed. */
  readonly walBytesMax: number;
}

/** Shares of `ingest.memory`: the rest is for sealed flushes, hot chunks and requests under way. */
export const openShareMax = 0.5;
const bufferShareMax = 0.25;

/** The limits that the configuration gives. */
export function flushLimits(ingest: IngestConfig, wal: WalConfig): FlushLimits {
  return {
    rowsMax: ingest.bufferRows,
    bufferBytesMax: Math.floor(ingest.memoryBytes * bufferShareMax),
    ageMs: ingest.bufferAgeMs,
    rowsMin: ingest.bufferMinRows,
    ageMsMax: ingest.bufferAgeMaxMs,
    openBytesMax: Math.floor(ingest.memoryBytes * openShareMax),
    // Writes are refused at all of it: flushing begins while half is still free.
    walBytesMax: Math.floor(wal.bytesMax / 2),
  };
}

export interface FlushPressure {
  /** Bytes of live log segments. */
  readonly walBytes: number;
  /** Last LSN that entered the buffers. */
  readonly enteredTo: number;
}

function isDue(buffer: BufferFacts, limits: FlushLimits): boolean {
  if (buffer.rows >= limits.rowsMax || buffer.bytes >= limits.bufferBytesMax) return true;
  if (buffer.ageMs >= limits.ageMsMax) return true;
  return buffer.ageMs >= limits.ageMs && buffer.rows >= limits.rowsMin;
}

/** Oldest first, until what stays open fits. */
function forMemory(oldestFirst: readonly BufferFacts[], openBytesMax: number): BufferFacts[] {
  let open = oldestFirst.reduce((sum, { bytes }) => sum + bytes, 0);
  const chosen: BufferFacts[] = [];
  for (const buffer of oldestFirst) {
    if (open <= openBytesMax) break;
    chosen.push(buffer);
    open -= buffer.bytes;
  }
  return chosen;
}

/** Those that hold the older half of the log; one at least. */
function forLog(oldestFirst: readonly BufferFacts[], enteredTo: number): readonly BufferFacts[] {
  const oldest = oldestFirst[0]?.firstLsn ?? enteredTo;
  const middle = oldest + (enteredTo - oldest) / 2;
  return oldestFirst.filter(({ firstLsn }) => firstLsn <= middle);
}

/** Returns the measurements whose open buffers are to be sealed now, oldest first. */
export function dueBuffers(
  buffers: readonly BufferFacts[],
  limits: FlushLimits,
  pressure: FlushPressure,
): readonly number[] {
  const oldestFirst = [...buffers].sort((a, b) => a.firstLsn - b.firstLsn);
  const due = new Set(oldestFirst.filter((buffer) => isDue(buffer, limits)));
  const rest = oldestFirst.filter((buffer) => !due.has(buffer));
  for (const buffer of forMemory(rest, limits.openBytesMax)) due.add(buffer);
  if (pressure.walBytes > limits.walBytesMax) {
    for (const buffer of forLog(oldestFirst, pressure.enteredTo)) due.add(buffer);
  }
  return oldestFirst.filter((buffer) => due.has(buffer)).map(({ measurementId }) => measurementId);
}
