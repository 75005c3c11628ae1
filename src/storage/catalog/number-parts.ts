/**
 * Which part of a logical column holds a value. A physical column never changes its type, so a
 * logical column of numbers opens further parts as values come that its first part cannot hold
 * exactly. Pure rules; the same for every dialect and decided once, at ingest.
 */
import type { LogicalColumn, PhysicalColumn, PhysicalType } from '../../base/model/schema.ts';

/**
 * What a value needs of its column. `integer` fits int64; `huge` is an unsigned value beyond it.
 * The `...Exact` forms have the same value as a double.
 */
export type ValueForm =
  | 'string'
  | 'boolean'
  | 'double'
  | 'integerExact'
  | 'integer'
  | 'hugeExact'
  | 'huge';

type ValueClass = 'string' | 'boolean' | 'number';

function classOfForm(form: ValueForm): ValueClass {
  return form === 'string' || form === 'boolean' ? form : 'number';
}

function classOfType(type: PhysicalType): ValueClass {
  return type === 'string' || type === 'boolean' ? type : 'number';
}

/** True if `column` can hold values of that form: strings, booleans, or any number. */
export function canHold(column: LogicalColumn, form: ValueForm): boolean {
  const first = column.parts[0];
  return first === undefined || classOfType(first.type) === classOfForm(form);
}

/** The part that bears the SQL name: the first one that was int64 or double (or not a number). */
export function basePart(column: LogicalColumn): PhysicalColumn | undefined {
  return column.parts.find((part) => part.name === column.sqlName);
}

/** The physical type in which a value of that form is stored, given the base part's type. */
export function storedType(base: PhysicalType | undefined, form: ValueForm): PhysicalType {
  switch (form) {
    case 'string':
    case 'boolean':
    case 'double':
      return form;
    case 'integerExact':
      return base === 'double' ? 'double' : 'int64';
    case 'integer':
      return 'int64';
    case 'hugeExact':
      return base === 'double' ? 'double' : 'uint64';
    case 'huge':
      return 'uint64';
  }
}

/** Name that a new part of that type asks for; the base part bears the SQL name itself. */
export function wantedPartName(column: LogicalColumn, type: PhysicalType): string {
  const isBase = type !== 'uint64' && basePart(column) === undefined;
  return isBase ? column.sqlName : `${column.sqlName}__${type}`;
}

const typeWords: Readonly<Record<PhysicalType, string>> = {
  int64: 'integer',
  double: 'float',
  uint64: 'unsigned',
  boolean: 'boolean',
  string: 'string',
};

const formWords: Readonly<Record<ValueForm, string>> = {
  string: 'string',
  boolean: 'boolean',
  double: 'float',
  integerExact: 'integer',
  integer: 'integer',
  hugeExact: 'unsigned',
  huge: 'unsigned',
};

/** The refusal in InfluxDB's words, which clients match on. */
export function conflictText(
  measurement: string,
  spelling: string,
  form: ValueForm,
  type: PhysicalType,
): string {
  const existing = typeWords[type];
  return (
    `field type conflict: input field "${spelling}" on measurement "${measurement}" is type ${formWords[form]}, ` +
    `already exists as type ${existing}`
  );
}
