/**
 * What the verbs of the command line stand on: streams, environment and time come in through one
 * object, so that tests run verbs without a terminal; exit codes follow sysexits.
 */
import type { Environment } from '../../base/config/load.ts';
import type { FlagKind, ParsedFlags } from '../../base/config/flags.ts';
import { errorCodes } from '../../base/errors/codes.ts';
import { asGatewayError, GatewayError } from '../../base/errors/gateway-error.ts';

export interface CommandOutput {
  write(text: string | Uint8Array): unknown;
  /** True for a terminal: progress is shown there only. */
  readonly isTTY?: boolean | undefined;
}

export interface CommandContext {
  readonly out: CommandOutput;
  readonly err: CommandOutput;
  readonly input: AsyncIterable<Uint8Array>;
  readonly environment: Environment;
  readonly fetch: typeof fetch;
  sleep(milliseconds: number): Promise<void>;
  monotonicMs(): number;
}

export interface Verb {
  /** Words after the verb, for the help. */
  readonly usage: string;
  readonly summary: string;
  /** More lines of the verb's own help. */
  readonly text: string;
  readonly flags: Readonly<Record<string, FlagKind>>;
  /** Resolves to the exit code. */
  run(words: ParsedFlags, context: CommandContext): Promise<number>;
}

/** From sysexits.h. */
export const exitCodes = {
  ok: 0,
  usage: 64,
  badInput: 65,
  unavailable: 69,
  bug: 70,
  io: 74,
  tryAgain: 75,
  denied: 77,
  config: 78,
} as const;

/** Flags of every verb that talks to a gateway. */
export const clientFlags: Readonly<Record<string, FlagKind>> = {
  url: 'text',
  token: 'text',
  json: 'switch',
  help: 'switch',
};

function exitCodeOfAnswer(status: number): number {
  if (status === 401 || status === 403) return exitCodes.denied;
  if (status === 503) return exitCodes.tryAgain;
  return status >= 500 ? exitCodes.unavailable : exitCodes.badInput;
}

/** The exit code of a command that ended with `error`. */
export function exitCodeOf(error: GatewayError): number {
  switch (error.code) {
    case 'HF_USAGE':
      return exitCodes.usage;
    case 'HF_CONFIG':
    case 'HF_FILE_SYSTEM':
    case 'HF_FORMAT_NEWER':
    case 'HF_FORMAT_OLD':
      return exitCodes.config;
    case 'HF_UNREACHABLE':
    case 'HF_LISTEN':
      return exitCodes.unavailable;
    case 'HF_ANSWER':
      return exitCodeOfAnswer(Number(error.details['status']));
    default:
  }
  switch (error.kind) {
    case 'environment':
    case 'corrupt':
      return exitCodes.io;
    case 'overload':
    case 'transient':
      return exitCodes.tryAgain;
    case 'auth':
      return exitCodes.denied;
    case 'input':
      return exitCodes.badInput;
    case 'bug':
      return exitCodes.bug;
  }
}

/** Says on `err` what went wrong and what to do about it; returns the exit code. */
export function reportError(thrown: unknown, err: CommandOutput): number {
  const error = asGatewayError(thrown);
  err.write(`holdfast: ${error.message}\n`);
  if (error.code !== 'HF_ANSWER') err.write(`  ${errorCodes[error.code].remedy}\n`);
  if (error.kind === 'bug' && error.stack !== undefined) err.write(`${error.stack}\n`);
  return exitCodeOf(error);
}

/** The one operand of a verb. @throws HF_USAGE if there is none, or more. */
export function soleOperand(words: ParsedFlags, what: string): string {
  const [operand, extra] = words.operands;
  if (operand === undefined) throw new GatewayError('HF_USAGE', `${what} is missing`);
  if (extra !== undefined) throw new GatewayError('HF_USAGE', `one word too many: '${extra}'`);
  return operand;
}
