/**
 * DuckDB in the query process: opened in memory, locked down, asked for syntax trees, and made to
 * run queries. Each query has a connection of its own, so no session variable outlives it.
 *
 * Locked down (in this order, before the first query): no extensions are fetched or loaded, files
 * are readable only below the data, cache and hot directories, the spill directory is the only
 * place written to, and the configuration cannot be changed any more. Queries run in read-only
 * transactions. What SQL may name within those directories is decided in query/sql.
 */
import {
  BIGINT,
  DuckDBInstance,
  HUGEINT,
  type DuckDBConnection,
  type DuckDBPreparedStatement,
  type DuckDBType,
  type DuckDBValue,
} from '@duckdb/node-api';
import { GatewayError } from '../../base/errors/gateway-error.ts';
import { readStatement } from '../sql/ast.ts';
import { readShape } from '../sql/query-shape.ts';
import { plainSpaces, quotedDefault, quoteText } from '../sql/tokens.ts';
import { engineError } from './engine-errors.ts';
import type { EngineOptions, PreparedQuery, RunRequest, WireParameter } from './wire.ts';

function directoryText(path: string): string {
  return quoteText(path.endsWith('/') ? path : `${path}/`);
}

function sizeText(bytes: number): string {
  return `${String(Math.floor(bytes / 2 ** 20))}MiB`;
}

/** What may be read beside the data folder is named by the main process, never by a query. */
function lockDownStatements(options: EngineOptions): readonly string[] {
  const directories = [options.dataDirectory, ...options.readDirectories, options.spillDirectory];
  return [
    "SET GLOBAL TimeZone = 'UTC'",
    `SET allowed_directories = [${directories.map(directoryText).join(', ')}]`,
    'SET enable_external_access = false',
    'SET lock_configuration = true',
  ];
}

/** Whole numbers are BIGINT as far as they fit, so that they meet columns without a cast. */
function typedParameter(value: WireParameter): readonly [DuckDBValue, DuckDBType | undefined] {
  const whole = typeof value === 'number' && Number.isSafeInteger(value);
  if (whole) return [BigInt(value), BIGINT];
  if (value === null || typeof value !== 'object') return [value, undefined];
  const integer = BigInt(value.integer);
  return [integer, BigInt.asIntN(64, integer) === integer ? BIGINT : HUGEINT];
}

export class Engine {
  readonly #instance: DuckDBInstance;
  /** Parses; never runs anything of a sender. */
  readonly #parser: DuckDBPreparedStatement;
  /** One parse at a time: a statement has one set of bindings. */
  #parsing: Promise<unknown> = Promise.resolve();

  private constructor(instance: DuckDBInstance, parser: DuckDBPreparedStatement) {
    this.#instance = instance;
    this.#parser = parser;
  }

  static async open(options: EngineOptions): Promise<Engine> {
    const instance = await DuckDBInstance.create(':memory:', {
      threads: String(options.threads),
      memory_limit: sizeText(options.memoryBytes),
      temp_directory: options.spillDirectory,
      max_temp_directory_size: sizeText(options.spillBytesMax),
      autoload_known_extensions: 'false',
      autoinstall_known_extensions: 'false',
      allow_community_extensions: 'false',
      allow_persistent_secrets: 'false',
    });
    const connection = await instance.connect();
    for (const statement of lockDownStatements(options)) await connection.run(statement);
    const parser = await connection.prepare('SELECT json_serialize_sql($1::VARCHAR)::VARCHAR');
    return new Engine(instance, parser);
  }

  /**
   * Parses `sql` and reads what it needs.
   * @throws HF_QUERY_SYNTAX, HF_QUERY_REFUSED
   */
  async prepare(sql: string): Promise<PreparedQuery> {
    // The engine would read the text up to it and not say so.
    if (sql.includes('\0')) throw new GatewayError('HF_QUERY_SYNTAX', 'a NUL character in SQL');
    const text = quotedDefault(plainSpaces(sql));
    const tree = this.#parsing.then(() => this.#parse(text));
    this.#parsing = tree.catch(() => undefined);
    return { sql: text, shape: readShape(readStatement(await tree)) };
  }

  async #parse(sql: string): Promise<string> {
    try {
      this.#parser.bindVarchar(1, sql);
      const answer = await this.#parser.runAndReadAll();
      return String(answer.getRows()[0]?.[0]);
    } catch (error) {
      throw engineError(error);
    }
  }

  connect(): Promise<DuckDBConnection> {
    return this.#instance.connect();
  }
}

/** The binding itself says of one too many only that it found no index. */
function checkParameterNames(statement: DuckDBPreparedStatement, given: readonly string[]): void {
  const count = statement.parameterCount;
  const known = new Set(Array.from({ length: count }, (_, at) => statement.parameterName(at + 1)));
  const unknown = given.find((name) => !known.has(name));
  if (unknown === undefined) return;
  const takes = count === 0 ? 'none' : [...known].map((name) => `$${name}`).join(', ');
  throw new GatewayError(
    'HF_QUERY_INVALID',
    `the statement has no parameter $${unknown}; it takes ${takes}`,
  );
}

/**
 * Gives `statement` its parameters: a list by position, a record by name.
 * @throws HF_QUERY_INVALID
 */
export function bindParameters(
  statement: DuckDBPreparedStatement,
  parameters: RunRequest['parameters'],
): void {
  const list = Array.isArray(parameters)
    ? (parameters as readonly WireParameter[]).map(
        (value, index) => [String(index + 1), value] as const,
      )
    : Object.entries(parameters as Readonly<Record<string, WireParameter>>);
  if (list.length === 0) return;
  checkParameterNames(
    statement,
    list.map(([name]) => name),
  );
  const values: Record<string, DuckDBValue> = {};
  const types: Record<string, DuckDBType | undefined> = {};
  for (const [name, parameter] of list) {
    const [value, type] = typedParameter(parameter);
    values[name] = value;
    types[name] = type;
  }
  try {
    statement.bind(values, types);
  } catch (error) {
    throw engineError(error);
  }
}
