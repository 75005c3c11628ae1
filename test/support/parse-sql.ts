/** The shape of a query as the query process reads it, with DuckDB's own parser in this process. */
import { DuckDBInstance } from '@duckdb/node-api';
import { readStatement } from '../../src/query/sql/ast.ts';
import { readShape, type QueryShape } from '../../src/query/sql/query-shape.ts';

const instance = await DuckDBInstance.create(':memory:', { threads: '1' });
const connection = await instance.connect();

export async function serializeSql(sql: string): Promise<string> {
  const answer = await connection.runAndReadAll('SELECT json_serialize_sql($1::VARCHAR)::VARCHAR', [
    sql,
  ]);
  return String(answer.getRows()[0]?.[0]);
}

export async function shapeOf(sql: string): Promise<QueryShape> {
  return readShape(readStatement(await serializeSql(sql)));
}
