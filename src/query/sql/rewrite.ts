/**
 * The text that runs: the sender's own, with each measurement replaced by its scan at the position
 * that the syntax tree names. The characters there are compared with the tree first, so a position
 * that is not what it seems ends the query and never changes its meaning. Pure.
 */
import { assert } from '../../base/lib/assert.ts';
import { GatewayError } from '../../base/errors/gateway-error.ts';
import { foldName } from '../../base/model/names.ts';
import type { QueryShape, StarReference } from './query-shape.ts';
import type { Scan } from './scan.ts';
import {
  fromByteString,
  isKeyword,
  isSymbol,
  quoteName,
  toByteString,
  tokenize,
  type Token,
} from './tokens.ts';

interface Edit {
  readonly start: number;
  readonly end: number;
  readonly text: string;
}

class Rewriter {
  readonly #bytes: string;
  readonly #tokens: readonly Token[];
  readonly #indexByStart: ReadonlyMap<number, number>;
  readonly #edits: Edit[] = [];

  constructor(sql: string) {
    this.#bytes = toByteString(sql);
    this.#tokens = tokenize(this.#bytes);
    this.#indexByStart = new Map(this.#tokens.map((token, index) => [token.start, index]));
  }

  finish(): string {
    const edits = this.#edits.toSorted((a, b) => a.start - b.start || a.end - b.end);
    const pieces: string[] = [];
    let done = 0;
    for (const edit of edits) {
      assert(edit.start >= done, 'replacements in a query do not overlap');
      pieces.push(this.#bytes.slice(done, edit.start), edit.text);
      done = edit.end;
    }
    pieces.push(this.#bytes.slice(done));
    return fromByteString(pieces.join(''));
  }

  #insert(start: number, end: number, text: string): void {
    this.#edits.push({ start, end, text: toByteString(text) });
  }

  /** Index of the last token of `names` joined by dots at `position`; undefined if not there. */
  #endOfNames(position: number, names: readonly string[]): number | undefined {
    let index = this.#indexByStart.get(position);
    if (index === undefined) return undefined;
    for (const [place, name] of names.entries()) {
      if (place > 0) {
        if (!isSymbol(this.#tokens[index + 1], '.')) return undefined;
        index += 2;
      }
      const token = this.#tokens[index];
      const identifier = token?.kind === 'word' || token?.kind === 'quoted';
      if (!identifier || token.text !== toByteString(name)) return undefined;
    }
    return index;
  }

  replaceTable(shape: QueryShape['tables'][number], scan: Scan): void {
    const names = shape.database === undefined ? [shape.name] : [shape.database, shape.name];
    const last = this.#endOfNames(shape.position, names);
    const end = last === undefined ? undefined : this.#tokens[last]?.end;
    if (end === undefined) {
      throw new GatewayError('HF_QUERY_REFUSED', `cannot place ${names.join('.')} in the query`, {
        details: { position: shape.position },
      });
    }
    const alias = shape.alias === '' ? ` AS ${quoteName(shape.name)}` : '';
    const before = this.#tokens[(this.#indexByStart.get(shape.position) ?? 0) - 1];
    const source = `(${scan.sql})${alias}`;
    if (isKeyword(before, 'table') && before !== undefined) {
      this.#insert(before.start, end, `SELECT * FROM ${source}`);
    } else if (isKeyword(before, 'describe', 'desc', 'summarize', 'show')) {
      this.#insert(shape.position, end, `SELECT * FROM ${source}`);
    } else this.#insert(shape.position, end, source);
  }

  /** `database.measurement.column` becomes `measurement.column`: the scan has no database. */
  dropDatabase(position: number, names: readonly [database: string, name: string]): void {
    const last = this.#endOfNames(position, names);
    const name = last === undefined ? undefined : this.#tokens[last];
    if (name !== undefined) this.#insert(position, name.start, '');
  }

  /** Hides `columns` (as SQL) from a `*`. */
  excludeFromStar(star: StarReference, columns: readonly string[]): void {
    let index = this.#indexByStart.get(star.position);
    if (index === undefined) return;
    while (index < this.#tokens.length && !isSymbol(this.#tokens[index], '*')) index += 1;
    const asterisk = this.#tokens[index];
    if (asterisk === undefined) return;
    const list = columns.join(', ');
    const next = this.#tokens[index + 1];
    const open = this.#tokens[index + 2];
    if (!isKeyword(next, 'exclude', 'except') || next === undefined) {
      this.#insert(asterisk.end, asterisk.end, ` EXCLUDE (${list})`);
    } else if (isSymbol(open, '(') && open !== undefined) {
      this.#insert(open.end, open.end, `${list}, `);
    }
  }
}

/**
 * `sql` with `scans[i]` in the place of `shape.tables[i]`.
 * @throws HF_QUERY_REFUSED if a table is not where the tree says.
 */
export function rewriteQuery(sql: string, shape: QueryShape, scans: readonly Scan[]): string {
  const rewriter = new Rewriter(sql);
  for (const [index, table] of shape.tables.entries()) {
    const scan = scans[index];
    assert(scan !== undefined, 'each table of a query has a scan');
    rewriter.replaceTable(table, scan);
  }
  for (const { position, database, name } of shape.qualified) {
    rewriter.dropDatabase(position, [database, name]);
  }
  for (const star of shape.stars) {
    const hidden = star.tables.flatMap((index) => {
      const table = shape.tables[index];
      const relation = table === undefined ? '' : table.alias || table.name;
      const meant = star.relation === '' || foldName(star.relation) === foldName(relation);
      const names = meant ? (scans[index]?.partNames ?? []) : [];
      return names.map((name) => `${quoteName(relation)}.${quoteName(name)}`);
    });
    if (hidden.length > 0) rewriter.excludeFromStar(star, hidden);
  }
  return rewriter.finish();
}
