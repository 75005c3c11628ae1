/**
 * Statements that are answered from the schema and never reach the query engine: SHOW DATABASES,
 * SHOW TABLES (or MEASUREMENTS) [FROM|IN database], DESCRIBE (DESC, SHOW COLUMNS FROM) measurement.
 * Recognised by their tokens; everything else is left to the engine's parser. Pure.
 */
import { isKeyword, isSymbol, tokenize, type Token } from './tokens.ts';

export type ShowStatement =
  | { readonly kind: 'databases' }
  | { readonly kind: 'tables'; readonly database: string | undefined }
  | {
      readonly kind: 'columns';
      readonly database: string | undefined;
      readonly measurement: string;
    };

/** `name` or `name.name` that is all of `tokens`. */
function readName(tokens: readonly Token[]): readonly string[] | undefined {
  const name = (token: Token | undefined) =>
    token?.kind === 'word' || token?.kind === 'quoted' ? token.text : undefined;
  const first = name(tokens[0]);
  if (tokens.length === 1 && first !== undefined) return [first];
  const second = name(tokens[2]);
  const dotted = tokens.length === 3 && isSymbol(tokens[1], '.');
  return dotted && first !== undefined && second !== undefined ? [first, second] : undefined;
}

function columnsOf(tokens: readonly Token[]): ShowStatement | undefined {
  const names = readName(tokens);
  const measurement = names?.at(-1);
  if (names === undefined || measurement === undefined) return undefined;
  return { kind: 'columns', database: names.length > 1 ? names[0] : undefined, measurement };
}

/** The statement that `sql` is, or undefined if it is none of these. */
export function readShow(sql: string): ShowStatement | undefined {
  const all = tokenize(sql);
  const end = all.findLastIndex((token) => !isSymbol(token, ';'));
  const [verb, object, ...rest] = all.slice(0, end + 1);
  if (isKeyword(verb, 'describe', 'desc') && object !== undefined) {
    const table = isKeyword(object, 'table') && rest.length > 0;
    return columnsOf(table ? rest : [object, ...rest]);
  }
  if (!isKeyword(verb, 'show')) return undefined;
  if (isKeyword(object, 'databases') && rest.length === 0) return { kind: 'databases' };
  const [word, ...name] = rest;
  const from = isKeyword(word, 'from', 'in');
  if (isKeyword(object, 'columns') && from) return columnsOf(name);
  if (!isKeyword(object, 'tables', 'measurements')) return undefined;
  if (rest.length === 0) return { kind: 'tables', database: undefined };
  const names = from ? readName(name) : undefined;
  return names?.length === 1 ? { kind: 'tables', database: names[0] } : undefined;
}
