/**
 * Values of columns that a query asks for: conditions `column = 'text'` and
 * `column IN ('text', ...)` (table-conditions.ts). Where versions of points are merged, rows with
 * another value of a tag are left out before it: all versions of a point have the same tags. Pure.
 */
import { isNode, listOf, textOf, type AstNode, type AstValue } from './ast.ts';
import type { TableConditions } from './table-conditions.ts';

export interface TagBound {
  /** As written. */
  readonly column: string;
  /** The column has one of them. */
  readonly values: readonly string[];
}

function textConstant(node: AstValue | undefined): string | undefined {
  if (!isNode(node) || textOf(node, 'class') !== 'CONSTANT') return undefined;
  const constant = node['value'];
  if (!isNode(constant) || !isNode(constant['type'])) return undefined;
  const value = constant['value'];
  const isText = textOf(constant['type'], 'id') === 'VARCHAR' && typeof value === 'string';
  return isText ? value : undefined;
}

/** `condition` as a column and the constants that it may be, or nothing. */
function sides(condition: AstNode): readonly [AstValue | undefined, readonly AstValue[]] {
  switch (textOf(condition, 'type')) {
    case 'COMPARE_EQUAL': {
      const { left = null, right = null } = condition;
      return textConstant(right) === undefined ? [right, [left]] : [left, [right]];
    }
    case 'COMPARE_IN': {
      const [column, ...values] = listOf(condition, 'children');
      return [column, values];
    }
    default:
      return [undefined, []];
  }
}

/** Bounds on columns of one table of a SELECT, of tags and others. */
export function tagBounds({ conditions, columnOf }: TableConditions): readonly TagBound[] {
  return conditions.flatMap((condition) => {
    const [node, constants] = sides(condition);
    const column = columnOf(node);
    const values = constants.map(textConstant).filter((value) => value !== undefined);
    const isBound = column !== undefined && values.length === constants.length;
    return isBound ? [{ column, values }] : [];
  });
}
