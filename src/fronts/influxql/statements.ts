/**
 * What statements of InfluxQL ask for: CREATE DATABASE and the SHOW statements that clients, pages
 * and Grafana send to find their way; everything else is told apart and named, not read.
 */
import { type Token, TokenReader, syntaxError } from './tokens.ts';

export type NameOperator = '=' | '!=' | '=~' | '!~';

/** What a name or a tag's value is held against. */
export interface NameTest {
  readonly operator: NameOperator;
  /** Any of them; exactly one for a regular expression. */
  readonly texts: readonly string[];
}

export type Condition =
  | { readonly kind: 'and' | 'or'; readonly parts: readonly Condition[] }
  | { readonly kind: 'tag'; readonly key: string; readonly test: NameTest }
  /** On `time`, or with a number: true, because SHOW tells of series, not of their points. */
  | { readonly kind: 'any' };

export interface Limits {
  readonly limit: number;
  readonly offset: number;
}

export type ShowKind = 'measurements' | 'field keys' | 'tag keys' | 'tag values' | 'series';

export interface ShowStatement {
  readonly kind: ShowKind;
  /** Undefined: that of the request. */
  readonly database: string | undefined;
  /** Measurements; none means all. */
  readonly sources: readonly NameTest[];
  /** Keys that TAG VALUES asks for. */
  readonly keys: NameTest | undefined;
  readonly where: Condition | undefined;
  readonly limits: Limits;
}

export type Statement =
  | ShowStatement
  | { readonly kind: 'create'; readonly database: string }
  | { readonly kind: 'databases' }
  | { readonly kind: 'retention policies'; readonly database: string | undefined }
  | { readonly kind: 'other'; readonly text: string };

function identifier(reader: TokenReader): string {
  const { kind } = reader.next;
  if (kind !== 'word' && kind !== 'name') return syntaxError(reader.next, 'identifier');
  return reader.take().text;
}

const operators: Readonly<Record<string, NameOperator>> = {
  '=': '=',
  '!=': '!=',
  '<>': '!=',
  '=~': '=~',
  '!~': '!~',
};

function operatorOf(token: Token): NameOperator | undefined {
  return token.kind === 'sign' ? operators[token.text] : undefined;
}

function regex(reader: TokenReader): NameTest['texts'] {
  const text = reader.takeRegex();
  return text === undefined ? syntaxError(reader.next, 'regex') : [text];
}

/** The operator and what follows it; `operand` reads what is no regular expression. */
function nameTest(reader: TokenReader, operand: () => string): NameTest {
  const operator = operatorOf(reader.next);
  if (operator === undefined) return syntaxError(reader.next, '=, !=, =~, !~');
  reader.take();
  const isRegex = operator === '=~' || operator === '!~';
  return { operator, texts: isRegex ? regex(reader) : [operand()] };
}

interface Source {
  readonly database: string | undefined;
  readonly test: NameTest;
}

/** A measurement: `m`, `policy.m`, `database.policy.m`, `database..m`, or `/regex/` as the last. */
function source(reader: TokenReader): Source {
  const names: string[] = [];
  for (;;) {
    const pattern = reader.takeRegex();
    if (pattern !== undefined) {
      return { database: databaseAmong(names), test: { operator: '=~', texts: [pattern] } };
    }
    names.push(reader.is('.') ? '' : identifier(reader));
    if (!reader.accept('.')) break;
  }
  const name = names.pop() ?? '';
  return { database: databaseAmong(names), test: { operator: '=', texts: [name] } };
}

function databaseAmong(names: readonly string[]): string | undefined {
  return names.length >= 2 ? names[0] : undefined;
}

function list<T>(reader: TokenReader, item: () => T): readonly T[] {
  const items = [item()];
  while (reader.accept(',')) items.push(item());
  return items;
}

/** Skips a number, duration, time or `now()` with what is added to it. */
function skipValue(reader: TokenReader): void {
  for (;;) {
    if (reader.accept('NOW')) reader.expect('(', ')');
    else if (['number', 'string', 'word'].includes(reader.next.kind)) reader.take();
    else syntaxError(reader.next, 'a value');
    if (!reader.accept('+') && !reader.accept('-')) return;
  }
}

const comparisons = ['=', '!=', '<>', '<', '<=', '>', '>='];

/** Brackets in brackets that a condition may have. */
const depthMax = 100;

function comparison(reader: TokenReader, depth: number): Condition {
  if (reader.is('(')) {
    if (depth >= depthMax) syntaxError(reader.next, 'a condition that is not nested too deeply');
    reader.take();
    const inner = condition(reader, depth + 1);
    reader.expect(')');
    return inner;
  }
  const isTime = reader.is('TIME');
  const key = identifier(reader);
  if (reader.accept('::')) reader.take();
  if (!isTime && operatorOf(reader.next) !== undefined) {
    let isText = true;
    const test = nameTest(reader, () => {
      isText = reader.next.kind === 'string';
      if (isText) return reader.take().text;
      skipValue(reader);
      return '';
    });
    return isText ? { kind: 'tag', key, test } : { kind: 'any' };
  }
  if (!comparisons.some((sign) => reader.accept(sign))) syntaxError(reader.next, 'an operator');
  skipValue(reader);
  return { kind: 'any' };
}

