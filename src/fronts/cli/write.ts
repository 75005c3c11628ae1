/**
 * `holdfast write FILE|-`: sends line protocol in blocks. Bad lines are listed with their place in
 * the file, good ones are kept; a gateway that is busy or was there before is asked again for a
 * minute.
 *
 * I1. Each block has an Idempotency-Key. For a file it is made of the file (path, size, time of its
 *     last change), the block's place and bytes: the same command again, after it was broken off,
 *     sends again only what is not there yet, lines without times included. Standard input has no
 *     name by which it could be the same, so its keys hold for one run.
 */
import { createHash, randomUUID } from 'node:crypto';
import { createReadStream, realpathSync, statSync } from 'node:fs';
import { GatewayError } from '../../base/errors/gateway-error.ts';
import { clientFlags, type CommandContext, exitCodes, soleOperand, type Verb } from './command.ts';
import { answerError, errorText, type GatewayAnswer, GatewayClient } from './gateway-client.ts';
import { type LineBlock, lineBlocks } from './line-blocks.ts';
import { WriteProgress } from './write-progress.ts';

/** Below the least server.max_body that a gateway of a small box derives. */
const blockBytes = 1024 * 1024;

/** A gateway that takes nothing for so long is reported, with exit code 75 or 69. */
const patienceMs = 60_000;

interface BadLine {
  readonly line_number: number;
  readonly original_line: string;
  readonly error_message: string;
}

interface Source {
  readonly chunks: AsyncIterable<Uint8Array>;
  /** Undefined for standard input. */
  readonly bytes: number | undefined;
  /** What makes two runs over it the same. */
  readonly identity: string;
}

const readFaults: Readonly<Record<string, string>> = {
  ENOENT: 'there is no such file',
  EISDIR: 'it is a directory',
  EACCES: 'permission denied',
};

function unreadable(name: string, error: unknown): GatewayError {
  const { code = '' } = error as NodeJS.ErrnoException;
  const reason = readFaults[code] ?? String(error);
  return new GatewayError('HF_IO', `cannot read ${name}: ${reason}`, { cause: error });
}

function openSource(name: string, again: boolean, context: CommandContext): Source {
  const run = randomUUID();
  if (name === '-') return { chunks: context.input, bytes: undefined, identity: run };
  try {
    const { size, mtimeMs } = statSync(name);
    const identity = again ? run : JSON.stringify([realpathSync(name), size, mtimeMs]);
    const chunks = createReadStream(name) as AsyncIterable<Uint8Array>;
    return { chunks, bytes: size, identity };
  } catch (error) {
    throw unreadable(name, error);
  }
}

async function* guarded(name: string, source: Source): AsyncGenerator<Uint8Array> {
  try {
    yield* source.chunks;
  } catch (error) {
    throw unreadable(name, error);
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

class Sending {
  readonly #context: CommandContext;
  readonly #client: GatewayClient;
  readonly #path: string;
  readonly #source: Source;
  readonly #progress: WriteProgress;
  bytes = 0;
  rows = 0;
  rejected = 0;
  /** Bytes that an earlier run had sent already. */
  repeated = 0;

  constructor(context: CommandContext, client: GatewayClient, path: string, source: Source) {
    this.#context = context;
    this.#client = client;
    this.#path = path;
    this.#source = source;
    this.#progress = new WriteProgress(context, source.bytes);
  }

  async send(block: LineBlock): Promise<void> {
    const answer = await this.#answerTo(block);
    if (answer.status !== 204) {
      this.#progress.clear();
      this.rejected += reportBadLines(answer, block, this.#context);
    }
    this.bytes += block.body.length;
    this.rows += block.lines;
    if (answer.header('idempotent-replayed') === 'true') this.repeated += block.body.length;
    this.#progress.show(this.bytes, this.rows);
  }

  end(): void {
    this.#progress.end(this.bytes, this.rows);
  }

  #keyOf(block: LineBlock): string {
    const hash = createHash('sha256').update(block.body);
    return hash
      .update(JSON.stringify([this.#source.identity, this.#path, this.bytes]))
      .digest('hex');
  }

  /** The answer to one block, asked again while the gateway is busy, or away after it was there. */
  async #answerTo(block: LineBlock): Promise<GatewayAnswer> {
    const headers = { 'idempotency-key': this.#keyOf(block) };
    const request = { method: 'POST', path: this.#path, headers, body: block.body } as const;
    const untilMs = this.#context.monotonicMs() + patienceMs;
    for (;;) {
      const answer = await this.#client.ask(request).catch((error: unknown) => {
        if (this.bytes > 0 && error instanceof GatewayError) return error;
        throw error;
      });
      const isOver = this.#context.monotonicMs() >= untilMs;
      if (answer instanceof GatewayError) {
        if (isOver) throw answer;
        await this.#wait(1, answer.message);
      } else {
        if (answer.status !== 503 || isOver) return answer;
        await this.#wait(Number(answer.header('retry-after') ?? 1), errorText(answer.text));
      }
    }
  }

  async #wait(seconds: number, reason: string): Promise<void> {
    this.#progress.show(this.bytes, this.rows, reason);
    await this.#context.sleep(Math.min(Math.max(seconds, 1), 10) * 1000);
  }
}

export const write: Verb = {
  usage: 'FILE|-',
  summary: 'send line protocol from a file or standard input',
  text: [
    '  --database NAME   database to write to [default]',
    '  --precision UNIT  unit of times: auto, nanosecond, microsecond, millisecond, second [auto]',
    '  --again           send what an earlier run over the same file has sent already, too',
    '',
    'Broken off, it can be run again over the same file for a day: what is there is not doubled.',
  ].join('\n'),
  flags: { ...clientFlags, database: 'text', precision: 'text', again: 'switch' },
  async run(words, context) {
    const name = soleOperand(words, 'the file (or - for standard input)');
    const source = openSource(name, words.values.get('again') === 'true', context);
    const parameters = new URLSearchParams({
      db: words.values.get('database') ?? 'default',
      precision: words.values.get('precision') ?? 'auto',
    });
    const path = `/api/v3/write_lp?${parameters.toString()}`;
    const sending = new Sending(context, new GatewayClient(words, context), path, source);
    for await (const block of lineBlocks(guarded(name, source), blockBytes)) {
      await sending.send(block);
    }
    sending.end();
    const { bytes, rows, rejected, repeated } = sending;
    if (words.values.get('json') === 'true') {
      const sum = { bytes, lines: rows, rejected_lines: rejected, repeated_bytes: repeated };
      context.out.write(`${JSON.stringify(sum)}\n`);
    }
    if (repeated > 0) {
      const share = repeated === bytes ? 'all' : `${repeated} of ${bytes} bytes`;
      const what = `${share} of it was sent by an earlier run and is not written twice`;
      context.err.write(`${what} (--again does)\n`);
    }
    if (rejected === 0) return exitCodes.ok;
    const lines = rejected === 1 ? '1 bad line' : `${rejected} bad lines`;
    context.err.write(`${lines} went to the dead letters; the others are kept\n`);
    return exitCodes.badInput;
  },
};
