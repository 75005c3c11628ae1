/**
 * What a query needs, read off its syntax tree: the measurements it names and where, the names of
 * columns that occur anywhere, and what is refused. Plain JSON values: made in the child, sent to
 * the main process to be resolved, and sent back to run. Pure.
 *
 * Scopes: a common table expression hides a measurement of the same name from its own query and all
 * inside it, and from the expressions after it in the same WITH; a recursive one from itself too. A
 * name with a database in front is never one.
 */
import { GatewayError } from '../../base/errors/gateway-error.ts';
import { foldName } from '../../base/model/names.ts';
import { isNode, listOf, positionOf, textOf, type AstNode, type AstValue } from './ast.ts';
import { allowedTableFunctions, refusedScalarFunctions } from './functions.ts';
import { tableConditions } from './table-conditions.ts';
import { tagBounds, type TagBound } from './tag-bounds.ts';
import { timeBounds, type TimeBound } from './time-bounds.ts';

/** One place in a query that names a measurement. */
export interface TableReference {
  /** Exactly as written, undefined if the name stands alone. */
  readonly database: string | undefined;
  readonly name: string;
  /** Empty if the query gives none. */
  readonly alias: string;
  /** Byte position of its first character in the text. */
  readonly position: number;
  /** Conditions on `time` that every row of it must meet to count; all of them hold. */
  readonly bounds: readonly TimeBound[];
  /** Conditions on other columns that every row of it must meet to count; all of them hold. */
  readonly tags: readonly TagBound[];
}

/** A `*` or `relation.*` that stands alone in a select list. */
export interface StarReference {
  readonly position: number;
  /** Empty for a plain `*`. */
  readonly relation: string;
  /** Indexes of the table references directly in its FROM. */
  readonly tables: readonly number[];
}

/** A column written as `database.measurement.column`. */
export interface QualifiedReference {
  readonly position: number;
  readonly database: string;
  readonly name: string;
}

export interface QueryShape {
  readonly tables: readonly TableReference[];
  /** Each text in the tree, folded: a superset of the columns that are named. */
  readonly words: readonly string[];
  /** True if columns may be meant that are not named. */
  readonly allColumns: boolean;
  readonly stars: readonly StarReference[];
  readonly qualified: readonly QualifiedReference[];
}

type Scope = ReadonlySet<string>;

function refuse(message: string): never {
  throw new GatewayError('HF_QUERY_REFUSED', message);
}

class ShapeReader {
  readonly tables: TableReference[] = [];
  readonly words = new Set<string>();
  readonly stars: StarReference[] = [];
  readonly #columns: (readonly [node: AstNode, names: readonly string[]])[] = [];
  readonly #byPosition = new Map<number, number>();
  readonly #bounds = new Map<AstNode, Pick<TableReference, 'bounds' | 'tags'>>();
  #allColumns = false;

  read(value: AstValue | undefined, scope: Scope): void {
    if (typeof value === 'string') this.words.add(foldName(value));
    else if (Array.isArray(value)) {
      for (const item of value as readonly AstValue[]) this.read(item, scope);
    } else if (isNode(value)) this.#readNode(value, scope);
  }

