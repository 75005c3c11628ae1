/**
 * `/api/v1/deadletter/...`: dead letters listed, exported, and sent once more. An export is
 * streamed letter by letter, oldest first; a replay does a bounded part and says where to go on.
 */
import { Readable } from 'node:stream';
import type { FastifyInstance, FastifyRequest } from 'fastify';
import { GatewayError } from '../../../base/errors/gateway-error.ts';
import { publicCode } from '../../../base/errors/public-code.ts';
import {
  cursorText,
  parseCursor,
  type Letter,
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

/** What the parameters say of the letters that are meant. @throws HF_PARAMETER */
function filterOf(parameters: Parameters, absent: LetterState = 'open'): LetterFilter {
  const id = parameter(parameters, 'id');
  const database = parameter(parameters, 'database');
  const kind = parameter(parameters, 'kind');
  const reason = parameter(parameters, 'reason');
  const fromUs = timeOf(parameters, 'since');
  const toUs = timeOf(parameters, 'until');
  return {
    state: oneOf(parameters, 'state', states, absent),
    ...(id !== undefined && { id }),
    ...(database !== undefined && { database }),
    ...(kind !== undefined && { kind }),
    ...(reason !== undefined && { reason }),
    ...(fromUs !== undefined && { fromUs }),
    ...(toUs !== undefined && { toUs }),
  };
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
  { letters }: Pick<HttpFrontDeps, 'letters'>,
): void {
  const parametersOf = (request: FastifyRequest) => request.query as Parameters;
  app.get('/api/v1/deadletter/list', async (request) => {
    const parameters = parametersOf(request);
    const limit = countOf(parameters, 'limit', listDefault, listMax);
    const { count, lines, letters: found } = await letters.list(filterOf(parameters), limit);
    return { count, lines, letters: found.map(shownSummary) };
  });
  app.get('/api/v1/deadletter/export', (request, reply) => {
    const parameters = parametersOf(request);
    const form = oneOf(parameters, 'as', exportForms, 'jsonl');
    const body = Readable.from(exported(letters.letters(filterOf(parameters)), form));
    return reply.type(exportTypes[form]).send(body);
  });
  app.post('/api/v1/deadletter/replay', async (request, reply) => {
    const parameters = parametersOf(request);
    const limit = countOf(parameters, 'limit', replayDefault, replayMax);
    const after = parameter(parameters, 'after');
    const from = after === undefined ? undefined : parseCursor(after);
    const { next, stopped, ...done } = await letters.replay(filterOf(parameters), limit, from);
    return reply.send({
      ...done,
      ...(next !== undefined && { next: cursorText(next) }),
      ...(stopped !== undefined && {
        stopped: { code: publicCode(stopped.code), error: stopped.message },
      }),
    });
  });
}