function condition(reader: TokenReader, depth = 0): Condition {
  const parts = [conjunction(reader, depth)];
  while (reader.accept('OR')) parts.push(conjunction(reader, depth));
  return joined('or', parts);
}

function conjunction(reader: TokenReader, depth: number): Condition {
  const parts = [comparison(reader, depth)];
  while (reader.accept('AND')) parts.push(comparison(reader, depth));
  return joined('and', parts);
}

function joined(kind: 'and' | 'or', parts: readonly Condition[]): Condition {
  const [first] = parts;
  return parts.length === 1 && first !== undefined ? first : { kind, parts };
}

function count(reader: TokenReader, keyword: string): number | undefined {
  if (!reader.accept(keyword)) return undefined;
  const { kind, text } = reader.next;
  if (kind !== 'number' || !/^\d{1,15}$/.test(text)) syntaxError(reader.next, 'integer');
  reader.take();
  return Number(text);
}

/** InfluxDB takes a limit of 0 as none. */
function limitsOf(reader: TokenReader): Limits {
  const limit = count(reader, 'LIMIT') ?? 0;
  return { limit: limit === 0 ? Infinity : limit, offset: count(reader, 'OFFSET') ?? 0 };
}

function keysOf(reader: TokenReader): NameTest {
  reader.expect('WITH', 'KEY');
  if (!reader.accept('IN')) return nameTest(reader, () => identifier(reader));
  reader.expect('(');
  const texts = list(reader, () => identifier(reader));
  reader.expect(')');
  return { operator: '=', texts };
}

function measurementTest(reader: TokenReader): readonly NameTest[] {
  if (!reader.accept('WITH')) return [];
  reader.expect('MEASUREMENT');
  return [nameTest(reader, () => identifier(reader))];
}

function showKind(reader: TokenReader): Statement['kind'] | undefined {
  if (reader.accept('DATABASES')) return 'databases';
  if (reader.accept('MEASUREMENTS')) return 'measurements';
  if (reader.accept('SERIES')) return 'series';
  if (reader.accept('RETENTION')) {
    reader.expect('POLICIES');
    return 'retention policies';
  }
  if (reader.accept('FIELD')) {
    if (reader.accept('KEYS')) return 'field keys';
  } else if (reader.accept('TAG')) {
    if (reader.accept('KEYS')) return 'tag keys';
    if (reader.accept('VALUES')) return 'tag values';
  }
  return undefined;
}

function show(reader: TokenReader): Statement | undefined {
  const kind = showKind(reader);
  if (kind === undefined || reader.is('CARDINALITY') || reader.is('EXACT')) return undefined;
  if (kind === 'databases') return { kind };
  const onDatabase = reader.accept('ON') ? identifier(reader) : undefined;
  if (kind === 'retention policies') return { kind, database: onDatabase };
  const isMeasurements = kind === 'measurements';
  const from = !isMeasurements && reader.accept('FROM') ? list(reader, () => source(reader)) : [];
  const sources = isMeasurements ? measurementTest(reader) : from.map(({ test }) => test);
  const keys = kind === 'tag values' ? keysOf(reader) : undefined;
  const where = kind !== 'field keys' && reader.accept('WHERE') ? condition(reader) : undefined;
  const limits = limitsOf(reader);
  const database = onDatabase ?? from.find((each) => each.database !== undefined)?.database;
  return { kind: kind as ShowKind, database, sources, keys, where, limits };
}

function create(reader: TokenReader): Statement | undefined {
  if (!reader.accept('DATABASE')) return undefined;
  // Telegraf and others send names with hyphens without quotes; InfluxDB would refuse them.
  const first = identifier(reader);
  let database = first;
  while (reader.accept('-')) database += `-${reader.take().text}`;
  if (database === '') syntaxError(reader.next, 'identifier');
  // Durations, shards and replicas are not ours to keep.
  if (reader.is('WITH')) reader.restOfStatement();
  return { kind: 'create', database };
}

function statement(reader: TokenReader, text: string): Statement {
  const { at } = reader.next;
  const found = reader.accept('SHOW')
    ? show(reader)
    : reader.accept('CREATE')
      ? create(reader)
      : undefined;
  if (found !== undefined) {
    if (reader.next.kind !== 'end' && !reader.is(';')) syntaxError(reader.next, ';');
    return found;
  }
  reader.restOfStatement();
  return { kind: 'other', text: text.slice(at, reader.next.at).trim() };
}

/**
 * The statements of `text`, which semicolons part.
 * @throws HF_PARAMETER for one that is begun as one of ours and goes on as none
 */
export function parseStatements(text: string): readonly Statement[] {
  const reader = new TokenReader(text);
  const statements: Statement[] = [];
  for (;;) {
    while (reader.accept(';'));
    if (reader.next.kind === 'end') return statements;
    statements.push(statement(reader, text));
  }
}