  finish(): QueryShape {
    const relations = new Set(this.tables.map((table) => foldName(table.alias || table.name)));
    // A column reference that is the name of a table means its whole row.
    const wholeRow = this.#columns.some(
      ([, names]) => names.length === 1 && relations.has(foldName(names[0] ?? '')),
    );
    return {
      tables: this.tables,
      words: [...this.words],
      allColumns: this.#allColumns || wholeRow,
      stars: this.stars,
      qualified: this.#qualified(),
    };
  }

  #qualified(): QualifiedReference[] {
    const found: QualifiedReference[] = [];
    for (const [node, [database, name]] of this.#columns.filter(([, names]) => names.length > 2)) {
      const position = positionOf(node);
      if (position === undefined || database === undefined || name === undefined) continue;
      const named = this.tables.some((table) => {
        const sameDatabase = foldName(table.database ?? '') === foldName(database);
        return table.alias === '' && sameDatabase && foldName(table.name) === foldName(name);
      });
      const repeated = found.some((earlier) => earlier.position === position);
      if (named && !repeated) found.push({ position, database, name });
    }
    return found;
  }

  #readNode(node: AstNode, scope: Scope): void {
    switch (textOf(node, 'class')) {
      case 'CONSTANT':
        this.#readConstant(node);
        return;
      case 'COLUMN_REF':
        this.#columns.push([node, listOf(node, 'column_names').map(String)]);
        break;
      case 'STAR':
      case 'POSITIONAL_REFERENCE':
        this.#allColumns = true;
        break;
      case 'FUNCTION':
      case 'WINDOW':
        this.#checkScalar(node);
        break;
      default:
        if (this.#readTableNode(node, scope)) return;
    }
    for (const child of Object.values(node)) this.read(child, scope);
  }

  #readConstant(node: AstNode): void {
    const value = node['value'];
    if (isNode(value)) {
      const inner = value['value'];
      if (typeof inner === 'string') this.words.add(foldName(inner));
    }
  }

  #checkScalar(node: AstNode): void {
    const name = textOf(node, 'function_name').toLowerCase();
    if (refusedScalarFunctions.has(name)) refuse(`the function ${name} is not available`);
  }

  /** Nodes that are not expressions; true if their children were read already. */
  #readTableNode(node: AstNode, scope: Scope): boolean {
    switch (textOf(node, 'type')) {
      case 'BASE_TABLE':
        this.#readTable(node, scope);
        break;
      case 'TABLE_FUNCTION':
        this.#checkTableFunction(node);
        break;
      case 'SHOW_REF':
        if (!isNode(node['query'])) refuse('SHOW is available as a statement of its own only');
        this.#allColumns = true;
        break;
      case 'PIVOT':
        this.#allColumns = true;
        break;
      case 'JOIN':
        if (textOf(node, 'ref_type') === 'NATURAL') this.#allColumns = true;
        break;
      default:
        break;
    }
    if (!isNode(node['cte_map'])) return false;
    this.#readQueryNode(node, node['cte_map'], scope);
    return true;
  }

  #checkTableFunction(node: AstNode): void {
    const call = node['function'];
    const name = isNode(call) ? textOf(call, 'function_name').toLowerCase() : '';
    if (!allowedTableFunctions.has(name)) refuse(`the table function ${name} is not available`);
  }

  #readTable(node: AstNode, scope: Scope): void {
    const name = textOf(node, 'table_name');
    const database = textOf(node, 'schema_name');
    if (scope.has(foldName(name)) && (database === '' || foldName(database) === 'recurring')) {
      // Should the engine see the scopes differently, it must not find a file of that name.
      if (name.includes('/')) refuse(`a common table expression cannot be called ${name}`);
      return;
    }
    if (textOf(node, 'catalog_name') !== '') {
      refuse(`write database.measurement, in quotes where a name has dots (at ${name})`);
    }
    if (node['at_clause'] !== null && node['at_clause'] !== undefined) {
      refuse('AT is not available');
    }
    if (listOf(node, 'column_name_alias').length > 0) this.#allColumns = true;
    const position = positionOf(node);
    if (position === undefined) refuse(`the measurement ${name} cannot stand here`);
    // The parser repeats an expression of the text in the tree here and there (simple CASE).
    if (this.#byPosition.has(position)) return;
    this.#byPosition.set(position, this.tables.length);
    this.tables.push({
      database: database === '' ? undefined : database,
      name,
      alias: textOf(node, 'alias'),
      position,
      ...(this.#bounds.get(node) ?? { bounds: [], tags: [] }),
    });
  }

  /** SELECT, set operation or recursive expression: what may have a WITH in front. */
  #readQueryNode(node: AstNode, withClause: AstNode, outer: Scope): void {
    const scope = new Set(outer);
    for (const entry of listOf(withClause, 'map')) {
      if (!isNode(entry)) continue;
      this.read(entry['value'], new Set(scope));
      scope.add(foldName(textOf(entry, 'key')));
    }
    for (const conditions of tableConditions(node)) {
      const bounds = { bounds: timeBounds(conditions), tags: tagBounds(conditions) };
      this.#bounds.set(conditions.table, bounds);
    }
    // Only the second half of a recursive expression can name the expression itself.
    const recursive = textOf(node, 'type') === 'RECURSIVE_CTE_NODE';
    const inner = recursive ? new Set([...scope, foldName(textOf(node, 'cte_name'))]) : scope;
    for (const [key, child] of Object.entries(node)) {
      if (key !== 'cte_map') this.read(child, key === 'right' ? inner : scope);
    }
    this.#readStars(node);
  }

  /** Called after the FROM was read, so that its tables have their indexes. */
  #readStars(node: AstNode): void {
    const tables = directTables(node['from_table'])
      .map((table) => this.#byPosition.get(positionOf(table) ?? -1))
      .filter((index) => index !== undefined);
    if (tables.length === 0) return;
    for (const item of listOf(node, 'select_list')) {
      if (!isNode(item) || textOf(item, 'class') !== 'STAR') continue;
      const position = positionOf(item);
      const plain = item['columns'] !== true && !isNode(item['expr']);
      const repeated = this.stars.some((earlier) => earlier.position === position);
      if (position === undefined || !plain || repeated) continue;
      this.stars.push({ position, relation: textOf(item, 'relation_name'), tables });
    }
  }
}

/** Tables that stand in a FROM itself or in its joins, not in subqueries. */
function directTables(from: AstValue | undefined): AstNode[] {
  if (!isNode(from)) return [];
  if (textOf(from, 'type') === 'BASE_TABLE') return [from];
  if (textOf(from, 'type') !== 'JOIN') return [];
  return [...directTables(from['left']), ...directTables(from['right'])];
}

/**
 * The shape of `statement`.
 * @throws HF_QUERY_REFUSED for functions and forms that are not available.
 */
export function readShape(statement: AstNode): QueryShape {
  const reader = new ShapeReader();
  reader.read(statement['node'], new Set());
  return reader.finish();
}
