/**
 * Bounds on the time of a measurement that its query proves: conditions of the form
 * `time <op> constant` that stand in the WHERE of the SELECT that names the measurement, alone or
 * joined by AND. A row that breaks one cannot count, so files without such rows need not be read.
 *
 * Taken only where leaving rows out early cannot change anything else: the measurement stands alone
 * in FROM, or under inner joins, cross joins and on the left side of left joins; it is not sampled
 * and its columns are not renamed. Pure: the constants are evaluated by the engine later, in the
 * transaction that runs the query, so that `now()` is the same instant in both.
 */
import { isNode, listOf, textOf, type AstNode, type AstValue } from './ast.ts';

export interface TimeBound {
  /** `time` stands left of it. */
  readonly operator: '<' | '<=' | '>' | '>=' | '=';
  /** Syntax tree of the constant, as JSON text. */
  readonly constant: string;
}

const operators: Readonly<Record<string, TimeBound['operator']>> = {
  COMPARE_LESSTHAN: '<',
  COMPARE_LESSTHANOREQUALTO: '<=',
  COMPARE_GREATERTHAN: '>',
  COMPARE_GREATERTHANOREQUALTO: '>=',
  COMPARE_EQUAL: '=',
};

const mirrored: Readonly<Record<TimeBound['operator'], TimeBound['operator']>> = {
  '<': '>',
  '<=': '>=',
  '>': '<',
  '>=': '<=',
  '=': '=',
};

/** Functions whose value is fixed within one transaction when their arguments are constant. */
const stableFunctions: ReadonlySet<string> = new Set(
  (
    'now current_timestamp get_current_timestamp transaction_timestamp today current_date + - * ' +
    'date_trunc time_bucket trunc make_timestamp make_date epoch_ms to_timestamp to_years ' +
    'to_months to_weeks to_days to_hours to_minutes to_seconds to_milliseconds to_microseconds'
  ).split(' '),
);

function isDouble(constant: AstNode): boolean {
  return isNode(constant['type']) && textOf(constant['type'], 'id') === 'DOUBLE';
}

/** True if `value` holds nothing but literals, casts and stable functions of them. */
function isConstant(value: AstValue | undefined): boolean {
  if (!isNode(value)) return false;
  switch (textOf(value, 'class')) {
    case 'CONSTANT':
      // The text made of a tree turns a double into a decimal, so that its value may differ.
      return !isNode(value['value']) || !isDouble(value['value']);
    case 'CAST':
      return isConstant(value['child']);
    case 'FUNCTION':
      return (
        stableFunctions.has(textOf(value, 'function_name').toLowerCase()) &&
        value['distinct'] !== true &&
        !isNode(value['filter']) &&
        listOf(value, 'children').every((child) => isConstant(child))
      );
    default:
      return false;
  }
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

/** `condition` as (column, operator, constant), or nothing. */
function readCondition(condition: AstNode): (readonly [AstNode, TimeBound])[] {
  const bound = (
    column: AstValue | undefined,
    operator: TimeBound['operator'],
    constant: AstValue | undefined,
  ): (readonly [AstNode, TimeBound])[] => {
    if (!isNode(column) || textOf(column, 'class') !== 'COLUMN_REF') return [];
    if (!isConstant(constant)) return [];
    return [[column, { operator, constant: JSON.stringify(constant) }]];
  };
  if (textOf(condition, 'type') === 'COMPARE_BETWEEN') {
    return [
      ...bound(condition['input'], '>=', condition['lower']),
      ...bound(condition['input'], '<=', condition['upper']),
    ];
  }
  const operator = operators[textOf(condition, 'type')];
  if (textOf(condition, 'class') !== 'COMPARISON' || operator === undefined) return [];
  return [
    ...bound(condition['left'], operator, condition['right']),
    ...bound(condition['right'], mirrored[operator], condition['left']),
  ];
}

/** True if `column` names the time of `table`, which stands in FROM alone if `alone`. */
function isTimeOf(column: AstNode, table: AstNode, alone: boolean): boolean {
  const names = listOf(column, 'column_names').map((name) => String(name).toLowerCase());
  if (names.at(-1) !== 'time' || names.length > 2) return false;
  if (names.length === 1) return alone;
  return names[0] === (textOf(table, 'alias') || textOf(table, 'table_name')).toLowerCase();
}

/** Bounds for the tables in the FROM of the SELECT `node`; no entry for a table without any. */
export function timeBounds(node: AstNode): (readonly [table: AstNode, TimeBound[]])[] {
  if (textOf(node, 'type') !== 'SELECT_NODE' || isNode(node['sample'])) return [];
  const tables = boundableTables(node['from_table']);
  const alone = isNode(node['from_table']) && textOf(node['from_table'], 'type') === 'BASE_TABLE';
  const conditions = conjuncts(node['where_clause']).flatMap((part) => readCondition(part));
  const found: (readonly [AstNode, TimeBound[]])[] = [];
  for (const table of tables) {
    const bounds = conditions
      .filter(([column]) => isTimeOf(column, table, alone))
      .map(([, bound]) => bound);
    if (bounds.length > 0) found.push([table, bounds]);
  }
  return found;
}
