/**
 * DuckDB's errors as GatewayErrors. Its messages begin with a class name ("Binder Error: ..."),
 * which alone decides the code; the text behind it is for the sender.
 */
import type { ErrorCode } from '../../base/errors/codes.ts';
import { GatewayError } from '../../base/errors/gateway-error.ts';

const codes: readonly (readonly [prefix: string, code: ErrorCode])[] = [
  ['Parser Error', 'HF_QUERY_SYNTAX'],
  ['Permission Error', 'HF_QUERY_REFUSED'],
  ['INTERRUPT Error', 'HF_QUERY_CANCELLED'],
  ['Out of Memory Error', 'HF_QUERY_MEMORY'],
  ['IO Error', 'HF_QUERY_FAILED'],
  ['Corruption Error', 'HF_QUERY_FAILED'],
  ['Serialization Error', 'HF_QUERY_FAILED'],
  ['INTERNAL Error', 'HF_QUERY_FAILED'],
  ['FATAL Error', 'HF_QUERY_FAILED'],
  ['TransactionContext Error', 'HF_QUERY_FAILED'],
];

/**
 * Returns `error` itself if it is ours, else what DuckDB meant by it. The scans make statements
 * long and their settings cannot be changed, so the echo of the statement and the engine's advice
 * behind the first empty line are left out.
 */
export function engineError(error: unknown): GatewayError {
  if (error instanceof GatewayError) return error;
  const message = error instanceof Error ? error.message : String(error);
  const text = message.split(/\n\n(?:LINE |Possible solutions)/)[0] ?? message;
  const code = codes.find(([prefix]) => message.startsWith(prefix))?.[1] ?? 'HF_QUERY_INVALID';
  if (code === 'HF_QUERY_FAILED') {
    // Paths and states of the engine are for the operator.
    const details = { engine: text };
    return new GatewayError(code, 'the query engine failed', { cause: error, details });
  }
  return new GatewayError(code, text, { cause: error });
}
