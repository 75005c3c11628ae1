/**
 * Bounds on the time of a measurement that its query proves: conditions of the form
 * `time <op> constant` (table-conditions.ts). A row that breaks one cannot count, so files without
 * such rows need not be read. Pure: the constants are evaluated by the engine later, in the
 * transaction that runs the query, so that `now()` is the same instant in both.
 */
import { isNode, listOf, textOf, type AstNode, type AstValue } from './ast.ts';
import type { TableConditions } from './table-conditions.ts';

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

/** Bounds on the time of one table of a SELECT. */
export function timeBounds({ conditions, columnOf }: TableConditions): readonly TimeBound[] {
  return conditions
    .flatMap((condition) => readCondition(condition))
    .filter(([column]) => columnOf(column)?.toLowerCase() === 'time')
    .map(([, bound]) => bound);
}
