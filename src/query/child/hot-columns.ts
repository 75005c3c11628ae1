/**
 * Which columns a hot chunk really holds. A chunk of a few rows of a wide buffer lacks the columns
 * without a value among them, so its footer is asked, once a chunk.
 */
import type { DuckDBConnection } from '@duckdb/node-api';
import { quoteText } from '../sql/tokens.ts';

/** Chunks whose columns are kept; more than are ever live at a time. */
const chunksMax = 4096;

export class HotColumns {
  /** In order of last use, oldest first. */
  readonly #names = new Map<string, ReadonlySet<string>>();

  /** Names of the columns in each of `paths`. */
  async namesIn(
    paths: readonly string[],
    connection: DuckDBConnection,
  ): Promise<ReadonlyMap<string, ReadonlySet<string>>> {
    const unknown = paths.filter((path) => !this.#names.has(path));
    if (unknown.length > 0) await this.#read(unknown, connection);
    const found = new Map<string, ReadonlySet<string>>();
    for (const path of paths) {
      const names = this.#names.get(path) ?? new Set<string>();
      this.#names.delete(path);
      this.#names.set(path, names);
      found.set(path, names);
    }
    for (const path of this.#names.keys()) {
      if (this.#names.size <= chunksMax) break;
      this.#names.delete(path);
    }
    return found;
  }

  async #read(paths: readonly string[], connection: DuckDBConnection): Promise<void> {
    const answer = await connection.runAndReadAll(
      `SELECT file_name, list(name) FILTER (WHERE num_children IS NULL)::VARCHAR[]::JSON::VARCHAR ` +
        `FROM parquet_schema([${paths.map(quoteText).join(', ')}]) GROUP BY file_name`,
    );
    for (const [path, names] of answer.getRows()) {
      this.#names.set(String(path), new Set(JSON.parse(String(names)) as string[]));
    }
  }
}
