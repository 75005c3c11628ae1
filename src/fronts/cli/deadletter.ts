/**
 * `holdfast deadletter list|export|replay|drop`: what a gateway could not take, for the person who
 * is called about it. A replay goes on until all letters were tried, and may be broken off and run
 * again: what was sent once more is not sent again. Nothing is dropped without `--yes`.
 */
import { GatewayError } from '../../base/errors/gateway-error.ts';
import type { ParsedFlags } from '../../base/config/flags.ts';
import { clientFlags, type CommandContext, exitCodes, type Verb } from './command.ts';
import { answerError, GatewayClient } from './gateway-client.ts';
import { printable, tableText } from './result-text.ts';

/** A gateway that answers 503 this long is reported, with exit code 75. */
const patienceMs = 60_000;

const textShown = 60;

/** Flags that say which letters, and the parameters that they become. */
const filterFlags = {
  state: 'state',
  id: 'id',
  database: 'database',
  measurement: 'measurement',
  kind: 'kind',
  reason: 'reason',
  text: 'text',
  sender: 'sender',
  since: 'since',
  until: 'until',
  'older-than': 'older_than',
} as const;

interface ListedLetter {
  readonly time: string;
  readonly id: string;
  readonly database: string;
  readonly dialect: string;
  readonly lines: number;
  readonly reason: string;
  readonly text: string;
  readonly sender: string;
  readonly replayed: boolean;
}

interface ListAnswer {
  readonly count: number;
  readonly lines: number;
  readonly letters: readonly ListedLetter[];
  readonly next?: string;
}

interface DropAnswer {
  readonly dropped: number;
  readonly files: number;
}

interface ReplayAnswer {
  readonly replayed: number;
  readonly rows: number;
  readonly refused: number;
  readonly refusals: readonly { readonly id: string; readonly reason: string }[];
  readonly next?: string;
  readonly stopped?: { readonly code: string; readonly error: string };
}

/** Sums over the answers of one replay. */
interface ReplayTotal {
  replayed: number;
  rows: number;
  refused: number;
  refusals: { readonly id: string; readonly reason: string }[];
}

const refusalsShown = 20;

function parametersOf(words: ParsedFlags, more: readonly string[]): URLSearchParams {
  const parameters = new URLSearchParams();
  const names = [...Object.entries(filterFlags), ...more.map((name) => [name, name] as const)];
  for (const [flag, name] of names) {
    const value = words.values.get(flag);
    if (value !== undefined) parameters.set(name, value);
  }
  return parameters;
}

function short(text: string): string {
  const shown = printable(text);
  return shown.length > textShown ? `${shown.slice(0, textShown - 3)}...` : shown;
}

const counted = (count: number, what: string) => `${count} ${what}${count === 1 ? '' : 's'}`;

async function list(words: ParsedFlags, context: CommandContext): Promise<number> {
  const parameters = parametersOf(words, ['limit', 'after']);
  const path = `/api/v1/deadletter/list?${parameters.toString()}`;
  const text = await new GatewayClient(words, context).get(path);
  if (words.values.get('json') === 'true') {
    context.out.write(`${text.trimEnd()}\n`);
    return exitCodes.ok;
  }
  const { count, lines, letters, next } = JSON.parse(text) as ListAnswer;
  const columns = ['time', 'id', 'database', 'sender', 'lines', 'reason', 'text'];
  const rows = letters.map((letter) => [
    letter.time,
    letter.id,
    letter.database,
    letter.sender,
    String(letter.lines),
    short(letter.reason),
    short(letter.text),
  ]);
  if (rows.length > 0) context.out.write(tableText({ columns, types: [], rows }));
  const more = count > letters.length ? `, ${letters.length} are shown` : '';
  context.out.write(`${counted(count, 'letter')} with ${counted(lines, 'line')}${more}\n`);
  if (more !== '' && next !== undefined) context.out.write(`older ones: --after ${next}\n`);
  return exitCodes.ok;
}

/** Without `--yes` it says how many would go, and drops none. */
async function drop(words: ParsedFlags, context: CommandContext): Promise<number> {
  const parameters = parametersOf(words, []);
  if (words.values.get('all') === 'true') parameters.set('all', 'true');
  if (parameters.size === 0) {
    throw new GatewayError('HF_USAGE', 'say which letters, such as --older-than 30d, or --all');
  }
  if (!parameters.has('state')) parameters.set('state', 'all');
  const client = new GatewayClient(words, context);
  if (words.values.get('yes') !== 'true') {
    const text = await client.get(`/api/v1/deadletter/list?limit=0&${parameters.toString()}`);
    const { count, lines } = JSON.parse(text) as ListAnswer;
    const meant = `${counted(count, 'letter')} with ${counted(lines, 'line')} would be dropped`;
    throw new GatewayError('HF_USAGE', `${meant}; add --yes to drop them for good`);
  }
  const path = `/api/v1/deadletter?${parameters.toString()}`;
  const answer = await client.ask({ method: 'DELETE', path });
  if (answer.status !== 200) throw answerError(answer);
  if (words.values.get('json') === 'true') context.out.write(`${answer.text.trimEnd()}\n`);
  else {
    const { dropped, files } = JSON.parse(answer.text) as DropAnswer;
    context.out.write(
      `${counted(dropped, 'letter')} dropped, ${counted(files, 'file')} of them removed\n`,
    );
  }
  return exitCodes.ok;
}

