/**
 * What a write route answers when some lines were bad; the good ones are kept by then. Pure: the
 * table of answers in words, one function per dialect. Telegraf drops a batch at a 400 in JSON,
 * which is right here: everything in it is either kept or filed with the dead letters. How much of
 * the bad lines is shown is bounded where answers are kept with their keys.
 */
import type { Rejection } from '../../ingest/decode/types.ts';
import type { WriteOutcome } from '../../ingest/door-types.ts';
import { listedLinesMax, listedTextMax } from '../../ingest/keys/answer-text.ts';
import type { Dialect } from './dialect.ts';
import { headerText } from './reply-error.ts';

export interface WriteAnswer {
  readonly status: number;
  readonly headers: Readonly<Record<string, string>>;
  readonly body: object | undefined;
}

const messageMax = 65_536;

function shown(text: string): string {
  return text.length > listedTextMax ? `${text.slice(0, listedTextMax)}...` : text;
}

/** InfluxDB's sentence: parse errors first, one a line, then the first conflict, then `dropped`. */
function sentence(rejected: readonly Rejection[]): string {
  const parse = rejected.filter(({ kind, count }) => kind === 'parse' && count > 0);
  const others = rejected.filter(({ kind, count }) => kind !== 'parse' && count > 0);
  const reasons = parse
    .slice(0, listedLinesMax)
    .map(({ text, reason }) => `unable to parse '${shown(text)}': ${shown(reason)}`);
  const conflict = others[0];
  if (conflict !== undefined) reasons.push(shown(conflict.reason));
  const dropped = others.reduce((sum, { count }) => sum + count, 0);
  const all = reasons.join('\n');
  const cut = all.length > messageMax ? `${all.slice(0, messageMax)}...` : all;
  return `partial write: ${cut} dropped=${dropped}`;
}

function lineList(rejected: readonly Rejection[]): readonly object[] {
  const lines = rejected.filter(({ count }) => count > 0).slice(0, listedLinesMax);
  return lines.map(({ line, text, reason }) => ({
    original_line: shown(text),
    line_number: line,
    error_message: shown(reason),
  }));
}

/** The answer to a write that the door took. `acceptPartial` false: nothing of it was kept. */
export function writeAnswer(
  dialect: Dialect,
  outcome: WriteOutcome,
  acceptPartial: boolean,
): WriteAnswer {
  const { rejected, rejectedLines } = outcome;
  if (rejectedLines === 0) return { status: 204, headers: {}, body: undefined };
  const headers = { 'x-holdfast-rejected': String(rejectedLines) };
  switch (dialect) {
    case 'arc':
      return { status: 204, headers, body: undefined };
    case 'v1': {
      const error = sentence(rejected);
      return {
        status: 400,
        headers: { ...headers, 'x-influxdb-error': headerText(error) },
        body: { error },
      };
    }
    case 'v2': {
      const line = rejected[0]?.line ?? 0;
      return {
        status: 400,
        headers,
        body: { code: 'invalid', message: sentence(rejected), line },
      };
    }
    case 'v3': {
      const error = acceptPartial
        ? 'partial write of line protocol occurred'
        : 'parsing failed for write_lp endpoint';
      return { status: 400, headers, body: { error, data: lineList(rejected) } };
    }
  }
}
