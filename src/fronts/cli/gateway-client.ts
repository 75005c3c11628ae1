/**
 * Requests of the client verbs to a gateway, with its errors in words for a person.
 */
import { clientSettings, type ClientSettings } from '../../base/config/client.ts';
import type { ParsedFlags } from '../../base/config/flags.ts';
import { GatewayError } from '../../base/errors/gateway-error.ts';
import type { CommandContext } from './command.ts';

export interface GatewayAnswer {
  readonly status: number;
  readonly text: string;
  header(name: string): string | undefined;
}

export interface GatewayRequest {
  readonly method: 'GET' | 'POST' | 'PUT' | 'DELETE';
  /** Path and query. */
  readonly path: string;
  readonly headers?: Readonly<Record<string, string>>;
  readonly body?: string | Uint8Array<ArrayBuffer>;
}

/** What a JSON error of any dialect says, or the text itself. */
export function errorText(text: string): string {
  try {
    const body = JSON.parse(text) as { error?: unknown; message?: unknown };
    const said = body.error ?? body.message;
    if (typeof said === 'string') return said;
  } catch {
    // Not from a gateway, such as the page of a proxy: shown as it came.
  }
  return text.trim().slice(0, 500);
}

async function textOf(answer: Response): Promise<GatewayAnswer> {
  const text = await answer.text();
  const { status, headers } = answer;
  return { status, text, header: (name) => headers.get(name) ?? undefined };
}

/** The answer as an error of the command. */
export function answerError(answer: GatewayAnswer): GatewayError {
  const said = errorText(answer.text);
  return new GatewayError('HF_ANSWER', `the gateway answers ${answer.status}: ${said}`, {
    details: { status: answer.status },
  });
}

export class GatewayClient {
  readonly #settings: ClientSettings;
  readonly #fetch: typeof fetch;

  constructor(words: ParsedFlags, context: CommandContext) {
    this.#settings = clientSettings(words.values, context.environment);
    this.#fetch = context.fetch;
  }

  /** Any answer, errors included. @throws HF_UNREACHABLE if none came. */
  ask(request: GatewayRequest): Promise<GatewayAnswer> {
    return this.#answer(request, textOf);
  }

  /** The body of a 200, as it comes. @throws HF_ANSWER for any other, HF_UNREACHABLE for none. */
  stream(path: string): Promise<AsyncIterable<Uint8Array>> {
    return this.#answer({ method: 'GET', path }, async (answer) => {
      if (answer.status !== 200) throw answerError(await textOf(answer));
      return this.#chunks(answer);
    });
  }

  async *#chunks(answer: Response): AsyncGenerator<Uint8Array> {
    try {
      if (answer.body !== null) yield* answer.body as AsyncIterable<Uint8Array>;
    } catch (error) {
      throw this.#unreachable(error);
    }
  }

  async #answer<T>(request: GatewayRequest, read: (answer: Response) => Promise<T>): Promise<T> {
    const { url, token } = this.#settings;
    const headers: Record<string, string> = { ...request.headers };
    if (token !== undefined) headers['authorization'] = `Bearer ${token}`;
    const { method, body } = request;
    try {
      const init = body === undefined ? { method, headers } : { method, headers, body };
      return await read(await this.#fetch(`${url}${request.path}`, init));
    } catch (error) {
      throw error instanceof GatewayError ? error : this.#unreachable(error);
    }
  }

  #unreachable(error: unknown): GatewayError {
    const cause = error instanceof Error ? (error.cause ?? error) : error;
    const reason = (cause as NodeJS.ErrnoException).code ?? String(cause);
    const message = `no answer from ${this.#settings.url}: ${reason}`;
    return new GatewayError('HF_UNREACHABLE', message, { cause: error });
  }

  /** The text of a 200. @throws HF_ANSWER for any other, HF_UNREACHABLE for none. */
  async get(path: string): Promise<string> {
    const answer = await this.ask({ method: 'GET', path });
    if (answer.status !== 200) throw answerError(answer);
    return answer.text;
  }
}
