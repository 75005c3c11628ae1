/** `holdfast measurement tags DB.MEASUREMENT host,region`: names tags for dialects without them. */
import { GatewayError } from '../../base/errors/gateway-error.ts';
import { clientFlags, exitCodes, type Verb } from './command.ts';
import { answerError, GatewayClient } from './gateway-client.ts';

/** Database and measurement of `DB.MEASUREMENT`; the measurement may have dots. */
function placeOf(word: string): readonly [database: string, measurement: string] {
  const dot = word.indexOf('.');
  if (dot > 0 && dot < word.length - 1) return [word.slice(0, dot), word.slice(dot + 1)];
  throw new GatewayError('HF_USAGE', `'${word}' is not DATABASE.MEASUREMENT`);
}

export const measurement: Verb = {
  usage: 'tags DATABASE.MEASUREMENT TAG,TAG...',
  summary: 'name the tags of rows that come without (columnar MessagePack)',
  text: [
    '  From the next row on, rows of one time and the same tags are one point, so that what a',
    '  sender repeats is there once. A named tag stays one. Columns of numbers cannot be tags.',
    '  --json           print the answer as the gateway gives it',
  ].join('\n'),
  flags: clientFlags,
  async run(words, context) {
    const [what, place, names, extra] = words.operands;
    if (what !== 'tags' || place === undefined || names === undefined || extra !== undefined) {
      throw new GatewayError('HF_USAGE', 'usage: measurement tags DATABASE.MEASUREMENT TAG,TAG...');
    }
    const path = placeOf(place).map((name) => encodeURIComponent(name));
    const answer = await new GatewayClient(words, context).ask({
      method: 'PUT',
      path: `/api/v1/measurements/${path.join('/')}/tags`,
      headers: { 'content-type': 'application/json' },
      body: JSON.stringify({ tags: names.split(',').filter((name) => name !== '') }),
    });
    if (answer.status !== 200) throw answerError(answer);
    if (words.values.get('json') === 'true') context.out.write(`${answer.text.trimEnd()}\n`);
    else {
      const { tags } = JSON.parse(answer.text) as { tags: readonly string[] };
      context.out.write(`tags of ${place}: ${tags.join(', ')}\n`);
    }
    return exitCodes.ok;
  },
};
