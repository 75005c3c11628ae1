/**
 * Forms of values as small numbers, for the arrays of the line scanner; `formNames` leads to the
 * names under which the schema registry knows them.
 */
import type { ValueForm } from '../../storage/catalog/number-parts.ts';

export const stringForm = 0;
export const booleanForm = 1;
export const doubleForm = 2;
/** Fits int64 and is exact as a double. */
export const integerExactForm = 3;
export const integerForm = 4;
/** Beyond int64, fits uint64, exact as a double. */
export const hugeExactForm = 5;
export const hugeForm = 6;

export const formCount = 7;

export const formNames: readonly ValueForm[] = [
  'string',
  'boolean',
  'double',
  'integerExact',
  'integer',
  'hugeExact',
  'huge',
];
