/**
 * Load maker of the ingest bench, a process of its own: prepares all bodies, says `ready`, then on
 * each command from its parent sends a share of them and answers with what it saw.
 *
 * `closed`: every connection sends its next body when the answer to the last one came.
 * `open`: bodies leave at a fixed rate whatever the answers do; latency counts from the plan.
 */
import { Agent, request } from 'node:http';
import { gzipSync } from 'node:zlib';
import { bodies, type Shape } from './shapes.ts';

export interface DriverSettings {
  readonly shape: Shape;
  readonly gzip: boolean;
  readonly bodyCount: number;
  readonly rowsPerBody: number;
  readonly connections: number;
  readonly url: string;
}

export type DriverCommand =
  | { readonly kind: 'closed'; readonly bodies: number }
  | { readonly kind: 'open'; readonly bodies: number; readonly bodiesPerSecond: number };

export interface DriverResult {
  readonly acknowledgedBodies: number;
  readonly refusedBodies: number;
  readonly seconds: number;
  /** Milliseconds, ascending. */
  readonly latenciesMs: readonly number[];
}

class Driver {
  readonly #settings: DriverSettings;
  readonly #bodies: readonly Buffer[];
  readonly #agent: Agent;
  #next = 0;

  constructor(settings: DriverSettings) {
    this.#settings = settings;
    const { shape, bodyCount, rowsPerBody, gzip, connections } = settings;
    const plain = bodies(shape, bodyCount, rowsPerBody, 1_700_000_000);
    this.#bodies = gzip ? plain.map((body) => gzipSync(body, { level: 6 })) : plain;
    this.#agent = new Agent({ keepAlive: true, maxSockets: connections });
  }

  /** Resolves to the answer's status. */
  #send(): Promise<number> {
    const body = this.#bodies[this.#next++ % this.#bodies.length] ?? Buffer.alloc(0);
    return new Promise((resolve, reject) => {
      const sent = request(
        `${this.#settings.url}/write?db=bench&precision=ns`,
        {
          method: 'POST',
          agent: this.#agent,
          headers: {
            'content-length': body.length,
            ...(this.#settings.gzip ? { 'content-encoding': 'gzip' } : {}),
          },
        },
        (answer) => {
          answer.resume();
          answer.on('end', () => {
            resolve(answer.statusCode ?? 0);
          });
        },
      );
      sent.on('error', reject);
      sent.end(body);
    });
  }

  async closed(count: number): Promise<DriverResult> {
    const latenciesMs: number[] = [];
    let started = 0;
    let refused = 0;
    const from = performance.now();
    const one = async () => {
      while (started < count) {
        started++;
        const sentAt = performance.now();
        let status = await this.#send();
        for (; status === 503; refused++) {
          this.#next--;
          await new Promise((resolve) => setTimeout(resolve, 50));
          status = await this.#send();
        }
        if (status !== 204) throw new Error(`unexpected answer ${status}`);
        latenciesMs.push(performance.now() - sentAt);
      }
    };
    await Promise.all(Array.from({ length: this.#settings.connections }, one));
    return this.#result(latenciesMs, refused, from);
  }

  async open(count: number, bodiesPerSecond: number): Promise<DriverResult> {
    const latenciesMs: number[] = [];
    let refused = 0;
    const from = performance.now();
    const pending: Promise<void>[] = [];
    for (let index = 0; index < count; index++) {
      const plannedAt = from + (index * 1000) / bodiesPerSecond;
      const wait = plannedAt - performance.now();
      if (wait > 0) await new Promise((resolve) => setTimeout(resolve, wait));
      pending.push(
        this.#send().then((status) => {
          if (status === 204) latenciesMs.push(performance.now() - plannedAt);
          else refused++;
        }),
      );
    }
    await Promise.all(pending);
    return this.#result(latenciesMs, refused, from);
  }

  #result(latenciesMs: number[], refusedBodies: number, from: number): DriverResult {
    return {
      acknowledgedBodies: latenciesMs.length,
      refusedBodies,
      seconds: (performance.now() - from) / 1000,
      latenciesMs: latenciesMs.sort((a, b) => a - b),
    };
  }
}

const driver = new Driver(JSON.parse(process.argv[2] ?? '{}') as DriverSettings);
process.on('message', (command: DriverCommand) => {
  const run =
    command.kind === 'closed'
      ? driver.closed(command.bodies)
      : driver.open(command.bodies, command.bodiesPerSecond);
  run.then(
    (result) => process.send?.(result),
    (error: unknown) => {
      console.error(error);
      process.exit(1);
    },
  );
});
process.send?.('ready');
