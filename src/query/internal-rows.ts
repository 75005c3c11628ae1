/**
 * Rows of the measurements that Holdfast files for itself, for its own use. They are read as any
 * query reads, so that files, rows in memory and commits under way are seen exactly once; the
 * answer is taken row by row, so that its size is no matter. Main thread.
 */
import { internalDatabase } from '../base/model/schema.ts';
import type { ParameterValue, QueryAnswer, QueryRequest } from './queries.ts';

/** A cell as JSON gives it; times are text, integers below 2^53 are exact. */
export type InternalCell = string | number | boolean | null;

export type InternalRow = readonly InternalCell[];

const quote = 0x22;
const backslash = 0x5c;
const openBracket = 0x5b;
const closeBracket = 0x5d;
const openBrace = 0x7b;
const closeBrace = 0x7d;

/** Brackets around a row: the answer's object, its list of rows, the row. */
const rowDepth = 3;

/** Cuts the JSON of an answer into rows as it comes, without keeping it whole. */
export class RowCutter {
  #rest = Buffer.alloc(0);
  #at = 0;
  #start = -1;
  #depth = 0;
  #inText = false;
  #isEscaped = false;

  /** The rows that end in `chunk`. */
  take(chunk: Uint8Array): readonly InternalRow[] {
    const bytes = this.#rest.length === 0 ? Buffer.from(chunk) : Buffer.concat([this.#rest, chunk]);
    const rows: InternalRow[] = [];
    for (; this.#at < bytes.length; this.#at += 1) {
      if (!this.#step(bytes[this.#at] ?? 0)) continue;
      rows.push(JSON.parse(bytes.toString('utf8', this.#start, this.#at + 1)) as InternalRow);
      this.#start = -1;
    }
    const kept = this.#start < 0 ? bytes.length : this.#start;
    this.#rest = bytes.subarray(kept);
    this.#at -= kept;
    if (this.#start >= 0) this.#start = 0;
    return rows;
  }

  /** True if `byte` ends a row. */
  #step(byte: number): boolean {
    if (this.#inText) {
      if (this.#isEscaped) this.#isEscaped = false;
      else if (byte === backslash) this.#isEscaped = true;
      else if (byte === quote) this.#inText = false;
      return false;
    }
    if (byte === quote) this.#inText = true;
    else if (byte === openBracket || byte === openBrace) {
      this.#depth += 1;
      if (this.#depth === rowDepth) this.#start = this.#at;
    } else if (byte === closeBracket || byte === closeBrace) {
      this.#depth -= 1;
      return this.#depth === rowDepth - 1;
    }
    return false;
  }
}

/** The queries as this asks them. */
export interface QuerySource {
  execute(request: QueryRequest): Promise<QueryAnswer>;
}

/**
 * Rows of a SELECT over `_internal`, some at a time; an answer that breaks off throws. Asked before
 * the log is read to its end, they are those that are known by then.
 * @throws as `Queries.execute`
 */
export async function* internalRows(
  queries: QuerySource,
  sql: string,
  parameters: readonly ParameterValue[] = [],
): AsyncGenerator<readonly InternalRow[]> {
  const request = { sql, parameters, database: internalDatabase, admin: true, partial: true };
  const { body } = await queries.execute({ ...request, priority: 'high' });
  const cutter = new RowCutter();
  for await (const chunk of body) {
    const rows = cutter.take(chunk as Uint8Array);
    if (rows.length > 0) yield rows;
  }
}
