/**
 * Drives a test's gateway through one or more lives: starts it, sends seeded requests from several
 * lanes at once, asks now and then what a query shows, kills it, starts it again on the same data.
 * What was promised goes into the model's hands outside the data directory.
 */
import { existsSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { fileURLToPath } from 'node:url';
import type { DurabilityModel } from '../checker.ts';
import { GatewayClient } from '../gateway-client.ts';
import { GatewayProcess } from '../gateway-process.ts';
import { loadShapes, type LoadMaker } from '../load.ts';
import type { PlainRow } from '../plain-row.ts';
import { planEnvironment, type GatewayPlan } from './plan.ts';

/** Small enough that a second of load rotates, recycles, flushes, commits and compacts. */
export const smallGatewayFlags: readonly string[] = [
  ...['--wal-segment-size', '64KiB'],
  ...['--ingest-buffer-rows', '60'],
  ...['--ingest-buffer-min-rows', '20'],
  ...['--ingest-buffer-age', '150ms'],
  ...['--ingest-buffer-age-max', '600ms'],
  ...['--ingest-memory', '64MiB'],
  ...['--storage-hard-free', '1MiB'],
  ...['--storage-soft-free', '1MiB'],
  ...['--query-threads', '1'],
  ...['--query-memory', '128MiB'],
];

export const smallJournalSegmentBytes = 8192;

export interface DriveOptions {
  readonly dataDirectory: string;
  /** Folder outside the data directory for the order of the log. */
  readonly scratch: string;
  readonly model: DurabilityModel;
  readonly maker: LoadMaker;
  /** Requests in each round of each life; a life ends early when the gateway does. */
  readonly lives: readonly (readonly number[])[];
  /**
   * A round lasts at least this long. A quiet second proves its commits, and only then are segments
   * recycled and files unlinked.
   */
  readonly roundMs: number;
  readonly lanes: number;
  readonly flags?: readonly string[];
  /** A query of everything after so many requests of the first lane; 0: never. */
  readonly queryEvery: number;
  /** Everything is queried once more before the last life is ended. */
  readonly askAtEnd?: boolean;
  plan(life: number): GatewayPlan;
  /** Called just after the answer came. */
  acknowledged(request: number): void;
  /** Called just after a query had shown rows of it. */
  seen(request: number): void;
  /** Called when a life has ended; the next one has not begun. */
  ended?(life: number): Promise<void> | void;
}

export interface DriveReport {
  readonly sent: number;
  readonly acknowledged: number;
  /** Requests in the order of the log, one list per life. */
  readonly order: readonly (readonly number[])[];
  /** Answers by status; `none` for connections cut off. */
  readonly statuses: Readonly<Record<string, number>>;
  /** What SQL showed before the last life was ended; empty unless asked for. */
  readonly rowsAtEnd: readonly PlainRow[];
  /** Lives that ended by themselves (a planned kill). */
  readonly died: number;
}

const entry = fileURLToPath(new URL('entry.ts', import.meta.url));

export function orderPath(scratch: string, life: number): string {
  return join(scratch, `order-${life}`);
}

/** Requests in the order in which the log took them in one life. */
export function readOrder(scratch: string, life: number): readonly number[] {
  const path = orderPath(scratch, life);
  if (!existsSync(path)) return [];
  const lines = readFileSync(path, 'utf8').split('\n').slice(0, -1);
  return lines.flatMap((line) => JSON.parse(line) as number[]).filter((request) => request > 0);
}

class Driver {
  readonly #options: DriveOptions;
  readonly statuses: Record<string, number> = {};
  sent = 0;
  acknowledged = 0;
  died = 0;
  rowsAtEnd: readonly PlainRow[] = [];

  constructor(options: DriveOptions) {
    this.#options = options;
  }

  async live(life: number): Promise<void> {
    const {
      dataDirectory,
      scratch,
      flags = [],
      plan,
      lanes,
      lives,
      roundMs,
      askAtEnd = false,
    } = this.#options;
    const planned = plan(life);
    const gateway = GatewayProcess.start({
      dataDirectory,
      entry,
      flags: [...smallGatewayFlags, ...flags],
      environment: planEnvironment({ orderFile: orderPath(scratch, life), ...planned }),
    });
    try {
      const client = new GatewayClient(await gateway.ready());
      for (const count of lives[life] ?? []) {
        let left = count;
        const take = (): boolean => left-- > 0 && !gateway.hasEnded;
        const running = Array.from({ length: lanes }, (_, lane) => this.#lane(lane, client, take));
        await Promise.all([...running, sleep(roundMs)]);
      }
      const isLast = life === lives.length - 1;
      if (isLast && askAtEnd) this.rowsAtEnd = await client.allRows(loadShapes);
    } catch (error) {
      if (!gateway.hasEnded || planned.kill === undefined) throw error;
    } finally {
      // A connection that is cut off is noticed before the end of the process is.
      if (planned.kill !== undefined) await Promise.race([gateway.ended(), sleep(100)]);
      if (gateway.hasEnded) this.died += 1;
      await gateway.kill();
      await this.#options.ended?.(life);
    }
  }

  async #lane(lane: number, client: GatewayClient, take: () => boolean): Promise<void> {
    const { queryEvery } = this.#options;
    for (let count = 1; take(); count += 1) {
      await this.#send(lane, client);
      if (lane === 0 && queryEvery > 0 && count % queryEvery === 0) await this.#look(client);
    }
  }

  async #send(lane: number, client: GatewayClient): Promise<void> {
    const { maker, model, acknowledged } = this.#options;
    const request = maker.next(lane);
    model.sent(request.number, request.rows);
    this.sent += 1;
    const status = await client.write(request);
    const name = String(status ?? 'none');
    this.statuses[name] = (this.statuses[name] ?? 0) + 1;
    if (status !== 204) {
      await sleep(20);
      return;
    }
    this.acknowledged += 1;
    acknowledged(request.number);
  }

  async #look(client: GatewayClient): Promise<void> {
    const { model, seen } = this.#options;
    const rows = await client.allRows(loadShapes).catch(() => []);
    for (const request of model.requestsIn(rows)) seen(request);
  }
}

export async function driveGateway(options: DriveOptions): Promise<DriveReport> {
  const driver = new Driver(options);
  for (const life of options.lives.keys()) await driver.live(life);
  return {
    sent: driver.sent,
    acknowledged: driver.acknowledged,
    order: options.lives.map((_, life) => readOrder(options.scratch, life)),
    statuses: driver.statuses,
    rowsAtEnd: driver.rowsAtEnd,
    died: driver.died,
  };
}
