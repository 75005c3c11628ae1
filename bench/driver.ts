/**
 * Load maker of the ingest bench, a process of its own: prepares its bodies, says `ready`, then on
 * each command from its parent sends a share of them and answers with what it saw.
 *
 * `closed`: every connection sends its next body when the answer to the last one came.
 * `open`: bodies leave at a fixed rate whatever the answers do; latency counts from the plan.
 */
import { Agent, request } from 'node:http';
import { gzipSync } from 'node:zlib';
import { BodySource, pathOf, type Shape } from './shapes.ts';

export interface DriverSettings {
  readonly shape: Shape;
  /** Bodies compressed beforehand; 0 sends plain ones. No more than these can be sent then. */
  readonly gzipBodies: number;
  readonly distinctBodies: number;
  readonly rowsPerBody: number;
  readonly connections: number;
  readonly url: string;
}

export type DriverCommand =
  | { readonly kind: 'closed'; readonly bodies: number }
  | { readonly kind: 'open'; readonly bodies: number; readonly bodiesPerSecond: number };

export interface DriverResult {
  readonly acknowledgedBodies: number;
  /** Answers 503. In a closed loop the same body is sent again, in an open loop it is dropped. */
  readonly refusedBodies: number;
  readonly seconds: number;
  /** Milliseconds, ascending. */
  readonly latenciesMs: readonly number[];
}

const retryMs = 50;

class Driver {
  readonly #settings: DriverSettings;
  readonly #agent: Agent;
  readonly #nextBody: () => Buffer;

  constructor(settings: DriverSettings) {
    this.#settings = settings;
    const { shape, distinctBodies, rowsPerBody, gzipBodies, connections } = settings;
    const source = new BodySource(shape, distinctBodies, rowsPerBody);
    if (gzipBodies === 0) {
      this.#nextBody = () => source.next();
    } else {
      const compressed = Array.from({ length: gzipBodies }, () => gzipSync(source.next()));
      this.#nextBody = () => {
        const body = compressed.shift();
        if (body === undefined) throw new Error('no compressed body is left');
        return body;
      };
    }
    this.#agent = new Agent({ keepAlive: true, maxSockets: connections });
  }

  /** Resolves to the answer's status. */
  #send(body: Buffer): Promise<number> {
    return new Promise((resolve, reject) => {
      const sent = request(
        `${this.#settings.url}${pathOf(this.#settings.shape)}`,
        {
          method: 'POST',
          agent: this.#agent,
          headers: {
            'content-length': body.length,
            ...(this.#settings.gzipBodies > 0 ? { 'content-encoding': 'gzip' } : {}),
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
        const body = this.#nextBody();
        const sentAt = performance.now();
        let status = await this.#send(body);
        for (; status === 503; refused++) {
          await new Promise((resolve) => setTimeout(resolve, retryMs));
          status = await this.#send(body);
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
      const body = this.#nextBody();
      const plannedAt = from + (index * 1000) / bodiesPerSecond;
      const wait = plannedAt - performance.now();
      if (wait > 0) await new Promise((resolve) => setTimeout(resolve, wait));
      pending.push(
        this.#send(body).then((status) => {
          if (status === 204) latenciesMs.push(performance.now() - plannedAt);
          else if (status === 503) refused++;
          else throw new Error(`unexpected answer ${status}`);
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
