/**
 * Assertions for programmer errors. A failed assertion is a bug of Holdfast, never of its input,
 * so it carries kind `bug`: the process syncs its log and ends, and the supervisor restarts it.
 */
import { GatewayError } from '../errors/gateway-error.ts';

/** Throws HF_BUG with `message` unless `condition` holds. */
export function assert(condition: unknown, message: string): asserts condition {
  if (!condition) throw new GatewayError('HF_BUG', message);
}

/** Returns `value`, or throws HF_BUG naming `what` when it is null or undefined. */
export function present<T>(value: T | null | undefined, what: string): T {
  if (value === null || value === undefined) throw new GatewayError('HF_BUG', `${what} is missing`);
  return value;
}

/** Marks a branch that the type checker proves unreachable. */
export function unreachable(value: never): never {
  throw new GatewayError('HF_BUG', `unreachable value: ${String(value)}`);
}
