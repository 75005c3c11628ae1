/**
 * Counts tests in the TAP that a run of several files wrote: level 0 is one file, level 1 (four
 * spaces) the tests of that file. A file that failed without a failed test of its own (crash,
 * time-out, no test at all) counts as one failure.
 */
export interface Count {
  readonly passed: number;
  readonly failed: number;
  readonly skipped: number;
  readonly skips: readonly string[];
  /** Names, each followed by its diagnostics. */
  readonly failures: readonly string[];
  /** What the tests said of themselves: seeds, counts. */
  readonly notes: readonly string[];
}

const commentLine = /^ {4,}# (?!Subtest|time=|\{ total|No coverage)(.*)$/;

/** The lines that tell why the test on line `index` failed: its asserts before it, and its YAML. */
function diagnostics(lines: readonly string[], index: number): string {
  const from = lines.slice(0, index).findLastIndex((line) => line.startsWith('    # Subtest'));
  const block = lines.slice(Math.max(from, 0), index + 1);
  const first = block.findIndex((line) => /^ {8,}not ok/.test(line));
  return first < 0 ? '' : `\n${block.slice(first, first + 60).join('\n')}`;
}

const testLine = /^( {4})?(ok|not ok) \d+(?: - (.*))?$/;

/** `exitCode` is the runner's: non-zero without a failed test counts as a failure. */
export function countTests(tap: string, exitCode: number): Count {
  const skips: string[] = [];
  const failures: string[] = [];
  const notes: string[] = [];
  let passed = 0;
  let testsInFile = 0;
  let failedInFile = 0;
  const lines = tap.split('\n');
  for (const [index, line] of lines.entries()) {
    const comment = commentLine.exec(line)?.[1];
    if (comment !== undefined) notes.push(comment);
    const match = testLine.exec(line);
    if (match === null) continue;
    const [, nested, verdict, title = ''] = match;
    const name = title.replace(/ # time=.*$/, '').replace(/ \{$/, '');
    if (nested === undefined) {
      if (/ # SKIP/i.test(title)) skips.push(name);
      else if (verdict === 'not ok' && failedInFile === 0) failures.push(`${name} (file)`);
      else if (testsInFile === 0 && verdict === 'ok') failures.push(`${name} ran no test`);
      testsInFile = 0;
      failedInFile = 0;
      continue;
    }
    testsInFile++;
    if (/ # (SKIP|TODO)/i.test(title)) skips.push(name);
    else if (verdict === 'ok') passed++;
    else {
      failures.push(name + diagnostics(lines, index));
      failedInFile++;
    }
  }
  if (exitCode !== 0 && failures.length === 0) failures.push(`the runner ended with ${exitCode}`);
  return { passed, failed: failures.length, skipped: skips.length, skips, failures, notes };
}
