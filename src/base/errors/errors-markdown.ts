/**
 * docs/ERRORS.md from the table of codes; a check compares the committed file with it.
 */
import { errorCodes, type ErrorKind } from './codes.ts';

const kindTexts: Readonly<Record<ErrorKind, string>> = {
  input: 'The request, command or option is wrong: 400 or another 4xx; never logged above info.',
  auth: 'Token or place is wrong: 401 or 403 (503 on write routes where it may pass).',
  overload: 'A bounded queue or buffer is full: 503 with Retry-After.',
  transient: 'Passes by itself: 503 with Retry-After.',
  corrupt: 'A checksum or content does not hold: 500; the bytes are kept in quarantine/.',
  environment: 'Disk or system refuses: 503 with Retry-After, and an alarm.',
  bug:
    'An assertion of Holdfast failed: 500; please report it. `serve` ends at once with exit code ' +
    '70 where it cannot tell what else is wrong: what was answered is in the log and on the ' +
    'device, what is in memory is not filed, and the next start reads the log.',
};

/** The whole of docs/ERRORS.md. */
export function errorsMarkdown(): string {
  const kinds = Object.entries(kindTexts).map(([kind, text]) => `| \`${kind}\` | ${text} |`);
  const codes = Object.entries(errorCodes).map(([code, entry]) => {
    return `| \`${code}\` | \`${entry.kind}\` | ${entry.cause} | ${entry.remedy} |`;
  });
  return [
    '# Errors',
    '',
    'Generated from `src/base/errors/codes.ts` by `npm run docs:generate`; do not edit. Logs show',
    'the code as it stands here; the `code` of an HTTP answer is the same word without `HF_`, in',
    'small letters (`disk_full`).',
    '',
    'The kind decides what happens:',
    '',
    '| kind | behaviour |',
    '| --- | --- |',
    ...kinds,
    '',
    '| code | kind | cause | what to do |',
    '| --- | --- | --- | --- |',
    ...codes,
    '',
  ].join('\n');
}
