/** Answers that are kept with a key say what the first answer said, and stay small. */
import t from 'tap';
import { answerText, readAnswer } from '../../../../src/ingest/keys/answer-text.ts';
import type { Rejection, RejectionKind } from '../../../../src/ingest/decode/types.ts';

function rejection(line: number, kind: RejectionKind, text = 'bad', count = 1): Rejection {
  return { line, text, raw: undefined, reason: `reason ${line}`, kind, count };
}

t.test('plain success needs no text', (t) => {
  t.equal(answerText({ rows: 5, rejected: [], rejectedLines: 0 }), undefined);
  t.same(readAnswer(undefined), { rows: 0, rejected: [], rejectedLines: 0, isRepeat: true });
  t.end();
});

t.test('a few bad lines are told as they were', (t) => {
  const rejected = [
    rejection(1, 'parse'),
    rejection(7, 'conflict', 'm f="é"'),
    rejection(9, 'cap'),
  ];
  const outcome = { rows: 2, rejected, rejectedLines: 3 };
  t.same(readAnswer(answerText(outcome)), { rows: 0, rejected, rejectedLines: 3, isRepeat: true });
  t.end();
});

t.test('of very many the first are told, and how many there were of each kind', (t) => {
  const kinds: readonly RejectionKind[] = ['parse', 'conflict'];
  const rejected = Array.from({ length: 1000 }, (_, line) =>
    rejection(line, kinds[line < 900 ? 0 : 1] ?? 'parse', '\ud83d\ude00'.repeat(40_000), 2),
  );
  const text = answerText({ rows: 0, rejected, rejectedLines: 2000 }) ?? '';
  t.ok(text.length < 30_000, `${text.length}`);
  const read = readAnswer(text);
  t.equal(read.rejectedLines, 2000);
  const counts = { parse: 0, conflict: 0, cap: 0 };
  for (const { kind, count } of read.rejected) counts[kind] += count;
  t.same(counts, { parse: 1800, conflict: 200, cap: 0 });
  t.ok(read.rejected.every(({ text: shown }) => shown.isWellFormed()));
  t.end();
});
