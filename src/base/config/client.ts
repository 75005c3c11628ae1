/**
 * Settings of the client verbs (`query`, `write`, `status`): where the gateway is and which token
 * to show. Flags win over `HOLDFAST_URL` and `HOLDFAST_TOKEN`.
 */
import { GatewayError } from '../errors/gateway-error.ts';
import type { Environment } from './load.ts';

export interface ClientSettings {
  /** Without a slash at the end. */
  readonly url: string;
  readonly token: string | undefined;
}

const defaultUrl = 'http://127.0.0.1:8086';

/** The settings from flags and environment. @throws HF_USAGE for an address that is no URL. */
export function clientSettings(
  flags: ReadonlyMap<string, string>,
  environment: Environment,
): ClientSettings {
  const url = flags.get('url') ?? environment['HOLDFAST_URL'] ?? defaultUrl;
  if (!/^https?:$/.test(URL.parse(url)?.protocol ?? '')) {
    throw new GatewayError('HF_USAGE', `--url: '${url}' is not an http or https address`);
  }
  const token = flags.get('token') ?? environment['HOLDFAST_TOKEN'];
  return { url: url.replace(/\/+$/, ''), token: token === '' ? undefined : token };
}
