/**
 * The one place that turns an error into an HTTP answer. Senders decide by it whether they drop
 * rows, so its rules are strict:
 *
 * I1. Every answer is JSON in the dialect of the route: Telegraf resends a batch for ever when a
 *     v1 answer is not JSON.
 * I2. What may pass is 503 with an integer Retry-After, never 429 or another 4xx, which would make
 *     Telegraf drop the batch.
 * I3. The text of an answer that may pass holds none of the phrases at which Telegraf drops it.
 * I4. Text of senders and of the system reaches headers only as printable ASCII.
 */
import { errorCodes, type ErrorCode } from '../../base/errors/codes.ts';
import type { GatewayError } from '../../base/errors/gateway-error.ts';
import { publicCode } from '../../base/errors/public-code.ts';
import type { Dialect } from './dialect.ts';

export interface ErrorAnswer {
  readonly status: number;
  readonly headers: Readonly<Record<string, string>>;
  /** JSON text. */
  readonly body: string;
}

const statusByCode: Partial<Record<ErrorCode, number>> = {
  HF_BODY_TOO_LARGE: 413,
  HF_ROUTE_UNKNOWN: 404,
  HF_METHOD: 405,
  HF_DATABASE_UNKNOWN: 404,
  HF_LETTER_UNKNOWN: 404,
  HF_QUERY_TIMEOUT: 504,
};

const retrySecondsDefault = 5;

const retrySecondsByCode: Partial<Record<ErrorCode, number>> = {
  HF_KEYS_LOADING: 1,
  HF_INGEST_MEMORY: 1,
  HF_WAL_QUEUE_FULL: 1,
  HF_WAL_STALLED: 2,
  HF_QUERY_QUEUE_FULL: 1,
  HF_RECOVERING: 2,
  HF_DISK_FULL: 30,
  HF_NOT_LOCAL: 30,
};

/** At these Telegraf's v1 output drops a batch whatever the status says (I3). */
export const dropPhrases: readonly string[] = [
  'partial write',
  'unable to parse',
  'points beyond retention policy',
  'hinted handoff queue not empty',
  'retention policy not found',
  'database not found',
];

const headerTextMax = 500;

/** `text` as a header value: printable ASCII, bounded (I4). */
export function headerText(text: string): string {
  return text.slice(0, headerTextMax).replaceAll(/[^\x20-\x7e]/g, '?');
}

function statusOf(error: GatewayError, isWrite: boolean): number {
  const fixed = statusByCode[error.code];
  if (fixed !== undefined) return fixed;
  if (error.code === 'HF_NOT_LOCAL') return isWrite ? 503 : 403;
  // Fastify's own answers (414, 415, 431, ...) keep their status.
  const given = error.code === 'HF_HTTP' ? error.details['status'] : undefined;
  if (typeof given === 'number') return given;
  if (error.retryable) return 503;
  switch (error.kind) {
    case 'input':
      return 400;
    case 'auth':
      return 403;
    default:
      return 500;
  }
}

function messageOf(error: GatewayError, status: number): string {
  // What broke inside is for the log, not for whoever sent the request.
  if (error.kind === 'bug') return 'internal error; the log of the gateway says more';
  if (status < 500) return error.message;
  const lower = error.message.toLowerCase();
  return dropPhrases.some((phrase) => lower.includes(phrase))
    ? errorCodes[error.code].cause
    : error.message;
}

/** InfluxDB 2 clients know these words. */
const secondDialectCodes: Readonly<Record<number, string>> = {
  400: 'invalid',
  401: 'unauthorized',
  403: 'forbidden',
  404: 'not found',
  405: 'method not allowed',
  413: 'request too large',
  500: 'internal error',
};

function bodyOf(dialect: Dialect, status: number, code: ErrorCode, message: string): object {
  const word = publicCode(code);
  switch (dialect) {
    case 'v1':
    case 'v3':
      return { error: message, code: word };
    case 'v2':
      return { code: secondDialectCodes[status] ?? word, message };
    case 'arc':
      return { success: false, error: message, code: word };
  }
}

/** The answer to a request that failed with `error`. */
export function errorAnswer(error: GatewayError, dialect: Dialect, isWrite: boolean): ErrorAnswer {
  const status = statusOf(error, isWrite);
  const message = messageOf(error, status);
  const headers: Record<string, string> = { 'content-type': 'application/json; charset=utf-8' };
  if (status === 503) {
    headers['retry-after'] = String(retrySecondsByCode[error.code] ?? retrySecondsDefault);
  }
  if (dialect === 'v1') headers['x-influxdb-error'] = headerText(message);
  const allow = error.details['allow'];
  if (status === 405 && typeof allow === 'string') headers['allow'] = allow;
  return {
    status,
    headers,
    body: `${JSON.stringify(bodyOf(dialect, status, error.code, message))}\n`,
  };
}
