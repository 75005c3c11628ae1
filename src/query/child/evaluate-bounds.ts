/**
 * The time range that a query's bounds leave, evaluated by the engine itself on the query's own
 * connection and in its transaction, so that `now()` is the same instant here and there.
 */
import type { DuckDBConnection } from '@duckdb/node-api';
import { isNode, listOf, parseExact, type AstNode } from '../sql/ast.ts';
import { assert } from '../../base/lib/assert.ts';
import type { TimeRange } from '../sql/scan-terms.ts';
import type { TimeBound } from '../sql/time-bounds.ts';

/** Types whose comparison with a timestamp is one of instants in UTC. */
const instantTypes: ReadonlySet<unknown> = new Set([
  'TIMESTAMP',
  'TIMESTAMP WITH TIME ZONE',
  'DATE',
  'VARCHAR',
]);

/** First and last finite TIMESTAMP of DuckDB. */
const firstInstant = -9_223_372_022_400_000_000n;
const lastInstant = 9_223_372_036_854_775_806n;

async function firstRow(
  connection: DuckDBConnection,
  sql: string,
  values: string[] = [],
): Promise<readonly unknown[]> {
  const answer = await connection.runAndReadAll(sql, values);
  return answer.getRows()[0] ?? [];
}

/** SQL text of a constant, given as the JSON text of its syntax tree. */
async function constantSql(connection: DuckDBConnection, constant: string): Promise<string> {
  const [template] = await firstRow(
    connection,
    "SELECT json_serialize_sql('SELECT 1 AS bound')::VARCHAR",
  );
  const tree = parseExact(String(template)) as AstNode;
  const [statement] = listOf(tree, 'statements');
  assert(isNode(statement) && isNode(statement['node']), 'a statement has a tree');
  const node = { ...statement['node'], select_list: [parseExact(constant)] };
  const json = JSON.stringify({ ...tree, statements: [{ ...statement, node }] });
  const [text] = await firstRow(connection, 'SELECT json_deserialize_sql($1::JSON)', [json]);
  return String(text).replace(/^SELECT /, '');
}

/**
 * The range that all `bounds` together leave, both ends included. A bound whose constant is no
 * instant leaves it open; one that cannot be evaluated throws DuckDB's error, which aborts the
 * transaction.
 */
export async function evaluateBounds(
  connection: DuckDBConnection,
  bounds: readonly TimeBound[],
): Promise<TimeRange> {
  let from: bigint | undefined;
  let to: bigint | undefined;
  for (const { operator, constant } of bounds) {
    const text = await constantSql(connection, constant);
    const time = `CAST(${text} AS TIMESTAMP)`;
    const [type, instant] = await firstRow(
      connection,
      `SELECT typeof(${text}), CASE WHEN isfinite(${time}) THEN epoch_us(${time}) END`,
    );
    if (!instantTypes.has(type) || typeof instant !== 'bigint') continue;
    // At the ends of the engine's time, one microsecond more is not a time any more.
    if (instant <= firstInstant || instant >= lastInstant) continue;
    const first = operator === '>' ? instant + 1n : instant;
    const last = operator === '<' ? instant - 1n : instant;
    const lower = operator === '>' || operator === '>=' || operator === '=';
    const upper = operator === '<' || operator === '<=' || operator === '=';
    if (lower && (from === undefined || first > from)) from = first;
    if (upper && (to === undefined || last < to)) to = last;
  }
  return { from, to };
}
