/**
 * The one error class that crosses module, thread and process borders. Its code is a key of the
 * table in `codes.ts`; the code's kind decides the behaviour (style: docs/CONTRIBUTING.md, Errors).
 */
import { errorCodes, type ErrorCode, type ErrorKind } from './codes.ts';

export interface GatewayErrorOptions {
  readonly cause?: unknown;
  /** Facts for the operator: path, offset, sizes. Plain JSON values only. */
  readonly details?: Readonly<Record<string, unknown>>;
}

export class GatewayError extends Error {
  readonly code: ErrorCode;
  readonly details: Readonly<Record<string, unknown>>;

  constructor(code: ErrorCode, message: string, options: GatewayErrorOptions = {}) {
    super(message, options.cause === undefined ? undefined : { cause: options.cause });
    this.name = 'GatewayError';
    this.code = code;
    this.details = options.details ?? {};
  }

  get kind(): ErrorKind {
    return errorCodes[this.code].kind;
  }

  /** True if the same request may succeed later without being changed. */
  get retryable(): boolean {
    return this.kind === 'overload' || this.kind === 'transient' || this.kind === 'environment';
  }
}

/** What of an error crosses a thread or process border; `fromWire` makes it an error again. */
export interface WireError {
  readonly code: ErrorCode;
  readonly message: string;
  readonly details: Readonly<Record<string, unknown>>;
  readonly cause?: string | undefined;
}

/** Returns the transferable form of any thrown value; foreign errors become HF_BUG. */
export function toWire(error: unknown): WireError {
  const own = asGatewayError(error);
  const cause = own.cause instanceof Error ? own.cause.message : undefined;
  return { code: own.code, message: own.message, details: own.details, cause };
}

export function fromWire(wire: WireError): GatewayError {
  const cause = wire.cause === undefined ? undefined : new Error(wire.cause);
  return new GatewayError(wire.code, wire.message, { details: wire.details, cause });
}

/** Returns `error` itself if it is a GatewayError, else HF_BUG with it as the cause. */
export function asGatewayError(error: unknown): GatewayError {
  if (error instanceof GatewayError) return error;
  const message = error instanceof Error ? error.message : String(error);
  return new GatewayError('HF_BUG', message, { cause: error });
}
