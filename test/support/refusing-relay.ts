/**
 * A relay in front of a gateway that makes its next writes be refused with the gateway's own 503:
 * it hands them on as a stranger's, whom an open gateway does not serve. What went through is
 * noted, so that a test sees what a client sent. `GET /refuse?writes=N` on the relay itself says
 * how many of the next writes are refused, because a client's script alone knows when it sends.
 */
import { once } from 'node:events';
import {
  createServer,
  request as httpRequest,
  type IncomingHttpHeaders,
  type IncomingMessage,
  type Server,
  type ServerResponse,
} from 'node:http';
import type { AddressInfo } from 'node:net';
import type { Teardown } from './real-gateway.ts';

export interface Relayed {
  readonly method: string;
  /** Path and query. */
  readonly path: string;
  readonly headers: IncomingHttpHeaders;
  readonly status: number;
}

export class RefusingRelay {
  readonly #server: Server;
  readonly #target: string;
  readonly #seen: Relayed[] = [];
  #refusals = 0;

  private constructor(target: string) {
    this.#target = target;
    this.#server = createServer((request, response) => {
      this.#relay(request, response);
    });
  }

  /** One in front of `target`, on a port of its own. It ends with the test. */
  static async start(t: Teardown, target: string): Promise<RefusingRelay> {
    const relay = new RefusingRelay(target);
    relay.#server.listen(0, '127.0.0.1');
    await once(relay.#server, 'listening');
    t.teardown(() => {
      relay.#server.close();
      relay.#server.closeAllConnections();
    });
    return relay;
  }

  get url(): string {
    return `http://127.0.0.1:${(this.#server.address() as AddressInfo).port}`;
  }

  /** Everything that was relayed, in the order of the answers. */
  get seen(): readonly Relayed[] {
    return this.#seen;
  }

  #relay(request: IncomingMessage, response: ServerResponse): void {
    const { method = 'GET', url: path = '/', headers } = request;
    const order = /^\/refuse\?writes=(\d+)$/.exec(path);
    if (order !== null) {
      this.#refusals = Number(order[1]);
      response.end();
      return;
    }
    const refused = path.includes('write') && this.#refusals > 0;
    if (refused) this.#refusals -= 1;
    const { host } = new URL(this.#target);
    const sent = { ...headers, host, ...(refused && { 'x-forwarded-for': '192.0.2.1' }) };
    const call = httpRequest(`${this.#target}${path}`, { method, headers: sent, agent: false });
    call.on('response', (answer) => {
      const status = answer.statusCode ?? 0;
      this.#seen.push({ method, path, headers, status });
      // Its 30 s would be half of the suite's time.
      const told = { ...answer.headers, ...(status === 503 && { 'retry-after': '1' }) };
      response.writeHead(status, told);
      answer.pipe(response);
    });
    call.on('error', () => response.destroy());
    request.pipe(call);
  }
}
