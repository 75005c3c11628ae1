/**
 * Parameters of requests: query strings, forms, headers. Where a parameter is given twice the
 * first one counts; one that nobody asks for is ignored.
 */
import type { IncomingHttpHeaders } from 'node:http';
import { GatewayError } from '../../base/errors/gateway-error.ts';
import { hasControlCharacter } from '../../base/model/names.ts';
import type { Precision, TableTerms } from '../../ingest/decode/types.ts';
import type { Dialect } from './dialect.ts';

export type Parameters = Readonly<Record<string, unknown>>;

/** The first value of `name`, or undefined if it is not there or empty. */
export function parameter(parameters: Parameters, name: string): string | undefined {
  const value = Object.hasOwn(parameters, name) ? parameters[name] : undefined;
  const first: unknown = Array.isArray(value) ? value[0] : value;
  return typeof first === 'string' && first !== '' ? first : undefined;
}

/** A header as text. Node reads headers as Latin-1; names may be UTF-8. */
export function headerValue(headers: IncomingHttpHeaders, name: string): string | undefined {
  const value = headers[name];
  const first = Array.isArray(value) ? value[0] : value;
  if (first === undefined || first === '') return undefined;
  const bytes = Buffer.from(first, 'latin1');
  const decoded = bytes.toString('utf8');
  return decoded.includes('\ufffd') ? first : decoded;
}

const defaultDatabase = 'default';

/**
 * The database of a request: `x-arc-database`, else `db`, else `bucket` (which may be
 * `database/retention-policy`), else `default`.
 */
export function databaseOf(headers: IncomingHttpHeaders, parameters: Parameters): string {
  const named = headerValue(headers, 'x-arc-database') ?? parameter(parameters, 'db');
  if (named !== undefined) return named;
  const bucket = parameter(parameters, 'bucket');
  if (bucket === undefined) return defaultDatabase;
  const slash = bucket.indexOf('/');
  return slash > 0 ? bucket.slice(0, slash) : bucket;
}

/** What a request says of the table in its body. `tags` are names between commas. */
export function tableTermsOf(headers: IncomingHttpHeaders, parameters: Parameters): TableTerms {
  const measurement =
    headerValue(headers, 'x-arc-measurement') ?? parameter(parameters, 'measurement');
  const timeColumn = parameter(parameters, 'time_column');
  const tags = parameter(parameters, 'tags')?.split(',');
  return {
    ...(measurement !== undefined && { measurement }),
    ...(timeColumn !== undefined && { timeColumn }),
    ...(tags !== undefined && { tags: tags.filter((tag) => tag !== '') }),
  };
}

type PrecisionWords = Readonly<Record<string, Precision>>;

const firstWords: PrecisionWords = {
  n: 'n',
  ns: 'n',
  u: 'us',
  us: 'us',
  µ: 'us',
  ms: 'ms',
  s: 's',
  m: 'm',
  h: 'h',
};

const precisionWords: Readonly<Record<Dialect, PrecisionWords>> = {
  v1: firstWords,
  arc: firstWords,
  v2: { ns: 'n', us: 'us', ms: 'ms', s: 's' },
  v3: {
    auto: 'auto',
    s: 's',
    second: 's',
    millisecond: 'ms',
    ms: 'ms',
    microsecond: 'us',
    u: 'us',
    us: 'us',
    n: 'n',
    nanosecond: 'n',
    ns: 'n',
  },
};

/** The unit of times. @throws HF_PARAMETER for a word that the dialect does not know. */
export function precisionOf(dialect: Dialect, parameters: Parameters): Precision {
  const given = parameter(parameters, 'precision');
  if (given === undefined) return dialect === 'v3' ? 'auto' : 'n';
  const words = precisionWords[dialect];
  const precision = Object.hasOwn(words, given) ? words[given] : undefined;
  if (precision !== undefined) return precision;
  throw new GatewayError('HF_PARAMETER', precisionProblem(dialect, given.slice(0, 100)));
}

/** What the server of each dialect says of a word that it does not know. */
function precisionProblem(dialect: Dialect, given: string): string {
  switch (dialect) {
    case 'v1':
    case 'arc':
      return `invalid precision ${JSON.stringify(given)} (use n, u, ms, s, m or h)`;
    case 'v2':
      return 'invalid precision; valid precision units are ns, us, ms, and s';
    case 'v3': {
      const known = Object.keys(precisionWords.v3).map((word) => `\`${word}\``);
      const variants = known.join(', ');
      return `serde error: unknown variant \`${given}\`, expected one of ${variants}`;
    }
  }
}

const keyBytesMax = 255;

/**
 * The `Idempotency-Key` of a request, undefined if it has none.
 * @throws HF_PARAMETER for one that is too long or has control characters
 */
export function idempotencyKeyOf(headers: IncomingHttpHeaders): string | undefined {
  const key = headerValue(headers, 'idempotency-key');
  if (key === undefined) return undefined;
  const bytes = Buffer.byteLength(key, 'utf8');
  if (bytes > keyBytesMax) {
    const reason = `has ${bytes} bytes; at most ${keyBytesMax} are taken`;
    throw new GatewayError('HF_PARAMETER', `the Idempotency-Key ${reason}`);
  }
  if (!hasControlCharacter(key)) return key;
  throw new GatewayError('HF_PARAMETER', 'the Idempotency-Key has a control character');
}
