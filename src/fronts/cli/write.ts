/**
 * `holdfast write FILE|-`: sends line protocol in blocks. Bad lines are listed with their place in
 * the file, good ones are kept; a gateway that is busy is asked again for a minute.
 */
import { createReadStream, statSync } from 'node:fs';
import { GatewayError } from '../../base/errors/gateway-error.ts';
import { clientFlags, type CommandContext, exitCodes, soleOperand, type Verb } from './command.ts';
import { answerError, type GatewayAnswer, GatewayClient } from './gateway-client.ts';
import { type LineBlock, lineBlocks } from './line-blocks.ts';

/** Below the least server.max_body that a gateway of a small box derives. */
const blockBytes = 1024 * 1024;

/** A gateway that answers 503 this long is reported, with exit code 75. */
const patienceMs = 60_000;

const progressAfterMs = 1000;

interface BadLine {
  readonly line_number: number;
  readonly original_line: string;
  readonly error_message: string;
}

interface Source {
  readonly chunks: AsyncIterable<Uint8Array>;
  /** Undefined for standard input. */
  readonly bytes: number | undefined;
}

function openSource(name: string, context: CommandContext): Source {
  if (name === '-') return { chunks: context.input, bytes: undefined };
  try {
    const { size } = statSync(name);
    return { chunks: createReadStream(name) as AsyncIterable<Uint8Array>, bytes: size };
  } catch (error) {
    throw new GatewayError('HF_IO', `cannot read ${name}: ${String(error)}`, { cause: error });
  }
}

async function* guarded(name: string, source: Source): AsyncGenerator<Uint8Array> {
  try {
    yield* source.chunks;
  } catch (error) {
    throw new GatewayError('HF_IO', `cannot read ${name}: ${String(error)}`, { cause: error });
  }
}

/** The answer to one block, asked again while the gateway is busy. */
async function send(
  client: GatewayClient,
  path: string,
  block: LineBlock,
  context: CommandContext,
): Promise<GatewayAnswer> {
  const untilMs = context.monotonicMs() + patienceMs;
  for (;;) {
    const answer = await client.ask({ method: 'POST', path, body: block.body });
    if (answer.status !== 503 || context.monotonicMs() >= untilMs) return answer;
    const seconds = Number(answer.header('retry-after') ?? 1);
    await context.sleep(Math.min(Math.max(seconds, 1), 10) * 1000);
  }
}

/** Lists the bad lines of an answer; returns how many there were. @throws HF_ANSWER for others. */
function reportBadLines(answer: GatewayAnswer, block: LineBlock, context: CommandContext): number {
  const rejected = Number(answer.header('x-holdfast-rejected') ?? 0);
  if (answer.status !== 400 || rejected === 0) throw answerError(answer);
  const { data = [] } = JSON.parse(answer.text) as { data?: readonly BadLine[] };
  for (const { line_number, original_line, error_message } of data) {
    const line = block.firstLine + line_number - 1;
    context.err.write(`line ${line}: ${error_message}: ${original_line.slice(0, 200)}\n`);
  }
  if (rejected > data.length) context.err.write(`... and ${rejected - data.length} more\n`);
  return rejected;
}

function showProgress(sent: number, source: Source, context: CommandContext): void {
  const share = source.bytes === undefined ? '' : ` ${Math.floor((100 * sent) / source.bytes)} %`;
  context.err.write(`\r${(sent / 1024 / 1024).toFixed(1)} MiB sent${share}`);
}

export const write: Verb = {
  usage: 'FILE|-',
  summary: 'send line protocol from a file or standard input',
  text: [
    '  --database NAME   database to write to [default]',
    '  --precision UNIT  unit of times: auto, nanosecond, microsecond, millisecond, second [auto]',
  ].join('\n'),
  flags: { ...clientFlags, database: 'text', precision: 'text' },
  async run(words, context) {
    const name = soleOperand(words, 'the file (or - for standard input)');
    const source = openSource(name, context);
    const client = new GatewayClient(words, context);
    const parameters = new URLSearchParams({
      db: words.values.get('database') ?? 'default',
      precision: words.values.get('precision') ?? 'auto',
    });
    const path = `/api/v3/write_lp?${parameters.toString()}`;
    const startedMs = context.monotonicMs();
    let sent = 0;
    let rejected = 0;
    let shown = false;
    for await (const block of lineBlocks(guarded(name, source), blockBytes)) {
      const answer = await send(client, path, block, context);
      if (answer.status !== 204) rejected += reportBadLines(answer, block, context);
      sent += block.body.length;
      if (context.err.isTTY !== true || context.monotonicMs() - startedMs < progressAfterMs)
        continue;
      showProgress(sent, source, context);
      shown = true;
    }
    if (shown) context.err.write('\n');
    if (words.values.get('json') === 'true') {
      context.out.write(`${JSON.stringify({ bytes: sent, rejected_lines: rejected })}\n`);
    }
    if (rejected === 0) return exitCodes.ok;
    context.err.write(`${rejected} bad lines went to the dead letters; the others are kept\n`);
    return exitCodes.badInput;
  },
};
