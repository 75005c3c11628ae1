/**
 * A write-ahead log in a folder of its own for tests: real threads, real files, and orders by which
 * a test makes its disk fail or wait (faulty-wal.ts).
 */
import { existsSync, mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { pathToFileURL } from 'node:url';
import { setTimeout as sleep } from 'node:timers/promises';
import { GatewayError } from '../../src/base/errors/gateway-error.ts';
import type { ReplayedRecord, ReplaySink } from '../../src/log/wal/replay-feed.ts';
import { WalClient, type WalOptions } from '../../src/log/wal/wal-client.ts';

/** What became of one append. */
export interface Outcome {
  readonly lsn: number;
  readonly error: GatewayError | undefined;
}

export class WalBench {
  readonly folder = mkdtempSync(join(tmpdir(), 'holdfast-wal-'));
  readonly orders = join(this.folder, 'orders');
  readonly wal = join(this.folder, 'wal');

  constructor() {
    for (const name of ['wal', 'quarantine', 'orders']) mkdirSync(join(this.folder, name));
    const run = new URL('./faulty-wal.ts', import.meta.url).href;
    writeFileSync(
      join(this.folder, 'thread.mjs'),
      `import { runFaultyWal } from '${run}';\nrunFaultyWal('${this.orders}');\n`,
    );
  }

  options(changes: Partial<WalOptions> = {}): WalOptions {
    return {
      thread: pathToFileURL(join(this.folder, 'thread.mjs')),
      spareThread: new URL('../../src/log/spare-thread.ts', import.meta.url),
      directory: this.wal,
      quarantine: join(this.folder, 'quarantine'),
      segmentBytes: 256 * 1024,
      segmentAgeMs: 3_600_000,
      syncMode: 'fdatasync',
      asyncIntervalMs: 0,
      queueBytesMax: 64 * 1024 * 1024,
      unsyncedBytesMax: 8 * 1024 * 1024,
      retryMs: 10,
      ...changes,
    };
  }

  /** Opens the log; records found go to `sink`. */
  open(
    changes: Partial<WalOptions> = {},
    replay: { lowWater?: number; floor?: number; sink?: ReplaySink } = {},
  ): Promise<WalClient> {
    const { lowWater = 0, floor = 0, sink = async () => {} } = replay;
    return WalClient.open(this.options(changes), { lowWater, floor, sink });
  }

  /** Opens the log, returns copies of all its records, closes it. */
  async records(lowWater = 0): Promise<ReplayedRecord[]> {
    const found: ReplayedRecord[] = [];
    const sink: ReplaySink = async (records) => {
      for (const record of records) found.push({ ...record, payload: record.payload.slice() });
    };
    const client = await this.open({}, { lowWater, sink });
    await client.close();
    return found;
  }

  order(name: string): void {
    writeFileSync(join(this.orders, name), '');
  }

  revoke(name: string): void {
    rmSync(join(this.orders, name), { force: true });
  }

  /** Resolves when the WAL thread has obeyed a `hold-` order. */
  async held(): Promise<void> {
    while (!existsSync(join(this.orders, 'wait'))) await sleep(2);
  }

  remove(): void {
    rmSync(this.folder, { recursive: true, force: true });
  }
}

/** Appends and waits for what becomes of it. */
export function append(client: WalClient, payload: Uint8Array, count = 1): Promise<Outcome> {
  return new Promise((resolve) => {
    try {
      client.append(payload, count, (error, lsn) => {
        resolve({ error, lsn });
      });
    } catch (error) {
      if (!(error instanceof GatewayError)) throw error;
      resolve({ error, lsn: 0 });
    }
  });
}

/** A payload of its own memory that says which it is. */
export function numbered(index: number, bytes = 64): Uint8Array {
  const payload = new Uint8Array(bytes);
  new DataView(payload.buffer).setUint32(0, index, true);
  return payload;
}

export function numberIn(payload: Uint8Array): number {
  return new DataView(payload.buffer, payload.byteOffset).getUint32(0, true);
}
