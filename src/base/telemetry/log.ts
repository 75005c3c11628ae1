/**
 * The log: one JSON line per event on standard output, for journald or a file of the caller's.
 * Parts get a `Logger` through their constructor. A line for an error exists only where the error
 * is finally settled; everything in between throws.
 *
 * Writing does not block the calling thread: a reader that stops (a paused terminal) must not stop
 * the writes. What is pending at exit is flushed by `close`.
 */
import { destination, pino, stdSerializers } from 'pino';

export type LogLevel = 'trace' | 'debug' | 'info' | 'warn' | 'error' | 'fatal';

/** Facts of a line; `error` is written with its stack, code and cause. */
export type LogFields = Readonly<Record<string, unknown>>;

export interface Logger {
  trace(fields: LogFields, message: string): void;
  debug(fields: LogFields, message: string): void;
  info(fields: LogFields, message: string): void;
  warn(fields: LogFields, message: string): void;
  error(fields: LogFields, message: string): void;
  fatal(fields: LogFields, message: string): void;
  /** A line of level info that is written whatever level is logged: what a start always says. */
  notice(fields: LogFields, message: string): void;
  /** The same log with `part` in each line. */
  child(part: string): Logger;
}

/** Anything that takes lines: standard output, or a list in a test. */
export interface LogDestination {
  write(line: string): void;
}

/** Names of fields whose values are never written. */
const secretFields = ['token', 'authorization', 'password', 'secret_key', 'access_key'];

interface PinoLike {
  trace(fields: LogFields, message: string): void;
  debug(fields: LogFields, message: string): void;
  info(fields: LogFields, message: string): void;
  warn(fields: LogFields, message: string): void;
  error(fields: LogFields, message: string): void;
  fatal(fields: LogFields, message: string): void;
  child(fields: LogFields, options?: { level: LogLevel }): PinoLike;
  isLevelEnabled(level: LogLevel): boolean;
}

function wrap(inner: PinoLike): Logger {
  const open = inner.isLevelEnabled('info') ? inner : inner.child({}, { level: 'info' });
  return {
    trace: inner.trace.bind(inner),
    debug: inner.debug.bind(inner),
    info: inner.info.bind(inner),
    warn: inner.warn.bind(inner),
    error: inner.error.bind(inner),
    fatal: inner.fatal.bind(inner),
    notice: open.info.bind(open),
    child: (part) => wrap(inner.child({ part })),
  };
}

export interface OpenedLog {
  readonly logger: Logger;
  /** Writes what is pending, synchronously. */
  close(): void;
}

/** The log of the process, on standard output unless `target` is given. */
export function openLog(level: LogLevel, target?: LogDestination): OpenedLog {
  const standardOutput = target === undefined ? destination({ dest: 1, sync: false }) : undefined;
  const inner = pino(
    {
      level,
      base: null,
      timestamp: () => `,"time":"${new Date().toISOString()}"`,
      formatters: { level: (label) => ({ level: label }) },
      messageKey: 'message',
      errorKey: 'error',
      serializers: { error: stdSerializers.errWithCause },
      redact: {
        paths: secretFields.flatMap((field) => [field, `*.${field}`]),
        censor: '[hidden]',
      },
    },
    target ?? standardOutput ?? process.stdout,
  );
  return {
    logger: wrap(inner),
    close: () => {
      try {
        standardOutput?.flushSync();
      } catch {
        // Standard output is gone or was never opened: nobody is left who could read the lines.
      }
    },
  };
}

/** A log that drops everything; for tests and offline verbs. */
export const silentLogger: Logger = {
  trace: () => undefined,
  debug: () => undefined,
  info: () => undefined,
  warn: () => undefined,
  error: () => undefined,
  fatal: () => undefined,
  notice: () => undefined,
  child: () => silentLogger,
};
