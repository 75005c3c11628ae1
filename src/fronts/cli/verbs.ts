/**
 * The verbs of the command line but `serve`, which main.ts runs.
 */
import { parseFlags } from '../../base/config/flags.ts';
import { GatewayError } from '../../base/errors/gateway-error.ts';
import { nearestName } from '../../base/lib/nearest.ts';
import { type CommandContext, exitCodes, reportError, type Verb } from './command.ts';
import { deadletter } from './deadletter.ts';
import { helpText, verbHelp } from './help.ts';
import { database, measurement } from './named-tags.ts';
import { query } from './query.ts';
import { status } from './status.ts';
import { version } from './version.ts';
import { write } from './write.ts';

export const verbs: Readonly<Record<string, Verb>> = {
  query,
  write,
  deadletter,
  database,
  measurement,
  status,
  version,
};

function unknownVerb(name: string): GatewayError {
  const known = ['serve', ...Object.keys(verbs), 'help'];
  const nearest = nearestName(name, known, 2);
  const hint =
    nearest === undefined ? `there are ${known.join(', ')}` : `did you mean '${nearest}'?`;
  return new GatewayError('HF_USAGE', `unknown verb '${name}'; ${hint}`);
}

async function run(words: readonly string[], context: CommandContext): Promise<number> {
  const [given = 'help', ...rest] = words;
  const asked = ['--help', '-h'].includes(given)
    ? 'help'
    : given === '--version'
      ? 'version'
      : given;
  if (asked === 'help') {
    const name = rest[0];
    const text = name === undefined ? helpText(verbs) : verbHelp(name, verbs);
    if (text === undefined) throw unknownVerb(name ?? '');
    context.out.write(text);
    return exitCodes.ok;
  }
  const verb = Object.hasOwn(verbs, asked) ? verbs[asked] : undefined;
  if (verb === undefined) throw unknownVerb(asked);
  const flags = parseFlags(rest, verb.flags);
  if (flags.values.get('help') === 'true') {
    context.out.write(verbHelp(asked, verbs) ?? '');
    return exitCodes.ok;
  }
  return verb.run(flags, context);
}

/** Runs `words` (verb first); resolves to the exit code, with errors said on `err`. */
export async function runVerb(words: readonly string[], context: CommandContext): Promise<number> {
  try {
    return await run(words, context);
  } catch (error) {
    return reportError(error, context.err);
  }
}
