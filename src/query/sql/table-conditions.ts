/**
 * Conditions that every row of a measurement must meet to count, read off the syntax tree: those in
 * the WHERE of the SELECT that names the measurement, alone or joined by AND.
 *
 * Taken only where leaving rows out early cannot change anything else: the measurement stands alone
 * in FROM, or under inner joins, cross joins and on the left side of left joins; it is not sampled
 * and its columns are not renamed. Pure.
 */
import { isNode, listOf, textOf, type AstNode, type AstValue } from './ast.ts';

export interface TableConditions {
  readonly table: AstNode;
  /** All of the WHERE, those about other tables too. */
  readonly conditions: readonly AstNode[];
  /** The name of the column of this table that `node` is, or undefined if it is none. */
  columnOf(node: AstValue | undefined): string | undefined;
}

/** Tables of a FROM whose rows may be left out early, by what a column may be qualified with. */
function boundableTables(from: AstValue | undefined): AstNode[] {
  if (!isNode(from)) return [];
  if (textOf(from, 'type') === 'BASE_TABLE') {
    const plain = !isNode(from['sample']) && listOf(from, 'column_name_alias').length === 0;
    return plain ? [from] : [];
  }
  if (textOf(from, 'type') !== 'JOIN' || isNode(from['sample'])) return [];
  const kind = textOf(from, 'ref_type');
  if (kind === 'CROSS' || (kind === 'REGULAR' && textOf(from, 'join_type') === 'INNER')) {
    return [...boundableTables(from['left']), ...boundableTables(from['right'])];
  }
  if (kind === 'REGULAR' && textOf(from, 'join_type') === 'LEFT') {
    return boundableTables(from['left']);
  }
  return [];
}

/** Conditions joined by AND at the top of `condition`. */
function conjuncts(condition: AstValue | undefined): AstNode[] {
  if (!isNode(condition)) return [];
  if (textOf(condition, 'type') !== 'CONJUNCTION_AND') return [condition];
  return listOf(condition, 'children').flatMap((child) => conjuncts(child));
}

/** Name of the column of `table`, which stands in FROM alone if `alone`, that `node` is. */
function columnOf(node: AstValue | undefined, table: AstNode, alone: boolean): string | undefined {
  if (!isNode(node) || textOf(node, 'class') !== 'COLUMN_REF') return undefined;
  const names = listOf(node, 'column_names').map(String);
  const [relation = ''] = names;
  if (names.length === 1) return alone ? relation : undefined;
  const own = (textOf(table, 'alias') || textOf(table, 'table_name')).toLowerCase();
  return names.length === 2 && relation.toLowerCase() === own ? names[1] : undefined;
}

/** The tables in the FROM of the SELECT `node` that conditions may be taken for. */
export function tableConditions(node: AstNode): readonly TableConditions[] {
  if (textOf(node, 'type') !== 'SELECT_NODE' || isNode(node['sample'])) return [];
  const alone = isNode(node['from_table']) && textOf(node['from_table'], 'type') === 'BASE_TABLE';
  const conditions = conjuncts(node['where_clause']);
  return boundableTables(node['from_table']).map((table) => ({
    table,
    conditions,
    columnOf: (column) => columnOf(column, table, alone),
  }));
}
