/**
 * The help texts: one page for all verbs, one for each.
 */
import { serveHelp } from '../../base/config/document.ts';
import type { Verb } from './command.ts';

const width = 24;

function line(name: string, { usage, summary }: Pick<Verb, 'usage' | 'summary'>): string {
  const words = `${name} ${usage}`.trimEnd();
  const start = words.length > width ? `${words}\n  ${' '.repeat(width)}` : words.padEnd(width);
  return `  ${start} ${summary}`;
}

const serveLine = { usage: '[--OPTION VALUE ...]', summary: 'run the gateway' };

/** What `holdfast help` prints. */
export function helpText(verbs: Readonly<Record<string, Verb>>): string {
  return [
    'holdfast VERB ...',
    '',
    line('serve', serveLine),
    ...Object.entries(verbs).map(([name, verb]) => line(name, verb)),
    line('help', { usage: '[VERB]', summary: 'explain a verb' }),
    '',
    'All but serve, version and help talk to a running gateway:',
    '  --url URL        [http://127.0.0.1:8086] or HOLDFAST_URL',
    '  --token TOKEN    or HOLDFAST_TOKEN',
    '  --json           print JSON',
    '',
  ].join('\n');
}

/** What `holdfast help VERB` and `holdfast VERB --help` print; undefined for an unknown verb. */
export function verbHelp(name: string, verbs: Readonly<Record<string, Verb>>): string | undefined {
  if (name === 'serve') return serveHelp();
  const verb = Object.hasOwn(verbs, name) ? verbs[name] : undefined;
  if (verb === undefined) return undefined;
  const head = `holdfast ${name} ${verb.usage}`.trimEnd();
  const common =
    'url' in verb.flags
      ? '  --url URL        [http://127.0.0.1:8086] or HOLDFAST_URL\n' +
        '  --token TOKEN    or HOLDFAST_TOKEN\n'
      : '';
  const own = verb.text === '' ? '' : `${verb.text}\n`;
  return `${head}\n\n${verb.summary}\n\n${own}${common}`;
}
