/**
 * Line protocol over UDP, for senders that can do nothing else. Each datagram is one request
 * through the door, logged and synced like any other; but UDP has no answer, so that a datagram
 * which cannot be taken is lost, as one is that the network or a full socket drops. Main thread.
 *
 * I1. Every datagram that reached this front and is not taken is counted, and raises an alarm.
 * I2. Datagrams under way are bounded in number and bytes; beyond it they are not taken.
 */
import { createSocket, type RemoteInfo, type Socket } from 'node:dgram';
import { once } from 'node:events';
import type { DatagramConfig } from '../../base/config/derive.ts';
import { asGatewayError } from '../../base/errors/gateway-error.ts';
import { publicCode } from '../../base/errors/public-code.ts';
import type { AlarmRecorder } from '../../base/telemetry/alarms.ts';
import type { Logger } from '../../base/telemetry/log.ts';
import type { CounterRecorder, Metrics } from '../../base/telemetry/metrics.ts';
import type { WriteDoor } from '../../ingest/door-types.ts';
import { listenError } from '../../system/address.ts';

export interface UdpFrontDeps {
  readonly door: WriteDoor;
  readonly alarms: AlarmRecorder;
  readonly metrics: Metrics;
  readonly logger: Logger;
}

/** Datagrams that may wait for their sync, and their bytes. */
const pendingMax = 4096;
const pendingBytesMax = 8 * 1024 * 1024;

/** What the kernel may keep while the main thread is busy; the kernel may grant less. */
const receiveBufferBytes = 4 * 1024 * 1024;

/** The alarm goes when nothing was lost for so long. */
const quietMs = 600_000;

export class UdpFront {
  readonly #deps: UdpFrontDeps;
  readonly #options: DatagramConfig;
  readonly #taken: CounterRecorder<'holdfast_udp_datagrams_total'>;
  readonly #dropped: CounterRecorder<'holdfast_udp_dropped_datagrams_total'>;
  #socket: Socket | undefined;
  #pending = 0;
  #pendingBytes = 0;
  readonly #settled: (() => void)[] = [];
  /** By reason, datagrams lost since the start. */
  readonly #losses = new Map<string, number>();

  constructor(deps: UdpFrontDeps, options: DatagramConfig) {
    this.#deps = deps;
    this.#options = options;
    this.#taken = deps.metrics.counter('holdfast_udp_datagrams_total');
    this.#dropped = deps.metrics.counter('holdfast_udp_dropped_datagrams_total');
  }

  /**
   * Listens; resolves to the port.
   * @throws HF_LISTEN if the address is taken or not on this machine
   */
  async open(): Promise<number> {
    const { host, port } = this.#options;
    const type = host.includes(':') ? 'udp6' : 'udp4';
    const socket = createSocket({ type, recvBufferSize: receiveBufferBytes });
    try {
      socket.bind({ address: host, port, exclusive: true });
      await once(socket, 'listening');
    } catch (error) {
      socket.close();
      throw listenError({ host, port }, error);
    }
    socket.on('error', (error) => {
      this.#deps.logger.error({ error }, 'the UDP socket failed');
      this.#deps.alarms.raise('udp_dropped', error.message, 'socket', quietMs);
    });
    socket.on('message', (body, from) => {
      this.#receive(body, from);
    });
    this.#socket = socket;
    const bound = socket.address().port;
    this.#deps.logger.notice({ udp: `${host}:${bound}` }, 'listening for datagrams');
    return bound;
  }

  /** Takes no more datagrams; resolves when those under way are settled. */
  async close(): Promise<void> {
    const socket = this.#socket;
    this.#socket = undefined;
    if (socket !== undefined) {
      socket.close();
      await once(socket, 'close');
    }
    if (this.#pending === 0) return;
    await new Promise<void>((resolve) => {
      this.#settled.push(resolve);
    });
  }

  #receive(body: Buffer, { address, port }: RemoteInfo): void {
    const sender = `udp ${address}:${port}`;
    if (this.#pending >= pendingMax || this.#pendingBytes + body.length > pendingBytesMax) {
      this.#lose('udp_queue_full', sender, 'too many datagrams wait for the log');
      return;
    }
    this.#pending += 1;
    this.#pendingBytes += body.length;
    void this.#write(body, sender).finally(() => {
      this.#pending -= 1;
      this.#pendingBytes -= body.length;
      if (this.#pending === 0) for (const resolve of this.#settled.splice(0)) resolve();
    });
  }

  async #write(body: Uint8Array, sender: string): Promise<void> {
    const { database, precision } = this.#options;
    try {
      this.#deps.door.admit();
      await this.#deps.door.write({
        dialect: 'v1',
        database,
        precision,
        body,
        acceptPartial: true,
        sender,
      });
      this.#taken.add(1, {});
    } catch (thrown) {
      const error = asGatewayError(thrown);
      if (error.kind === 'bug') this.#deps.logger.error({ error, sender }, 'a datagram failed');
      this.#lose(publicCode(error.code), sender, error.message);
    }
  }

  #lose(code: string, sender: string, reason: string): void {
    this.#dropped.add(1, { code });
    const count = (this.#losses.get(code) ?? 0) + 1;
    this.#losses.set(code, count);
    const detail = `${count} lost since the start, last from ${sender}: ${reason}`;
    this.#deps.alarms.raise('udp_dropped', detail, code, quietMs);
  }
}
