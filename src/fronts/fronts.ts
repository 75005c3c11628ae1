/**
 * The fronts of one gateway as one part: HTTP, and UDP where it is switched on. Opened and closed
 * together by gateway.ts. Main thread.
 */
import type { DatagramConfig } from '../base/config/derive.ts';
import type { AlarmRecorder } from '../base/telemetry/alarms.ts';
import type { HttpFrontDeps, HttpFrontOptions } from './http/front-types.ts';
import { HttpFront } from './http/server.ts';
import { UdpFront } from './udp/udp-front.ts';

export interface FrontsDeps extends HttpFrontDeps {
  readonly alarms: AlarmRecorder;
}

export interface FrontsOptions extends HttpFrontOptions {
  /** Undefined: no datagrams are taken. */
  readonly udp: DatagramConfig | undefined;
}

export class Fronts {
  readonly #http: HttpFront;
  readonly #udp: UdpFront | undefined;

  constructor(deps: FrontsDeps, { udp, ...http }: FrontsOptions) {
    this.#http = new HttpFront(deps, http);
    this.#udp = udp === undefined ? undefined : new UdpFront(deps, udp);
  }

  /** Where HTTP is served, once `open` resolved. */
  get url(): string {
    return this.#http.url;
  }

  /** Listens. @throws HF_LISTEN if an address is taken or not on this machine */
  async open(): Promise<void> {
    await this.#http.open();
    try {
      await this.#udp?.open();
    } catch (error) {
      await this.#http.close();
      throw error;
    }
  }

  /** Takes nothing new from now on; resolves when what is under way is answered. */
  async drain(): Promise<void> {
    await Promise.all([this.#udp?.close(), this.#http.drain()]);
  }

  /** Stops listening and cuts every connection that is left. */
  async close(): Promise<void> {
    await this.#http.close();
  }
}
