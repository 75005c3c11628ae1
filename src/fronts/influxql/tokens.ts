/**
 * Words of InfluxQL with their places. A slash begins a regular expression only where the grammar
 * can take one, which the reader says; identifiers and strings come with their escapes undone.
 */
import { GatewayError } from '../../base/errors/gateway-error.ts';

export type TokenKind = 'word' | 'name' | 'string' | 'regex' | 'number' | 'sign' | 'end';

export interface Token {
  /** `word` is an identifier without quotes, which may be a keyword; `name` one with quotes. */
  readonly kind: TokenKind;
  readonly text: string;
  /** Offset in the statements, from 0. */
  readonly at: number;
}

/** A comment that is not closed reaches to the end, so that it is looked for once. */
const blank = /(?:\s+|--[^\n]*|\/\*.*?(?:\*\/|$))*/suy;
const forms: readonly (readonly [TokenKind, RegExp])[] = [
  ['name', /"((?:[^"\\\n]|\\.)*)"/suy],
  ['string', /'((?:[^'\\\n]|\\.)*)'/suy],
  ['number', /(\d+(?:\.\d+)?(?:ns|us|u|µ|ms|s|m|h|d|w)?(?![\p{L}\d_]))/uy],
  ['word', /([\p{L}_][\p{L}\d_]*)/uy],
  ['sign', /(=~|!~|!=|<>|<=|>=|[=<>(),;.+*/%-]|::)/uy],
];
const regexForm = /\/((?:[^/\\\n]|\\.)*)\//suy;

/** @throws HF_PARAMETER in InfluxDB's words */
export function syntaxError(found: Token, expected: string): never {
  const shown = found.kind === 'end' ? 'EOF' : found.text.slice(0, 60);
  const message = `error parsing query: found ${shown}, expected ${expected}`;
  throw new GatewayError('HF_PARAMETER', `${message} at char ${found.at + 1}`);
}

function undone(kind: TokenKind, text: string): string {
  if (kind === 'regex') return text.replaceAll('\\/', '/');
  if (kind !== 'name' && kind !== 'string') return text;
  return text.replaceAll(/\\(.)/gsu, (_, escaped: string) => (escaped === 'n' ? '\n' : escaped));
}

/** Reads forward, one token ahead. */
export class TokenReader {
  readonly #text: string;
  #from = 0;
  #next: Token;

  constructor(text: string) {
    this.#text = text;
    this.#next = this.#read(false);
  }

  /** The token that comes, not yet taken. */
  get next(): Token {
    return this.#next;
  }

  /** The text from the token that comes to the end of its statement, which is taken. */
  restOfStatement(): string {
    const from = this.#next.at;
    while (this.#next.kind !== 'end' && !this.is(';')) this.take();
    return this.#text.slice(from, this.#next.at).trim();
  }

  take(): Token {
    const token = this.#next;
    this.#next = this.#read(false);
    return token;
  }

  /** Takes a regular expression if one comes, whose first slash was read as a sign. */
  takeRegex(): string | undefined {
    if (!this.is('/')) return undefined;
    this.#from = this.#next.at;
    const token = this.#read(true);
    if (token.kind !== 'regex') return syntaxError(token, 'regex');
    this.#next = this.#read(false);
    return token.text;
  }

  /** True if the next token is this sign, or this keyword in any case. */
  is(text: string): boolean {
    const { kind, text: found } = this.#next;
    if (kind === 'word') return found.toUpperCase() === text;
    return kind === 'sign' && found === text;
  }

  /** Takes the sign or keyword if it comes. */
  accept(text: string): boolean {
    const comes = this.is(text);
    if (comes) this.take();
    return comes;
  }

  expect(...words: readonly string[]): void {
    for (const word of words) if (!this.accept(word)) syntaxError(this.#next, word);
  }

  #read(takesRegex: boolean): Token {
    blank.lastIndex = this.#from;
    // A comment must not swallow the slash that begins a regular expression.
    if (!takesRegex) this.#from += blank.exec(this.#text)?.[0].length ?? 0;
    const at = this.#from;
    if (at >= this.#text.length) return { kind: 'end', text: '', at };
    const tried = takesRegex ? ([['regex', regexForm]] as const) : forms;
    for (const [kind, form] of tried) {
      form.lastIndex = at;
      const match = form.exec(this.#text);
      if (match === null) continue;
      this.#from = at + match[0].length;
      return { kind, text: undone(kind, match[1] ?? ''), at };
    }
    const first = String.fromCodePoint(this.#text.codePointAt(at) ?? 0);
    // A quote that is not closed takes the rest, so that its end is looked for once.
    const text = first === '"' || first === "'" ? this.#text.slice(at) : first;
    this.#from = at + text.length;
    return { kind: 'sign', text, at };
  }
}
