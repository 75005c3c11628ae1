/**
 * Rules for names: of databases and measurements (exact, any text that InfluxDB allows) and of
 * columns (unique within a measurement when compared by case folding, because engines cannot open
 * a table with two names that are equal but for case). Pure functions, usable from any thread.
 */
import { reservedColumnNames } from './schema.ts';

/**
 * Key under which two names count as equal but for case. It joins at least what Unicode case
 * folding joins (lower case first: the dotted capital I; then upper case: sharp s, final sigma,
 * Kelvin, long s). Joining a pair too many costs a `__2`, joining one too few an unreadable table.
 */
export function foldName(name: string): string {
  // Nearly all names are plain ASCII, where both steps come to the same.
  return isAscii(name) ? name.toUpperCase() : name.toLowerCase().toUpperCase();
}

function isAscii(name: string): boolean {
  for (let index = 0; index < name.length; index += 1) {
    if (name.charCodeAt(index) > 127) return false;
  }
  return true;
}

/** True if `name` has a C0 control character or DEL, which no engine's schema carries safely. */
export function hasControlCharacter(name: string): boolean {
  for (let index = 0; index < name.length; index += 1) {
    const code = name.charCodeAt(index);
    if (code < 32 || code === 127) return true;
  }
  return false;
}

/** Why `name` cannot be a database or measurement of a sender, or undefined if it can. */
export function nameProblem(
  what: 'database' | 'measurement' | 'tag key' | 'field key',
  name: string,
  bytesMax: number,
): string | undefined {
  if (name === '') return `missing ${what}`;
  // A UTF-16 unit is at most three bytes, so short names need no exact count.
  if (name.length * 3 > bytesMax) {
    const bytes = Buffer.byteLength(name, 'utf8');
    if (bytes > bytesMax) return `max ${what} length exceeded: ${bytes} > ${bytesMax}`;
  }
  if (hasControlCharacter(name)) return `control character in ${what}`;
  if (!name.isWellFormed()) return `invalid UTF-8 in ${what}`;
  return undefined;
}

/** The names of one measurement's columns: SQL, physical and reserved ones in one namespace. */
export class ColumnNames {
  readonly #taken = new Set<string>(reservedColumnNames.map(foldName));

  has(name: string): boolean {
    return this.#taken.has(foldName(name));
  }

  take(name: string): void {
    this.#taken.add(foldName(name));
  }

  /** The same names, taken apart from these from now on. */
  copy(): ColumnNames {
    const copy = new ColumnNames();
    for (const folded of this.#taken) copy.#taken.add(folded);
    return copy;
  }

  /** The first free of `wanted`, `wanted__2`, `wanted__3`, ...; it is taken from now on. */
  takeFree(wanted: string): string {
    let name = wanted;
    for (let count = 2; this.has(name); count += 1) name = `${wanted}__${count}`;
    this.take(name);
    return name;
  }
}

/** What is known under a name that need not be spelt exactly. */
export type NameMatch<T> =
  | { readonly found: T }
  /** Nothing, or several that are equal but for case: the caller lists them. */
  | { readonly found: undefined; readonly candidates: readonly string[] };

/** An exact spelling first, then the only one equal but for case, else the candidates. */
export function matchName<T>(known: ReadonlyMap<string, T>, name: string): NameMatch<T> {
  const exact = known.get(name);
  if (exact !== undefined) return { found: exact };
  const folded = foldName(name);
  const candidates = [...known.keys()].filter((each) => foldName(each) === folded);
  const only = candidates.length === 1 ? known.get(candidates[0] ?? '') : undefined;
  return only === undefined ? { found: undefined, candidates } : { found: only };
}
