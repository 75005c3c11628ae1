/** What the commit journal's files are called: `commits-<sequence>.journal`. */
import type { LogOptions } from '../log-types.ts';

export const journalNaming = {
  prefix: 'commits-',
  suffix: '.journal',
  kind: 'journal',
} as const satisfies Partial<LogOptions>;
