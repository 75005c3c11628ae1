/**
 * DuckDB's own syntax tree of a SELECT, as `json_serialize_sql` gives it: the plain JSON value,
 * seen through a few type guards. The tree decides everything about a query; the text that runs is
 * the sender's own with tables replaced at the positions that the tree names. (The text that
 * `json_deserialize_sql` makes of a tree is not always the same query: it drops the parentheses of
 * nested joins, and a double like `1e0` comes back as a decimal.) Pure.
 */
import { GatewayError } from '../../base/errors/gateway-error.ts';

export type AstValue = string | number | boolean | null | AstRawNumber | AstNode | AstArray;
export type AstArray = readonly AstValue[];
export interface AstNode {
  readonly [key: string]: AstValue | undefined;
}

/** A number that a double cannot hold: written back digit by digit by JSON.stringify. */
export interface AstRawNumber {
  readonly rawJSON: string;
}

/** What TypeScript's library does not know yet of Node 24. */
interface ExactJson {
  parse(
    text: string,
    reviver: (key: string, value: unknown, context: { source?: string }) => unknown,
  ): unknown;
  rawJSON(text: string): AstRawNumber;
}

const exactJson = JSON as unknown as ExactJson;

/** Numbers of any width in JSON text survive this and JSON.stringify unchanged. */
export function parseExact(text: string): unknown {
  return exactJson.parse(text, (_key, value, context) => {
    if (typeof value !== 'number' || context.source === undefined) return value;
    return String(value) === context.source ? value : exactJson.rawJSON(context.source);
  });
}

/**
 * JSON text with the bare words `Infinity` and `NaN` made null: DuckDB writes them for a literal
 * beyond the range of a double, JSON has no such numbers. Strings are left alone.
 */
function withoutInfinities(text: string): string {
  return text.replaceAll(/"(?:[^"\\]|\\.)*"|-?Infinity|-?NaN/g, (piece) =>
    piece.startsWith('"') ? piece : 'null',
  );
}

export function isNode(value: AstValue | undefined): value is AstNode {
  return typeof value === 'object' && value !== null && !Array.isArray(value);
}

/** The children of `value` under `key` if they are a list, else none. */
export function listOf(node: AstNode, key: string): AstArray {
  const value = node[key];
  return Array.isArray(value) ? (value as AstArray) : [];
}

export function textOf(node: AstNode, key: string): string {
  const value = node[key];
  return typeof value === 'string' ? value : '';
}

/** Byte position in the text, or undefined where the parser made the node up. */
export function positionOf(node: AstNode): number | undefined {
  const value = node['query_location'];
  return typeof value === 'number' && Number.isSafeInteger(value) ? value : undefined;
}

/** Said to whoever sends anything else, EXPLAIN and PIVOT included. */
const onlyReading = 'only SELECT, SHOW DATABASES, SHOW TABLES and DESCRIBE are answered here';

/**
 * The tree of the one SELECT that `serialized` (answer of `json_serialize_sql`) holds.
 * @throws HF_QUERY_SYNTAX if DuckDB could not parse it, HF_QUERY_REFUSED if it is anything but one
 * SELECT.
 */
export function readStatement(serialized: string): AstNode {
  const answer = parseExact(withoutInfinities(serialized)) as AstNode;
  if (answer['error'] === true) {
    const message = textOf(answer, 'error_message');
    const position = answer['position'];
    if (textOf(answer, 'error_type') === 'parser') {
      throw new GatewayError('HF_QUERY_SYNTAX', message, { details: { position } });
    }
    throw new GatewayError('HF_QUERY_REFUSED', onlyReading);
  }
  const statements = listOf(answer, 'statements');
  const [statement] = statements;
  if (statements.length === 0) throw new GatewayError('HF_QUERY_REFUSED', 'no statement');
  if (statements.length !== 1 || !isNode(statement)) {
    const count = String(statements.length);
    throw new GatewayError('HF_QUERY_REFUSED', `one statement at a time, not ${count}`);
  }
  return statement;
}
