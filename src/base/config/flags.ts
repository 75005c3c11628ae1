/**
 * Command line words to flags and operands. Shared by `serve` (whose flags are the table of
 * options) and the other verbs, so that `--name value`, `--name=value` and unknown names behave
 * the same everywhere.
 */
import { GatewayError } from '../errors/gateway-error.ts';
import { nearestName } from '../lib/nearest.ts';

/** `text` takes a value; `switch` is true when it is there, and may be given `=false`. */
export type FlagKind = 'text' | 'switch';

export interface ParsedFlags {
  readonly values: ReadonlyMap<string, string>;
  readonly operands: readonly string[];
}

const switchWords = ['true', 'false', 'yes', 'no', 'on', 'off', '1', '0'];

function unknownFlag(name: string, known: Readonly<Record<string, FlagKind>>): GatewayError {
  const nearest = nearestName(name, Object.keys(known));
  const hint = nearest === undefined ? '' : `; did you mean --${nearest}?`;
  return new GatewayError('HF_USAGE', `unknown flag --${name}${hint}`);
}

/**
 * Flags and operands of `words`. A later flag wins over an earlier one of the same name; after
 * `--` everything is an operand, and so is a single `-` (standard input).
 * @throws HF_USAGE for an unknown flag, with the nearest known one, or for a missing value.
 */
export function parseFlags(
  words: readonly string[],
  known: Readonly<Record<string, FlagKind>>,
): ParsedFlags {
  const values = new Map<string, string>();
  const operands: string[] = [];
  for (let index = 0; index < words.length; index += 1) {
    const word = words[index] ?? '';
    if (word === '--') {
      operands.push(...words.slice(index + 1));
      break;
    }
    if (!word.startsWith('--')) {
      if (word === '-h') values.set('help', 'true');
      else operands.push(word);
      continue;
    }
    const equals = word.indexOf('=');
    const name = equals < 0 ? word.slice(2) : word.slice(2, equals);
    const kind = Object.hasOwn(known, name) ? known[name] : undefined;
    if (kind === undefined) throw unknownFlag(name, known);
    const next = words[index + 1];
    if (equals >= 0) values.set(name, word.slice(equals + 1));
    else if (kind === 'switch') {
      const given = next !== undefined && switchWords.includes(next.toLowerCase());
      values.set(name, given ? next : 'true');
      if (given) index += 1;
    } else {
      if (next === undefined || next.startsWith('--')) {
        throw new GatewayError('HF_USAGE', `--${name} needs a value`);
      }
      values.set(name, next);
      index += 1;
    }
  }
  return { values, operands };
}
