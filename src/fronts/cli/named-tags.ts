/**
 * `holdfast measurement tags DB.MEASUREMENT [host,region]` and `holdfast database tags DB
 * [host,region]`: names tags for dialects without them, or lists them.
 */
import { GatewayError } from '../../base/errors/gateway-error.ts';
import { clientFlags, exitCodes, type Verb } from './command.ts';
import { answerError, GatewayClient } from './gateway-client.ts';

/** Database and measurement of `DB.MEASUREMENT`; the measurement may have dots. */
function placeOf(word: string): readonly [database: string, measurement: string] {
  const dot = word.indexOf('.');
  if (dot > 0 && dot < word.length - 1) return [word.slice(0, dot), word.slice(dot + 1)];
  throw new GatewayError('HF_USAGE', `'${word}' is not DATABASE.MEASUREMENT`);
}

interface TagsVerb {
  readonly verb: string;
  /** In the usage. */
  readonly place: string;
  readonly summary: string;
  readonly text: string;
  /** Path of the route for what the sender wrote in the place of `place`. */
  path(word: string): string;
}

function tagsVerb({ verb, place, summary, text, path }: TagsVerb): Verb {
  const usage = `tags ${place} [TAG,TAG...]`;
  return {
    usage,
    summary,
    text: [
      text,
      '  A named tag stays one; columns of numbers cannot be tags. Without names: lists the tags.',
      '  --json           print the answer as the gateway gives it',
    ].join('\n'),
    flags: clientFlags,
    async run(words, context) {
      const [what, word, names, extra] = words.operands;
      if (what !== 'tags' || word === undefined || extra !== undefined) {
        throw new GatewayError('HF_USAGE', `usage: ${verb} ${usage}`);
      }
      const tags = names?.split(',').filter((name) => name !== '');
      const answer = await new GatewayClient(words, context).ask({
        method: tags === undefined ? 'GET' : 'PUT',
        path: path(word),
        ...(tags !== undefined && {
          headers: { 'content-type': 'application/json' },
          body: JSON.stringify({ tags }),
        }),
      });
      if (answer.status !== 200) throw answerError(answer);
      if (words.values.get('json') === 'true') context.out.write(`${answer.text.trimEnd()}\n`);
      else {
        const { tags: all } = JSON.parse(answer.text) as { tags: readonly string[] };
        context.out.write(`tags of ${word}: ${all.length === 0 ? 'none' : all.join(', ')}\n`);
      }
      return exitCodes.ok;
    },
  };
}

export const measurement = tagsVerb({
  verb: 'measurement',
  place: 'DATABASE.MEASUREMENT',
  summary: 'name the tags of rows that come without (columnar MessagePack)',
  text: [
    '  From the next row on, rows of one time and the same tags are one point, so that what a',
    '  sender repeats is there once.',
  ].join('\n'),
  path(word) {
    const names = placeOf(word).map((name) => encodeURIComponent(name));
    return `/api/v1/measurements/${names.join('/')}/tags`;
  },
});

export const database = tagsVerb({
  verb: 'database',
  place: 'DATABASE',
  summary: 'the same for all measurements of a database',
  text: [
    '  As "measurement tags", for every measurement of the database that there is or will be, also',
    '  for one whose rows have none of these columns: rows of one time are one point there.',
  ].join('\n'),
  path: (word) => `/api/v1/databases/${encodeURIComponent(word)}/tags`,
});
