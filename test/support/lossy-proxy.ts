/**
 * An HTTP proxy on the loopback that, when told to, keeps answers of success from the client: the
 * request was carried out, its sender cannot know and sends it again.
 */
import { once } from 'node:events';
import { createServer, request, type IncomingMessage, type ServerResponse } from 'node:http';
import type { AddressInfo } from 'node:net';

export class LossyProxy {
  readonly #target: number;
  readonly #server = createServer((incoming, outgoing) => {
    this.#forward(incoming, outgoing);
  });
  /** Paths whose next 204 is kept. */
  readonly #losing = new Set<string>();
  readonly #lost = new Map<string, number>();

  private constructor(target: number) {
    this.#target = target;
  }

  /** Forwards to `target`, a port of the loopback, which may come and go. */
  static async start(target: number): Promise<LossyProxy> {
    const proxy = new LossyProxy(target);
    proxy.#server.listen(0, '127.0.0.1');
    await once(proxy.#server, 'listening');
    return proxy;
  }

  get url(): string {
    return `http://127.0.0.1:${(this.#server.address() as AddressInfo).port}`;
  }

  /** How many answers were kept, by path. */
  get lost(): ReadonlyMap<string, number> {
    return this.#lost;
  }

  /** The next 204 of each of these paths does not reach the client. */
  loseNext(paths: readonly string[]): void {
    for (const path of paths) this.#losing.add(path);
  }

  async close(): Promise<void> {
    this.#server.close();
    this.#server.closeAllConnections();
    await once(this.#server, 'close');
  }

  #forward(incoming: IncomingMessage, outgoing: ServerResponse): void {
    const { method, headers, url = '/' } = incoming;
    const [path = '/'] = url.split('?');
    const broken = (): void => {
      outgoing.destroy();
    };
    const call = request({ host: '127.0.0.1', port: this.#target, path: url, method, headers });
    call.on('error', broken).on('response', (answer) => {
      if (answer.statusCode === 204 && this.#losing.delete(path)) {
        this.#lost.set(path, (this.#lost.get(path) ?? 0) + 1);
        answer.resume();
        broken();
        return;
      }
      outgoing.writeHead(answer.statusCode ?? 502, answer.headers);
      answer.on('error', broken).pipe(outgoing);
    });
    incoming.on('error', broken).pipe(call);
  }
}
