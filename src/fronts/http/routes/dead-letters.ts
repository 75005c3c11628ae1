/**
 * `/api/v1/deadletter...`: dead letters listed, exported, sent once more, and dropped. An export is
 * streamed letter by letter, oldest first; a replay does a bounded part and says where to go on.
 * What was dropped is said in the log, at every level.
 */
import { Readable } from 'node:stream';
import type { FastifyInstance, FastifyRequest } from 'fastify';
import { GatewayError } from '../../../base/errors/gateway-error.ts';
import type { Clock } from '../../../base/lib/clock.ts';
import { publicCode } from '../../../base/errors/public-code.ts';
import {
  cursorText,
  parseCursor,
  type Letter,
  type LetterCursor,
  type LetterFilter,
  type LetterState,
  type LetterSummary,
} from '../../../ingest/letters/letter-query.ts';
import type { HttpFrontDeps } from '../front-types.ts';
import { parameter, type Parameters } from '../parameters.ts';

const states: readonly LetterState[] = ['open', 'replayed', 'all'];

const listDefault = 100;
const listMax = 10_000;
const replayDefault = 1000;
const replayMax = 10_000;

const exportForms = ['jsonl', 'line', 'msgpack'] as const;
type ExportForm = (typeof exportForms)[number];

function oneOf<T extends string>(
  parameters: Parameters,
  name: string,
  words: readonly T[],
  absent: T,
): T {
  const given = parameter(parameters, name);
  if (given === undefined) return absent;
  const word = words.find((each) => each === given);
  if (word !== undefined) return word;
  throw new GatewayError('HF_PARAMETER', `${name}: '${given}' is none of ${words.join(', ')}`);
}

function countOf(parameters: Parameters, name: string, absent: number, most: number): number {
  const given = parameter(parameters, name);
  if (given === undefined) return absent;
  const count = Number(given);
  if (Number.isInteger(count) && count >= 0 && count <= most) return count;
  throw new GatewayError('HF_PARAMETER', `${name}: '${given}' is no number from 0 to ${most}`);
}

function timeOf(parameters: Parameters, name: string): number | undefined {
  const given = parameter(parameters, name);
  if (given === undefined) return undefined;
  const timeMs = Date.parse(given);
  if (Number.isFinite(timeMs)) return timeMs * 1000;
  const example = '2026-03-01T14:00:00Z';
  throw new GatewayError('HF_PARAMETER', `${name}: '${given}' is no time such as ${example}`);
}

const unitsUs: Readonly<Record<string, number>> = { m: 60e6, h: 3600e6, d: 86_400e6, w: 604_800e6 };

/** How long ago, in microseconds, such as `7d`. */
function ageOf(parameters: Parameters, name: string): number | undefined {
  const given = parameter(parameters, name);
  if (given === undefined) return undefined;
  const [, count, unit = ''] = /^(\d{1,6})([mhdw])$/.exec(given) ?? [];
  const unitUs = unitsUs[unit];
  if (count !== undefined && unitUs !== undefined) return Number(count) * unitUs;
  throw new GatewayError(
    'HF_PARAMETER',
    `${name}: '${given}' is no age such as 90m, 12h, 7d or 4w`,
  );
}

const texts = ['id', 'database', 'measurement', 'kind', 'reason', 'text', 'sender'] as const;

/** Those of `texts` that are given. */
function textsOf(parameters: Parameters): Pick<LetterFilter, (typeof texts)[number]> {
  const given = texts.map((name) => [name, parameter(parameters, name)] as const);
  return Object.fromEntries(given.filter(([, value]) => value !== undefined));
}

/** What the parameters say of the letters that are meant. @throws HF_PARAMETER */
function filterOf(parameters: Parameters, clock: Clock, absent: LetterState): LetterFilter {
  const fromUs = timeOf(parameters, 'since');
  const untilUs = timeOf(parameters, 'until');
  const ageUs = ageOf(parameters, 'older_than');
  const olderUs = ageUs === undefined ? undefined : clock.wallUs() - ageUs;
  const ends = [untilUs, olderUs].filter((us) => us !== undefined);
  return {
    state: oneOf(parameters, 'state', states, absent),
    ...textsOf(parameters),
    ...(fromUs !== undefined && { fromUs }),
    ...(ends.length > 0 && { toUs: Math.min(...ends) }),
  };
}

