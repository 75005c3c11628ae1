/**
 * `holdfast deadletter list|export|replay`: what a gateway could not take, for the person who is
 * called about it. A replay goes on until all letters were tried, and may be broken off and run
 * again: what was sent once more is not sent again.
 */
import { GatewayError } from '../../base/errors/gateway-error.ts';
import type { ParsedFlags } from '../../base/config/flags.ts';
import { clientFlags, type CommandContext, exitCodes, type Verb } from './command.ts';
import { answerError, GatewayClient } from './gateway-client.ts';
import { printable, tableText } from './result-text.ts';

/** A gateway that answers 503 this long is reported, with exit code 75. */
const patienceMs = 60_000;

const textShown = 60;

const filterFlags = ['state', 'id', 'database', 'kind', 'reason', 'since', 'until'] as const;

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
  for (const name of [...filterFlags, ...more]) {
    const value = words.values.get(name);
    if (value !== undefined) parameters.set(name, value);
  }
  return parameters;
}

function short(text: string): string {
  const shown = printable(text);
  return shown.length > textShown ? `${shown.slice(0, textShown - 3)}...` : shown;
}

async function list(words: ParsedFlags, context: CommandContext): Promise<number> {
  const parameters = parametersOf(words, ['limit']);
  const path = `/api/v1/deadletter/list?${parameters.toString()}`;
  const text = await new GatewayClient(words, context).get(path);
  if (words.values.get('json') === 'true') {
    context.out.write(`${text.trimEnd()}\n`);
    return exitCodes.ok;
  }
  const { count, lines, letters } = JSON.parse(text) as ListAnswer;
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
  const more = count > letters.length ? `, the newest ${letters.length} are shown` : '';
  context.out.write(`${count} letters with ${lines} lines${more}\n`);
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
  const lines = [`${replayed} letters were sent once more and gave ${rows} rows\n`];
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

const actions = { list, export: exportLetters, replay } as const;

export const deadletter: Verb = {
  usage: 'list|export|replay',
  summary: 'show what could not be taken, or send it once more',
  text: [
    '  list             the newest letters; --limit NUMBER [100]',
    '  export           all of them, oldest first, to standard output; --as jsonl|line|msgpack',
    '                   [jsonl]: JSON lines, or the bytes as they came in that format',
    '  replay           send letters once more after the cause is gone: with their own database,',
    '                   precision and format, each exactly once, however often this is run',
    '',
    '  --state STATE    open (not sent once more), replayed or all [open]',
    '  --database NAME  of that database',
    '  --reason TEXT    with that text in the reason',
    '  --kind KIND      parse, conflict or cap',
    '  --since TIME     that came at that time or later, such as 2026-03-01T14:00:00Z',
    '  --until TIME     that came before that time',
    '  --id ID          one letter',
    '  --json           print JSON',
  ].join('\n'),
  flags: {
    ...clientFlags,
    ...Object.fromEntries(filterFlags.map((name) => [name, 'text' as const])),
    limit: 'text',
    as: 'text',
  },
  async run(words, context) {
    const [action, extra] = words.operands;
    if (extra !== undefined) throw new GatewayError('HF_USAGE', `one word too many: '${extra}'`);
    if (action === undefined || !Object.hasOwn(actions, action)) {
      const given = action === undefined ? 'nothing' : `'${action}'`;
      throw new GatewayError('HF_USAGE', `deadletter takes list, export or replay, not ${given}`);
    }
    return actions[action as keyof typeof actions](words, context);
  },
};
