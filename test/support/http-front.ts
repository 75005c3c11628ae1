/**
 * The HTTP front over a door, queries and databases that a test steers; nothing behind them.
 */
import { Readable } from 'node:stream';
import type { ErrorCode } from '../../src/base/errors/codes.ts';
import { GatewayError } from '../../src/base/errors/gateway-error.ts';
import type { Clock } from '../../src/base/lib/clock.ts';
import type { MeasurementSchema } from '../../src/base/model/schema.ts';
import { silentLogger } from '../../src/base/telemetry/log.ts';
import { Metrics } from '../../src/base/telemetry/metrics.ts';
import type { HttpFrontOptions } from '../../src/fronts/http/front-types.ts';
import { HttpFront } from '../../src/fronts/http/server.ts';
import { type GatewayPhase, StatusReport, type StatusSources } from '../../src/fronts/status.ts';
import { decompress } from '../../src/ingest/decode/decompress.ts';
import type { Rejection } from '../../src/ingest/decode/types.ts';
import type { WriteOutcome, WriteRequest } from '../../src/ingest/door-types.ts';
import type { QueryRequest } from '../../src/query/queries.ts';

export function rejection(line: number, text: string, reason: string): Rejection {
  return { line, text, raw: undefined, reason, kind: 'parse', count: 1 };
}

/** What the parts behind the front do next, and what they were asked. */
export class FrontScript {
  admitError: ErrorCode | undefined;
  writeError: GatewayError | undefined;
  rejected: readonly Rejection[] = [];
  /** Awaited inside each write. */
  gate: Promise<void> = Promise.resolve();
  queryError: GatewayError | undefined;
  queryBody: () => Readable = () => Readable.from(['{"success":true}']);
  incomplete = false;
  /** Awaited by whoever waits for the end of the log. */
  replayed: Promise<void> = Promise.resolve();
  phase: GatewayPhase = 'ready';
  readonly writes: WriteRequest[] = [];
  readonly queries: QueryRequest[] = [];
  readonly created: string[] = [];
  readonly named: string[][] = [];
  measurements: readonly MeasurementSchema[] = [];

  refusal(): GatewayError | undefined {
    return this.admitError === undefined
      ? undefined
      : new GatewayError(this.admitError, `no writes now: ${this.admitError}`);
  }

  async write(request: WriteRequest): Promise<WriteOutcome> {
    this.writes.push({ ...request, body: Uint8Array.from(request.body) });
    await this.gate;
    if (this.writeError !== undefined) throw this.writeError;
    const rejectedLines = this.rejected.reduce((sum, { count }) => sum + count, 0);
    return { rows: 1, rejected: this.rejected, rejectedLines };
  }
}

function sourcesOf(script: FrontScript): StatusSources {
  return {
    gatewayId: () => 'g1',
    phase: () => script.phase,
    recovery: () => ({ bytes: 25, bytesTotal: 100, rows: 7, skipped: 2, unreadable: 0 }),
    refusal: () => script.refusal(),
    buffers: () => ({
      rowsEntered: 12,
      rowsHeld: 5,
      rowsFiled: 7,
      flushes: 2,
      flushFailures: 1,
      rowsRepeated: 6,
      rowsUnmerged: 1,
      filesFiled: 2,
      bytesFiled: 999,
      bytes: 4096,
      bytesMax: 65536,
      oldestAgeMs: 3200,
      sizes: { 'default.cpu': 3, 'plant.mem': 2 },
    }),
    walSyncs: () => undefined,
    wal: () => ({ syncedLsn: 12, liveBytes: 1, queuedBytes: 0, groups: 4, failures: 0 }),
    catalog: () => ({ visibleCommit: 3, commits: 3, files: 2, bytes: 999, indexRebuilds: 0 }),
    queries: () => ({ active: 0, queued: 0, engineRestarts: 0 }),
    disk: () => ({ freeBytes: 10, totalBytes: 20, softFreeBytes: 2, hardFreeBytes: 1 }),
    keys: () => ({ count: 3, countMax: 100, bytes: 60, bytesMax: 1000, dropped: 0 }),
    deadLetters: () => ({
      rows: 4,
      rowsHeld: 1,
      rowsMax: 1000,
      bytes: 512,
      bytesMax: 4096,
      droppedRows: 2,
    }),
    alarms: () => [],
  };
}

export interface ComposedFront {
  readonly front: HttpFront;
  readonly script: FrontScript;
  readonly metrics: Metrics;
}

export function composeFront(options: Partial<HttpFrontOptions> = {}): ComposedFront {
  const script = new FrontScript();
  const metrics = new Metrics();
  const clock: Clock = { wallUs: () => 1_700_000_000_000_000, monotonicMs: () => 0 };
  const status = new StatusReport({ sources: sourcesOf(script), clock, version: '0.1.0' });
  status.feed(metrics);
  const front = new HttpFront(
    {
      door: {
        admit: () => {
          const refusal = script.refusal();
          if (refusal !== undefined) throw refusal;
        },
        write: (request) => script.write(request),
      },
      queries: {
        execute: (request) => {
          script.queries.push(request);
          if (script.queryError !== undefined) return Promise.reject(script.queryError);
          const { incomplete } = script;
          return Promise.resolve({ commit: 3, incomplete, body: script.queryBody() });
        },
        replayed: () => script.replayed,
      },
      tagNames: {
        name: (database, measurement, tags) => {
          script.named.push([database, measurement, ...tags]);
          return Promise.resolve(tags);
        },
        nameForAll: (database, tags) => {
          script.named.push([database, '*', ...tags]);
          return Promise.resolve(tags);
        },
        list: (database, measurement) => {
          const places = script.named.filter(
            ([of, its]) => of === database && its === (measurement ?? '*'),
          );
          return places.flatMap(([, , ...tags]) => tags);
        },
      },
      letters: {
        list: () => Promise.resolve({ count: 0, lines: 0, letters: [], next: undefined }),
        drop: () => Promise.resolve({ dropped: 0, files: 0 }),
        letters: async function* () {
          await Promise.resolve();
          yield* [];
        },
        replay: () =>
          Promise.resolve({
            replayed: 0,
            rows: 0,
            refused: 0,
            refusals: [],
            next: undefined,
            stopped: undefined,
          }),
      },
      databases: {
        list: () => ['default', ...script.created],
        measurements: () => script.measurements,
        create: (name) => {
          script.created.push(name);
          return Promise.resolve();
        },
      },
      status,
      metrics,
      logger: silentLogger,
      clock,
      decompress,
    },
    {
      host: '127.0.0.1',
      port: 0,
      maxBodyBytes: 1024,
      requestTimeoutMs: 60_000,
      queryTimeoutMs: 300_000,
      durability: 'synced',
      ...options,
    },
  );
  return { front, script, metrics };
}
