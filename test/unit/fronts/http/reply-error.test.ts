import t from 'tap';
import { type ErrorCode, errorCodes } from '../../../../src/base/errors/codes.ts';
import { errorsMarkdown } from '../../../../src/base/errors/errors-markdown.ts';
import { GatewayError } from '../../../../src/base/errors/gateway-error.ts';
import { dropPhrases, errorAnswer } from '../../../../src/fronts/http/reply-error.ts';

const codes = Object.keys(errorCodes) as ErrorCode[];
const phrases = dropPhrases.join('; ');

t.test('no error of any code makes a v1 sender drop rows that may pass', (t) => {
  for (const code of codes) {
    for (const dialect of ['v1', 'v2', 'v3', 'arc'] as const) {
      const answer = errorAnswer(new GatewayError(code, phrases), dialect, true);
      const retried = answer.status >= 500;
      const phrase = dropPhrases.find((each) => answer.body.toLowerCase().includes(each));
      if (retried && phrase !== undefined) t.fail(`${code} in ${dialect} says '${phrase}'`);
      if (answer.status === 503 && !/^[1-9]\d*$/.test(answer.headers['retry-after'] ?? '')) {
        t.fail(`${code}: 503 without Retry-After`);
      }
      if (answer.status === 429) t.fail(`${code}: 429 makes Telegraf drop`);
      JSON.parse(answer.body);
    }
    const { retryable } = new GatewayError(code, '');
    const { status } = errorAnswer(new GatewayError(code, 'x'), 'v1', true);
    if (retryable) t.equal(status, 503, `${code} may pass`);
  }
  t.end();
});

t.test('kinds decide the status', (t) => {
  const cases: [ErrorCode, boolean, number][] = [
    ['HF_PARAMETER', true, 400],
    ['HF_QUERY_SYNTAX', false, 400],
    ['HF_QUERY_TIMEOUT', false, 504],
    ['HF_QUERY_QUEUE_FULL', false, 503],
    ['HF_NOT_LOCAL', true, 503],
    ['HF_NOT_LOCAL', false, 403],
    ['HF_DATABASE_UNKNOWN', true, 404],
    ['HF_QUERY_FAILED', false, 500],
    ['HF_BUG', false, 500],
  ];
  for (const [code, isWrite, status] of cases) {
    t.equal(errorAnswer(new GatewayError(code, 'x'), 'arc', isWrite).status, status, code);
  }
  t.end();
});

t.test('the document lists every code', (t) => {
  for (const code of codes) t.ok(errorsMarkdown().includes(`| \`${code}\` |`), code);
  t.end();
});
