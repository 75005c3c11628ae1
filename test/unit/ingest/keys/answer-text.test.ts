/** Answers that are kept with a key say what the first answer said, and stay small. */
import fc from 'fast-check';
import t from 'tap';
import { writeAnswer } from '../../../../src/fronts/http/write-answer.ts';
import type { Dialect } from '../../../../src/fronts/http/dialect.ts';
import { answerText, readAnswer } from '../../../../src/ingest/keys/answer-text.ts';
import type { Rejection, RejectionKind } from '../../../../src/ingest/decode/types.ts';
import type { WriteOutcome } from '../../../../src/ingest/door-types.ts';

function rejection(line: number, kind: RejectionKind, text = 'bad', count = 1): Rejection {
  return { line, text, raw: undefined, reason: `reason ${line}`, kind, count };
}

function outcomeOf(rejected: readonly Rejection[]): WriteOutcome {
  const rejectedLines = rejected.reduce((sum, { count }) => sum + count, 0);
  return { rows: 7, rejected, rejectedLines };
}

const dialects: readonly Dialect[] = ['v1', 'v2', 'v3', 'arc'];

/** What the routes answer, byte for byte. */
function answers(outcome: WriteOutcome): readonly string[] {
  return dialects.flatMap((dialect) =>
    [true, false].map((isPartial) => JSON.stringify(writeAnswer(dialect, outcome, isPartial))),
  );
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

const badLine = fc.record({
  kind: fc.constantFrom<RejectionKind>('parse', 'parse', 'conflict', 'cap'),
  // Zero: it goes on with the bytes of the line before it.
  count: fc.integer({ min: 0, max: 3 }),
  text: fc.oneof(
    fc.string({ unit: 'binary', maxLength: 60 }),
    fc.constantFrom('x'.repeat(4096), 'y'.repeat(4097), 'z'.repeat(60_000)),
  ),
  reason: fc.string({ maxLength: 30 }),
});

t.test('the second answer of every dialect has the bytes of the first', (t) => {
  fc.assert(
    fc.property(fc.array(badLine, { maxLength: 250, size: 'max' }), (lines) => {
      const rejected = lines.map(({ count, ...line }, index) => {
        const own = index === 0 ? Math.max(1, count) : count;
        return { ...line, count: own, line: index + 1, raw: undefined };
      });
      // What is longer than the bound has a test of its own.
      const long = rejected.filter(({ text }) => text.length > 4000).length;
      fc.pre(long <= 25);
      const first = outcomeOf(rejected);
      const text = answerText(first);
      t.same(answers(readAnswer(text)), answers(first));
    }),
    { numRuns: 60 },
  );
  t.end();
});

t.test('a thousand bad lines are told as the first time', (t) => {
  const rejected = Array.from({ length: 1000 }, (_, line) =>
    rejection(line + 1, line % 9 === 4 ? 'conflict' : 'parse', `bad line ${line} `.repeat(40)),
  );
  const first = outcomeOf(rejected);
  const text = answerText(first) ?? '';
  t.same(answers(readAnswer(text)), answers(first));
  t.ok(text.length < 20_000, `${text.length}: alike lines take little room`);
  t.end();
});

t.test('beyond the bound the first are told, and how many there were of each kind', (t) => {
  const kinds: readonly RejectionKind[] = ['parse', 'conflict'];
  const rejected = Array.from({ length: 1000 }, (_, line) =>
    rejection(line, kinds[line < 900 ? 0 : 1] ?? 'parse', '\ud83d\ude00'.repeat(40_000), 2),
  );
  const text = answerText({ rows: 0, rejected, rejectedLines: 2000 }) ?? '';
  t.ok(text.length < 200 * 1024, `${text.length}`);
  const read = readAnswer(text);
  t.equal(read.rejectedLines, 2000);
  const counts = { parse: 0, conflict: 0, cap: 0 };
  for (const { kind, count } of read.rejected) counts[kind] += count;
  t.same(counts, { parse: 1800, conflict: 200, cap: 0 });
  t.ok(read.rejected.length > 25, 'the first that fit');
  t.end();
});
