/**
 * The four decisions on which the promises of the log hang, as one object: `openLog` takes
 * `logRules` by default, and the tests that plant a bug in the log compose a wrong one. Each rule
 * says what breaks without it.
 */

/** Pages of the device cache: a torn write of one page never harms another one. */
export const pageBytes = 4096;

/** Numbers skipped at each start (L3): more than any log can lose between two starts. */
export const startJump = 2 ** 32;

export interface LogRules {
  /**
   * Where a group starts that follows bytes ending at `position`: on the next page (L2). On a
   * shared page a torn write of this group would take an acknowledged record with it.
   */
  groupStart(position: number): number;
  /**
   * True if a start carries a record that begins at `number` into its fresh segment, `mark` being
   * the highest mark: all beyond it (L4). One left behind may be known to the page cache only, and
   * what is written later would stand behind a hole after the next power cut.
   */
  carries(number: number, mark: number): boolean;
  /**
   * First number of a start, `highest` being the highest seen anywhere (L3). The numbers of a
   * wholly lost tail cannot be known, so a start skips more than it can have had.
   */
  firstNumber(highest: number): number;
  /**
   * True if a record counts that begins at `number` where `last` was the last to count and `mark`
   * is the highest mark in or after it (L5). Behind a hole above all marks it never does: it was
   * not acknowledged, and might displace what is written next.
   */
  counts(number: number, last: number, mark: number): boolean;
}

export const logRules: LogRules = {
  groupStart: (position) => Math.ceil(position / pageBytes) * pageBytes,
  carries: (number, mark) => number > mark,
  firstNumber: (highest) => highest + startJump,
  counts: (number, last, mark) => number - 1 <= Math.max(last, mark),
};
