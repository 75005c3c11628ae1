/**
 * The answer to a request as it is kept with its idempotency key. Plain success needs no text; of a
 * request with bad lines all is kept that its first answer could show, so that the second one has
 * the same bytes, up to `keptUnitsMax`. Beyond that the first lines are kept, and how many there
 * were of each kind.
 */
import { deflateRawSync, inflateRawSync } from 'node:zlib';
import type { Rejection } from '../decode/types.ts';
import type { WriteOutcome } from '../door-types.ts';

/** Bad lines that an answer lists at most. */
export const listedLinesMax = 100;

/** UTF-16 units of a bad line that an answer repeats at most; what is cut is marked by dots. */
export const listedTextMax = 4096;

/** UTF-16 units of the lines that are kept, as JSON. */
const keptUnitsMax = 128 * 1024;

/** Shorter texts are kept as they are. */
const plainUnitsMax = 1024;

const kinds = ['parse', 'conflict', 'cap'] as const;

type Kept = readonly [line: number, text: string, reason: string, kind: number, count: number];

/** One unit more than is shown: whether it is marked as cut is told by its length. */
function cut(text: string): string {
  return text.slice(0, listedTextMax + 1);
}

function keptOf({ line, text, reason, kind, count }: Rejection): Kept {
  return [line, cut(text), cut(reason), kinds.indexOf(kind), count];
}

/** The lines to keep: those that an answer can show, with the counts of all others added. */
function keptLines(rejected: readonly Rejection[]): readonly Kept[] {
  const kept: Kept[] = [];
  const seen = { all: 0, parse: 0, other: 0 };
  let units = 0;
  for (const rejection of rejected) {
    const own = keptOf(rejection);
    const kind = rejection.kind === 'parse' ? 'parse' : 'other';
    const isShown = seen.all < listedLinesMax || (kind === 'parse' && seen.parse < listedLinesMax);
    const size = JSON.stringify(own).length;
    // Of each kind one at least, since answers tell what was dropped of which.
    if (seen[kind] === 0 || (isShown && units + size <= keptUnitsMax)) {
      kept.push(own);
      units += size;
    } else {
      const last = kept.findLastIndex((each) => (each[3] === 0) === (kind === 'parse'));
      const [line, text, reason, code, count] = kept[last] ?? own;
      kept[last] = [line, text, reason, code, count + rejection.count];
    }
    seen.all += 1;
    seen[kind] += 1;
  }
  return kept;
}

/** The text for `outcome`, of at most about 200 KiB; undefined for plain success. */
export function answerText({ rejected, rejectedLines }: WriteOutcome): string | undefined {
  if (rejectedLines === 0) return undefined;
  const lines = keptLines(rejected.filter(({ count }) => count > 0));
  const text = JSON.stringify({ rejected: rejectedLines, lines });
  return text.length <= plainUnitsMax ? text : deflateRawSync(text).toString('base64');
}

/** What the request with that answer came to; its rows are not told again. */
export function readAnswer(kept: string | undefined): WriteOutcome {
  if (kept === undefined) return { rows: 0, rejected: [], rejectedLines: 0, isRepeat: true };
  const isPlain = kept.startsWith('{');
  const text = isPlain ? kept : inflateRawSync(Buffer.from(kept, 'base64')).toString('utf8');
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
