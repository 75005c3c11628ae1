/**
 * Drives a test's gateway through one or more lives: starts it, sends seeded requests from several
 * lanes at once, asks now and then what a query shows, kills it, starts it again on the same data.
 * What was promised goes into the model's hands outside the data directory. A request with a key is
 * sent until it is answered, in the next life too, and now and then on two connections at once.
 * Tags are named while rows of their measurement are written, and from the first moment of a start.
 */
import { existsSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { fileURLToPath } from 'node:url';
import type { DurabilityModel } from '../checker.ts';
import { GatewayClient, type MeasurementPlace, type WriteAnswer } from '../gateway-client.ts';
import { GatewayProcess } from '../gateway-process.ts';
import { loadShapes, type LoadMaker, type LoadRequest } from '../load.ts';
import {
  isKeyed,
  mixedPlaces,
  namedMeasurements,
  namedTags,
  type KeyedRequest,
  type MixedLoad,
} from '../mixed-load.ts';
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

/** All measurements that a load may write. */
export const loadPlaces: readonly MeasurementPlace[] = [...loadShapes, ...mixedPlaces];

export interface DriveOptions {
  readonly dataDirectory: string;
  /** Folder outside the data directory for the order of the log. */
  readonly scratch: string;
  readonly model: DurabilityModel;
  readonly maker: Pick<LoadMaker, 'next'> & Partial<Pick<MixedLoad, 'namingBegins' | 'namingEnds'>>;
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
  /** Requests with a key, each with its first answer, if there was one. */
  readonly keyed: ReadonlyMap<KeyedRequest, WriteAnswer | undefined>;
  /** Measurements whose tags were named. */
  readonly named: readonly string[];
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
  readonly keyed = new Map<KeyedRequest, WriteAnswer | undefined>();
  readonly named: string[] = [];
  /** The life in which a request was sent last, where that was not the first one. */
  readonly sentAgain = new Map<number, number>();
  /** Requests under way. */
  readonly #open = new Set<Promise<unknown>>();

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
      const url = await gateway.listening();
      const client = new GatewayClient(url);
      const isAlive = () => !gateway.hasEnded;
      // The last ones from the start on, while the log is read; the first while rows are written.
      const naming = life === 0 ? [] : [this.#nameTags(client, namedMeasurements, isAlive)];
      await gateway.ready();
      await this.#sendUnanswered(client, life, isAlive);
      for (const [round, count] of (lives[life] ?? []).entries()) {
        let left = count;
        const take = (): boolean => left-- > 0 && isAlive();
        const running = Array.from({ length: lanes }, (_, lane) => this.#lane(lane, client, take));
        const first = namedMeasurements.slice(0, 1);
        if (life === 0 && round > 0) naming.push(this.#nameTags(client, first, isAlive));
        await Promise.all([...running, ...naming, sleep(roundMs)]);
      }
      const isLast = life === lives.length - 1;
      if (isLast && askAtEnd) this.rowsAtEnd = await client.allRows(loadPlaces);
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
    const { maker, model } = this.#options;
    const request = maker.next(lane);
    model.sent(request.number, request.rows);
    this.sent += 1;
    const sending = isKeyed(request) ? this.#sendKeyed(request, client) : client.deliver(request);
    this.#open.add(sending);
    const answer = await sending;
    this.#open.delete(sending);
    const name = String(answer?.status ?? 'none');
    this.statuses[name] = (this.statuses[name] ?? 0) + 1;
    if (!this.#answered(request, answer)) await sleep(20);
  }

  /** Until it is answered, or nobody is there; every fifth on two connections at once. */
  async #sendKeyed(request: KeyedRequest, client: GatewayClient): Promise<WriteAnswer | undefined> {
    if (!this.keyed.has(request)) this.keyed.set(request, undefined);
    for (;;) {
      const count = request.number % 5 === 0 ? 2 : 1;
      const sent = Array.from({ length: count }, () => client.deliver(request));
      const answers = await Promise.all(sent);
      const answer = answers.find((each) => each?.status === request.status);
      if (answer !== undefined || answers.includes(undefined)) return answer;
      const [{ status, text } = { status: 0, text: '' }] = answers.filter(
        (one) => one !== undefined,
      );
      if (status !== 503) throw new Error(`${status} ${text} for ${request.path ?? ''}`);
      await sleep(20);
    }
  }

  /** True if the answer is a success: then its rows are promised. */
  #answered(request: LoadRequest, answer: WriteAnswer | undefined): boolean {
    if (answer === undefined || answer.status !== (request.status ?? 204)) return false;
    if (isKeyed(request)) this.keyed.set(request, answer);
    this.acknowledged += 1;
    this.#options.acknowledged(request.number);
    return true;
  }

  /** Sends once more what has a key and no answer. */
  async #sendUnanswered(
    client: GatewayClient,
    life: number,
    isAlive: () => boolean,
  ): Promise<void> {
    for (const [request, answer] of this.keyed) {
      if (answer !== undefined || !isAlive()) continue;
      this.sentAgain.set(request.number, life);
      this.#answered(request, await this.#sendKeyed(request, client));
    }
  }

  /** Names the tags of those measurements of which it was not done yet. */
  async #nameTags(
    client: GatewayClient,
    measurements: readonly string[],
    isAlive: () => boolean,
  ): Promise<void> {
    const { maker } = this.#options;
    if (maker.namingBegins === undefined) return;
    for (const measurement of measurements) {
      if (this.named.includes(measurement)) continue;
      maker.namingBegins(measurement);
      // What was made before is answered before, so that its rows have no identity.
      await Promise.all(this.#open);
      while (isAlive() && !this.named.includes(measurement)) {
        const status = await client.nameTags('plant', measurement, namedTags);
        if (status !== 200) await sleep(5);
        else this.named.push(measurement);
      }
      if (this.named.includes(measurement)) maker.namingEnds?.(measurement);
    }
  }

  async #look(client: GatewayClient): Promise<void> {
    const { model, seen } = this.#options;
    const rows = await client.allRows(loadPlaces).catch(() => []);
    for (const request of model.requestsIn(rows)) seen(request);
  }
}

export async function driveGateway(options: DriveOptions): Promise<DriveReport> {
  const driver = new Driver(options);
  for (const life of options.lives.keys()) await driver.live(life);
  return {
    sent: driver.sent,
    acknowledged: driver.acknowledged,
    // One that was sent in several lives may have its place in the log in any of them.
    order: options.lives.map((_, life) =>
      readOrder(options.scratch, life).filter(
        (one) => (driver.sentAgain.get(one) ?? life) === life,
      ),
    ),
    statuses: driver.statuses,
    rowsAtEnd: driver.rowsAtEnd,
    died: driver.died,
    keyed: driver.keyed,
    named: driver.named,
  };
}