async function exportLetters(words: ParsedFlags, context: CommandContext): Promise<number> {
  const parameters = parametersOf(words, ['as']);
  const path = `/api/v1/deadletter/export?${parameters.toString()}`;
  for await (const chunk of await new GatewayClient(words, context).stream(path)) {
    context.out.write(chunk);
  }
  return exitCodes.ok;
}

/** One part of a replay, asked again while the gateway is busy. */
async function replayPart(
  client: GatewayClient,
  path: string,
  context: CommandContext,
): Promise<ReplayAnswer> {
  const untilMs = context.monotonicMs() + patienceMs;
  for (;;) {
    const answer = await client.ask({ method: 'POST', path });
    if (answer.status === 200) return JSON.parse(answer.text) as ReplayAnswer;
    if (answer.status !== 503 || context.monotonicMs() >= untilMs) throw answerError(answer);
    const seconds = Number(answer.header('retry-after') ?? 1);
    await context.sleep(Math.min(Math.max(seconds, 1), 10) * 1000);
  }
}

function summary({ replayed, rows, refused, refusals }: ReplayTotal): string {
  const lines = [
    `${counted(replayed, 'letter')} sent once more, which gave ${counted(rows, 'row')}\n`,
  ];
  if (refused > 0) lines.push(`${refused} stay, because they still cannot be kept:\n`);
  for (const { id, reason } of refusals) lines.push(`  ${id}: ${short(reason)}\n`);
  if (refused > refusals.length) lines.push(`  ... and ${refused - refusals.length} more\n`);
  return lines.join('');
}

async function replay(words: ParsedFlags, context: CommandContext): Promise<number> {
  const client = new GatewayClient(words, context);
  const parameters = parametersOf(words, []);
  const total: ReplayTotal = { replayed: 0, rows: 0, refused: 0, refusals: [] };
  for (;;) {
    const path = `/api/v1/deadletter/replay?${parameters.toString()}`;
    const part = await replayPart(client, path, context);
    total.replayed += part.replayed;
    total.rows += part.rows;
    total.refused += part.refused;
    total.refusals = [...total.refusals, ...part.refusals].slice(0, refusalsShown);
    if (part.next === undefined) break;
    if (context.err.isTTY === true) {
      context.err.write(`\r${total.replayed + total.refused} letters`);
    }
    parameters.set('after', part.next);
    // What stopped it passes; the next part waits for that, or says that it lasts.
    if (part.stopped !== undefined) await context.sleep(1000);
  }
  if (context.err.isTTY === true) context.err.write('\r');
  const asJson = words.values.get('json') === 'true';
  context.out.write(asJson ? `${JSON.stringify(total)}\n` : summary(total));
  return total.refused === 0 ? exitCodes.ok : exitCodes.badInput;
}

const actions = { list, export: exportLetters, replay, drop } as const;

export const deadletter: Verb = {
  usage: 'list|export|replay|drop',
  summary: 'show what could not be taken, send it once more, or drop it',
  text: [
    '  list             the newest letters; --limit NUMBER [100]; --after PLACE where a list ended',
    '  export           all of them, oldest first, to standard output; --as jsonl|line|msgpack',
    '                   [jsonl]: JSON lines, or the bytes as they came in that format',
    '  replay           send letters once more after the cause is gone: with their own database,',
    '                   precision and format, each exactly once, however often this is run',
    '  drop             give letters up for good, replayed ones too; nothing without --yes; --all',
    '                   where nothing else says which',
    '',
    '  --state STATE    open (not sent once more), replayed or all [open]',
    '  --database NAME  of that database',
    '  --measurement NAME',
    '                   of that measurement, as far as the text tells',
    '  --reason TEXT    with that text in the reason',
    '  --text TEXT      with that text in the line or item',
    '  --sender TEXT    with that text in the address of the sender or in what it calls itself',
    '  --kind KIND      parse, conflict or cap',
    '  --since TIME     that came at that time or later, such as 2026-03-01T14:00:00Z',
    '  --until TIME     that came before that time',
    '  --older-than AGE that came longer ago, such as 90m, 12h, 7d or 4w',
    '  --id ID          one letter',
    '  --json           print JSON',
  ].join('\n'),
  flags: {
    ...clientFlags,
    ...Object.fromEntries(Object.keys(filterFlags).map((name) => [name, 'text' as const])),
    limit: 'text',
    after: 'text',
    as: 'text',
    all: 'switch',
    yes: 'switch',
  },
  async run(words, context) {
    const [action, extra] = words.operands;
    if (extra !== undefined) throw new GatewayError('HF_USAGE', `one word too many: '${extra}'`);
    if (action === undefined || !Object.hasOwn(actions, action)) {
      const given = action === undefined ? 'nothing' : `'${action}'`;
      throw new GatewayError(
        'HF_USAGE',
        `deadletter takes list, export, replay or drop, not ${given}`,
      );
    }
    return actions[action as keyof typeof actions](words, context);
  },
};
