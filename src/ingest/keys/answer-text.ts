/**
 * The answer to a request as it is kept with its idempotency key. Plain success needs no text; of a
 * request with bad lines the first ones are kept, and how many there were of each kind.
 */
import type { Rejection } from '../decode/types.ts';
import type { WriteOutcome } from '../door-types.ts';

/** UTF-16 units of a text or reason that are kept. */
const textMax = 1000;

/** Rejections that are kept; the counts of the others are added to these. */
const rejectionsMax = 10;

const kinds = ['parse', 'conflict', 'cap'] as const;

type Kept = readonly [line: number, text: string, reason: string, kind: number, count: number];

function cut(text: string): string {
  return text.length > textMax ? `${text.slice(0, textMax)}...`.toWellFormed() : text;
}

/** The text for `outcome`, at most about 20 KiB; undefined for plain success. */
export function answerText({ rejected, rejectedLines }: WriteOutcome): string | undefined {
  if (rejectedLines === 0) return undefined;
  const kept: Rejection[] = [];
  for (const rejection of rejected.filter(({ count }) => count > 0)) {
    const isParse = rejection.kind === 'parse';
    const last = kept.findLastIndex(({ kind }) => (kind === 'parse') === isParse);
    const known = kept[last];
    // Of each kind one at least, since answers tell what was dropped of which.
    if (known === undefined || kept.length < rejectionsMax) kept.push(rejection);
    else kept[last] = { ...known, count: known.count + rejection.count };
  }
  const lines = kept.map(({ line, text, reason, kind, count }): Kept => {
    return [line, cut(text), cut(reason), kinds.indexOf(kind), count];
  });
  return JSON.stringify({ rejected: rejectedLines, lines });
}

/** What the request with that answer came to; its rows are not told again. */
export function readAnswer(text: string | undefined): WriteOutcome {
  if (text === undefined) return { rows: 0, rejected: [], rejectedLines: 0, isRepeat: true };
  const { rejected, lines } = JSON.parse(text) as { rejected: number; lines: readonly Kept[] };
  return {
    rows: 0,
    rejected: lines.map(([line, text, reason, kind, count]) => {
      return { line, text, raw: undefined, reason, kind: kinds[kind] ?? 'parse', count };
    }),
    rejectedLines: rejected,
    isRepeat: true,
  };
}
