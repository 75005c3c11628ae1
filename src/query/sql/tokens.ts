/**
 * Tokens of SQL text, by DuckDB's lexical rules. Never used to understand a SELECT: its parser
 * does that. Needed for two things only: to find the exact characters at a position that the
 * parser gave, and to recognise the few statements that the parser does not serialise (SHOW,
 * DESCRIBE). Pure; runs in the child on byte strings (one character a byte, as positions count
 * bytes) and on the main thread on plain text.
 */

export type TokenKind = 'word' | 'quoted' | 'string' | 'number' | 'parameter' | 'symbol';

export interface Token {
  readonly kind: TokenKind;
  /** For quoted identifiers the name itself, else the characters as they stand. */
  readonly text: string;
  /** Position of the first character, and of the first one behind. */
  readonly start: number;
  readonly end: number;
}

/** The spaces beyond ASCII that DuckDB's parser takes for spaces. */
const oddSpaces = /[\u00a0\u2000-\u200d\u202f\u205f\u2060\u3000\ufeff]/;

function isSpace(character: string): boolean {
  return /[ \t\n\r\f\v]/.test(character);
}

function isWordStart(character: string): boolean {
  return /[A-Za-z_]/.test(character) || character >= '\u0080';
}

function isWordPart(character: string): boolean {
  return isWordStart(character) || /[0-9$]/.test(character);
}

/** Position behind a nested block comment that starts at `start`. */
function endOfComment(sql: string, start: number): number {
  let depth = 0;
  let at = start;
  while (at < sql.length) {
    const two = sql.slice(at, at + 2);
    if (two === '/*') depth += 1;
    if (two === '*/') depth -= 1;
    at += two === '/*' || two === '*/' ? 2 : 1;
    if (depth === 0) return at;
  }
  return at;
}

/** Position of the next token at or after `start`: behind spaces and comments. */
function skipSpaces(sql: string, start: number): number {
  let at = start;
  while (at < sql.length) {
    if (isSpace(sql.charAt(at))) at += 1;
    else if (sql.startsWith('--', at)) {
      const line = sql.indexOf('\n', at);
      at = line < 0 ? sql.length : line + 1;
    } else if (sql.startsWith('/*', at)) at = endOfComment(sql, at);
    else break;
  }
  return at;
}

/** Position behind a quoted text at `start`; a doubled quote stands for itself. */
function endOfQuoted(sql: string, start: number, quote: string, backslash: boolean): number {
  let at = start + 1;
  while (at < sql.length) {
    const character = sql.charAt(at);
    if (backslash && character === '\\') at += 2;
    else if (character !== quote) at += 1;
    else if (sql.charAt(at + 1) === quote) at += 2;
    else return at + 1;
  }
  return sql.length;
}

/** Position behind `$tag$...$tag$` at `start`, or undefined if there is no dollar quote. */
function endOfDollarQuoted(sql: string, start: number): number | undefined {
  const tag = /^\$(?:[A-Za-z_\u0080-\uffff][\w\u0080-\uffff]*)?\$/.exec(
    sql.slice(start, start + 70),
  )?.[0];
  if (tag === undefined) return undefined;
  const close = sql.indexOf(tag, start + tag.length);
  return close < 0 ? sql.length : close + tag.length;
}

function endOfWord(sql: string, start: number): number {
  let at = start + 1;
  while (at < sql.length && isWordPart(sql.charAt(at))) at += 1;
  return at;
}

function readToken(sql: string, start: number): Token {
  const character = sql.charAt(start);
  const token = (kind: TokenKind, end: number): Token => {
    return { kind, text: sql.slice(start, end), start, end };
  };
  if (character === '"') {
    const end = endOfQuoted(sql, start, '"', false);
    const text = sql.slice(start + 1, end - 1).replaceAll('""', '"');
    return { kind: 'quoted', text, start, end };
  }
  if (character === "'") return token('string', endOfQuoted(sql, start, "'", false));
  if (/[eE]/.test(character) && sql.charAt(start + 1) === "'") {
    return token('string', endOfQuoted(sql, start + 1, "'", true));
  }
  if (character === '$') {
    const end = endOfDollarQuoted(sql, start);
    return end === undefined ? token('parameter', endOfWord(sql, start)) : token('string', end);
  }
  if (isWordStart(character)) return token('word', endOfWord(sql, start));
  if (/[0-9]/.test(character)) return token('number', endOfWord(sql, start));
  return token('symbol', start + 1);
}

/** All tokens of `sql`, comments and spaces left out. Never throws: odd text gives odd tokens. */
export function tokenize(sql: string): readonly Token[] {
  const tokens: Token[] = [];
  let at = skipSpaces(sql, 0);
  while (at < sql.length) {
    const token = readToken(sql, at);
    tokens.push(token);
    at = skipSpaces(sql, token.end);
  }
  return tokens;
}

/** True if `token` is the keyword `word` (given in lower case), unquoted. */
export function isKeyword(token: Token | undefined, ...words: readonly string[]): boolean {
  return token?.kind === 'word' && words.includes(token.text.toLowerCase());
}

export function isSymbol(token: Token | undefined, symbol: string): boolean {
  return token?.kind === 'symbol' && token.text === symbol;
}

/**
 * `sql` with odd spaces outside quotes made plain ones. The parser does the same before it counts
 * positions, so that its positions hold for the text returned here.
 */
export function plainSpaces(sql: string): string {
  if (!oddSpaces.test(sql)) return sql;
  const plain = sql.replaceAll(new RegExp(oddSpaces, 'g'), ' ');
  const pieces: string[] = [];
  let done = 0;
  for (const token of tokenize(plain)) {
    if (token.kind !== 'quoted' && token.kind !== 'string') continue;
    pieces.push(plain.slice(done, token.start), sql.slice(token.start, token.end));
    done = token.end;
  }
  pieces.push(plain.slice(done));
  return pieces.join('');
}

/**
 * `sql` with the word `default` in quotes where a dot follows: it is a keyword to the parser, and
 * the name of the database that is meant when none is named.
 */
export function quotedDefault(sql: string): string {
  const tokens = tokenize(sql);
  const pieces: string[] = [];
  let done = 0;
  for (const [index, token] of tokens.entries()) {
    if (!isKeyword(token, 'default') || !isSymbol(tokens[index + 1], '.')) continue;
    pieces.push(sql.slice(done, token.start), quoteName(token.text));
    done = token.end;
  }
  pieces.push(sql.slice(done));
  return pieces.join('');
}

/** Text as one character a byte of its UTF-8, and back. */
export function toByteString(text: string): string {
  return Buffer.from(text, 'utf8').toString('latin1');
}

export function fromByteString(bytes: string): string {
  return Buffer.from(bytes, 'latin1').toString('utf8');
}

/** An identifier as SQL text. */
export function quoteName(name: string): string {
  return `"${name.replaceAll('"', '""')}"`;
}

/** A string as SQL text. */
export function quoteText(text: string): string {
  return `'${text.replaceAll("'", "''")}'`;
}
