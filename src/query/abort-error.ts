/** The error that an aborted signal stands for: its own reason if that is ours. */
import { GatewayError } from '../base/errors/gateway-error.ts';

/** The GatewayError with which `signal` was aborted; a client that left is HF_QUERY_CANCELLED. */
export function abortError(signal: AbortSignal): GatewayError {
  const reason: unknown = signal.reason;
  if (reason instanceof GatewayError) return reason;
  return new GatewayError('HF_QUERY_CANCELLED', 'the query was cancelled', { cause: reason });
}

/** `promise`, or the signal's error if it aborts first. */
export async function orAborted<T>(promise: Promise<T>, signal: AbortSignal): Promise<T> {
  if (signal.aborted) throw abortError(signal);
  const { promise: aborted, reject } = Promise.withResolvers<never>();
  const onAbort = () => {
    reject(abortError(signal));
  };
  signal.addEventListener('abort', onAbort, { once: true });
  try {
    return await Promise.race([promise, aborted]);
  } finally {
    signal.removeEventListener('abort', onAbort);
  }
}
