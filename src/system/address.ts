/**
 * Whether the address of a front can be listened on, asked before anything is changed: a start that
 * ends at the address alone, again and again under a supervisor, must not open the logs each time,
 * because each opening spends numbers and makes segments (commit-protocol L3). Main thread.
 */
import { createSocket } from 'node:dgram';
import { once } from 'node:events';
import { createServer } from 'node:net';
import { GatewayError } from '../base/errors/gateway-error.ts';

export interface Address {
  readonly host: string;
  /** 0 for any that is free. */
  readonly port: number;
}

/** The error of an address that cannot be listened on. */
export function listenError({ host, port }: Address, cause: unknown): GatewayError {
  const reason = (cause as NodeJS.ErrnoException).code ?? String(cause);
  return new GatewayError('HF_LISTEN', `cannot listen on ${host}:${port}: ${reason}`, {
    cause,
    details: { host, port, errno: reason },
  });
}

/** As `refuseTakenAddress`, for a front that takes datagrams. */
export async function refuseTakenDatagramAddress(address: Address): Promise<void> {
  const socket = createSocket(address.host.includes(':') ? 'udp6' : 'udp4');
  try {
    socket.bind({ address: address.host, port: address.port, exclusive: true });
    await once(socket, 'listening');
  } catch (error) {
    throw listenError(address, error);
  } finally {
    socket.close();
  }
}

/**
 * Resolves if the address is free now; it is free again then, so whoever listens on it later may
 * still be refused.
 * @throws HF_LISTEN if it is taken, or not on this machine
 */
export async function refuseTakenAddress(address: Address): Promise<void> {
  const server = createServer((socket) => socket.destroy());
  try {
    server.listen({ host: address.host, port: address.port });
    await once(server, 'listening');
  } catch (error) {
    throw listenError(address, error);
  }
  server.close();
  await once(server, 'close');
}