/** The letters to drop: all only where that is said. @throws HF_PARAMETER */
function dropFilterOf(parameters: Parameters, clock: Clock): LetterFilter {
  const filter = filterOf(parameters, clock, 'all');
  const isAll = parameter(parameters, 'all') === 'true';
  if (isAll || Object.keys(filter).length > 1 || filter.state !== 'all') return filter;
  throw new GatewayError(
    'HF_PARAMETER',
    'say which letters, such as id or older_than, or all=true',
  );
}

/** Where an earlier answer ended. */
function placeOf(parameters: Parameters): LetterCursor | undefined {
  const after = parameter(parameters, 'after');
  return after === undefined ? undefined : parseCursor(after);
}

function timeText(timeUs: number): string {
  return new Date(timeUs / 1000).toISOString();
}

function shownSummary({ timeUs, isWhole, isReplayed, ...letter }: LetterSummary): object {
  return { time: timeText(timeUs), ...letter, whole: isWhole, replayed: isReplayed };
}

function jsonLine({ timeUs, body, ...letter }: Letter): string {
  const raw = letter.format === 'line' && body?.toString('utf8') === letter.text ? undefined : body;
  const whole = body !== undefined;
  const shown = { time: timeText(timeUs), ...letter, whole, raw: raw?.toString('base64') };
  return `${JSON.stringify(shown)}\n`;
}

async function* exported(letters: AsyncIterable<Letter>, form: ExportForm): AsyncGenerator<Buffer> {
  for await (const letter of letters) {
    if (form === 'jsonl') yield Buffer.from(jsonLine(letter));
    else if (letter.format === form && letter.body !== undefined) {
      yield letter.body;
      if (form === 'line') yield Buffer.from('\n');
    }
  }
}

const exportTypes: Readonly<Record<ExportForm, string>> = {
  jsonl: 'application/jsonl; charset=utf-8',
  line: 'application/octet-stream',
  msgpack: 'application/octet-stream',
};

export function registerDeadLetters(
  app: FastifyInstance,
  { letters, clock, logger }: Pick<HttpFrontDeps, 'letters' | 'clock' | 'logger'>,
): void {
  const parametersOf = (request: FastifyRequest) => request.query as Parameters;
  app.get('/api/v1/deadletter/list', async (request) => {
    const parameters = parametersOf(request);
    const limit = countOf(parameters, 'limit', listDefault, listMax);
    const filter = filterOf(parameters, clock, 'open');
    const list = await letters.list(filter, limit, placeOf(parameters));
    const { count, lines, letters: found, next } = list;
    return {
      count,
      lines,
      letters: found.map(shownSummary),
      ...(next !== undefined && { next: cursorText(next) }),
    };
  });
  app.get('/api/v1/deadletter/export', (request, reply) => {
    const parameters = parametersOf(request);
    const form = oneOf(parameters, 'as', exportForms, 'jsonl');
    const filter = filterOf(parameters, clock, 'open');
    const body = Readable.from(exported(letters.letters(filter, placeOf(parameters)), form));
    return reply.type(exportTypes[form]).send(body);
  });
  app.post('/api/v1/deadletter/replay', async (request, reply) => {
    const parameters = parametersOf(request);
    const limit = countOf(parameters, 'limit', replayDefault, replayMax);
    const filter = filterOf(parameters, clock, 'open');
    const from = placeOf(parameters);
    const { next, stopped, ...done } = await letters.replay(filter, limit, from);
    return reply.send({
      ...done,
      ...(next !== undefined && { next: cursorText(next) }),
      ...(stopped !== undefined && {
        stopped: { code: publicCode(stopped.code), error: stopped.message },
      }),
    });
  });
  app.delete('/api/v1/deadletter', async (request) => {
    const filter = dropFilterOf(parametersOf(request), clock);
    const outcome = await letters.drop(filter);
    const agent = request.headers['user-agent'];
    logger.notice({ ...outcome, filter, by: request.ip, agent }, 'dead letters dropped');
    return outcome;
  });
}
